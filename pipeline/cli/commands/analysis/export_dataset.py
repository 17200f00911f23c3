"""`momentseek export-dataset`: write frames with their texts as a data set for training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.count_bar import count_bar
from pipeline.cli.console.tables import complain, echo, print_json

if TYPE_CHECKING:
    from pipeline.evaluate import LabelledQuery
    from pipeline.library import Library
    from pipeline.library.analysis.dataset import DatasetSource, ExportedDataset

__all__ = ["export_dataset"]


@click.command("export-dataset")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--captions",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="LABELS",
    help="Labelled moments, as `momentseek evaluate` reads them; may be given several times.",
)
@click.option("--marks", is_flag=True, help="The library's marks: parts marked yes, with their subject as text.")
@click.option("--labels", is_flag=True, help="The intervals of the library's labels, with their prompts as texts.")
@click.option(
    "--label-set",
    metavar="NAME",
    help="With --labels: label set, by name, file name or fingerprint. Default: the one applied last.",
)
@click.option("--skip-missing", is_flag=True, help="Leave out labels about videos that are not in the library.")
@click.option(
    "--frames",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=4,
    show_default=True,
    help="Maximum number of frames per interval.",
)
@click.option(
    "--same-picture",
    metavar="COSINE",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.98,
    show_default=True,
    help="Leave out frames with this cosine to another one of the same video and text.",
)
@click.option(
    "--side",
    metavar="PIXELS",
    type=click.IntRange(16, 4096),
    default=256,
    show_default=True,
    help="Maximum length of a picture's shorter side.",
)
@click.option(
    "--shard", metavar="N", type=click.IntRange(1), default=1000, show_default=True, help="Samples per tar file."
)
@click.option(
    "--validation",
    metavar="SHARE",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of the videos whose samples form the validation split, from 0 to 1.",
)
@configured
@in_library
@as_json
@click.pass_context
def export_dataset(
    ctx: click.Context,
    *,
    out: Path,
    captions: Sequence[Path],
    marks: bool,
    labels: bool,
    label_set: str | None,
    skip_missing: bool,
    frames: int,
    same_picture: float,
    side: int,
    shard: int,
    validation: float,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Write frames with their texts as a data set for training, to the new folder OUT.

    The data set is in the WebDataset form that open_clip's trainer reads: tar files with KEY.jpg, KEY.txt and KEY.json
    for each pair of frame and text. All samples of a video are in one split. OUT is written whole or not at all.

    The exit code is 1 if a video cannot be read; the others are exported.
    """
    from pipeline.export.dataset import DatasetSettings
    from pipeline.library.analysis.dataset import export_dataset as export
    from pipeline.library.analysis.dataset import label_source

    if not (captions or marks or labels):
        raise click.UsageError("name what to export: --captions LABELS, --marks or --labels, or several of them")
    if label_set is not None and not labels:
        raise click.UsageError("--label-set goes with --labels")
    settings = DatasetSettings(
        frames_per_interval=frames,
        same_picture=same_picture,
        side_pixels=side,
        samples_per_shard=shard,
        validation_share=validation,
    )
    with require_library(library, config, overrides) as opened:
        sources = _sources(opened, captions, marks=marks, skip_missing=skip_missing)
        if labels:
            sources.append(label_source(opened, label_set))
        with count_bar("videos") as on_video:
            exported = export(opened, out, sources, settings, on_video=on_video)
    if as_json:
        print_json({"folder": str(out), **exported.manifest})
    else:
        _print(out, exported)
    _say_problems(exported)
    ctx.exit(1 if exported.broken else 0)


def _sources(library: Library, captions: Sequence[Path], *, marks: bool, skip_missing: bool) -> list[DatasetSource]:
    from pipeline.evaluate import read_labelled, split_missing
    from pipeline.library.analysis.dataset import caption_source, mark_source

    found = []
    for path in captions:
        queries: Sequence[LabelledQuery] = read_labelled(path)
        if skip_missing:
            queries, missing = split_missing(library, queries)
            if missing:
                echo(f"{path}: left out {len(missing)} labels about videos that the library does not hold", err=True)
        found.append(caption_source(library, path, queries))
    if marks:
        found.append(mark_source(library))
    return found


def _print(out: Path, exported: ExportedDataset) -> None:
    from pipeline.render.text import counted

    for split, about in exported.manifest["splits"].items():
        if about["samples"]:
            counts = (counted(about["samples"], "sample"), counted(about["videos"], "video"))
            texts = counted(about["texts"], "text")
            echo(f"{split}: {', '.join(counts)}, {texts}: {out / about['shards']}")


def _say_problems(exported: ExportedDataset) -> None:
    from pipeline.render.text import counted

    if exported.without_frames:
        echo(f"{counted(exported.without_frames, 'interval')} without a sampled frame", err=True)
    for split, about in exported.manifest["splits"].items():
        if not about["samples"]:
            echo(f"warning: the {split} split is empty; choose another --validation", err=True)
    for error in exported.broken.values():
        complain(f"error: {error}")
