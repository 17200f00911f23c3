"""What the pages for people share: they need nothing else, and look the same from a disk or a mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.present.markup import Markup, joined, tag
from pipeline.present.page_style import PAGE_STYLE

__all__ = ["cards", "folded", "legend", "page", "section", "table", "void"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(title: str, content: Iterable[str], *, style: str, refresh_seconds: int | None = None) -> str:
    """One HTML document.

    Args:
        title: In the browser's tab.
        content: What is on it, in order.
        style: What it adds to the style of all pages.
        refresh_seconds: After so many seconds it is loaded anew; None for a page that stays as it is.
    """
    refresh = "" if refresh_seconds is None else void("meta", http_equiv="refresh", content=str(refresh_seconds))
    head = tag(
        "head",
        void("meta", charset="utf-8"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        void("meta", name="color-scheme", content="light dark"),
        refresh,
        tag("title", f"{title} - momentseek"),
        tag("style", Markup(PAGE_STYLE + style)),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', *content)), lang='en')}\n"


def cards(tiles: Iterable[tuple[str, str, str, Markup]]) -> Markup:
    """Figures side by side: (name, value, what is said of it, what else is in its card) of each."""
    found = [
        tag("div", tag("dt", name), tag("dd", value), tag("p", said), more, class_="tile")
        for name, value, said, more in tiles
    ]
    return tag("dl", *found, class_="tiles")


def section(title: str, *content: str) -> Markup:
    """A part of the page."""
    return tag("section", tag("h2", title), *content)


def folded(title: str, *content: str) -> Markup:
    """What is shown when its title is clicked."""
    return tag("details", tag("summary", title), *content)


def legend(*kinds: tuple[str, str]) -> Markup:
    """What colours mean: (class, name) of each."""
    return tag("p", *(tag("span", name, class_=f"dot {colour}") for colour, name in kinds), class_="legend")


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), is_folded: bool = False
) -> Markup:
    """A table; columns of the numbers `right` are aligned to the right."""

    def cells(kind: str, row: Sequence[str]) -> Markup:
        return joined(tag(kind, cell, class_="right" if column in right else None) for column, cell in enumerate(row))

    found = tag(
        "table",
        tag("thead", tag("tr", cells("th", header))),
        tag("tbody", *(tag("tr", cells("td", row)) for row in rows)),
    )
    scrolled = tag("div", found, class_="wide")
    return folded("The same as a table", scrolled) if is_folded else scrolled


def void(name: str, /, **attributes: str) -> Markup:
    """An element that has no content and no end."""
    return Markup(tag(name, **attributes).removesuffix(f"</{name}>"))
