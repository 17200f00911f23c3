"""Find and import the class that an import path or an entry point names."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pipeline.config import Settings
from pipeline.errors import ConfigError
from pipeline.parsing import shown

__all__ = [
    "Seam",
    "class_named",
    "entry_point_names",
    "import_path",
    "import_problem",
    "is_import_path",
]

_NAME = r"[^\W\d]\w*"
_IMPORT_PATH = re.compile(rf"{_NAME}(\.{_NAME})*:{_NAME}(\.{_NAME})*")


@dataclass(frozen=True)
class Seam:
    """A place that plugins of one kind plug into.

    Attributes:
        kind: The noun for such a plugin, for example "sampler".
        section: The configuration's section, for example "sampling".
        field: The field of the section that names the class, for example "strategy".
        group: The group of the entry points, for example "momentseek.samplers".
        members: The attributes that an object must have.
        check: Yields the faults of an object that has all members.
        requires_field: Whether the class itself must also have the field, with a default.
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


def import_path(cls: type) -> str:
    """Return the import path of a class, such as "my_package.samplers:MySampler"."""
    return f"{cls.__module__}:{cls.__qualname__}"


def is_import_path(text: str) -> bool:
    """Whether a text has the form of an import path, such as "my_package:MyClass"."""
    return _IMPORT_PATH.fullmatch(text) is not None


def entry_point_names(group: str) -> set[str]:
    """Return the names of the installed entry points of a group, without importing any of them."""
    return {point.name for point in entry_points(group=group)}


def class_named(reference: str, seam: Seam) -> type[Settings]:
    """Import the class that an import path or an entry point names.

    Raises:
        ConfigError: There is no such class, it cannot be imported, or it is not a `Settings` subclass.
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
            f"{seam.setting}: {reference!r} is not a subclass of pipeline.config.Settings; derive the {seam.kind} from"
            " it, with its settings as fields"
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
        " package, or give the class by its import path, my_package:MyClass"
    )


def _imported(module: str, seam: Seam, reference: str) -> Any:
    try:
        return import_module(module)
    except Exception as error:
        raise ConfigError(
            f"{seam.setting}: {reference!r}: {module!r} cannot be imported ({type(error).__name__}: {error}); install"
            " its package, or add its folder to PYTHONPATH"
        ) from error


def import_problem(cls: type) -> str | None:
    """Describe why another process could not import a class by its name; None if it could."""
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
