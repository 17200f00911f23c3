"""`momentseek map`: draw a library's moments by likeness on one page."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.count_bar import count_bar
from pipeline.cli.console.tables import complain, echo, print_json, warn_of_problems
from pipeline.cli.console.written_files import write_page
from pipeline.cli.selection_options import naming_cameras, selected, selecting

__all__ = ["library_map"]


@click.command("map")
@selecting
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("map.html"),
    show_default=True,
    help="HTML file to write.",
)
@click.option(
    "--most",
    metavar="N",
    type=click.IntRange(1, 20_000),
    default=1500,
    show_default=True,
    help="Maximum number of moments.",
)
@naming_cameras
@click.option(
    "--label-set",
    metavar="NAME",
    help="Label set to colour points by: name, file name or fingerprint. Default: the one applied last.",
)
@click.option(
    "--pictures/--no-pictures",
    default=True,
    show_default=True,
    help="Include a picture of each moment in the page.",
)
@click.option(
    "--words",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File of words that name clusters, one per line, to use instead of the bundled words.",
)
@configured
@in_library
@as_json
@click.pass_context
def library_map(
    ctx: click.Context,
    *,
    names: Sequence[str],
    where: Sequence[str],
    missing: bool,
    output: Path,
    most: int,
    camera: str,
    label_set: str | None,
    pictures: bool,
    words: Path | None,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Draw a library's moments by likeness on one self-contained page.

    Moments that look alike are near each other. Clusters are named by the nearest words of a vocabulary; points are
    coloured by cluster, label, video, camera or hour of day, and show their picture on hover. The page needs no
    network.

    The exit code is 1 if the file of a video cannot be read; the others are drawn.
    """
    from pipeline.library.analysis.library_map import draw_map
    from pipeline.render.text import counted

    vocabulary = None if words is None else [line.strip() for line in _lines(words) if line.strip()]
    with require_library(library, config, overrides) as opened:
        records = selected(opened, names, where, missing=missing).records if names or where or missing else None
        with count_bar("pictures") if pictures else nullcontext() as on_picture:
            drawn = draw_map(
                opened,
                records,
                most=most,
                camera=camera,
                label_set=label_set,
                pictures=pictures,
                words=vocabulary,
                on_picture=on_picture,
            )
        warn_of_problems(opened.indexed_videos)
    write_page(output, drawn.html, "map")
    if as_json:
        fields = {"page": str(output), "moments": drawn.moments, "total": drawn.total, "clusters": list(drawn.clusters)}
        print_json(fields)
    else:
        of = f" of {drawn.total:,}" if drawn.total > drawn.moments else ""
        moments = "moment" if drawn.total == 1 else "moments"
        echo(f"{drawn.moments:,}{of} {moments}, {counted(len(drawn.clusters), 'cluster')}: {', '.join(drawn.clusters)}")
    for error in drawn.broken.values():
        complain(f"error: {error}")
    ctx.exit(1 if drawn.broken else 0)


def _lines(path: Path) -> list[str]:
    from pipeline.errors import QueryError

    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{path} cannot be read as text in UTF-8: {error}") from error
