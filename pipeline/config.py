"""Settings: frozen configuration objects, validated from mappings and `a.b=c` overrides.

Each strategy is itself a `Settings` class, defined next to its code, whose fields hold the defaults.
`pipeline.run_config` combines them, `pipeline.config_files` reads mappings from YAML files, and `pipeline.fingerprints`
hashes settings.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, Tag, ValidationError

from pipeline.errors import ConfigError
from pipeline.parsing import ParseError, parse_yaml, shown
from pipeline.uris import public_name

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = [
    "LEAST_LIKENESS",
    "PLUGIN_TAG",
    "Settings",
    "foreign_settings",
    "merged",
    "validate",
    "with_overrides",
]

PLUGIN_TAG = "my_package:MyClass"
"""Represents the classes of other packages where messages list the strategies."""

_LIBRARY_FIELDS = {
    "path": "library",
    "private": "library_private",
    "remember_questions": "library_remember_questions",
}
# Settings are nested at most four levels deep.
_MAX_NAME_PARTS = 20
_MAX_FAULTS = 20
_MAX_NAME_LENGTH = 60
LEAST_LIKENESS = 0.6
"""Minimum similarity (difflib's ratio, 0 to 1) at which a known name is suggested for an unknown one."""


class Settings(BaseModel):
    """A frozen, validated configuration object; unknown fields and implicit conversions are rejected.

    Attributes:
        fingerprint_name: Represents the class in fingerprints. Each class that is hashed sets its own and never changes
            it, so that the class can be renamed while existing libraries keep their fingerprints.
    """

    fingerprint_name: ClassVar[str]

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


S = TypeVar("S", bound=Settings)


def _spread_library(data: Mapping[str, Any]) -> dict[str, Any]:
    """Convert `library: {path: DIR, private: true}` to `library: DIR` and `library_private: true`.

    Raises:
        ConfigError: It contains another name.
    """
    given = data.get("library")
    if not isinstance(given, Mapping):
        return dict(data)
    unknown = [str(name) for name in given if name not in _LIBRARY_FIELDS]
    if unknown:
        raise ConfigError(f"library.{unknown[0]}: unknown setting; allowed here: {', '.join(_LIBRARY_FIELDS)}")
    rest = {name: value for name, value in data.items() if name != "library"}
    return {**{_LIBRARY_FIELDS[name]: value for name, value in given.items()}, **rest}


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings recursively; a change of `strategy`, or of an encoder's `class`, replaces the section."""
    return _merged(_spread_library(below), _spread_library(above))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        lower = result.get(key)
        if (
            isinstance(lower, dict)
            and isinstance(value, dict)
            and value.get("strategy") in (None, lower.get("strategy"))
            and value.get("class") in (None, lower.get("class", "open_clip"))
        ):
            result[key] = _merged(lower, value)
        else:
            result[key] = value
    return result


def with_overrides(data: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Apply `a.b=c` overrides to a mapping in order; `c` is parsed as YAML.

    Raises:
        ConfigError: An override has no `=`, an empty key, or a value that is not YAML.
    """
    result = dict(data)
    for override in overrides:
        key, equals, text = override.partition("=")
        path = key.strip().split(".")
        if not equals or not all(path) or len(path) > _MAX_NAME_PARTS:
            raise ConfigError(
                f"--set {shown(override)}: expected name=value with a dotted name, for example sampling.fps=2"
            )
        try:
            value = parse_yaml(text)
        except ParseError as error:
            raise ConfigError(f"--set {shown(override)}: the value is not valid YAML: {error}") from error
        for part in reversed(path):
            value = {part: value}
        result = merged(result, value)
    return result


def validate(model: type[S], data: Mapping[str, Any], origin: str = "configuration") -> S:
    """Convert a mapping to a settings object.

    If a section has no `strategy`, the default strategy of its field is used.

    Raises:
        ConfigError: One line per fault: the dotted path, the fault, the value, and the nearest allowed name.
    """
    try:
        return model.model_validate_json(json.dumps(_with_strategies(model, _spread_library(data)), default=str))
    except ValidationError as error:
        faults = "\n".join(f"  {line}" for line in _faults(model, error))
        raise ConfigError(f"{origin}:\n{faults}") from error


def _with_strategies(model: type[Settings], data: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(data)
    for name, field in model.model_fields.items():
        given, default = result.get(name), field.get_default(call_default_factory=True)
        if isinstance(given, Mapping) and isinstance(default, Settings) and not _is_plugin(given):
            strategy = {"strategy": default.strategy} if hasattr(default, "strategy") else {}
            result[name] = _with_strategies(type(default), {**strategy, **given})
    return result


def _is_plugin(given: Mapping[str, Any]) -> bool:
    """Whether a section names a class of another package, to which the settings of the default do not apply."""
    return "class" in given or ":" in str(given.get("strategy", ""))


def _faults(model: type[Settings], error: ValidationError) -> Iterator[str]:
    every = error.errors(include_url=False)
    faults = [fault for fault in every if not _is_consequence(fault["loc"], fault["type"], every)]
    for fault in faults[:_MAX_FAULTS]:
        path, parent, strategies = _dotted(model, fault["loc"])
        if fault["type"] == "extra_forbidden":
            allowed = _names(parent) if parent is not None else []
            hint = _nearest_setting(path.rpartition(".")[2], allowed, _homes(model))
            yield f"{path}: unknown setting; {hint}allowed here: {', '.join(allowed)}"
        elif fault["type"] == "union_tag_invalid":
            tags = str(fault["ctx"]["expected_tags"]).replace("'", "")
            tag = str(fault["ctx"]["tag"])
            near = difflib.get_close_matches(tag, tags.split(", "), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            yield f"{path}.strategy: unknown strategy {shown(tag)}; {hint}allowed: {tags}"
        elif fault["type"] == "union_tag_not_found":
            yield f"{path}.strategy: missing; allowed: {', '.join(sorted(strategies))}"
        else:
            given = fault["input"]
            message = fault["msg"].removeprefix("Value error, ")
            if fault["type"] == "value_error" and isinstance(given, Mapping):
                # A check of several settings, whose message names what is wrong with them.
                yield message if path == "(top)" else f"{path}: {message}"
                continue
            value = shown(public_name(given) if isinstance(given, str) else given)
            is_named = isinstance(given, str) and value in message
            yield f"{path}: {message}" if is_named else f"{path}: {message}, got {value}"
    if len(faults) > _MAX_FAULTS:
        yield f"and {len(faults) - _MAX_FAULTS} more"


def _is_consequence(location: tuple[int | str, ...], kind: str, faults: Sequence[ErrorDetails]) -> bool:
    """Whether a list is too short only because one of its items is invalid, which is reported separately."""
    return kind == "too_short" and any(
        len(fault["loc"]) > len(location) and fault["loc"][: len(location)] == location for fault in faults
    )


def _nearest_setting(name: str, allowed: Sequence[str], elsewhere: Mapping[str, str]) -> str:
    """Suggest a setting for an unknown name; empty if none is similar.

    Args:
        name: The unknown name.
        allowed: Settings at its level.
        elsewhere: Settings at all levels, with a description of where each belongs.
    """
    near = difflib.get_close_matches(name, [*allowed, *elsewhere], n=1, cutoff=LEAST_LIKENESS)
    if not near:
        return ""
    if near[0] in allowed:
        return f"did you mean {near[0]!r}? "
    place = elsewhere[near[0]]
    return f"it belongs {place}; " if near[0] == name else f"did you mean {near[0]!r}, which belongs {place}? "


def _homes(model: type[Settings]) -> dict[str, str]:
    """Map each setting of the top level and of its sections to a description of where it belongs, for messages."""
    places = {}
    for section, field in model.model_fields.items():
        for cls in _settings_in(field.annotation):
            places.update(dict.fromkeys(_names(cls), f"inside {section!r}"))
    return places | dict.fromkeys(_names(model), "at the top level")


def _names(model: type[Settings]) -> list[str]:
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _dotted(
    model: type[Settings], location: tuple[int | str, ...]
) -> tuple[str, type[Settings] | None, Mapping[str, type[Settings]]]:
    """Locate a fault.

    Returns:
        The dotted path as in YAML; the settings class that has or should have this field; and, if a strategy has to be
        chosen there, the class of each.
    """
    parts: list[str] = []
    current: type[Settings] | None = model
    parent: type[Settings] | None = model
    options: dict[str, type[Settings]] = {}
    is_key = False
    for part in location:
        if is_key and not isinstance(part, int):
            # One of several by name: what they can be is known from the mapping.
            parts.append(_short(part))
            is_key = False
            continue
        if part in options:
            current = options[str(part)]
            options = {}
            continue
        if isinstance(part, int):
            # An item of a list: its possible classes are known from the list.
            parts.append(str(part))
            continue
        parent = current
        parts.append(_short(part))
        annotation = _annotation(current, str(part))
        is_key = get_origin(annotation) is dict
        classes = list(_settings_in(annotation))
        current = classes[0] if len(classes) == 1 else None
        options = dict(_tagged(annotation))
        if len(classes) == 1 and not options:
            options = {classes[0].__name__: classes[0]}
    return ".".join(parts) or "(top)", parent, options


def _annotation(model: type[Settings] | None, name: str) -> object:
    """The type of a field, by the name that files have for it."""
    fields = () if model is None else model.model_fields.items()
    return next((field.annotation for own, field in fields if name in (own, field.alias)), None)


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME_LENGTH else f"{name[:_MAX_NAME_LENGTH]}..."


def foreign_settings(settings: Settings, path: str = "") -> Iterator[tuple[str, Settings, list[str]]]:
    """Find settings objects of classes that their fields do not name, such as a caller's own subclasses.

    pydantic accepts a subclass where its base class is declared, but it cannot be written to a file and read again.

    Args:
        settings: The settings to search.
        path: The dotted path of these settings.

    Yields:
        The dotted path, the object, and the names of the allowed classes.
    """
    for name, field in type(settings).model_fields.items():
        allowed = list(_settings_in(field.annotation))
        value = getattr(settings, name)
        for number, part in enumerate(value if isinstance(value, tuple) else (value,)):
            location = f"{path}{name}.{number}" if isinstance(value, tuple) else f"{path}{name}"
            if not isinstance(part, Settings):
                continue
            if type(part) not in allowed:
                yield location, part, [cls.__name__ for cls in allowed]
            else:
                yield from foreign_settings(part, f"{location}.")


def _settings_in(annotation: object) -> Iterator[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
        return
    for inner in getattr(annotation, "__args__", ()):
        yield from _settings_in(inner)


def _tagged(annotation: object) -> Iterator[tuple[str, type[Settings]]]:
    """The classes of a union by the tags used in faults: a `Tag`, or else the class's `strategy`."""
    tags = [note.tag for note in getattr(annotation, "__metadata__", ()) if isinstance(note, Tag)]
    if tags:
        yield from ((str(tags[0]), cls) for cls in _settings_in(annotation))
        return
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        if (strategy := annotation.model_fields.get("strategy")) is not None:
            yield str(strategy.default), annotation
        return
    for inner in getattr(annotation, "__args__", ()):
        yield from _tagged(inner)
