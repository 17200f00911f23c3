"""Label sets and the YAML files that define them."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from pipeline.analyze.labels.label import Label, LabelDefaults, TextTuple
from pipeline.config import LEAST_LIKENESS, Settings, validate
from pipeline.config_files import bundled_names, bundled_path, load_mapping
from pipeline.errors import ConfigError
from pipeline.fingerprints import fingerprint
from pipeline.parsing import ParseError, open_file, shown
from pipeline.uris import is_remote, local_path

__all__ = ["Label", "LabelDefaults", "LabelGroup", "LabelSet", "as_label_set", "read_label_set"]

FOLDER = "labels"
"""Folder of the bundled label files, in configs."""

_SCORING_VERSION = 1
"""Version of the computation of scores; part of every fingerprint."""
_MOST_LABELS = 1000


def _members(value: Any) -> Any:
    """Accept `day | night` or a list as the labels of a group."""
    if isinstance(value, str):
        return {"labels": [name.strip() for name in value.split("|")]}
    return {"labels": value} if isinstance(value, list | tuple) else value


class LabelGroup(Settings):
    """A group of mutually exclusive labels."""

    labels: TextTuple
    """Names of the labels."""

    exhaustive: bool = False
    """Whether each frame shows one of them, so that "none of these" is impossible."""


_Group = Annotated[LabelGroup, BeforeValidator(_members)]


class LabelSet(Settings):
    """The labels of one file."""

    fingerprint_name: ClassVar[str] = "LabelSet"

    labels: tuple[Label, ...]
    """The labels, in the order of the file."""

    groups: dict[str, _Group] = Field(default_factory=dict)
    """Groups of mutually exclusive labels, by name. A label is in at most one group."""

    digests: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of the example files on this machine, by path."""

    @model_validator(mode="after")
    def _check(self) -> LabelSet:
        if not 1 <= len(self.labels) <= _MOST_LABELS:
            raise ValueError(f"a label file has 1 to {_MOST_LABELS} labels, this one has {len(self.labels)}")
        _check_once(label.name for label in self.labels)
        if not self.active:
            raise ValueError("all labels are off; turn one on")
        names = {label.name for label in self.labels}
        for group, members in self.groups.items():
            for name in members.labels:
                if name not in names:
                    near = difflib.get_close_matches(name, names, n=1, cutoff=LEAST_LIKENESS)
                    hint = f"; did you mean {near[0]!r}?" if near else ""
                    raise ValueError(f"the group {group!r} names {name!r}, which is not a label of this file{hint}")
            if len(set(members.labels)) < 2:
                raise ValueError(f"the group {group!r} has fewer than two labels")
        member_counts = Counter(name for members in self.groups.values() for name in members.labels)
        if several := [name for name, count in member_counts.items() if count > 1]:
            raise ValueError(f"the label {several[0]!r} is in a group twice, or in two groups; it can be in one")
        return self

    @property
    def active(self) -> tuple[Label, ...]:
        """The labels that are not off, in the order of the file."""
        return tuple(label for label in self.labels if label.mode != "off")

    @property
    def active_groups(self) -> tuple[tuple[tuple[int, ...], bool], ...]:
        """The positions in `active` and `exhaustive` of each group with at least two active labels."""
        place = {label.name: number for number, label in enumerate(self.active)}
        found = (
            (tuple(place[name] for name in group.labels if name in place), group.exhaustive)
            for group in self.groups.values()
        )
        return tuple(group for group in found if len(group[0]) > 1)

    @property
    def fingerprint(self) -> str:
        """Identity of everything that affects scores and intervals: 12 hex digits.

        Example files on this machine are identified by their contents, not by their paths.
        """
        labels = [label.model_dump(mode="json") for label in self.active]
        for label in labels:
            for term in label["examples"]:
                for kind in ("image", "clip"):
                    term[kind] = self.digests.get(term[kind], term[kind])
        groups = [[list(members), exhaustive] for members, exhaustive in self.active_groups]
        return fingerprint({self.fingerprint_name: {"labels": labels, "groups": groups, "version": _SCORING_VERSION}})


def _check_once(names: Iterable[str]) -> None:
    """Check that no two names are equal, or differ only in case."""
    counts = Counter(name.casefold() for name in names)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f"the label {twice[0]!r} is given twice (upper and lower case do not differ)")


