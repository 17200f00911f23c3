"""`momentseek evaluate` on labelled intervals: score a library's labels, or predicted intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.console.tables import echo, print_json, print_table, warn_of_problems
from pipeline.cli.console.written_files import write_page

if TYPE_CHECKING:
    from pipeline.evaluate.intervals import IntervalEvaluation, IntervalSet
    from pipeline.library import Library
    from pipeline.library.analysis.interval_evaluation import IntervalCases

__all__ = ["IntervalOptions", "evaluate_on_intervals"]

_COLUMNS = {
    "frame-AP": "frame AP",
    "frame-F1": "frame F1",
    "event-precision": "events prec.",
    "event-recall": "events rec.",
    "false-alarms-per-hour": "false/h",
    "delay-seconds": "delay s",
}


@dataclass(frozen=True)
class IntervalOptions:
    """Options of `momentseek evaluate` that are for labelled intervals.

    Attributes:
        label_set: A label set of the library; None for the one that was applied last.
        predictions: A file of predicted intervals that are scored in place of the library's labels.
        people: Scores from the first bound to below the second are left to people.
    """

    label_set: str | None
    predictions: Path | None
    people: tuple[float, float]


def evaluate_on_intervals(
    library: Library,
    labelled: IntervalSet,
    path: Path,
    options: IntervalOptions,
    *,
    skip_missing: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Score, print, and write the page."""
    from pipeline.evaluate.intervals import evaluate_intervals, read_predictions
    from pipeline.library.analysis.interval_evaluation import label_cases, predicted_cases

    if options.predictions is None:
        gathered = label_cases(library, labelled, label_set=options.label_set, skip_missing=skip_missing)
    else:
        predictions = read_predictions(options.predictions)
        gathered = predicted_cases(library, labelled, predictions, skip_missing=skip_missing)
    _say_left_out(gathered)
    evaluation = evaluate_intervals(gathered.cases, people=options.people)
    predicted_by = gathered.predicted_by or str(options.predictions)
    if as_json:
        left_out = {"videos": gathered.missing_videos, "labels": gathered.missing_labels}
        print_json({"set": str(path), "predicted_by": predicted_by, "left_out": left_out, **evaluation.as_json()})
    else:
        _print(evaluation)
    if report is not None:
        _write_report(library, evaluation, path, predicted_by, report)


def _say_left_out(gathered: IntervalCases) -> None:
    from pipeline.render.text import counted

    for names, what, why in (
        (gathered.missing_videos, "video", "the library does not hold"),
        (gathered.missing_labels, "label", "nothing predicts"),
    ):
        if names:
            some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            echo(f"left out {counted(len(names), what)} that {why}: {some}", err=True)


def _print(evaluation: IntervalEvaluation) -> None:
    from pipeline.render.text import counted

    header = ["label", *_COLUMNS.values(), "events"]
    rows = [[one.label, *_cells(one.metrics), f"{one.counts.events:.0f}"] for one in evaluation.labels]
    print_table(header, rows, right=range(1, len(header)))
    echo()
    header = [f"mean of {counted(len(evaluation.labels), 'label')}", "value", "from", "to", "of labels"]
    print_table(header, [_macro_row(evaluation, name) for name in evaluation.macro], right=(1, 2, 3, 4))
    hours = f"{evaluation.hours:.2f} h of {counted(evaluation.videos, 'video')}"
    echo(f"{hours}; per cent, but for seconds and alarms per hour; from, to: 95 % intervals over videos", err=True)


def _cells(metrics: Mapping[str, float]) -> list[str]:
    return [_figure(name, metrics.get(name)) for name in _COLUMNS]


def _macro_row(evaluation: IntervalEvaluation, name: str) -> list[str]:
    low, high = evaluation.macro_intervals.get(name, (None, None))
    figures = [_figure(name, value) for value in (evaluation.macro[name], low, high)]
    return [name, *figures, str(evaluation.macro_labels[name])]


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if name.endswith(("seconds", "per-hour")) else f"{value:.1f}"


def _write_report(
    library: Library, evaluation: IntervalEvaluation, labels: Path, predicted_by: str, path: Path
) -> None:
    from pipeline.evaluate.intervals.page import interval_page

    page = interval_page(
        evaluation,
        labels=str(labels),
        predicted_by=predicted_by,
        library=library.config.library,
        videos=library.indexed_videos,
    )
    warn_of_problems(library.indexed_videos)
    write_page(path, page)
