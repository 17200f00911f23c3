"""`momentseek evaluate`: score a library on labelled moments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.commands.analysis.evaluate_intervals import IntervalOptions, evaluate_on_intervals
from pipeline.cli.common_options import configured, in_library, require_library
from pipeline.cli.console.answers import say_incomplete
from pipeline.cli.console.count_bar import count_bar
from pipeline.cli.console.tables import echo, print_json, print_table, warn_of_problems
from pipeline.cli.console.written_files import write_page

if TYPE_CHECKING:
    from pipeline.evaluate import Evaluation, LabelledQuery, LabelledSet, Saliency
    from pipeline.library import Library

__all__ = ["evaluate"]


@click.command()
@click.argument("moments", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="LABELS")
@click.option("--top", "-n", type=click.IntRange(1, 1000), default=10, show_default=True, help="Moments per question.")
@click.option(
    "--ranking/--no-ranking",
    default=True,
    show_default=True,
    help="Also search the whole library for each text, to rank the videos.",
)
@click.option("--skip-missing", is_flag=True, help="Leave out questions about videos that are not in the library.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with plots and pictures.")
@click.option(
    "--convert",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT.jsonl",
    help="Only convert LABELS to the format of QVHighlights; no library is needed.",
)
@click.option(
    "--label-set",
    metavar="NAME",
    help="For intervals: label set to score, by name, file name or fingerprint. Default: the one applied last.",
)
@click.option(
    "--predictions",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For intervals: score those in this file, as `labels --segments` or `check` write them, not the labels.",
)
@click.option(
    "--people",
    nargs=2,
    type=click.FloatRange(0, 1),
    default=(0.2, 0.8),
    show_default=True,
    help="For intervals: scores from the first to below the second are left to people.",
)
@configured
@in_library
@click.option("--json", "as_json", is_flag=True, help="Print metrics and answers as one JSON object.")
def evaluate(
    *,
    moments: Path,
    top: int,
    ranking: bool,
    skip_missing: bool,
    report: Path | None,
    convert: Path | None,
    label_set: str | None,
    predictions: Path | None,
    people: tuple[float, float],
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Score a library on labelled moments, or its labels on labelled intervals.

    LABELS is in the format of QVHighlights (JSON lines), Charades-STA (text) or ActivityNet Captions (JSON), and each
    question is asked within its video. Or it has the intervals in which videos show labels (JSON lines or CSV), and the
    library's labels are scored. docs/reference/metrics.md defines the metrics.
    """
    from pipeline.evaluate.intervals import interval_set_in, is_interval_set
    from pipeline.evaluate.label_formats import label_file_text, labelled_set_in

    text = label_file_text(moments)
    # A set of questions is no CSV: what ends so and has other columns is told which it needs.
    if is_interval_set(text) or (moments.suffix.lower() in (".csv", ".tsv") and "##" not in text):
        if convert is not None:
            raise click.UsageError("--convert is for questions; these are labelled intervals")
        options = IntervalOptions(label_set, predictions, people)
        labelled = interval_set_in(text, str(moments))
        with require_library(library, config, overrides) as opened:
            evaluate_on_intervals(
                opened, labelled, moments, options, skip_missing=skip_missing, report=report, as_json=as_json
            )
        return
    if label_set is not None or predictions is not None:
        raise click.UsageError("--label-set and --predictions are for labelled intervals; these are questions")
    labels = labelled_set_in(text, moments)
    _say_left_out(labels)
    if convert is not None:
        _convert(labels, convert)
        return
    with require_library(library, config, overrides) as opened:
        queries = _held(opened, labels.queries) if skip_missing else labels.queries
        evaluation = _evaluate(opened, queries, top=top, ranks_videos=ranking)
        if as_json:
            left_out = len(labels.left_out) + len(labels.queries) - len(queries)
            print_json({"labels": str(moments), "left_out": left_out, **evaluation.as_json()})
        else:
            _print(evaluation)
        if report is not None:
            _write_report(opened, evaluation, moments, report)


