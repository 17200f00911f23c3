"""HTML and SVG elements; all text in them is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from pipeline.render.text import printable

__all__ = ["Markup", "joined", "tag"]


class Markup(str):
    """Text that is markup already; made by `tag` and `joined` only, or from literals."""

    __slots__ = ()


def tag(name: str, /, *content: str, **attributes: str | float | None) -> Markup:
    """Make an element; content that is not `Markup` is escaped.

    Args:
        name: As "p".
        content: What is in it, in order.
        attributes: By name: a trailing underscore is left out, another is a dash, as in `class_` and `stroke_width`.
            None leaves an attribute out.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{said}>{joined(content)}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """Concatenate parts; those that are not `Markup` are escaped."""
    return Markup("".join(part if isinstance(part, Markup) else _escaped(part) for part in parts))


def _escaped(text: str) -> str:
    return escape("\n".join(map(printable, text.split("\n"))))


def _value(value: str | float) -> str:
    return _escaped(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
