"""Print and write the views of a library's labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.console.tables import echo, print_json, print_table
from pipeline.errors import StoreError

if TYPE_CHECKING:
    from pipeline.analyze.labels.totals import LabelTotal
    from pipeline.export.row_files import Columns
    from pipeline.library.analysis.label_views import LabelView, NamedLabels

__all__ = ["print_sets", "write_chapters", "write_rows", "write_totals"]

_VIDEO: Columns = {"video_id": str, "name": str}
_SPAN: Columns = {"start_seconds": float, "end_seconds": float, "duration_seconds": float, "peak_seconds": float}
_COLUMNS: Mapping[str, Columns] = {
    "frames": {**_VIDEO, "time_seconds": float, "label": str, "score": float},
    "segments": {**_VIDEO, "label": str, **_SPAN, "confidence": float, "recorded_at": str},
}
_TOTALS: Columns = {"label": str, "videos": int, "intervals": int, "seconds": float, "share": float}
_ROWS_A_PART = 500
"""Rows of a table that are gathered before they are printed."""


def print_sets(found: Sequence[NamedLabels], *, as_json: bool) -> None:
    """Print the label sets of a library."""
    from pipeline.render.text import counted

    rows = []
    for one in found:
        kept, store = one.snapshot, one.store
        fields = {
            "name": kept.name,
            "label_set": store.label_set_fingerprint,
            "encoder": store.encoder_fingerprint,
            "labels": [label.name for label in kept.label_set.active],
            "videos": len(store.videos()),
            "calibrated_on_videos": kept.videos,
            "is_current": one.is_current,
        }
        if as_json:
            print_json(fields)
        count = str(len(kept.label_set.active))
        rows.append([kept.name, store.label_set_fingerprint, count, str(fields["videos"]), "*" * one.is_current])
    if not as_json:
        if rows:
            print_table(["name", "fingerprint", "labels", "videos", "last applied"], rows, right=(2, 3))
        click.echo(counted(len(rows), "label set"), err=True)


def write_totals(view: LabelView, by: str | None, min_score: float, form: str, output: str | None) -> None:
    """Print or write totals by label, or by something and label."""
    totals = view.totals(by, min_score)
    if form == "table" and output is None:
        _print_totals(totals, by, view)
        return
    names = {record.video_id: record.last_name for record in view.records}
    first: dict[str, type] = {}
    if by is not None:
        first = {"video_id": str, "name": str} if by == "video" else {by: int if by == "hour" else str}
    rows = []
    for total in totals:
        group = total.group
        given: dict[str, Any] = {}
        if by is not None:
            given = {"video_id": group, "name": names[str(group)]} if by == "video" else {by: group}
        fields = {name: value for name, value in asdict(total).items() if name != "group"}
        rows.append({**given, **fields})
    _write(rows, {**first, **_TOTALS}, form, output)


def write_rows(rows: Iterable[dict[str, Any]], kind: str, form: str, output: str | None) -> None:
    """Print or write the rows of a view as they come.

    Args:
        rows: Of the view.
        kind: "segments" or "frames".
        form: table, json, csv or parquet.
        output: A file; None for standard output.
    """
    if form == "table" and output is None:
        _print_rows(rows, kind)
    else:
        _write(rows, _COLUMNS[kind], form, output)


def write_chapters(view: LabelView, min_score: float, output: str | None) -> None:
    """Write the intervals of each video as WebVTT into a folder; those of one video to standard output, too.

    Raises:
        UsageError: There are several videos and no folder.
        StoreError: The folder cannot be written to.
    """
    from pipeline.export.clip_names import title_of
    from pipeline.export.row_files import replacing
    from pipeline.export.webvtt import webvtt_chapters
    from pipeline.render.text import counted

    if output is None:
        if len(view.records) > 1:
            raise click.UsageError("--format webvtt writes a file for each video; name a folder by -o, or one video")
        for _, tracks in view.tracks(min_score):
            click.echo(webvtt_chapters(tracks), nl=False)
        return
    titles = {record.video_id: title_of(record.last_name, record.video_id) for record in view.records}
    # File systems may ignore case.
    taken = Counter(title.casefold() for title in titles.values())
    folder, count = Path(output), 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for record, tracks in view.tracks(min_score):
            title = titles[record.video_id]
            name = title if taken[title.casefold()] == 1 else f"{title}-{record.video_id}"
            with replacing(folder / f"{name}.vtt") as file:
                file.write(webvtt_chapters(tracks).encode())
            count += 1
    except OSError as error:
        raise StoreError(f"{output}: cannot be written: {error.strerror or error}") from error
    echo(f"{counted(count, 'file')} in {output}", err=True)


def _write(rows: Iterable[Mapping[str, Any]], columns: Columns, form: str, output: str | None) -> None:
    """Write rows to a file or to standard output."""
    from pipeline.export.row_files import csv_lines, json_lines, replacing, write_parquet

    if form == "table":
        raise click.UsageError("-o goes with --format json, csv, parquet or webvtt")
    if output is None:
        for line in json_lines(rows) if form == "json" else csv_lines(rows, columns):
            click.echo(line, nl=False)
        return
    try:
        with replacing(Path(output)) as file:
            if form == "parquet":
                write_parquet(file, rows, columns)
            else:
                lines = json_lines(rows) if form == "json" else csv_lines(rows, columns)
                file.writelines(line.encode() for line in lines)
    except OSError as error:
        raise StoreError(f"{output}: cannot be written: {error.strerror or error}") from error


def _print_totals(totals: Sequence[LabelTotal], by: str | None, view: LabelView) -> None:
    from pipeline.render.text import counted
    from pipeline.timecode import format_seconds

    names = {record.video_id: record.last_name for record in view.records}
    rows = []
    for total in totals:
        group = names.get(str(total.group), "") if by == "video" else _group_text(total.group, by)
        videos = [] if by == "video" else [str(total.videos)]
        counts = [str(total.intervals), format_seconds(total.seconds), f"{100 * total.share:.1f} %"]
        rows.append([*([group] if by is not None else []), total.label, *videos, *counts])
    if rows:
        first = [by] if by is not None else []
        header = [*first, "label", *([] if by == "video" else ["videos"]), "intervals", "time", "share"]
        print_table(header, rows, right=range(len(first) + 1, len(header)))
    done = len(view.records) - view.unlabelled - len(view.problems)
    click.echo(counted(done, "labelled video"), err=True)


def _group_text(group: str | int | None, by: str | None) -> str:
    if group is None:
        return "-"
    return f"{group:02d}:00" if by == "hour" else str(group)


def _print_rows(rows: Iterable[dict[str, Any]], kind: str) -> None:
    from pipeline.render.text import counted

    header = ["time", "label", "score", "video"] if kind == "frames" else _SEGMENT_HEADER
    right = (0, 2) if kind == "frames" else (0, 1, 2, 4)
    count, least = 0, [0] * len(header)
    for part in _parts(map(_frame_cells if kind == "frames" else _segment_cells, rows)):
        least = [max(width, *(len(row[column]) for row in part)) for column, width in enumerate(least)]
        print_table(header, part, right=right, min_widths=least, is_continued=count > 0)
        count += len(part)
    click.echo(counted(count, "score" if kind == "frames" else "interval"), err=True)


_SEGMENT_HEADER = ["start", "end", "peak", "label", "confidence", "video"]


def _segment_cells(row: Mapping[str, Any]) -> list[str]:
    from pipeline.timecode import format_seconds

    times = [format_seconds(row[name]) for name in ("start_seconds", "end_seconds", "peak_seconds")]
    return [*times, row["label"], f"{row['confidence']:.2f}", row["name"]]


def _frame_cells(row: Mapping[str, Any]) -> list[str]:
    from pipeline.timecode import format_seconds

    return [format_seconds(row["time_seconds"]), row["label"], f"{row['score']:.2f}", row["name"]]


def _parts(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    part: list[list[str]] = []
    for row in rows:
        part.append(row)
        if len(part) == _ROWS_A_PART:
            yield part
            part = []
    if part:
        yield part
