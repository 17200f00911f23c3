"""Policies and the YAML files that define them."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator

from pipeline.analyze.policies.condition import Condition, _Condition
from pipeline.analyze.policies.destination import Destination
from pipeline.config import LEAST_LIKENESS, Settings, validate
from pipeline.config_files import bundled_names, bundled_path, load_mapping
from pipeline.errors import ConfigError
from pipeline.fingerprints import fingerprint
from pipeline.search.filters.recording_time import TimeOfDay
from pipeline.types import Scalar

__all__ = ["Action", "Policy", "Rule", "Severity", "as_policy", "read_policy"]

FOLDER = "policies"
"""Folder of the bundled policies, in configs."""

_REVISION = "1"
"""Version of the evaluation of rules; part of every fingerprint."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_NAME_RULE = "has up to 80 letters, digits, dots, dashes and underscores, and begins with a letter or digit"


class Severity(StrEnum):
    """Severity of a rule, also used by `--fail-on`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Rank of the severity, from 0 for the lowest."""
        return list(Severity).index(self)


class Action(StrEnum):
    """The action of a rule for flagged intervals."""

    TAG = "tag"
    QUEUE = "queue"
    ROUTE = "route"
    ALERT = "alert"


def _time_of_day(text: str) -> str:
    TimeOfDay.parse(text)
    return text


def _names(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str) else value


