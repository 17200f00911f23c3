"""The options that select videos of a library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.console.tables import echo

if TYPE_CHECKING:
    from pipeline.library import Library
    from pipeline.library.video_selection import VideoSelection
    from pipeline.library.videos import SelectedVideos
    from pipeline.types import Scalar, VideoRecord

__all__ = ["lost_folders", "metadata_of", "naming_cameras", "say_unlabelled", "selected", "selecting"]

_LISTED = 20

F = TypeVar("F", bound=Callable[..., Any])


def selecting(command: F) -> F:
    """Add the options that select videos; the command receives them as `names`, `where` and `missing`."""
    names = click.argument("names", nargs=-1, metavar="[VIDEO...]")
    where = click.option(
        "--where", metavar="NAME=VALUE", multiple=True, help="Only videos with this metadata, e.g. camera=gate."
    )
    missing = click.option(
        "--missing",
        is_flag=True,
        help="Only videos with no file left; a moved file counts as missing until its new path is indexed.",
    )
    return names(where(missing(command)))


def naming_cameras(command: F) -> F:
    """Add the option for the metadata entry that names cameras; the command receives it as `camera`."""
    return click.option(
        "--camera",
        metavar="NAME",
        default="camera",
        show_default=True,
        help="Metadata entry that names a video's camera.",
    )(command)


def metadata_of(entries: Sequence[str], option: str) -> dict[str, Scalar]:
    """Parse metadata entries of the form NAME=VALUE; values are parsed like those of a CSV manifest.

    Args:
        entries: The entries as typed.
        option: The option that they belong to, for error messages.

    Raises:
        UsageError: An entry does not have this form.
    """
    if not entries:
        return {}
    from pipeline.sources import scalar_of

    metadata = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not name or not equals or not value:
            raise click.UsageError(f"{option} {entry!r}: expected NAME=VALUE, for example camera=gate")
        metadata[name] = scalar_of(value)
    return metadata


def selected(
    library: VideoSelection,
    names: Sequence[str],
    where: Sequence[str],
    *,
    missing: bool,
    labels: Sequence[str] = (),
    without_labels: Sequence[str] = (),
) -> SelectedVideos:
    """Select the videos that the options match; if none has the metadata, print a hint on standard error."""
    from pipeline.search.filters.metadata import metadata_hint

    filters = metadata_of(where, "--where")
    if "" in names:
        raise click.UsageError("one of the names is empty; name a video, or leave it out")
    found = library.select(*names, where=filters, missing=missing, labels=labels, without_labels=without_labels)
    if not found.records and filters:
        hint = metadata_hint(library.survey()[0], filters)
        if hint:
            echo(hint, err=True)
    for video_id, error in found.unknown.items():
        echo(f"warning: {video_id} is not counted as missing: {error}", err=True)
    return found


def say_unlabelled(library: Library, found: SelectedVideos) -> None:
    """Name on standard error the videos that were left out as they are not labelled."""
    from pipeline.render.text import counted, file_name

    if not found.unlabelled:
        return
    current = library.labels.required()
    videos = counted(len(found.unlabelled), "video was", "videos were")
    names = ", ".join(file_name(record.last_name) for record in found.unlabelled[:_LISTED])
    more = f" and {len(found.unlabelled) - _LISTED} more" if len(found.unlabelled) > _LISTED else ""
    echo(f"{videos} left out: {names}{more}: not labelled with {current.name}: {current.command}", err=True)


def lost_folders(records: Sequence[VideoRecord]) -> list[str]:
    """List the folders of the videos' files that do not exist, perhaps because a disk is not mounted."""
    from pipeline.uris import is_remote

    folders = {str(Path(name).parent) for record in records for name in record.names if not is_remote(name)}
    return sorted(folder for folder in folders if not Path(folder).is_dir())
