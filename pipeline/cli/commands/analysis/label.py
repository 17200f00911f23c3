"""`momentseek label`: label the videos of a library."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.count_bar import count_bar
from pipeline.cli.console.json_log import say
from pipeline.cli.console.tables import complain, print_json
from pipeline.cli.selection_options import selected, selecting
from pipeline.cli.stopping import ended_by_sigterm

if TYPE_CHECKING:
    from pipeline.analyze.labels.label_set import LabelSet
    from pipeline.analyze.labels.labelling import LabelReport
    from pipeline.library import Library

__all__ = ["label"]

# A sample of the library's frames is of so many videos at most; later ones change the calibration little.
_SAMPLED_VIDEOS = 256
_GROWN = 4


@click.command()
@click.argument("labels", metavar="LABELS")
@selecting
@click.option(
    "--again",
    is_flag=True,
    help="Also label labelled videos; if no videos are selected, calibrate the labels again, too.",
)
@click.option(
    "--executor",
    type=click.Choice(["in_process", "ray"]),
    default="in_process",
    show_default=True,
    help="Label in this process, or on the Ray that --set execution.address or RAY_ADDRESS names.",
)
@configured
@in_library
@as_json
@click.pass_context
def label(
    ctx: click.Context,
    *,
    labels: str,
    names: Sequence[str],
    where: Sequence[str],
    missing: bool,
    again: bool,
    executor: str,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Label the videos of a library, or those that VIDEO, --where and --missing select.

    \b
    momentseek label vehicles --library cameras
    momentseek label my-labels.yaml --where camera=gate

    LABELS is a label file, or the name of one that comes with momentseek. Only the frame embeddings that the library
    keeps are read: nothing is decoded. The first time, the labels are calibrated on the library, which loads the model;
    videos that are indexed later are then scored alike.

    Videos that are already labelled are skipped: to continue after an interruption, run the same command again.
    `momentseek labels` shows the result.

    The exit code is 1 if a video failed; the others are labelled.
    """  # noqa: D301 - click knows the character itself, not a backslash and a b
    from pipeline.analyze.labels.label_set import read_label_set
    from pipeline.library.analysis.labelling import label_videos

    label_set = read_label_set(labels)
    began, tally = time.monotonic(), _Tally()
    with require_library(library, config, overrides) as opened:
        execution = opened.config.execution.model_copy(update={"executor": executor})
        chosen = selected(opened, names, where, missing=missing).records if names or where or missing else None
        total = len(opened.store.video_ids()) if chosen is None else len(chosen)
        reports = label_videos(opened, label_set, name=labels, records=chosen, again=again, execution=execution)
        with ended_by_sigterm("command"), count_bar("videos") as show, closing(reports):
            for report in reports:
                tally.add(report)
                show(tally.counts.total(), total)
                if as_json:
                    print_json(asdict(report))
        say(tally.summary(time.monotonic() - began))
        _say_where_calibrated(opened, label_set)
    ctx.exit(1 if tally.counts["failed"] else 0)


class _Tally:
    """What came of a labelling so far; failures are printed at once."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._frames = self._intervals = 0

    def add(self, report: LabelReport) -> None:
        self.counts[report.status] += 1
        self._frames += report.frames
        self._intervals += report.intervals
        if report.problem is not None:
            complain(f"failed  {report.name}: {report.problem}")

    def summary(self, seconds: float) -> str:
        from pipeline.render.text import counted

        parts = [f"{counted(self.counts['done'], 'video')} labelled"]
        parts += [f"{self.counts[status]} {status}" for status in ("skipped", "failed") if self.counts[status]]
        found = f"{counted(self._frames, 'frame')}, {counted(self._intervals, 'interval')}"
        return f"{', '.join(parts)}: {found} in {seconds:.1f} s"


def _say_where_calibrated(library: Library, label_set: LabelSet) -> None:
    """Print a hint where the labels were calibrated on a library that was much smaller."""
    from pipeline.analyze.labels.label_store import LabelStore
    from pipeline.analyze.labels.snapshot import read_snapshot
    from pipeline.render.text import counted

    store = LabelStore(library.config.library, label_set.fingerprint, library.store.encoder_fingerprint)
    kept, now = read_snapshot(store), len(library.store.video_ids())
    if kept is not None and kept.videos < _SAMPLED_VIDEOS and now >= _GROWN * kept.videos:
        say(
            f"the labels were calibrated on {counted(kept.videos, 'video')}, and the library has {now} by now;"
            " --again calibrates them anew, and labels all videos again"
        )
