"""`momentseek experiment`: compare configurations on the same labelled videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.console.count_bar import count_bar
from pipeline.cli.console.json_log import say
from pipeline.cli.console.tables import print_json, print_table
from pipeline.cli.stopping import ended_by_sigterm

if TYPE_CHECKING:
    from pipeline.evaluate import MetricDifference
    from pipeline.execution import OnProgress
    from pipeline.experiments import Experiment, ExperimentResult, Variant, VariantResult

__all__ = ["experiment"]

_METRICS = {
    "R1@0.5": "MR-full-R1@0.5",
    "R1@0.7": "MR-full-R1@0.7",
    "mAP": "MR-full-mAP",
    "mIoU": "MR-full-mIoU",
    "rejected": "absent-rejected",
}
_MOST_QUESTIONS = 5


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--work", "-w", metavar="DIR", help="Folder for embeddings and results. Default: experiments/NAME.")
@click.option("--only", multiple=True, metavar="VARIANT", help="Run only this variant; may be given several times.")
@click.option("--compare", nargs=2, metavar="A B", help="Compare two variants, question by question.")
@click.option("--report", type=click.Path(dir_okay=False), metavar="OUT.html", help="Also write the page to this file.")
@click.option(
    "--set", "overrides", metavar="NAME=VALUE", multiple=True, help="Override a setting of the base of all variants."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def experiment(
    *,
    file: str,
    work: str | None,
    only: Sequence[str],
    compare: tuple[str, str] | None,
    report: str | None,
    overrides: Sequence[str],
    as_json: bool,
) -> None:
    """Compare configurations over the same videos, on the same labels.

    FILE is YAML, or the name of a built-in experiment ("sampling"); docs/how-to/experiments.md describes the format.
    Each video is decoded once for all variants, and each frame is encoded once. Finished work is kept: run an
    experiment again after an interruption, or after adding variants.

    Prints one line per variant. * marks the variants on the Pareto front: no other variant has a higher mAP with as
    few frames, or the same mAP with fewer.
    """
    from pipeline.experiments import load_experiment, select

    if work and "://" in work:
        raise click.UsageError(f"--work {work}: an experiment needs a local folder; give the path of one")
    folder = Path(work) if work else Path("experiments") / Path(file).stem
    experiment_file, variants = load_experiment(file, str(folder / "library"), overrides)
    selected = select(variants, only)
    if compare:
        select(selected, compare)
    with ended_by_sigterm("experiment"):
        result = _run(experiment_file, variants, folder, only)
    # A report on some of the variants must not replace the report on all of them.
    page = folder / ("report.html" if not only else "report-only.html")
    differences = _differences(result, *compare) if compare else {}
    if as_json:
        compared = {name: asdict(one) for name, one in differences.items()}
        print_json({**result.as_json(), "report": str(page), **({"comparison": compared} if compare else {})})
    else:
        _print_variants(result)
        if compare:
            _print_comparison(result, *compare, differences)
    # The pages come last, so that the result is printed even if they cannot be written.
    for path in _write_pages(result, selected[0], [page, *([Path(report)] if report else [])]):
        say(f"report: {path}")


def _run(
    experiment_file: Experiment, variants: Sequence[Variant], folder: Path, only: Sequence[str]
) -> ExperimentResult:
    from pipeline.experiments import run_experiment
    from pipeline.sources import expand

    videos = len(list(expand(experiment_file.videos, variants[0].config.fetching)))
    with _progress(videos) as (on_progress, on_variant):
        return run_experiment(
            experiment_file, variants, folder / "results", only=only, on_progress=on_progress, on_variant=on_variant
        )


@contextmanager
def _progress(videos: int) -> Iterator[tuple[OnProgress, Callable[[str, int, int], None]]]:
    """Show a progress bar while videos are embedded, then another while variants are scored."""
    from pipeline.cli.console.progress_bar import LiveBar

    with ExitStack() as embedding, ExitStack() as scoring:
        bar = embedding.enter_context(LiveBar(videos))
        counts: list[Callable[[int, int], None]] = []

        def on_variant(name: str, done: int, total: int) -> None:  # noqa: ARG001 - required by the protocol
            if not counts:
                embedding.close()
                counts.append(scoring.enter_context(count_bar("variants scored")))
            counts[0](done, total)

        yield bar.update, on_variant


def _write_pages(result: ExperimentResult, variant: Variant, paths: Sequence[Path]) -> Sequence[Path]:
    from pipeline.experiments.report.page import result_page

    page = result_page(result, variant.config)
    for path in paths:
        try:
            path.write_text(page, encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"the report cannot be written: {error}") from error
    return paths


def _print_variants(result: ExperimentResult) -> None:
    from pipeline.experiments import FRONT_METRIC
    from pipeline.render.text import counted, printable

    front = result.pareto(FRONT_METRIC)
    header = ["", "variant", *_METRICS, "frames/h", "decode s/h", "MB/h", "rows"]
    rows = [
        ["*" if each.name in front else "", printable(each.name), *_scores(each), *_costs(each)]
        for each in result.variants
    ]
    print_table(header, rows, right=range(2, len(header)))
    evaluation = result.variants[0].evaluation
    how = evaluation.resampling
    absent = f", 'rejected' of {counted(evaluation.absent, 'absent question')}" if evaluation.absent else ""
    say(
        f"per cent, of {counted(len(evaluation.answers) - evaluation.absent, 'question')}{absent};"
        f" 95 % intervals over {how.count} {how.unit} are on the page; * on the Pareto front"
    )
    embedded = result.embedded
    if embedded.videos_read:
        say(
            f"{counted(embedded.videos_read, 'video')} read, {counted(embedded.frames_decoded, 'picture')} decoded and"
            f" {counted(embedded.frames_encoded, 'frame')} encoded in {embedded.seconds:.0f} s"
        )


def _scores(result: VariantResult) -> list[str]:
    found = [result.evaluation.metrics.get(name) for name in _METRICS.values()]
    return ["-" if value is None else f"{value:.1f}" for value in found]


def _costs(result: VariantResult) -> list[str]:
    decoding = "-" if result.decoding is None else f"{result.decoding.seconds_an_hour:.1f}"
    size = result.kept
    return [f"{size.frames_an_hour:.0f}", decoding, f"{size.megabytes_an_hour:.1f}", str(result.segments)]


def _differences(result: ExperimentResult, one: str, other: str) -> dict[str, MetricDifference]:
    from pipeline.evaluate import compare

    return compare(result.variant(one).evaluation, result.variant(other).evaluation)


def _print_comparison(result: ExperimentResult, one: str, other: str, differences: dict[str, MetricDifference]) -> None:
    from pipeline.evaluate import question_differences
    from pipeline.render.text import printable

    click.echo(f"\nfrom {printable(one)!r} to {printable(other)!r}")
    rows = []
    for label, name in _METRICS.items():
        if (found := differences.get(name)) is not None:
            rows.append([label, *_difference_cells(found)])
    header = ["metric", "before", "after", "difference", "from", "to", "p", "better", "worse"]
    print_table(header, rows, right=range(1, len(header)))
    ordered = question_differences(result.variant(one).evaluation, result.variant(other).evaluation)
    moved = [each for each in ordered if each[2] > 0][:_MOST_QUESTIONS]
    moved += [each for each in ordered if each[2] < 0][-_MOST_QUESTIONS:]
    if moved:
        click.echo("\nlargest differences, in average precision")
        cells: list[list[Any]] = [[f"{100 * rise:+.1f}", printable(a.video), printable(a.text)] for a, _, rise in moved]
        print_table(["", "video", "question"], cells, right=(0,))


def _difference_cells(found: MetricDifference) -> list[str]:
    low, high = found.interval
    figures = [f"{found.before:.1f}", f"{found.after:.1f}", f"{found.difference:+.1f}", f"{low:+.1f}", f"{high:+.1f}"]
    return [*figures, f"{found.p_value:.3f}", str(found.better), str(found.worse)]
