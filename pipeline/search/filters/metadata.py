"""Metadata filter, with a hint where no video matches."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pipeline.errors import QueryError
from pipeline.parsing import shown
from pipeline.types import Scalar, VideoRecord

__all__ = ["check_names", "has_metadata", "metadata_hint", "metadata_text", "scalar_text", "with_metadata"]

_MAX_LISTED = 12


def has_metadata(record: VideoRecord, where: Mapping[str, Scalar]) -> bool:
    """Whether a video's metadata has all of these entries. Types matter: true, 1 and "1" are different values."""
    return all(name in record.metadata and _is_equal(record.metadata[name], value) for name, value in where.items())


def with_metadata(records: Sequence[VideoRecord], where: Mapping[str, Scalar]) -> list[VideoRecord]:
    """Select the videos whose metadata has these entries; their order is kept.

    Raises:
        QueryError: No video has an entry with one of these names.
    """
    found = [record for record in records if has_metadata(record, where)]
    if not found and records:
        check_names(records, where)
    return found


def check_names(records: Iterable[VideoRecord], where: Iterable[str]) -> None:
    """Reject names that occur in no video's metadata.

    Raises:
        QueryError: A name is unknown; the message lists similar names and the known ones.
    """
    known = Counter(name for record in records for name in record.metadata)
    for name in where:
        if name in known:
            continue
        if not known:
            raise QueryError(
                f"no video of this library has metadata {shown(name)}, or any at all: add metadata with a manifest when"
                " indexing, or with momentseek metadata"
            )
        near = _nearest(name, known)
        hint = f"did you mean {', '.join(map(shown, near))}? " if near else ""
        raise QueryError(
            f"no video of this library has metadata {shown(name)}; {hint}known: {_listed([*map(shown, sorted(known))])}"
        )


def metadata_hint(records: Sequence[VideoRecord], where: Mapping[str, Scalar]) -> str:
    """Explain why no video has these entries, and list the existing values; empty if a video has all of them.

    Args:
        records: All videos of the library.
        where: The entries; each name occurs in some video's metadata.
    """
    if any(has_metadata(record, where) for record in records):
        return ""
    reasons = []
    for name, value in where.items():
        values = [record.metadata[name] for record in records if name in record.metadata]
        if any(_is_equal(each, value) for each in values):
            continue
        # Values are counted as text, since 1 and True are the same key in Python.
        by_frequency = [text for text, _ in Counter(map(shown, values)).most_common()]
        similar_texts = _nearest(str(value), map(str, values))
        similar = [shown(each) for each in values if str(each) in similar_texts]
        reasons.append(f"{name} is never {shown(value)}; it is {_listed([*dict.fromkeys([*similar, *by_frequency])])}")
    if reasons:
        return "; ".join(reasons)
    return f"no video has {' and '.join(f'{name} = {shown(value)}' for name, value in where.items())} together"


def metadata_text(metadata: Mapping[str, Scalar]) -> str:
    """Format a video's metadata, as "camera=gate, floor=1"."""
    return ", ".join(f"{name}={scalar_text(value)}" for name, value in metadata.items())


def scalar_text(value: Scalar) -> str:
    """Format a value of metadata as it is given: truth values as "true" and "false"."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _nearest(word: str, words: Iterable[str]) -> list[str]:
    folded: dict[str, list[str]] = {}
    for each in words:
        folded.setdefault(each.casefold(), []).append(each)
    near = difflib.get_close_matches(word.casefold(), folded, n=3, cutoff=0.6)
    return list(dict.fromkeys(each for match in near for each in folded[match]))


def _listed(values: Sequence[str]) -> str:
    more = f" and {len(values) - _MAX_LISTED} more" if len(values) > _MAX_LISTED else ""
    return ", ".join(values[:_MAX_LISTED]) + more


def _is_equal(one: Scalar, other: Scalar) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)
