"""The page of a map: points with pictures on hover, coloured by what is known of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from pipeline.render.markup import Markup, tag
from pipeline.render.page import page
from pipeline.render.text import counted

__all__ = ["MapPoint", "map_page"]


@dataclass(frozen=True)
class MapPoint:
    """A moment on the map.

    Attributes:
        x: From the left edge, 0 to 1.
        y: From the top edge, 0 to 1.
        video: The video's name.
        interval: What part of it the moment is, as "0:12.000 - 0:16.000".
        place: How a question names it, as "gate.mp4@12.5".
        cluster: Number of its cluster; -1 for none.
        values: What it is coloured by, one text for each colouring; None where it has no value.
        picture: A JPEG; None where there is none.
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
        names: Of the clusters.
        colourings: What points can be coloured by, in the order of their values: "camera", "video", ...
        library: Where the library is.
        figures: Counts that are shown, by noun.
    """
    data = {"points": [_row(point) for point in points], "names": list(names), "colourings": list(colourings)}
    counts = " \u00b7 ".join(counted(count, noun) for noun, count in figures.items())
    content = [
        tag(
            "header",
            tag("p", "momentseek \u00b7 map", class_="kicker"),
            tag("h1", "Moments by likeness"),
            tag("p", f"{counts} \u00b7 library {library}"),
        ),
        tag(
            "div",
            tag("div", Markup('<label for="colouring">Colour</label><select id="colouring"></select>'), class_="field"),
            tag("div", Markup('<label for="find">Find a video</label><input id="find" type="search">'), class_="field"),
            Markup('<button type="button" id="reset">Whole map</button>'),
            class_="bar",
        ),
        tag(
            "div",
            Markup(
                '<canvas id="map" tabindex="0" role="img" aria-label="Map of moments; arrow keys go from moment to'
                ' moment, plus and minus zoom"></canvas><div id="card" hidden></div>'
            ),
            class_="stage",
        ),
        Markup('<ul id="legend" class="legend"></ul>'),
        tag(
            "p",
            "Points that are near each other look alike; distances between far ones mean little. Hover for the picture,"
            " click to keep it, drag to move, scroll to zoom.",
            class_="quiet",
        ),
        Markup(f'<script type="application/json" id="data">{_json(data)}</script>'),
    ]
    return page("Map", content, style=_asset("map.css"), script=_asset("map.js"))


def _row(point: MapPoint) -> list[object]:
    """The values of a point in the order in which map.js reads them."""
    place = round(point.x, 4), round(point.y, 4)
    return [*place, point.video, point.interval, point.place, point.cluster, list(point.values), point.picture]


def _json(data: object) -> str:
    """JSON that cannot end the element that it is in."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
