"""HTML and SVG elements with escaped text."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from pipeline.render.text import printable

__all__ = ["Markup", "joined", "tag"]


class Markup(str):
    """Text that is already markup; made only by `tag` and `joined`, or from literals."""

    __slots__ = ()


def tag(name: str, /, *content: str, **attributes: str | float | None) -> Markup:
    """Make an element; content that is not `Markup` is escaped.

    Args:
        name: Name of the element, such as "p".
        content: Content of the element, in order.
        attributes: Attributes by name. A trailing underscore is removed and others become dashes, as in `class_` and
            `stroke_width`. None omits an attribute.
    """
    attribute_text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{attribute_text}>{joined(content)}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """Concatenate parts; those that are not `Markup` are escaped."""
    return Markup("".join(part if isinstance(part, Markup) else _escaped(part) for part in parts))


def _escaped(text: str) -> str:
    return escape("\n".join(map(printable, text.split("\n"))))


def _value(value: str | float) -> str:
    return _escaped(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
