"""A section of a configuration that names a class of another package, which is imported only on request."""

from __future__ import annotations

import json
import pickle
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, model_validator

from pipeline.config import Settings
from pipeline.errors import ConfigError
from pipeline.parsing import shown
from pipeline.plugins.checks import LoadedPlugin, checked_plugin
from pipeline.plugins.classes import Seam, class_named, import_path, import_problem, is_import_path

__all__ = ["Plugin", "plugin_of"]

_SETTING = re.compile(r"[^\W\d]\w*")
_MAX_REFERENCE_LENGTH = 300

_LOADED: dict[str, LoadedPlugin] = {}
# Errors of plugins that another process sent and that cannot be used here.
_FAILED: dict[str, str] = {}


class Plugin(Settings):
    """A section that names a class of another package, together with the settings of that class."""

    model_config = ConfigDict(extra="allow", serialize_by_alias=True)

    seam: ClassVar[Seam]

    @model_validator(mode="before")
    @classmethod
    def _from_object(cls, value: object) -> object:
        return plugin_of(value, cls) if isinstance(value, Settings) and not isinstance(value, Plugin) else value

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        name = self.reference
        if len(name) > _MAX_REFERENCE_LENGTH or (":" in name and not is_import_path(name)):
            raise ValueError(f"{shown(name)} is not an import path; write it as my_package:MyClass")
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
        """The settings other than the name, as JSON values; including the defaults once the plugin is loaded."""
        return self.model_extra or {}

    @property
    def is_loaded(self) -> bool:
        """Whether the plugin may be used in this process."""
        return self._key() in _LOADED

    @property
    def class_path(self) -> str:
        """The class's own import path, which may differ from the one in the settings."""
        return self._loaded().class_path

    @property
    def version(self) -> str:
        """The class's `revision`, or the name and version of its distribution."""
        return self._loaded().version

    @property
    def identity(self) -> dict[str, Any]:
        """The properties that determine the plugin's results: class, version and settings.

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
            ConfigError: The class cannot be imported, has no version, lacks members or rejects its settings.
        """
        if self._key() not in _LOADED:
            cls = class_named(self.reference, self.seam)
            _LOADED[self._key()] = checked_plugin(cls, self.seam, self.reference, self.own_settings)
        loaded = _LOADED[self._key()]
        complete = type(self).model_validate({self.seam.field: self.reference, **loaded.settings})
        _LOADED.setdefault(complete._key(), loaded)
        return complete

    def loaded(self) -> Any:
        """Return the instance of the plugin's class.

        Raises:
            ConfigError: The plugin has not been loaded in this process.
        """
        return self._loaded().part

    def __reduce__(self) -> tuple[Callable[..., Plugin], tuple[object, ...]]:
        # A worker unpickles the instance by the import path of its class, so the package must be importable there.
        loaded = _LOADED.get(self._key())
        return _restored, (type(self), self.model_dump(mode="json"), loaded and pickle.dumps(loaded))

    def _loaded(self) -> LoadedPlugin:
        try:
            return _LOADED[self._key()]
        except KeyError:
            problem = _FAILED.get(self._key()) or (
                "is not loaded; open the library with Library.open, or read the configuration with load_run_config"
            )
            raise ConfigError(f"{self.seam.setting}: {self.reference!r} {problem}") from None

    def _key(self) -> str:
        return json.dumps([type(self).__name__, self.model_dump(mode="json")], sort_keys=True)


def _restored(cls: type[Plugin], data: Mapping[str, Any], loaded: bytes | None) -> Plugin:
    plugin = cls.model_validate(data)
    key = plugin._key()
    if loaded is not None and key not in _LOADED:
        try:
            _LOADED[key] = pickle.loads(loaded)  # noqa: S301 - sent by this user's own process, like the other data
        except Exception as error:  # noqa: BLE001 - a module may raise anything when it is imported
            # Reported when the plugin is used: an error here would be reported as a broken worker.
            _FAILED[key] = (
                f"cannot be imported on {socket.gethostname()} ({type(error).__name__}: {error}); install its package"
                " on every machine of the cluster, or add its folder to PYTHONPATH before Ray starts"
            )
    return plugin


def plugin_of(part: Settings, cls: type[Plugin]) -> dict[str, Any]:
    """Convert an instance of a plugin's class to the data of a section.

    Args:
        part: The instance.
        cls: The kind of section.

    Raises:
        ValueError: The class cannot be imported by name, for example because it is defined in a notebook or a function.
    """
    if (problem := import_problem(type(part))) is not None:
        raise ValueError(problem)
    settings = part.model_dump(mode="json", by_alias=True, exclude={cls.seam.field})
    return {**settings, cls.seam.field: import_path(type(part))}
