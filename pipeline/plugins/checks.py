"""Instantiate a plugin's class, and check its settings, members and version."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import packages_distributions, version
from typing import Any

from pipeline.config import Settings, validate
from pipeline.errors import ConfigError
from pipeline.plugins.classes import Seam, import_path, import_problem

__all__ = ["LoadedPlugin", "checked_plugin", "missing_members"]


@dataclass(frozen=True)
class LoadedPlugin:
    """A plugin that was imported and checked.

    Attributes:
        part: The instance of the class.
        class_path: The class's own import path.
        version: The class's `revision`, or the name and version of its distribution.
        settings: All settings of the class, defaults included, as JSON values.
    """

    part: Settings
    class_path: str
    version: str
    settings: Mapping[str, Any]


def checked_plugin(cls: type[Settings], seam: Seam, reference: str, settings: Mapping[str, Any]) -> LoadedPlugin:
    """Create and check the object that a section of a configuration describes.

    Args:
        cls: The class that the section names.
        seam: The kind of plugin.
        reference: The name of the class in the section.
        settings: The other settings of the section.

    Raises:
        ConfigError: The class, its settings or its members do not meet the requirements of the seam.
    """
    if (problem := import_problem(cls)) is not None:
        raise ConfigError(f"{seam.setting}: {reference!r}: {problem}")
    field = cls.model_fields.get(seam.field)
    if seam.requires_field and (field is None or field.is_required()):
        raise ConfigError(
            f"{seam.setting}: {reference!r}: the class needs the field `{seam.field}` with a default, for example"
            f' `{seam.field}: Literal["my_{seam.kind}"] = "my_{seam.kind}"`'
        )
    part = _configured(cls, seam, reference, settings)
    problems = _problems(part, seam)
    if problems:
        raise ConfigError(f"{seam.setting}: {reference!r} is not a valid {seam.kind}: {'; '.join(problems)}")
    complete = part.model_dump(mode="json", by_alias=True, exclude={seam.field})
    return LoadedPlugin(part, import_path(cls), _version(part, seam, reference), complete)


def _configured(cls: type[Settings], seam: Seam, reference: str, settings: Mapping[str, Any]) -> Settings:
    origin = f"{seam.section} ({reference})"
    try:
        part = validate(cls, settings, origin)
        saved = part.model_dump(mode="json", by_alias=True, exclude={seam.field})
        is_same = validate(cls, saved, origin) == part and pickle.loads(pickle.dumps(part)) == part  # noqa: S301 - ours
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{origin}: cannot be created ({type(error).__name__}: {error})") from error
    if not is_same:
        raise ConfigError(
            f"{origin}: differs after it was saved and read again; use fields with types that JSON supports, and"
            " exclude values computed from them from comparison"
        )
    return part


def _problems(part: Settings, seam: Seam) -> list[str]:
    missing = missing_members(part, seam.members)
    if missing:
        return [f"it lacks {', '.join(missing)}"]
    try:
        return list(seam.check(part))
    except Exception as error:  # noqa: BLE001 - a plugin's properties may raise anything
        return [f"{type(error).__name__}: {error}"]


def missing_members(part: object, names: Iterable[str]) -> list[str]:
    """List the names that an object has no attribute for; no property is evaluated."""
    return [name for name in names if not _has(part, name)]


def _has(part: object, name: str) -> bool:
    try:
        inspect.getattr_static(part, name)
    except AttributeError:
        return False
    return True


def _version(part: Settings, seam: Seam, reference: str) -> str:
    revision = getattr(part, "revision", None)
    if revision is not None:
        return str(revision)
    top = type(part).__module__.partition(".")[0]
    names = sorted(set(_distributions().get(top, ())))
    if not names:
        raise ConfigError(
            f"{seam.setting}: {reference!r} has no version: {top!r} belongs to no installed package; add"
            ' `revision: ClassVar[str] = "1"` to the class, and change it when its results change'
        )
    return ", ".join(f"{name} {version(name)}" for name in names)


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()
