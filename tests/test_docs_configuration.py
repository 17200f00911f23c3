"""docs/reference/configuration.md lists every key of a configuration, as the settings describe it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from configuration_page import PAGE, page

from pipeline.run_config import RunConfig, json_schema, load_run_config, to_yaml


def keys(settings: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_the_page_is_up_to_date() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), "write it again: python -m tests.configuration_page"


def test_every_key_of_the_defaults_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = list(keys(yaml.safe_load(to_yaml(RunConfig()))))
    assert len(shown) > 40
    assert [key for key in shown if f"`{key}`" not in text and f"`{key}: " not in text] == []


def test_every_key_is_described() -> None:
    fields = [
        (f"{name}.{key}", field)
        for name, model in json_schema()["$defs"].items()
        for key, field in model["properties"].items()
        if key not in ("strategy", "class")
    ]
    assert len(fields) > 40
    assert [name for name, field in fields if not field.get("description")] == []


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.partition("```yaml\n")[2].partition("```")[0])
    assert (load_run_config(tmp_path / "mine.yaml").library, RunConfig().library) == (
        "my-library",
        "momentseek-library",
    )
