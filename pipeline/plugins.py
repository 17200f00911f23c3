"""Samplers and encoders from other packages, named in settings by import path or entry point.

Settings that name a plugin are data: validating, saving or comparing them imports nothing. `Plugin.load` imports the
class, checks it and remembers the result for exactly these settings; only then can the plugin be used. Callers load
what the user named (a configuration, an override, a call), and what a library names after `pipeline.library.trust`
agreed.

A plugin's class is a `Settings` subclass whose fields are its settings. Its identity is its import path, its settings
and a version: its `revision` attribute, or else the version of the distribution that holds it.
"""

from __future__ import annotations

import inspect
import json
import pickle
import re
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, packages_distributions, version
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, model_validator

from pipeline.config import Settings, validate
from pipeline.errors import ConfigError
from pipeline.parsing import shown

__all__ = ["Plugin", "Seam", "entry_point_names", "import_path", "is_import_path", "missing_members", "plugin_of"]

_NAME = r"[^\W\d]\w*"
_IMPORT_PATH = re.compile(rf"{_NAME}(\.{_NAME})*:{_NAME}(\.{_NAME})*")
_SETTING = re.compile(_NAME)
_LONGEST = 300


@dataclass(frozen=True)
class Seam:
    """What plugins of one kind have in common.

    Attributes:
        kind: Its noun, as "sampler".
        section: The configuration's section, as "sampling".
        field: The field of the section that names the class, as "strategy".
        group: The entry points' group, as "momentseek.samplers".
        members: What an object must have.
        check: Yields what is wrong with an object that has all members.
        requires_field: Whether the class itself has the field, too, with a default.
    """

    kind: str
    section: str
    field: str
    group: str
    members: tuple[str, ...]
    check: Callable[[Any], Iterable[str]]
    requires_field: bool = False

    @property
    def setting(self) -> str:
        """The dotted name of the setting that names the class."""
        return f"{self.section}.{self.field}"


@dataclass(frozen=True)
class _Loaded:
    part: Settings
    class_path: str
    version: str
    settings: Mapping[str, Any]


_LOADED: dict[str, _Loaded] = {}
# Why plugins that another process sent cannot be used here.
_FAILED: dict[str, str] = {}


class Plugin(Settings):
    """A section that names a class of another package, with that class's own settings beside the name."""

    model_config = ConfigDict(extra="allow", serialize_by_alias=True)

    seam: ClassVar[Seam]

    @model_validator(mode="before")
    @classmethod
    def _from_object(cls, value: object) -> object:
        return plugin_of(value, cls) if isinstance(value, Settings) and not isinstance(value, Plugin) else value

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        name = self.reference
        if len(name) > _LONGEST or (":" in name and not is_import_path(name)):
            raise ValueError(f"{shown(name)} is no import path; write it as my_package:MyClass")
        for setting in self.own_settings:
            if not _SETTING.fullmatch(setting):
                raise ValueError(f"{shown(setting)} cannot be the name of a setting")
        return self

    @property
    def reference(self) -> str:
        """The import path or entry point that names the class."""
        raise NotImplementedError

    @property
    def own_settings(self) -> Mapping[str, Any]:
        """The settings beside the name, as JSON has them; all of them, defaults included, once the plugin is loaded."""
        return self.model_extra or {}

    @property
    def is_loaded(self) -> bool:
        """Whether the plugin may be used in this process."""
        return self._key() in _LOADED

    @property
    def class_path(self) -> str:
        """The class's own import path, which may differ from the one that names it."""
        return self._loaded().class_path

    @property
    def version(self) -> str:
        """The class's `revision`, or the name and version of its distribution."""
        return self._loaded().version

    @property
    def identity(self) -> dict[str, Any]:
        """What tells the plugin's results from those of others: class, version and settings.

        Settings that the class lists in `not_in_fingerprint` are left out.
        """
        loaded = self._loaded()
        neutral = getattr(loaded.part, "not_in_fingerprint", ())
        settings = {name: value for name, value in loaded.settings.items() if name not in neutral}
        return {"class": loaded.class_path, "version": loaded.version, "settings": settings}

    def load(self) -> Self:
        """Import the class, validate its settings, check its members and allow its use.

        Returns:
            The same section with all settings of the class, defaults included.

        Raises:
            ConfigError: The class cannot be imported, has no version, lacks members or refuses its settings.
        """
        if self._key() not in _LOADED:
            _LOADED[self._key()] = _checked(_class_named(self.reference, self.seam), self)
        loaded = _LOADED[self._key()]
        complete = type(self).model_validate({self.seam.field: self.reference, **loaded.settings})
        _LOADED.setdefault(complete._key(), loaded)
        return complete

    def loaded(self) -> Any:
        """The object of the plugin's class.

        Raises:
            ConfigError: It has not been loaded in this process.
        """
        return self._loaded().part

    def __reduce__(self) -> tuple[Callable[..., Plugin], tuple[object, ...]]:
        # A worker gets the object itself, by its class's import path: the package must be importable there.
        loaded = _LOADED.get(self._key())
        return _restored, (type(self), self.model_dump(mode="json"), loaded and pickle.dumps(loaded))

    def _loaded(self) -> _Loaded:
        try:
            return _LOADED[self._key()]
        except KeyError:
            problem = _FAILED.get(self._key()) or (
                "is not loaded; open the library by Library.open, or read the configuration by load_run_config"
            )
            raise ConfigError(f"{self.seam.setting}: {self.reference!r} {problem}") from None

    def _key(self) -> str:
        return json.dumps([type(self).__name__, self.model_dump(mode="json")], sort_keys=True)