def _evaluate(opened: Library, queries: Sequence[LabelledQuery], *, top: int, ranks_videos: bool) -> Evaluation:
    """Score a library on questions, with progress; a warning says if its index is incomplete."""
    from pipeline.evaluate import evaluate as score

    with count_bar("searches") as on_search:
        evaluation = score(
            opened,
            queries,
            top=top,
            min_score=opened.config.search.min_score,
            ranks_videos=ranks_videos,
            saliency=_saliency(opened, queries),
            on_search=on_search,
        )
    if (incomplete := opened.incomplete()) is not None:
        say_incomplete(incomplete)
    return evaluation


def _say_left_out(labels: LabelledSet) -> None:
    from pipeline.render.text import counted, printable

    if labels.left_out:
        some = printable(", ".join(labels.left_out[:5])) + (", ..." if len(labels.left_out) > 5 else "")
        count = counted(
            len(labels.left_out), f"moment of {labels.form} that ends", f"moments of {labels.form} that end"
        )
        begin = "it begins" if len(labels.left_out) == 1 else "they begin"
        echo(f"left out {count} before {begin}: {some}", err=True)


def _convert(labels: LabelledSet, path: Path) -> None:
    from pipeline.evaluate import write_labelled
    from pipeline.render.text import counted

    write_labelled(labels.queries, path)
    echo(f"wrote {counted(len(labels.queries), 'query', 'queries')} of {labels.form} to {path}", err=True)


def _held(library: Library, queries: Sequence[LabelledQuery]) -> Sequence[LabelledQuery]:
    """The questions about videos that the library holds; if it holds none of them, all, so that scoring reports it."""
    from pipeline.evaluate import split_missing
    from pipeline.render.text import counted

    held, missing = split_missing(library, queries)
    if missing and held:
        videos = len({query.video for query in missing})
        what = f"{counted(len(missing), 'question')} about {counted(videos, 'video')}"
        echo(f"left out {what} that the library does not hold", err=True)
    return held or queries


def _saliency(library: Library, queries: Sequence[LabelledQuery]) -> Saliency | None:
    """Make the saliency predictor, if any question has saliency labels."""
    from pipeline.evaluate import FrameSaliency

    if all(query.saliency is None for query in queries):
        return None
    return FrameSaliency(library.model(), library.store)


def _print(evaluation: Evaluation) -> None:
    from pipeline.render.text import counted

    counts, edges = evaluation.counts, evaluation.intervals
    rows = [
        [name, *(_figure(name, figure) for figure in (value, *edges[name])), str(counts[name])]
        for name, value in evaluation.metrics.items()
    ]
    header = [counted(len(evaluation.answers), "question"), "per cent", "from", "to", "of questions"]
    print_table(header, rows, right=(1, 2, 3, 4))
    echo(
        f"from, to: 95 % intervals over {evaluation.resampling.count} {evaluation.resampling.unit};"
        f" matching rule {evaluation.rule}",
        err=True,
    )
    if evaluation.rejection is not None:
        echo(_operating(evaluation), err=True)


def _figure(name: str, value: float) -> str:
    return f"{value:.2f}" if name.endswith("seconds") else f"{value:.1f}"


def _operating(evaluation: Evaluation) -> str:
    point = evaluation.rejection.operating if evaluation.rejection is not None else None
    if point is None:
        return "even without a score threshold, the search misses more than 10 % of the true questions"
    where = "without a threshold" if point.threshold is None else f"at a score of {point.threshold:.4f} or more"
    return (
        f"{where}, {point.absent_rejected:.0%} of the absent questions are answered with nothing,"
        f" and {point.true_lost:.0%} of the true ones"
    ).replace("%", " %")


def _write_report(library: Library, evaluation: Evaluation, labels: Path, path: Path) -> None:
    from pipeline.evaluate.report.page import evaluation_page

    page = evaluation_page(
        evaluation,
        labels=str(labels),
        library=library.config.library,
        videos=library.indexed_videos,
    )
    warn_of_problems(library.indexed_videos)
    write_page(path, page)
