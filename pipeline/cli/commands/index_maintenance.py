"""`momentseek index rebuild`, `migrate` and `verify`: maintain the index of a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.count_bar import count_bar
from pipeline.cli.console.tables import echo, print_json

if TYPE_CHECKING:
    from pipeline.library.verification import VideoDifference

__all__ = ["migrate", "rebuild", "verify"]

_MAX_KEYS = 5


@click.command("index rebuild")
@click.argument("paths", nargs=-1, metavar="")
@configured
@in_library
@as_json
def rebuild(
    *, paths: Sequence[str], config: str | None, overrides: Sequence[str], library: str | None, as_json: bool
) -> None:
    """Rebuild the index of a library from its frame embeddings; no video is read.

    The new index is built next to the old one, which it replaces in one step: a search never sees half an index, and
    if the rebuild is interrupted, the old one stays in use. Use this command also to change the kind of index or the
    segmentation, for example with --set index.kind=HNSW.
    """
    from pipeline.render.text import counted

    _refuse_paths("rebuild", paths)
    with require_library(library, config, overrides) as opened, count_bar("videos") as on_video:
        rebuilt = opened.rebuild_index(on_video=on_video)
    if as_json:
        print_json(asdict(rebuilt))
    else:
        whole = f"{counted(rebuilt.videos, 'video')}, {counted(rebuilt.segments, 'segment')}"
        echo(f"{whole} in {rebuilt.elapsed_seconds:.1f} s")


@click.command("index migrate")
@click.argument("uri", required=False, metavar="[URI]")
@click.option("--own", is_flag=True, help="Move the index back into the library's own folder.")
@configured
@in_library
@as_json
def migrate(
    *, uri: str | None, own: bool, config: str | None, overrides: Sequence[str], library: str | None, as_json: bool
) -> None:
    """Move the index of a library to URI: a Milvus server (http://host:19530), or a folder for Milvus Lite.

    The index is filled there from the frame embeddings; no video is read. Searches use the old index until the new one
    is complete. If the command is interrupted, run it again to continue. The old index is left as it is.
    """
    from pipeline.library.index_place import index_place
    from pipeline.render.text import counted

    if own == (uri is not None) or uri == "":
        raise click.UsageError("give the new place: a server's URI or a folder; or --own for the library's own folder")
    with require_library(library, config, overrides) as opened, count_bar("videos") as on_video:
        before = index_place(opened.config)
        moved = opened.migrate_index(uri, on_video=on_video)
        after = index_place(opened.config)
    if as_json:
        print_json({**asdict(moved), "uri": opened.config.index.uri})
        return
    whole = f"{counted(moved.videos, 'video')}, {counted(moved.segments, 'segment')}"
    echo(f"the index is in {after}: {whole} in {moved.elapsed_seconds:.1f} s")
    if before != after and before.backend != "memory":
        echo(f"the old index in {before} is left as it is; delete it when no process uses it any more", err=True)


@click.command("index verify")
@click.argument("paths", nargs=-1, metavar="")
@configured
@in_library
@as_json
@click.pass_context
def verify(
    ctx: click.Context,
    *,
    paths: Sequence[str],
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Compare the index of a library with its frame embeddings, row by row; neither is changed.

    Lists, for each video, the rows that are missing, extra, or differ in times, metadata, labels or vector, and the
    files that no longer match the checksum they were written with. The files from which videos are listed and found by
    name are checked and updated, also in a library of an older version.

    The exit code is 1 if there is any difference.
    """
    from pipeline.render.text import counted

    _refuse_paths("verify", paths)
    with require_library(library, config, overrides) as opened, count_bar("videos") as on_video:
        comparison = opened.verify_index(on_video=on_video)
    found = comparison.differences
    for difference in found:
        if as_json:
            print_json(asdict(difference))
        else:
            _print(difference)
    wrong = len(found)
    differ = counted(wrong, "video differs", "videos differ")
    remedy = _remedy(found)
    result = f"{differ}{remedy and '; '}{remedy}" if wrong else "no differences"
    whole = f"{counted(comparison.videos, 'video')}, {counted(comparison.segments, 'segment')}"
    echo(f"{whole}: {result}", err=True)
    if comparison.without_checksum:
        files = counted(comparison.without_checksum, "file has", "files have")
        echo(f"{files} no checksum: written by an older version of momentseek", err=True)
    ctx.exit(1 if wrong else 0)


def _remedy(differences: Sequence[VideoDifference]) -> str:
    steps = []
    if any(difference.file == "changed" for difference in differences):
        steps.append("remove the videos whose files changed and index them again, or restore the files from a backup")
    if any(difference.missing or difference.extra or difference.different for difference in differences):
        steps.append("repair the index with: momentseek index rebuild")
    return "; ".join(steps)


def _print(difference: VideoDifference) -> None:
    from pipeline.render.text import printable

    names = ", ".join(map(printable, difference.names)) or ("broken" if difference.problem else "not in the library")
    echo(f"{printable(difference.video_id)} ({names})")
    if difference.file == "changed":
        echo("  file changed: its checksum is not the one it was written with")
    elif difference.file == "missing":
        echo("  file missing: the video has no frame embeddings")
    if difference.problem:
        echo(f"  {printable(difference.problem)}")
    different = [f"{key}: {how}" for key, how in (difference.different or {}).items()]
    for what, rows in (("missing", difference.missing), ("extra", difference.extra), ("different", different)):
        if rows:
            more = f" and {len(rows) - _MAX_KEYS} more" if len(rows) > _MAX_KEYS else ""
            echo(f"  {what} {len(rows)}: {'; '.join(map(printable, rows[:_MAX_KEYS]))}{more}")


def _refuse_paths(word: str, paths: Sequence[str]) -> None:
    if paths:
        raise click.UsageError(f"`index {word}` takes no paths; to index a folder of that name, write ./{word}")
