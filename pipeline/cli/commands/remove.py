"""`momentseek remove`: remove videos from a library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.tables import complain, echo, print_json
from pipeline.cli.selection_options import lost_folders, selected, selecting
from pipeline.cli.served import is_server_named, named_server, own_server

if TYPE_CHECKING:
    from pipeline.cli.removable_videos import RemovableVideos
    from pipeline.library.maintenance import Removed
    from pipeline.types import VideoRecord

__all__ = ["remove"]

_MAX_LISTED = 20
_MOVED = "a moved file counts as missing until its new path is indexed"


@click.command()
@selecting
@click.option("--dry-run", is_flag=True, help="Print which videos would be removed, and remove nothing.")
@click.option(
    "--yes", "-y", is_flag=True, help="Do not ask for confirmation before removing several videos matched by a filter."
)
@configured
@in_library
@as_json
def remove(
    *,
    names: Sequence[str],
    where: Sequence[str],
    missing: bool,
    dry_run: bool,
    yes: bool,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Remove videos from a library; the video files themselves are not touched.

    \b
    momentseek remove gate.mp4 5b3c0d1e2f4a6978
    momentseek remove "cam1/**/*.mp4" --dry-run
    momentseek remove --where camera=gate --missing

    VIDEO is a name, path, URI or id, or a pattern: one without / is matched with file names, any other with whole
    paths, and ** matches any number of folders. --where and --missing restrict the selection; without VIDEO, they
    select from all videos. --missing selects the videos of which no file is left. Before you use it, make sure that
    all disks are mounted, and that moved files are indexed at their new paths: until then, they count as missing.

    Prints a receipt for each video: what was removed, and what was still found of it afterwards, which is nothing.
    After an interruption, repeat the command with the video's id.
    """  # noqa: D301 - click expects the character itself, not a backslash and a b
    if not (names or where or missing):
        raise click.UsageError("name the videos, or select them with --where or --missing")
    with _opened(library, config, overrides, missing=missing) as opened:
        video_ids, unnamed = _videos_to_remove(opened, names, where, missing=missing)
        if dry_run:
            _print_dry_run(opened, video_ids, as_json=as_json)
            return
        if len(unnamed) > 1 and not yes:
            _confirm(unnamed)
        for video_id in video_ids:
            _print(opened.remove(video_id), as_json=as_json)
    if not video_ids:
        echo("no video was removed", err=True)


@contextmanager
def _opened(
    library: str | None, config: str | None, overrides: Sequence[str], *, missing: bool
) -> Iterator[RemovableVideos]:
    """Open the library, or what a server shows of it. The library's own server, if one runs, removes the videos.

    That server forgets at once what it keeps of them.
    """
    from pipeline.cli.removable_videos import OwnVideos, ServedVideos

    if is_server_named(library):
        with named_server(config=config, set=overrides, missing=missing) as client:
            yield ServedVideos(client)
        return
    with require_library(library, config, overrides) as opened, own_server(library) as server:
        yield opened if server is None or config is not None or overrides else OwnVideos(opened, server)


def _videos_to_remove(
    library: RemovableVideos, names: Sequence[str], where: Sequence[str], *, missing: bool
) -> tuple[list[str], list[VideoRecord]]:
    """Select the videos to remove: all ids, and the records of those that no name matches alone.

    All names are looked up before anything is removed, so that a wrong name removes nothing.
    """
    from pipeline.errors import QueryError
    from pipeline.search.filters.video_names import is_pattern

    if where or missing:
        found = selected(library, names, where, missing=missing)
        if missing and found.records:
            _warn_of_lost_folders(found.records)
            echo(f"warning: {_MOVED}", err=True)
        ids = [record.video_id for record in found.records]
        return ids, [record for record in found.records if record.video_id not in found.named_singly]
    ids, unnamed = [], {}
    for name in names:
        try:
            ids.append(library.find_removable(name))
        except QueryError:
            if not is_pattern(name) or _is_video_name(library, name):
                raise
            matched = library.select(name).records
            unnamed.update({record.video_id: record for record in matched})
            ids += [record.video_id for record in matched]
    singly = set(ids) - unnamed.keys()
    return list(dict.fromkeys(ids)), [record for video_id, record in unnamed.items() if video_id not in singly]


def _is_video_name(library: RemovableVideos, name: str) -> bool:
    """Whether a name that looks like a pattern is the name of a video."""
    from pipeline.errors import QueryError

    try:
        library.find(name)
    except QueryError:
        return False
    return True


def _warn_of_lost_folders(records: Sequence[VideoRecord]) -> None:
    folders = lost_folders(records)
    if folders:
        more = f" and {len(folders) - 3} more" if len(folders) > 3 else ""
        echo(
            f"warning: missing folders: {', '.join(folders[:3])}{more}; if a disk is not mounted, mount it first",
            err=True,
        )


def _confirm(unnamed: Sequence[VideoRecord]) -> None:
    for record in unnamed[:_MAX_LISTED]:
        echo(f"  {record.video_id}  {record.last_name}", err=True)
    if len(unnamed) > _MAX_LISTED:
        echo(f"  and {len(unnamed) - _MAX_LISTED} more", err=True)
    try:
        is_confirmed = click.confirm(f"Remove these {len(unnamed)} videos from the library?", err=True)
    except (click.Abort, OSError):
        # End the line of the question.
        echo(err=True)
        complain(
            f"error: {len(unnamed)} videos would be removed, but there was no confirmation; nothing was removed: add"
            " --yes, or use --dry-run to see the list"
        )
        raise click.exceptions.Exit(2) from None
    if not is_confirmed:
        echo("no video was removed", err=True)
        raise click.exceptions.Exit(1)


def _print_dry_run(library: RemovableVideos, video_ids: Sequence[str], *, as_json: bool) -> None:
    from pipeline.render.text import counted

    known = {record.video_id: record for record in library.survey()[0]}
    for video_id in video_ids:
        record = known.get(video_id)
        names = [] if record is None else list(record.names or record.former_names)
        if as_json:
            print_json({"video_id": video_id, "names": names, "would_remove": True})
        else:
            echo(f"would remove {video_id} ({', '.join(names)})")
    echo(f"{counted(len(video_ids), 'video')} would be removed", err=True)


def _print(removed: Removed, *, as_json: bool) -> None:
    from pipeline.render.text import counted, printable

    if as_json:
        print_json(asdict(removed))
        return
    names = f" ({', '.join(map(printable, removed.names))})" if removed.names else ""
    click.echo(
        f"removed {printable(removed.video_id)}{names}: {counted(removed.segments, 'segment')},"
        f" {counted(removed.frames, 'frame embedding')}, {counted(removed.files, 'file')};"
        f" {removed.remaining_segments + removed.remaining_files} found afterwards"
    )
