from __future__ import annotations

from typing import Any

import pytest

from pipeline.config import Settings
from pipeline.setting_descriptions import described_schema


class Described(Settings):
    """Settings of this test."""

    width: int = 3
    """Width in pixels."""


def properties(model: type[Settings]) -> dict[str, Any]:
    return dict(described_schema(model)["properties"])


def test_a_field_is_described_by_the_text_below_it() -> None:
    assert properties(Described)["width"]["description"] == "Width in pixels."


@pytest.mark.parametrize("module", ["not_imported", "builtins"])
def test_a_class_without_source_has_a_schema_without_descriptions(module: str) -> None:
    """As of a plugin that is installed without its source, or was typed into an interpreter."""
    space: dict[str, Any] = {"Settings": Settings, "__name__": module}
    exec("class Typed(Settings):\n    width: int = 3\n    '''Width in pixels.'''", space)
    assert properties(space["Typed"]) == {"width": {"default": 3, "title": "Width", "type": "integer"}}
    assert properties(Described)["width"]["description"] == "Width in pixels."
