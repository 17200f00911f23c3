"""The HTML page of a library map: points with pictures on hover, coloured by their properties."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from pipeline.render.markup import Markup, tag
from pipeline.render.page import page
from pipeline.render.text import counted

__all__ = ["NO_LABEL", "MapPoint", "map_page"]

NO_LABEL = ""
"""Value of a point that is labelled and shows none of the labels; the page calls it "none" and draws it grey."""

_CONTROLS = tag(
    "div",
    tag("div", Markup('<label for="colouring">Colour</label><select id="colouring"></select>'), class_="field"),
    tag("div", Markup('<label for="find">Find a video</label><input id="find" type="search">'), class_="field"),
    Markup('<button type="button" id="reset">Whole map</button>'),
    class_="bar",
)
_CANVAS = tag(
    "div",
    Markup(
        '<canvas id="map" tabindex="0" role="img" aria-label="Map of moments; arrow keys go from moment to'
        ' moment, plus and minus zoom"></canvas><div id="card" hidden></div>'
    ),
    class_="stage",
)
_HELP = (
    "Points that are near each other look alike; distances between far ones mean little. Hover for the picture, click"
    " to keep it, drag to move, scroll to zoom."
)


@dataclass(frozen=True)
class MapPoint:
    """A moment on the map.

    Attributes:
        x: Distance from the left edge, 0 to 1.
        y: Distance from the top edge, 0 to 1.
        video: The video's name.
        interval: The moment's interval, such as "0:12.000 - 0:16.000".
        place: The moment's name in questions, such as "gate.mp4@12.5".
        cluster: Number of its cluster; -1 for none.
        values: Its value in each colouring, as text; None for no value. See `NO_LABEL`.
        picture: Its picture as JPEG; None for no picture.
    """

    x: float
    y: float
    video: str
    interval: str
    place: str
    cluster: int
    values: tuple[str | None, ...]
    picture: str | None = None


def map_page(
    points: Sequence[MapPoint],
    names: Sequence[str],
    colourings: Sequence[str],
    *,
    library: str,
    figures: Mapping[str, int],
) -> str:
    """Draw the map as one self-contained HTML document.

    Args:
        points: The moments.
        names: Names of the clusters.
        colourings: Names of the colourings, in the order of the points' values: "camera", "video", ...
        library: Location of the library.
        figures: Counts to show, by noun.
    """
    data = {"points": [_row(point) for point in points], "names": list(names), "colourings": list(colourings)}
    counts = " \u00b7 ".join(counted(count, noun) for noun, count in figures.items())
    header = tag(
        "header",
        tag("p", "momentseek \u00b7 map", class_="kicker"),
        tag("h1", "Moments by likeness"),
        tag("p", f"{counts} \u00b7 library {library}"),
    )
    content = [
        header,
        _CONTROLS,
        _CANVAS,
        Markup('<ul id="legend" class="legend"></ul>'),
        tag("p", _HELP, class_="quiet"),
        Markup(f'<script type="application/json" id="data">{_json(data)}</script>'),
    ]
    return page("Map", content, style=_asset("map.css"), script=_asset("map.js"))


def _row(point: MapPoint) -> list[object]:
    """Return the values of a point in the order in which map.js reads them."""
    place = round(point.x, 4), round(point.y, 4)
    return [*place, point.video, point.interval, point.place, point.cluster, list(point.values), point.picture]


def _json(data: object) -> str:
    """Format JSON that cannot end the enclosing element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