def _restored(cls: type[Plugin], data: Mapping[str, Any], loaded: bytes | None) -> Plugin:
    plugin = cls.model_validate(data)
    key = plugin._key()
    if loaded is not None and key not in _LOADED:
        try:
            _LOADED[key] = pickle.loads(loaded)  # noqa: S301 - from this user's own process, beside the rest of it
        except Exception as error:  # noqa: BLE001 - a module may raise anything when it is imported
            # Its first use says why: what fails here is reported as a broken worker.
            _FAILED[key] = (
                f"cannot be imported on {socket.gethostname()} ({type(error).__name__}: {error}); install its package"
                " on every machine of the cluster, or add its folder to PYTHONPATH before Ray starts"
            )
    return plugin


def plugin_of(part: Settings, cls: type[Plugin]) -> dict[str, Any]:
    """The section that means an object of a plugin's class, as data.

    Args:
        part: The object.
        cls: The kind of section.

    Raises:
        ValueError: The class cannot be imported by name, as one that a notebook or a function defines.
    """
    if (problem := _not_importable(type(part))) is not None:
        raise ValueError(problem)
    settings = part.model_dump(mode="json", by_alias=True, exclude={cls.seam.field})
    return {**settings, cls.seam.field: import_path(type(part))}


def import_path(cls: type) -> str:
    """Where a class is, as "my_package.samplers:MySampler"."""
    return f"{cls.__module__}:{cls.__qualname__}"


def is_import_path(text: str) -> bool:
    """Whether a text has the form of an import path, as "my_package:MyClass"."""
    return _IMPORT_PATH.fullmatch(text) is not None


def entry_point_names(group: str) -> set[str]:
    """Names of the installed entry points of a group; none of them is imported."""
    return {point.name for point in entry_points(group=group)}


def missing_members(part: object, names: Iterable[str]) -> list[str]:
    """The names that an object has no attribute of; no property is evaluated."""
    return [name for name in names if not _has(part, name)]


def _has(part: object, name: str) -> bool:
    try:
        inspect.getattr_static(part, name)
    except AttributeError:
        return False
    return True


def _class_named(reference: str, seam: Seam) -> type[Settings]:
    """Import the class that an import path or an entry point names.

    Raises:
        ConfigError: There is none, it cannot be imported, or it is no `Settings` subclass.
    """
    path = reference if ":" in reference else _entry_point(reference, seam).value.partition("[")[0].strip()
    module, _, name = path.partition(":")
    found = _imported(module, seam, reference)
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"{seam.setting}: {reference!r}: the module {module!r} has no {name!r}; correct the name")
        found = getattr(found, part)
    if not isinstance(found, type) or not issubclass(found, Settings):
        raise ConfigError(
            f"{seam.setting}: {reference!r} is no subclass of pipeline.config.Settings; derive the {seam.kind} from it,"
            " its settings being its fields"
        )
    return found


