"""`momentseek metadata`: show or change the metadata of videos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from pipeline.cli.common_options import as_json, in_library, require_library
from pipeline.cli.console.tables import echo, print_json, print_table
from pipeline.cli.selection_options import metadata_of, selected, selecting

if TYPE_CHECKING:
    from pipeline.types import VideoRecord

__all__ = ["metadata"]


@click.command()
@selecting
@click.option("--set", "entries", metavar="NAME=VALUE", multiple=True, help="Set an entry, e.g. camera=gate.")
@click.option("--unset", metavar="NAME", multiple=True, help="Remove an entry.")
@click.option("--dry-run", is_flag=True, help="Print the metadata as it would be, but change nothing.")
@click.option("--config", "-c", metavar="NAME_OR_PATH", help="A YAML file, or the name of a built-in configuration.")
@in_library
@as_json
def metadata(
    *,
    names: Sequence[str],
    where: Sequence[str],
    missing: bool,
    entries: Sequence[str],
    unset: Sequence[str],
    dry_run: bool,
    config: str | None,
    library: str | None,
    as_json: bool,
) -> None:
    """Show or change the metadata of videos in a library; their files are not read.

    \b
    momentseek metadata gate.mp4 --set camera=gate --set floor=1
    momentseek metadata "cam1/*.mp4" --unset take
    momentseek metadata --where camera=gaet --set camera=gate

    VIDEO is a name, path, URI or id, or a pattern. Values are parsed like those of a CSV manifest: whole and decimal
    numbers, true and false, otherwise text. Prints the videos whose metadata changed. After an interruption, the same
    command continues.
    """  # noqa: D301 - click expects the character itself, not a backslash and a b
    from pipeline.render.text import counted

    to_set = metadata_of(entries, "--set")
    _refuse_settings(to_set)
    if not (names or where or missing):
        raise click.UsageError("name the videos, or select them with --where")
    with require_library(library, config) as opened:
        records = selected(opened, names, where, missing=missing).records
        if not (to_set or unset):
            _print(records, as_json=as_json)
            return
        changed = opened.set_metadata((r.video_id for r in records), to_set, unset=unset, dry_run=dry_run)
    _print(changed, as_json=as_json)
    would = "would be " if dry_run else ""
    same = len(records) - len(changed)
    unchanged = f", {same} unchanged" if same else ""
    echo(f"{counted(len(changed), 'video')} {would}changed{unchanged}", err=True)


def _refuse_settings(entries: Iterable[str]) -> None:
    """Reject names of settings: in other commands `--set` overrides settings, which must not end up in the metadata."""
    from pipeline.run_config import RunConfig

    for name in entries:
        if name.partition(".")[0] in RunConfig.model_fields and "." in name:
            raise click.UsageError(
                f"--set {name}: this is a setting, but here --set changes metadata; give settings in a --config file"
            )


def _print(records: Sequence[VideoRecord], *, as_json: bool) -> None:
    from pipeline.render.text import printable
    from pipeline.search.filters.metadata import metadata_text

    if as_json:
        from pipeline.types.video_json import video_json

        for record in records:
            print_json(video_json(record))
    elif records:
        rows = [[r.video_id, printable(metadata_text(r.metadata)), printable(r.last_name)] for r in records]
        print_table(["id", "metadata", "name"], rows)
