"""`momentseek unusual`: list the moments that are least like the rest of their camera's recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.count_bar import count_bar
from pipeline.cli.console.tables import complain, echo, print_json, print_table, warn_of_problems
from pipeline.cli.console.written_files import write_picture
from pipeline.cli.selection_options import naming_cameras, selected, selecting

if TYPE_CHECKING:
    from pipeline.library import Library
    from pipeline.library.analysis.unusual import FoundUnusual, UnusualAnswer

__all__ = ["unusual"]


@click.command()
@selecting
@naming_cameras
@click.option(
    "--top",
    "-n",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="Maximum number of moments.",
)
@click.option("--sheet", type=click.Path(dir_okay=False, path_type=Path), help="Draw the moments into this PNG file.")
@configured
@in_library
@as_json
@click.pass_context
def unusual(
    ctx: click.Context,
    *,
    names: Sequence[str],
    where: Sequence[str],
    missing: bool,
    camera: str,
    top: int,
    sheet: Path | None,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """List the moments that are least like the rest of their camera's recordings.

    No question is asked: each sampled frame is compared with the camera's other frames. Videos without the metadata
    entry of --camera count as one camera. Where recording times are known and the camera recorded on several days, a
    frame is compared with the same time of day on other days. The distance is 0 if the camera
    has seen the same before, and about 1 if it has seen nothing like it. Moments that look the same are listed once.

    The exit code is 1 if the file of a video cannot be read; the others are searched.
    """
    from pipeline.library.analysis.unusual import find_unusual

    with require_library(library, config, overrides) as opened:
        records = selected(opened, names, where, missing=missing).records if names or where or missing else None
        with count_bar("videos, twice") as on_video:
            answer = find_unusual(opened, records, camera=camera, top=top, on_video=on_video)
        if as_json:
            for found in answer.moments:
                print_json(_json(found))
        else:
            _print(answer)
        if sheet is not None:
            _draw(opened, answer, sheet)
    for error in answer.broken.values():
        complain(f"error: {error}")
    ctx.exit(1 if answer.broken else 0)


def _json(found: FoundUnusual) -> dict[str, Any]:
    moment = found.moment
    return {
        "video_id": moment.video_id,
        "uri": found.record.last_name,
        "camera": found.camera,
        "start_seconds": moment.start_seconds,
        "end_seconds": moment.end_seconds,
        "peak_seconds": moment.peak_seconds,
        "distance": moment.distance,
        "is_seasonal": moment.is_seasonal,
        "copies": moment.copies,
        "recorded_at": None if found.recorded_at is None else found.recorded_at.isoformat(),
    }


def _print(answer: UnusualAnswer) -> None:
    from pipeline.render.text import counted
    from pipeline.search.filters.metadata import scalar_text
    from pipeline.timecode import format_seconds

    rows = [
        [
            str(number),
            f"{found.moment.distance:.2f}",
            "-" if found.camera is None else scalar_text(found.camera),
            f"{format_seconds(found.moment.start_seconds)} - {format_seconds(found.moment.end_seconds)}",
            "-" if found.recorded_at is None else found.recorded_at.isoformat(sep=" ", timespec="seconds"),
            str(found.moment.copies or ""),
            found.record.last_name,
        ]
        for number, found in enumerate(answer.moments, 1)
    ]
    columns = ["", "distance", "camera", "moment", "recorded", "alike", "video"]
    hidden = [n for n in (5, 4, 2) if all(row[n] in ("", "-") for row in rows)]
    for column in hidden:
        columns = [*columns[:column], *columns[column + 1 :]]
        rows = [[*row[:column], *row[column + 1 :]] for row in rows]
    if rows:
        print_table(columns, rows, right=(0, 1))
    if not answer.cameras:
        echo("there is no video to compare", err=True)
    for one in answer.cameras:
        name = "" if one.camera is None else f"camera {scalar_text(one.camera)}: "
        of = f"{counted(one.frames, 'frame')} of {counted(one.videos, 'video')}"
        if one.median_distance is None:
            echo(f"{name}{of} are too few, or too close in time, to say what is usual", err=True)
        else:
            echo(f"{name}compared {of}", err=True)


def _draw(opened: Library, answer: UnusualAnswer, path: Path) -> None:
    from pipeline.export.frame_sheet import SheetFrame, frame_sheet
    from pipeline.render.text import counted
    from pipeline.timecode import format_seconds

    frames = [
        SheetFrame(
            found.moment.video_id,
            found.record.last_name,
            found.moment.peak_seconds,
            f"{format_seconds(found.moment.start_seconds)} - {format_seconds(found.moment.end_seconds)}",
            f"{found.moment.distance:.2f}",
            "" if not found.moment.copies else f"+ {found.moment.copies} alike",
        )
        for found in answer.moments
    ]
    summary = f"{counted(len(frames), 'moment')}  ·  {counted(len(answer.cameras), 'camera')}  ·  most unusual first"
    picture = frame_sheet("Least like the rest", summary, frames, opened.indexed_videos)
    warn_of_problems(opened.indexed_videos)
    write_picture(path, picture)