def _entry_point(name: str, seam: Seam) -> EntryPoint:
    found = {(point.value, point): point for point in entry_points(group=seam.group, name=name)}
    if len({value for value, _ in found}) == 1:
        return next(iter(found.values()))
    if found:
        values = ", ".join(sorted(value for value, _ in found))
        raise ConfigError(f"{seam.setting}: several packages register {name!r} ({values}); name one by its import path")
    installed = ", ".join(sorted(entry_point_names(seam.group))) or "none"
    raise ConfigError(
        f"{seam.setting}: no entry point {shown(name)} in the group {seam.group} (installed: {installed}); install its"
        " package, or name the class by import path as my_package:MyClass"
    )


def _imported(module: str, seam: Seam, reference: str) -> Any:
    try:
        return import_module(module)
    except Exception as error:
        raise ConfigError(
            f"{seam.setting}: {reference!r}: {module!r} cannot be imported ({type(error).__name__}: {error}); install"
            " its package, or add its folder to PYTHONPATH"
        ) from error


def _checked(cls: type[Settings], plugin: Plugin) -> _Loaded:
    """Make the object that a section means.

    Raises:
        ConfigError: Its class, its settings or its members are not as the seam demands.
    """
    seam, name = plugin.seam, plugin.reference
    if (problem := _not_importable(cls)) is not None:
        raise ConfigError(f"{seam.setting}: {name!r}: {problem}")
    field = cls.model_fields.get(seam.field)
    if seam.requires_field and (field is None or field.is_required()):
        raise ConfigError(
            f"{seam.setting}: {name!r}: the class lacks the field `{seam.field}` with a default, as"
            f' `{seam.field}: Literal["my_{seam.kind}"] = "my_{seam.kind}"`'
        )
    part = _configured(cls, plugin)
    problems = _problems(part, seam)
    if problems:
        raise ConfigError(f"{seam.setting}: {name!r} is no {seam.kind}: {'; '.join(problems)}")
    settings = part.model_dump(mode="json", by_alias=True, exclude={seam.field})
    return _Loaded(part, import_path(cls), _version(part, plugin), settings)


def _configured(cls: type[Settings], plugin: Plugin) -> Settings:
    origin = f"{plugin.seam.section} ({plugin.reference})"
    try:
        part = validate(cls, plugin.own_settings, origin)
        saved = part.model_dump(mode="json", by_alias=True, exclude={plugin.seam.field})
        is_kept = validate(cls, saved, origin) == part and pickle.loads(pickle.dumps(part)) == part  # noqa: S301 - ours
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{origin}: cannot be set up ({type(error).__name__}: {error})") from error
    if not is_kept:
        raise ConfigError(
            f"{origin}: differs after it was saved and read again; use fields of types that JSON has, and keep what is"
            " computed from them out of comparison"
        )
    return part


def _problems(part: Settings, seam: Seam) -> list[str]:
    missing = missing_members(part, seam.members)
    if missing:
        return [f"it lacks {', '.join(missing)}"]
    try:
        return list(seam.check(part))
    except Exception as error:  # noqa: BLE001 - properties of other people may raise anything
        return [f"{type(error).__name__}: {error}"]


def _not_importable(cls: type) -> str | None:
    if cls.__module__ == "__main__":
        return (
            f"the class {cls.__qualname__} is defined in the running script or notebook, which no other process can"
            " import; move it to a module"
        )
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not cls:
        return f"the class {cls.__qualname__} cannot be imported by its name; define it at the top of a module"
    return None


def _version(part: Settings, plugin: Plugin) -> str:
    revision = getattr(part, "revision", None)
    if revision is not None:
        return str(revision)
    top = type(part).__module__.partition(".")[0]
    names = sorted(set(_distributions().get(top, ())))
    if not names:
        raise ConfigError(
            f"{plugin.seam.setting}: {plugin.reference!r} has no version: {top!r} belongs to no installed package; add"
            ' `revision: ClassVar[str] = "1"` to the class, and change it when its results change'
        )
    return ", ".join(f"{name} {version(name)}" for name in names)


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()
