"""Adds the docstrings of settings to their JSON Schema, as descriptions.

pydantic can read these docstrings itself, but it parses the source code whenever a class of settings is defined. That
took a quarter of a command's start-up time, so the docstrings are read only when a schema is requested.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pipeline.config import Settings

__all__ = ["described_schema"]


def described_schema(model: type[Settings]) -> dict[str, Any]:
    """Return the JSON Schema of settings, with a description of each field."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    for settings in (model, *_subclasses(Settings)):
        found = schema if settings is model else definitions.get(settings.__name__, {})
        properties = found.get("properties", {})
        for name, text in _descriptions(settings).items():
            shown = settings.model_fields[name].alias or name
            if shown in properties:
                properties[shown].setdefault("description", text)
    return schema


def _subclasses(settings: type[Settings]) -> Iterator[type[Settings]]:
    for subclass in settings.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _descriptions(settings: type[Settings]) -> dict[str, str]:
    """Return the docstring of each field, by name; those of base classes are included."""
    found: dict[str, str] = {}
    for cls in reversed(settings.__mro__):
        if issubclass(cls, Settings) and cls is not Settings:
            found |= _own_descriptions(cls)
    return {name: text for name, text in found.items() if name in settings.model_fields}


def _own_descriptions(settings: type[Settings]) -> dict[str, str]:
    """Return the docstring of each field that a class itself defines; none if its source is not available."""
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    except (OSError, TypeError):
        # A class of a plugin that is installed without its source, was typed into an interpreter or has been unloaded.
        return {}
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for field, below in pairwise(definition.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found