class _LabelFile(Settings):
    """The contents of a label file; its defaults are applied to each label."""

    title: str = ""
    """Description in one line."""

    defaults: LabelDefaults = LabelDefaults()
    """Settings shared by the labels."""

    labels: dict[str, Label]
    """The labels, by name."""

    groups: dict[str, _Group] = Field(default_factory=dict)
    """The groups, by name."""

    @field_validator("labels", mode="before")
    @classmethod
    def _named(cls, labels: Any, info: ValidationInfo) -> Any:
        if not isinstance(labels, Mapping):
            raise ValueError("expected `name: prompts` or `name: {prompts: ...}` lines")  # noqa: TRY004 - for pydantic
        common = info.data.get("defaults", LabelDefaults()).model_dump(mode="json", exclude_unset=True)
        return {name: _label(str(name), label, common) for name, label in labels.items()}


def _label(name: str, label: Any, common: Mapping[str, Any]) -> Any:
    """Return a label's fields from its key and value, which may be only a text or a list of prompts."""
    if label is None:
        label = {"prompts": name.replace("-", " ").replace("_", " ")}
    elif isinstance(label, str | list):
        label = {"prompts": label}
    if not isinstance(label, Mapping):
        return label
    if "name" in label:
        raise ValueError(f"{name!r} has a `name`; the name of a label is its key")
    return {**common, **label, "name": name}


def read_label_set(path_or_name: str | Path) -> LabelSet:
    """Read a label file.

    Args:
        path_or_name: A YAML file, or the bare name of a bundled label file, such as "vehicles". Paths of examples are
            relative to the folder of the file.

    Raises:
        ConfigError: There is no such file; a key is unknown, or a value has the wrong type or is out of range; a label
            is given twice; a group has an unknown label; a prompt is empty; or an example file is missing. The message
            names the dotted path.
    """
    path = bundled_path(path_or_name, FOLDER)
    if not path.exists():
        names = bundled_names(FOLDER)
        near = difflib.get_close_matches(path.name.removesuffix(".yaml"), names, n=1, cutoff=LEAST_LIKENESS)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no label file {str(path)!r}; {hint}give a path, or one of: {', '.join(names)}")
    return as_label_set(load_mapping(path, FOLDER), origin=str(path), folder=path.resolve().parent)


def as_label_set(data: Mapping[str, Any], *, origin: str = "labels", folder: str | Path = ".") -> LabelSet:
    """Make a label set from the contents of a label file.

    Args:
        data: The parsed YAML.
        origin: Name of the file in messages.
        folder: Folder to which the paths of examples are relative.

    Raises:
        ConfigError: As for `read_label_set`.
    """
    _check_keys(data, origin)
    file = validate(_LabelFile, data, origin)
    labels = tuple(_placed(label, Path(folder)) for label in file.labels.values())
    digests = {}
    for label in labels:
        for number, term in enumerate(label.examples):
            name = term.image or term.clip
            if name is not None and not is_remote(name):
                digests[name] = _digest(Path(name), f"{origin}: labels.{label.name}.examples.{number}")
    rest = {"groups": {name: group.model_dump() for name, group in file.groups.items()}, "digests": digests}
    return validate(LabelSet, {"labels": [label.model_dump(mode="json") for label in labels], **rest}, origin)


def _check_keys(data: Mapping[str, Any], origin: str) -> None:
    """Check that names are texts: YAML reads `no`, `on` and `12` as other types."""
    for section in ("labels", "groups"):
        named = data.get(section)
        for name in named if isinstance(named, Mapping) else ():
            if not isinstance(name, str):
                raise ConfigError(f"{origin}: {section}: {shown(name)} is not a text; put the name in quotes")


def _placed(label: Label, folder: Path) -> Label:
    """Return a copy of a label with the paths of its examples joined to a folder."""
    examples = []
    for term in label.examples:
        moved = {
            kind: str(folder / local_path(name))
            for kind in ("image", "clip")
            if (name := getattr(term, kind)) is not None and not is_remote(name)
        }
        examples.append(term.model_copy(update=moved))
    return label.model_copy(update={"examples": tuple(examples)})


def _digest(path: Path, where: str) -> str:
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ParseError) as error:
        raise ConfigError(f"{where}: the example {str(path)!r} cannot be read ({error}); correct the path") from error
