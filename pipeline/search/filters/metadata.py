"""Metadata filter, with a hint where no video matches."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pipeline.errors import QueryError
from pipeline.parsing import shown
from pipeline.types import Scalar, VideoRecord

__all__ = ["check_names", "has_metadata", "metadata_hint", "metadata_text", "with_metadata"]

_MOST_NAMED = 12


def has_metadata(record: VideoRecord, where: Mapping[str, Scalar]) -> bool:
    """Whether each named entry of a video's metadata has this value; true is not 1, and "1" is neither."""
    return all(name in record.metadata and _is_equal(record.metadata[name], value) for name, value in where.items())


def with_metadata(records: Sequence[VideoRecord], where: Mapping[str, Scalar]) -> list[VideoRecord]:
    """Select the videos whose metadata has these entries, in their order.

    Raises:
        QueryError: No video has an entry of one of the names.
    """
    found = [record for record in records if has_metadata(record, where)]
    if not found and records:
        check_names(records, where)
    return found


def check_names(records: Iterable[VideoRecord], where: Iterable[str]) -> None:
    """Refuse names that no video's metadata has.

    Raises:
        QueryError: There is one; the message has the nearest names, and all known ones.
    """
    known = Counter(name for record in records for name in record.metadata)
    for name in where:
        if name in known:
            continue
        if not known:
            raise QueryError(
                f"no video of this library has metadata {shown(name)}, or any: give it by a manifest when they are"
                " indexed, or by momentseek metadata"
            )
        near = _nearest(name, known)
        hint = f"did you mean {', '.join(map(shown, near))}? " if near else ""
        raise QueryError(
            f"no video of this library has metadata {shown(name)}; {hint}known: {_listed([*map(shown, sorted(known))])}"
        )


def metadata_hint(records: Sequence[VideoRecord], where: Mapping[str, Scalar]) -> str:
    """Explain why no video has these entries, with the values that exist; empty where some video has all.

    Args:
        records: All videos of the library.
        where: The entries; each name is one that some video has.
    """
    if any(has_metadata(record, where) for record in records):
        return ""
    said = []
    for name, value in where.items():
        values = [record.metadata[name] for record in records if name in record.metadata]
        if any(_is_equal(each, value) for each in values):
            continue
        # As they are shown: Python takes 1 and true for the same key.
        usual = [text for text, _ in Counter(map(shown, values)).most_common()]
        alike = _nearest(str(value), map(str, values))
        near = [shown(each) for each in values if str(each) in alike]
        said.append(f"{name} is never {shown(value)}; it is {_listed([*dict.fromkeys([*near, *usual])])}")
    if said:
        return "; ".join(said)
    return f"no video has {' and '.join(f'{name} = {shown(value)}' for name, value in where.items())} together"


def metadata_text(metadata: Mapping[str, Scalar]) -> str:
    """Format a video's metadata, as "camera=gate, floor=1"."""
    return ", ".join(
        f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in metadata.items()
    )


def _nearest(word: str, words: Iterable[str]) -> list[str]:
    folded: dict[str, list[str]] = {}
    for each in words:
        folded.setdefault(each.casefold(), []).append(each)
    near = difflib.get_close_matches(word.casefold(), folded, n=3, cutoff=0.6)
    return list(dict.fromkeys(each for match in near for each in folded[match]))


def _listed(values: Sequence[str]) -> str:
    more = f" and {len(values) - _MOST_NAMED} more" if len(values) > _MOST_NAMED else ""
    return ", ".join(values[:_MOST_NAMED]) + more


def _is_equal(one: Scalar, other: Scalar) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)