class RuleDefaults(Settings):
    """Settings shared by the rules of a policy; each rule may override them."""

    enter: float = Field(default=0.5, gt=0, lt=1)
    """Minimum score of at least one frame of an interval."""

    exit: float | None = Field(default=None, gt=0, lt=1)
    """Score below which an interval ends; None for `enter`."""

    smooth_seconds: float = Field(default=0.0, ge=0, le=30)
    """Width of the running median that is applied to the frames' scores first; 0 for none. A single frame that differs
    from its neighbours then neither begins nor ends an interval."""

    min_seconds: float = Field(default=0.0, ge=0)
    """Minimum length of an interval after gaps are closed; shorter ones are left out."""

    merge_gap_seconds: float = Field(default=0.0, ge=0)
    """Maximum gap between two intervals that are merged."""

    share: float = Field(default=0.0, ge=0, le=1)
    """Minimum share of an interval's time whose frames score `enter` or more, so that one wrong frame does not
    decide."""

    aggregate: Literal["max", "mean", "share"] = "mean"
    """Aggregation of the frames' scores to an interval's confidence: the maximum; the mean, weighted by the time that
    each frame represents; or the share of the time whose frames score `enter` or more."""

    severity: Severity = Severity.MEDIUM
    """Severity of a flagged interval: low, medium, high or critical."""

    action: Action = Action.TAG
    """`tag`: the interval is logged. `queue`: it is also queued for review. `route`: `momentseek route` sends its video
    to the rule's destinations. `alert`: it is an alarm for other programs that read the output."""

    to: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Names of the destinations, for the action `route`."""

    cooldown_seconds: float = Field(default=0.0, ge=0)
    """Time after a reported interval in which those of the same rule and camera are logged, but not reported."""

    time_of_day: Annotated[str, AfterValidator(_time_of_day)] | None = None
    """Hours in local time to which the rule is limited, such as "22:00-6:00"."""

    where: dict[str, Scalar] = Field(default_factory=dict)
    """Metadata entries of the videos to which the rule is limited."""


class Rule(RuleDefaults):
    """One rule of a policy."""

    when: _Condition
    """Condition on frames: a phrase, `label: NAME`, `concept: NAME`, or all, any or not of these."""

    description: str = ""
    """Purpose of the rule."""

    @model_validator(mode="after")
    def _check(self) -> Rule:
        if self.exit is not None and self.exit > self.enter:
            raise ValueError(f"exit {self.exit:g} is above enter {self.enter:g}; an interval would end as it begins")
        if self.action is Action.ROUTE and not self.to:
            raise ValueError("the action route names no destination; add `to: NAME`, of one under `destinations`")
        return self

    @property
    def least(self) -> float:
        """Score below which an interval ends."""
        return self.enter if self.exit is None else self.exit


class Policy(Settings):
    """A policy: its rules, the labels that they name, and the destinations of videos."""

    fingerprint_name: ClassVar[str] = "Policy"

    name: str
    """Name in logs and messages; by default the name of the file."""

    description: str = ""
    """Purpose of the policy."""

    labels: str | None = Field(default=None, min_length=1)
    """The label file of the labels in conditions: a path, relative to the policy, or the name of a bundled one."""

    camera: str = Field(default="camera", min_length=1)
    """Name of the metadata with a video's camera, for cooldowns."""

    rules: dict[str, Rule] = Field(min_length=1)
    """The rules, by name."""

    destinations: dict[str, Destination] = Field(default_factory=dict)
    """The destinations, by name."""

    match: Literal["first", "all"] = "first"
    """`first`: the first rule of the file that flags a video determines its destinations. `all`: all rules that flag it
    do."""

    otherwise: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Destinations of completely checked videos that no rule with the action route flags."""

    unchecked: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Destinations of videos that could not be checked completely, and that no rule with the action route flags."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name of a policy {_NAME_RULE}")
        return name

    @model_validator(mode="after")
    def _check(self) -> Policy:
        for name in (*self.rules, *self.destinations):
            if not _NAME.fullmatch(name):
                raise ValueError(f"the name of a rule or destination {_NAME_RULE}; {name!r} does not")
        counts = Counter(name.casefold() for name in self.rules)
        if twice := [name for name in self.rules if counts[name.casefold()] > 1]:
            raise ValueError(f"the rule {twice[0]!r} is given twice (upper and lower case do not differ)")
        named = {f"rule {name!r}": rule.to for name, rule in self.rules.items()}
        for who, names in {**named, "`otherwise`": self.otherwise, "`unchecked`": self.unchecked}.items():
            _check_destinations(who, names, self.destinations)
        if self.labels is None and (labels := [part.name for part in self.parts if part.label is not None]):
            raise ValueError(f"{labels[0]} is named, and the policy has no label file; add `labels: NAME_OR_PATH`")
        return self

    @property
    def parts(self) -> tuple[Condition, ...]:
        """The distinct phrases, labels and concepts of all rules."""
        found = {part.name: part for rule in self.rules.values() for part in rule.when.parts}
        return tuple(found.values())

    @property
    def fingerprint(self) -> str:
        """Identity of its rules and destinations, without the contents of labels and concepts: 12 hex digits."""
        fields = self.model_dump(mode="json", exclude={"labels", "description"})
        for rule in fields["rules"].values():
            # Policies had no such key when the first of their fingerprints were logged.
            if not rule["smooth_seconds"]:
                del rule["smooth_seconds"]
        return fingerprint({self.fingerprint_name: fields}, _REVISION)


def _check_destinations(who: str, names: Iterable[str], known: Mapping[str, Destination]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=LEAST_LIKENESS)
            hint = f"did you mean {near[0]!r}? " if near else ""
            listed = ", ".join(known) or "none"
            raise ValueError(f"{who} names the destination {name!r}, which is not there; {hint}there are: {listed}")


class _PolicyFile(Policy):
    """The contents of a policy file; its defaults are applied to each rule."""

    defaults: RuleDefaults = RuleDefaults()
    """Settings shared by the rules."""

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, data: Any) -> Any:
        rules = data.get("rules") if isinstance(data, Mapping) else None
        if not isinstance(rules, Mapping):
            return data
        common = data.get("defaults", {})
        try:
            RuleDefaults.model_validate_json(json.dumps(common))
        except ValidationError:
            # Errors in the defaults are reported once, not with each rule.
            common = {}
        return {**data, "rules": {str(name): _rule(rule, common) for name, rule in rules.items()}}


def _rule(rule: Any, common: Mapping[str, Any]) -> Any:
    """Return the fields of a rule, which may be given as a phrase only."""
    if isinstance(rule, str):
        rule = {"when": rule}
    return {**common, **rule} if isinstance(rule, Mapping) else rule


def read_policy(path_or_name: str | Path) -> Policy:
    """Read a policy.

    Args:
        path_or_name: A YAML file, or the bare name of a bundled policy, such as "protective-equipment".

    Raises:
        ConfigError: There is no such file; a key is unknown, or a value has the wrong type or is out of range; a rule
            is given twice; or a rule has an unknown destination. The message names the dotted path.
    """
    path = bundled_path(path_or_name, FOLDER)
    if not path.exists():
        names = bundled_names(FOLDER)
        near = difflib.get_close_matches(path.name.removesuffix(".yaml"), names, n=1, cutoff=LEAST_LIKENESS)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no policy {str(path)!r}; {hint}give a path, or one of: {', '.join(names)}")
    return as_policy(load_mapping(path), origin=str(path), name=path.stem, folder=path.resolve().parent)


def as_policy(
    data: Mapping[str, Any], *, origin: str = "policy", name: str = "policy", folder: str | Path = "."
) -> Policy:
    """Make a policy from the contents of a policy file.

    Args:
        data: The parsed YAML.
        origin: Name of the file in messages.
        name: The policy's name if the data has none.
        folder: Folder to which the path of the label file is relative.

    Raises:
        ConfigError: As for `read_policy`.
    """
    file = validate(_PolicyFile, {"name": name, **data}, origin)
    fields = file.model_dump(mode="json", exclude={"defaults"})
    if file.labels is not None and (beside := Path(folder) / file.labels).is_file():
        fields["labels"] = str(beside)
    return validate(Policy, fields, origin)
