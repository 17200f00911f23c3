"""Writes docs/reference/configuration.md from the descriptions of the settings.

python -m tests.configuration_page
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.run_config import json_schema

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"
Schema = Mapping[str, Any]

_INTRODUCTION = """\
# Configuration

Every key of a configuration file, with its default and its meaning. `python -m tests.configuration_page` writes this
page from the settings' own descriptions, and a test compares them; edit those, not the page.

```yaml
extends: default          # a file beside this one, or the name of a configuration that comes with momentseek
library: my-library
sampling:
  strategy: fixed_rate
  fps: 2
```

- `--config NAME_OR_PATH` reads a file, and `--set sampling.fps=2` overrides one key. The last `--set` of a key counts.
- `extends` merges mappings key by key. A mapping that names another `strategy` or `class` replaces the one below it.
- A library remembers its configuration, all but `execution`, in `library.yaml`. One that is named with `--config`
  replaces it.
- Unknown keys and values of the wrong type are errors that name the key. `null` means that no value is set.
- `momentseek config show` prints a whole configuration, `momentseek config check FILE` checks one, and
  `momentseek config schema` prints JSON Schema, for editors.
"""
_UNITS = {
    "_bytes_per_second": "bytes per second",
    "_seconds": "seconds",
    "_mebibytes": "MiB",
    "_bytes": "bytes",
    "fps": "frames per second",
    "picture_height": "pixels",
}
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "array": "list"}
_PLUGINS = ("PluginSampler", "PluginEncoder")
_LONGEST_DEFAULT = 60


def page() -> str:
    """The page as it should be."""
    schema = json_schema()
    return f"{_INTRODUCTION}\n{''.join(_sections(schema, schema['$defs']))}".rstrip() + "\n"


def _sections(schema: Schema, models: Mapping[str, Schema]) -> Iterator[str]:
    fields = schema["properties"]
    place, parts = fields["library"]["anyOf"]
    inner = parts["properties"]
    yield "## library\n\nWhere the library is.\n\n"
    rows = [(f"library.{name}", inner[name]) for name in ("private", "remember_questions")]
    yield _table([("library", {**place, "description": fields["library"]["description"]}), *rows])
    yield "With one of these, the folder is written as `library.path`.\n\n"
    for name, field in fields.items():
        if name != "library":
            yield from _section(name, field, models, "##")


def _section(name: str, field: Schema, models: Mapping[str, Schema], mark: str) -> Iterator[str]:
    """The heading of one section, the strategies that it can have, and their keys."""
    found = [models[_name(option)] | {"class": _name(option)} for option in field.get("oneOf", [field])]
    if len(found) == 1:
        yield f"{mark} {name}\n\n{_text(found[0]['description'])}\n\n"
        yield from _keys(name, found[0], models, mark)
        return
    default = field["default"].get("strategy", "open_clip")
    yield f"{mark} {name}\n\n{_text(field['description'])} By default `{default}`.\n\n"
    for model in found:
        yield from _option(name, model, models, f"{mark}#")


def _option(name: str, model: Schema, models: Mapping[str, Schema], mark: str) -> Iterator[str]:
    chosen = next((key for key in ("strategy", "class") if key in model["properties"]), "class")
    value = "my_package:MyClass" if model["class"] in _PLUGINS else model["properties"][chosen]["const"]
    yield f"{mark} {name}: {value}\n\n`{name}.{chosen}: {value}`\n\n{_text(model['description'])}\n\n"
    if model["class"] not in _PLUGINS:
        yield from _keys(name, model, models, mark)


def _keys(name: str, model: Schema, models: Mapping[str, Schema], mark: str) -> Iterator[str]:
    """A table of the keys of one model, then the sections of those that are models themselves."""
    keys = {key: field for key, field in model["properties"].items() if key not in ("strategy", "class")}
    nested = {key: field for key, field in keys.items() if _nested(field)}
    yield _table([(f"{name}.{key}", field) for key, field in keys.items() if key not in nested or _is_optional(field)])
    for key, field in nested.items():
        options = [option for option in field.get("anyOf", [field]) if option.get("type") != "null"]
        yield from _section(f"{name}.{key}", {**field, **options[0]}, models, f"{mark}#")


def _table(rows: list[tuple[str, Schema]]) -> str:
    if not rows:
        return ""
    lines = [f"| `{key}` | {_default(field)} | {_values(key, field)} | {_cell(field)} |" for key, field in rows]
    return "\n".join(["| key | default | values | meaning |", "|---|---|---|---|", *lines]) + "\n\n"


def _cell(field: Schema) -> str:
    return _text(field["description"]).replace("|", "\\|")


def _text(description: str) -> str:
    """A description in one line, in the words of YAML."""
    return re.sub(r"\bNone\b", "`null`", " ".join(description.split()))


def _name(option: Schema) -> str:
    return str(option["$ref"].rpartition("/")[2])


def _nested(field: Schema) -> bool:
    return "oneOf" in field or any("$ref" in option for option in field.get("anyOf", [field]))


def _is_optional(field: Schema) -> bool:
    return any(option.get("type") == "null" for option in field.get("anyOf", ()))


def _default(field: Schema) -> str:
    if "default" not in field:
        return "required"
    text = json.dumps(field["default"], ensure_ascii=False)
    if len(text) > _LONGEST_DEFAULT:
        return f"{len(field['default'])} texts (`momentseek config show`)"
    return f"`{text}`"


def _values(key: str, field: Schema) -> str:
    unit = next((unit for suffix, unit in _UNITS.items() if key.endswith(suffix)), "")
    given = field["type"] if isinstance(field.get("type"), list) else None
    options = [{"type": kind} for kind in given] if given else field.get("anyOf", [field])
    return "; or ".join(_value(option, unit) for option in options)


def _value(option: Schema, unit: str) -> str:
    if option.get("type") == "null":
        return "`null`"
    if "$ref" in option:
        return "the keys below"
    if "enum" in option:
        return ", ".join(f"`{value}`" for value in option["enum"])
    if option.get("type") == "array":
        allowed = option.get("items", {}).get("enum")
        return "list of " + (", ".join(f"`{value}`" for value in allowed) if allowed else _items(option))
    bounds = [f"{word} {option[name]:,}" for name, word in _BOUNDS.items() if name in option]
    return ", ".join([_TYPES.get(option.get("type", ""), "mapping"), *bounds, *([unit] if unit else [])])


def _items(option: Schema) -> str:
    items = option.get("items", {})
    if "oneOf" in items:
        return "strategies, as in `sampling`"
    return {"string": "texts", "number": "numbers", "integer": "whole numbers"}.get(items.get("type", ""), "values")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
