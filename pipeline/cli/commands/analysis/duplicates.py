"""`momentseek duplicates`: find the same footage in several videos, or several times in one."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.count_bar import count_bar
from pipeline.cli.console.tables import complain, echo, print_json, print_table
from pipeline.cli.selection_options import selected, selecting

if TYPE_CHECKING:
    from pipeline.analyze.duplicates.groups import CopyGroup
    from pipeline.analyze.duplicates.pairs import DuplicatePair, Stretch
    from pipeline.types import VideoRecord

__all__ = ["duplicates"]

_CSV_COLUMNS = (
    *("video_a", "name_a", "start_a_seconds", "end_a_seconds"),
    *("video_b", "name_b", "start_b_seconds", "end_b_seconds"),
    *("offset_seconds", "rate", "score"),
)


@click.command()
@selecting
@configured
@in_library
@click.option("--within", is_flag=True, help="Look for repetitions within each video instead.")
@click.option("--min-seconds", type=float, metavar="SECONDS", help="Minimum length of a stretch. Default: 5.")
@click.option("--threshold", type=float, metavar="SCORE", help="Minimum score, from 0 to 1. Default: 0.45.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the pairs as CSV.")
@as_json
@click.pass_context
def duplicates(
    ctx: click.Context,
    *,
    names: Sequence[str],
    where: Sequence[str],
    missing: bool,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    within: bool,
    min_seconds: float | None,
    threshold: float | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Find the same footage in several videos: copies that were re-encoded, cut, reframed or re-timed.

    Looks in the whole library for the footage of all videos, or of those that VIDEO (names or patterns), --where and
    --missing select. Nothing is changed.

    The exit code is 1 if the file of a video cannot be read; the others are compared.
    """
    from pipeline.library.analysis.duplicates import MIN_SECONDS, THRESHOLD, find_duplicates

    if as_csv and as_json:
        raise click.UsageError("--csv and --json: choose one")
    with require_library(library, config, overrides) as opened:
        chosen: list[str] | None = None
        if names or where or missing:
            chosen = [record.video_id for record in selected(opened, names, where, missing=missing).records]
        with count_bar("videos compared") as on_video:
            found = find_duplicates(
                opened,
                chosen,
                within=within,
                min_seconds=MIN_SECONDS if min_seconds is None else min_seconds,
                threshold=THRESHOLD if threshold is None else threshold,
                on_video=on_video,
            )
        records = {record.video_id: record for record in opened.survey()[0]}
    if as_json:
        _print_json(found.pairs, found.groups, records)
    elif as_csv:
        _print_csv(found.pairs, records)
    else:
        _print_tables(found.pairs, found.groups, records)
    for error in found.problems.values():
        complain(f"error: {error}")
    ctx.exit(1 if found.problems else 0)


def _print_json(
    pairs: Sequence[DuplicatePair], groups: Sequence[CopyGroup], records: Mapping[str, VideoRecord]
) -> None:
    for pair in pairs:
        fields: dict[str, Any] = {
            "type": "pair",
            "a": _stretch_json(pair.a, records),
            "b": _stretch_json(pair.b, records),
            "offset_seconds": round(pair.offset_seconds, 3),
            "rate": round(pair.rate, 4),
            "score": round(pair.score, 4),
        }
        print_json(fields)
    for group in groups:
        members = [{"video_id": each, "name": _name(each, records)} for each in group.members]
        print_json({"type": "group", "original": group.original, "members": members})


def _stretch_json(stretch: Stretch, records: Mapping[str, VideoRecord]) -> dict[str, Any]:
    return {
        "video_id": stretch.video_id,
        "name": _name(stretch.video_id, records),
        "start_seconds": round(stretch.start_seconds, 3),
        "end_seconds": round(stretch.end_seconds, 3),
    }


def _print_csv(pairs: Sequence[DuplicatePair], records: Mapping[str, VideoRecord]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for pair in pairs:
        cells: list[str] = []
        for each in (pair.a, pair.b):
            cells += [each.video_id, _name(each.video_id, records)]
            cells += [f"{each.start_seconds:.3f}", f"{each.end_seconds:.3f}"]
        writer.writerow([*cells, f"{pair.offset_seconds:.3f}", f"{pair.rate:.4f}", f"{pair.score:.4f}"])
    echo(text.getvalue().removesuffix("\n"))


def _print_tables(
    pairs: Sequence[DuplicatePair], groups: Sequence[CopyGroup], records: Mapping[str, VideoRecord]
) -> None:
    from pipeline.render.text import counted

    if pairs:
        rows = [
            [
                _shown(pair.a, records),
                _shown(pair.b, records),
                f"{pair.offset_seconds:+.1f} s",
                f"{pair.rate:.2f}",
                f"{pair.score:.2f}",
            ]
            for pair in pairs
        ]
        print_table(["footage", "also in", "offset", "rate", "score"], rows, right=(2, 3, 4))
    for number, group in enumerate(groups, 1):
        if number == 1:
            echo()
        copies = ", ".join(_name(each, records) for each in group.members[1:])
        echo(f"group {number}: keep {_name(group.original, records)}; copies: {copies}")
    click.echo(f"{counted(len(pairs), 'pair')}, {counted(len(groups), 'group')} of copies", err=True)


def _shown(stretch: Stretch, records: Mapping[str, VideoRecord]) -> str:
    from pipeline.timecode import format_seconds

    times = [format_seconds(round(each, 1))[:-2] for each in (stretch.start_seconds, stretch.end_seconds)]
    return f"{_name(stretch.video_id, records)} {times[0]}-{times[1]}"


def _name(video_id: str, records: Mapping[str, VideoRecord]) -> str:
    record = records.get(video_id)
    return video_id if record is None else record.last_name
