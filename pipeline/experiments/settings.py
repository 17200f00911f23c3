"""Reads an experiment's YAML file and builds its variants."""

from __future__ import annotations

import itertools
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from pipeline.bundled import PACKAGES_FOLDER, is_bundled_config
from pipeline.config import Settings, merged, validate
from pipeline.config_files import bundled_names, bundled_path, load_mapping
from pipeline.errors import ConfigError
from pipeline.evaluate import MATCHING_RULE
from pipeline.fingerprints import fingerprint
from pipeline.run_config import RunConfig, check_stages, load_run_config, with_plugins

__all__ = ["Experiment", "Variant", "load_experiment"]

_MOST_VARIANTS = 200
_LONGEST_NAME = 80
_DECIDED = ("library", "index")
_ABSOLUTE = (*_DECIDED, "library_private", "library_remember_questions", "execution")
# Prefixes of settings. Those of the encoder do not affect its identity: the stored embeddings are the same.
_COMMON = (
    *_ABSOLUTE,
    "fetching",
    "encoder.device",
    "encoder.precision",
    "encoder.batch_size",
    "encoder.threads",
    "encoder.cache_dir",
)


class Experiment(Settings):
    """Settings of an experiment: several configurations scored on the same videos and labelled moments."""

    title: str = Field(min_length=1)
    """Question that the experiment answers, in one line."""

    base: str = "default"
    """Base configuration of the variants: a file, relative to this one, or a name such as "default"."""

    videos: tuple[str, ...] = Field(min_length=1)
    """Files, folders, patterns and manifests, relative to this file."""

    labelled: tuple[str, ...] = Field(min_length=1)
    """Labelled sets, relative to this file; they are merged."""

    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Changes of each variant by its name: settings as in a configuration, or with dotted names."""

    grid: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Values of settings by dotted name; each combination is a variant."""

    cost_videos: int = Field(default=1, ge=0)
    """Number of videos, longest first, on which the decoding of each sampling is measured; 0 for none."""

    @field_validator("variants")
    @classmethod
    def _check_names(cls, variants: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name in variants:
            if not (name.isprintable() and 1 <= len(name) <= _LONGEST_NAME):
                raise ValueError(
                    f"the name of a variant has 1 to {_LONGEST_NAME} printable characters, not {name[:99]!r}"
                )
        return variants

    @model_validator(mode="after")
    def _check_some(self) -> Experiment:
        if not self.variants and not self.grid:
            raise ValueError("there is nothing to compare; name `variants`, or settings and their values in `grid`")
        return self


@dataclass(frozen=True)
class Variant:
    """One of an experiment's configurations.

    Attributes:
        name: Its name in the experiment.
        changes: Its changes to the base configuration, by dotted name.
        config: Its complete configuration.
    """

    name: str
    changes: Mapping[str, Any]
    config: RunConfig

    @property
    def encoder_fingerprint(self) -> str:
        """Identity of its embedding space."""
        from pipeline.encode import make_encoder

        return make_encoder(self.config.encoder).fingerprint

    @property
    def fingerprint(self) -> str:
        """Identity of everything that its result depends on, except the videos and the labels."""
        config = self.config.model_dump(mode="json", exclude=set(_ABSOLUTE))
        found = {"config": config, "encoder": self.encoder_fingerprint, "search": self.config.search_fingerprint}
        return fingerprint({**found, "rule": MATCHING_RULE})


def load_experiment(
    path: str | Path, library: str, overrides: Iterable[str] = ()
) -> tuple[Experiment, tuple[Variant, ...]]:
    """Read an experiment's file and make its variants.

    Args:
        path: A YAML file, or the bare name of an experiment that ships with momentseek. The videos and labels of the
            latter are relative to the folder that contains the packages.
        library: Folder of the variants' frame embeddings.
        overrides: Changes `a.b=c` to the base; the settings of a variant take precedence.

    Raises:
        ConfigError: There is no such file; a setting of the experiment or of a variant is unknown, has the wrong type
            or is out of range; the settings of a variant's stages do not fit together; a variant changes a setting that
            all variants have in common; an override changes one that an experiment decides itself; two variants are
            equal or have the same name; or there are too many.
    """
    path = bundled_path(path, "experiments")
    if not path.exists():
        names = ", ".join(bundled_names("experiments"))
        raise ConfigError(f"no experiment {str(path)!r}; give a path, or one of: {names}")
    data = load_mapping(path)
    folder = path.resolve().parent
    data_folder = PACKAGES_FOLDER if is_bundled_config(path) else folder
    given = validate(Experiment, data, str(path))
    experiment = given.model_copy(
        update={
            "base": _beside(folder, given.base),
            "videos": tuple(_beside(data_folder, name) for name in given.videos),
            "labelled": tuple(_beside(data_folder, name) for name in given.labelled),
        }
    )
    overrides = list(overrides)
    _check_overridable(overrides)
    base = load_run_config(experiment.base, overrides).model_dump(mode="json")
    base |= {"library": library, "index": {"backend": "memory"}}
    variants = []
    for name, changes in _changes(given):
        _check_comparable(name, changes, str(path))
        origin = f"{path}: variant {name!r}"
        config = check_stages(with_plugins(validate(RunConfig, merged(base, _nested(changes)), origin)), origin)
        variants.append(Variant(name, changes, config))
    _check_different(variants, str(path))
    return experiment, tuple(variants)


def _beside(folder: Path, name: str) -> str:
    """Resolve a path relative to the experiment's file; URIs and bare names of configurations stay as they are."""
    if "://" in name or (not (folder / name).exists() and not any(sign in name for sign in "*?[")):
        return name
    return os.path.normpath(folder / name)


def _changes(experiment: Experiment) -> Iterator[tuple[str, dict[str, Any]]]:
    count = math.prod(map(len, experiment.grid.values())) * max(1, len(experiment.variants))
    if count > _MOST_VARIANTS:
        raise ConfigError(f"{count} variants; {_MOST_VARIANTS} are the most: leave out values of the grid")
    for name, changes in (experiment.variants or {"": {}}).items():
        for values in itertools.product(*experiment.grid.values()):
            point = dict(zip(experiment.grid, values, strict=True))
            assignments = [f"{setting.rpartition('.')[2]}={_short(value)}" for setting, value in point.items()]
            yield " ".join(filter(None, [name, *assignments])), {**_dotted(changes), **_dotted(point)}


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        # The name of a strategy is sufficient.
        settings = [_short(inner) if name == "strategy" else f"{name}={_short(inner)}" for name, inner in value.items()]
        return ",".join(settings)
    return "+".join(map(_short, value)) if isinstance(value, list | tuple) else str(value)


def _dotted(changes: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in changes.items():
        path = f"{above}{name}"
        result |= _dotted(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return result


def _nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Convert dotted names to nested mappings, independent of the order of a strategy and its settings."""
    result: dict[str, Any] = {}
    for path, value in changes.items():
        *above, last = path.split(".")
        inner = result
        for part in above:
            under = inner.get(part)
            inner[part] = inner = under if isinstance(under, dict) else {}
        inner[last] = value
    return result


def _check_comparable(name: str, changes: Mapping[str, Any], path: str) -> None:
    """Reject a variant's change to a setting that all variants share: the comparison would not show its effect.

    Raises:
        ConfigError: The variant changes such a setting.
    """
    common = [setting for setting in changes if setting.startswith(_COMMON)]
    if common:
        elsewhere = "" if common[0].startswith(_DECIDED) else ", or set it for all by --set or in the base"
        raise ConfigError(
            f"{path}: variant {name!r}: {common[0]}: applies to all variants, since they share embeddings;"
            f" leave it out{elsewhere}"
        )


def _check_overridable(overrides: Iterable[str]) -> None:
    """Reject overrides without any effect.

    Raises:
        ConfigError: An override changes a setting of the library or the index.
    """
    for override in overrides:
        if override.startswith(_DECIDED):
            raise ConfigError(
                f"--set {override}: an experiment stores its embeddings in its work folder and its indexes in memory;"
                " leave it out, or choose another folder by --work"
            )


def _check_different(variants: list[Variant], path: str) -> None:
    for name, count in Counter(variant.name for variant in variants).items():
        if count > 1:
            raise ConfigError(
                f"{path}: {count} variants are named {name!r}; remove duplicate values in `grid`, or write the"
                " variants out under names of their own"
            )
    seen: dict[str, str] = {}
    for variant in variants:
        duplicate = seen.setdefault(variant.fingerprint, variant.name)
        if duplicate != variant.name:
            raise ConfigError(f"{path}: the variants {duplicate!r} and {variant.name!r} are the same; leave one out")
