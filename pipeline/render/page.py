"""Self-contained HTML pages: layout, style and tables."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence

from pipeline.render.markup import Markup, joined, tag

__all__ = ["PAGE_STYLE", "cards", "folded", "legend", "page", "section", "table", "void"]

PAGE_STYLE = """
:root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--line:#e4e7ec;--text:#14171c;--quiet:#667085;
--accent:#2f6fed;--idle:#e9ecf1;--done:#2f9e5d;--partial:#e2a33b;--skipped:#8fa3bf;--failed:#d64545;--on:#fff}
@media (prefers-color-scheme:dark){:root{--ground:#101216;--card:#191c22;--line:#2a2e37;--text:#f2f3f5;--quiet:#949aa6;
--accent:#6ea8fe;--idle:#2a2e37;--done:#4ade80;--partial:#e5ab4a;--skipped:#7487a3;--failed:#f0716f;--on:#0d0f13}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1040px;margin:0 auto;padding:40px 20px 64px}
header p{margin:2px 0;color:var(--quiet);overflow-wrap:anywhere}
.kicker{text-transform:uppercase;letter-spacing:.08em;font-size:12px;font-weight:600}
h1{font-size:28px;line-height:1.25;margin:2px 0 8px;display:flex;flex-wrap:wrap;gap:12px;align-items:center;
font-variant-numeric:tabular-nums}
h2{font-size:18px;margin:0 0 10px}h3{font-size:14px;margin:22px 0 2px}
.badge{font-size:13px;font-weight:600;padding:3px 12px;border-radius:99px;color:var(--on);background:var(--skipped)}
header .problem{color:var(--failed);font-weight:600;margin-top:10px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:14px;margin:26px 0 14px}
.tile,section{background:var(--card);border:1px solid var(--line);border-radius:12px}
.tile{padding:16px 18px}.tile:first-child{grid-row:span 2}
dt{color:var(--quiet);font-size:13px}
dd{margin:0;font-size:28px;font-weight:650;line-height:1.25;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.tile p{margin:0;color:var(--quiet);font-size:13px}
.share{display:flex;gap:2px;height:10px;margin:22px 0 10px}
.share i{border-radius:3px;min-width:4px}
section{padding:22px 24px;margin:14px 0}
section>p{margin:0 0 12px}
.quiet{color:var(--quiet)}.verdict{font-weight:500}
svg{display:block;width:100%;height:auto;overflow:visible;
font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
svg .grid{stroke:var(--line)}svg .tick,svg .said{fill:var(--quiet);font-variant-numeric:tabular-nums}
svg .row{fill:var(--text);font-size:13px}
svg .average{stroke:var(--text);stroke-dasharray:5 4;opacity:.55}
svg .average+.said{fill:var(--text);font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:4px}
svg .line{fill:none;stroke-width:2.2;stroke-linejoin:round}
svg rect.pace{fill:var(--accent)}
svg text.on{fill:var(--on);font-weight:600}
rect.idle{fill:var(--idle)}rect.failed{fill:var(--failed)}rect.partial{fill:var(--partial)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:8px 0;color:var(--quiet);font-size:13px}
.dot::before{content:"";display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:7px;background:var(--idle)}
.dot.done::before,i.done{background:var(--done)}.dot.partial::before,i.partial{background:var(--partial)}
.dot.skipped::before,i.skipped{background:var(--skipped)}.dot.failed::before,i.failed{background:var(--failed)}
.tile .legend{flex-direction:column}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px;margin-top:12px;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--quiet);font-weight:500}
th,td{padding:6px 14px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}
.right{text-align:right}.name{overflow-wrap:anywhere;min-width:320px}
pre,code{font:12.5px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{background:var(--ground);border:1px solid var(--line);border-radius:8px;padding:12px 14px;
overflow-x:auto;margin:10px 0 18px}
details{margin-top:10px}summary{cursor:pointer;color:var(--quiet);font-size:13px}
summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
footer{color:var(--quiet);font-size:13px;margin-top:22px;overflow-wrap:anywhere}
@media print{section,.tile{break-inside:avoid}}
"""


_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Content security policy: a page loads nothing and runs only its own script, identified by its hash."""


def page(
    title: str, content: Iterable[str], *, style: str, refresh_seconds: int | None = None, script: str | None = None
) -> str:
    """Make an HTML document.

    Args:
        title: Title in the browser's tab.
        content: Content of the page, in order.
        style: Additional CSS.
        refresh_seconds: Interval in which the browser reloads the page; None to never reload it.
        script: A script that runs when the page is loaded; None for none.
    """
    policy = _POLICY
    if script is not None:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
        policy += f"; script-src 'sha256-{digest}'"
        content = [*content, Markup(f"<script>{script}</script>")]
    refresh = "" if refresh_seconds is None else void("meta", http_equiv="refresh", content=str(refresh_seconds))
    head = tag(
        "head",
        void("meta", charset="utf-8"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", http_equiv="Content-Security-Policy", content=policy),
        void("meta", name="color-scheme", content="light dark"),
        refresh,
        tag("title", f"{title} - momentseek"),
        tag("style", Markup(PAGE_STYLE + style)),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', *content)), lang='en')}\n"


def cards(tiles: Iterable[tuple[str, str, str, Markup]]) -> Markup:
    """Make cards of figures side by side from tuples (name, value, note, further content)."""
    found = [
        tag("div", tag("dt", name), tag("dd", value), tag("p", note), more, class_="tile")
        for name, value, note, more in tiles
    ]
    return tag("dl", *found, class_="tiles")


def section(title: str, *content: str) -> Markup:
    """Make a section of a page."""
    return tag("section", tag("h2", title), *content)


def folded(title: str, *content: str) -> Markup:
    """Make a section that opens when its title is clicked."""
    return tag("details", tag("summary", title), *content)


def legend(*kinds: tuple[str, str]) -> Markup:
    """Make a legend of colours, each from (class, name)."""
    return tag("p", *(tag("span", name, class_=f"dot {colour}") for colour, name in kinds), class_="legend")


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), is_folded: bool = False
) -> Markup:
    """Make a table; columns whose numbers are in `right` are right-aligned."""

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
    """Make a void element, without content and end tag."""
    return Markup(tag(name, **attributes).removesuffix(f"</{name}>"))
