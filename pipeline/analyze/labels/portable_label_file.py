"""Portable label files: a label file packed with its example files, so that it can be read on another machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from pipeline.analyze.labels.label_set import LabelSet, read_label_set
from pipeline.errors import StoreError
from pipeline.parsing import MOST_YAML_BYTES, ParseError, parse_yaml, read_bytes
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.uris import is_remote, local_path

__all__ = ["PortableLabelFile", "is_self_contained", "portable_label_file"]

_KINDS = ("image", "clip")


@dataclass(frozen=True, kw_only=True)
class PortableLabelFile:
    """A label file whose example files have paths relative to it.

    Attributes:
        name: File name, as "site.yaml".
        content: The label file: YAML, in UTF-8.
        examples: Paths of the example files on this machine, by their paths relative to the label file.
        concepts: Names of the concepts that labels are based on.
    """

    name: str
    content: bytes
    examples: Mapping[str, Path]
    concepts: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Identity of the labels and of the contents of their example files: 12 hex digits."""
        return hashlib.sha256(self.content).hexdigest()[:12]


def portable_label_file(path_or_name: str) -> PortableLabelFile:
    """Pack a label file: the result has the same labels and the same fingerprint.

    Examples at URIs, and parts of the library's videos, stay as they are.

    Args:
        path_or_name: As for `read_label_set`.

    Raises:
        ConfigError: The label file or one of its example files is missing or invalid.
    """
    label_set = read_label_set(path_or_name)
    # The contents are hashed, so that a changed example makes another label file.
    names = {path: f"examples/{digest[:12]}/{Path(path).name}" for path, digest in label_set.digests.items()}
    labels = {
        label.name: _relocated(label.model_dump(mode="json", exclude={"name"}, exclude_defaults=True), names)
        for label in label_set.labels
    }
    groups = {name: group.model_dump(mode="json") for name, group in label_set.groups.items()}
    content = yaml.safe_dump({"labels": labels, "groups": groups}, sort_keys=False, allow_unicode=True)
    return PortableLabelFile(
        name=f"{Path(path_or_name).name.removesuffix('.yaml')}.yaml",
        content=content.encode(),
        examples={name: Path(path) for path, name in names.items()},
        concepts=tuple(dict.fromkeys(_concepts(label_set))),
    )


def _relocated(label: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a label's fields with new paths of its example files."""
    for example in label.get("examples", ()):
        for kind in _KINDS:
            if kind in example:
                example[kind] = names.get(example[kind], example[kind])
    return label


def _concepts(label_set: LabelSet) -> Iterator[str]:
    for label in label_set.active:
        yield from (text.removeprefix("concept:") for text in label.concepts)
        yield from (term.concept for term in label.examples if term.concept is not None)


def is_self_contained(folder: Path, name: str) -> bool:
    """Whether a label file in a folder refers to nothing outside this folder: no other disk, host or label file.

    Args:
        folder: The folder.
        name: Path of the label file, relative to it.
    """
    place = AtomicFolder(str(folder))
    try:
        place.check(name)
        data = parse_yaml(read_bytes(folder / name, MOST_YAML_BYTES))
        if not isinstance(data, dict) or "extends" in data:
            return False
        for path in _example_paths(data):
            if is_remote(path) or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                return False
            place.check(str(PurePosixPath(name).parent / path))
    except (OSError, ParseError, StoreError, ValueError):
        return False
    return True


def _example_paths(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths of the example files named by a label file's contents.

    Raises:
        ValueError: The file is not a label file.
    """
    labels = data.get("labels")
    if not isinstance(labels, Mapping):
        raise ValueError("it has no labels")  # noqa: TRY004 - one kind of error for a broken file
    for label in labels.values():
        examples = label.get("examples", ()) if isinstance(label, Mapping) else ()
        for example in [examples] if isinstance(examples, Mapping) else examples:
            if not isinstance(example, Mapping):
                raise ValueError("an example is not a mapping")  # noqa: TRY004 - as above
            yield from (local_path(str(example[kind])) for kind in _KINDS if example.get(kind) is not None)
