"""The HTML page of an evaluation on labelled intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.evaluate.intervals.evaluation import INTERVAL_RULE, IntervalEvaluation, LabelScore, WorstCase
from pipeline.evaluate.intervals.reliability import Reliability
from pipeline.evaluate.report.style import EVALUATION_STYLE
from pipeline.render.markup import Markup, tag
from pipeline.render.page import cards, page, section, table
from pipeline.render.plot_area import Caption
from pipeline.render.reliability_plot import ReliabilityPoint, reliability_plot
from pipeline.render.score_plots import interval_mark
from pipeline.render.text import file_name
from pipeline.render.thumbnails import thumbnail
from pipeline.timecode import format_seconds
from pipeline.video import IndexedVideos

__all__ = ["interval_page"]

_MOST_CASES = 12
_TILES = {
    "frame-AP": "mean average precision of frames",
    "frame-F1": "macro F1 of frames",
    "event-recall": "events found",
    "event-precision": "predictions that are right",
    "false-alarms-per-hour": "false alarms an hour",
    "delay-seconds": "delay of detection",
    "frame-left-to-people": "left to people",
}
_COLUMNS = ("frame-AP", "frame-F1", "event-precision", "event-recall", "false-alarms-per-hour", "delay-seconds")
_MEANINGS = {
    "frame-AP": "average precision of the ranking of frames",
    "frame-precision": "labelled frames that show the label",
    "frame-recall": "frames showing the label that are labelled",
    "frame-F1": "harmonic mean of the two",
    "frame-left-to-people": "frames with a score between the bounds",
    "frame-ECE": "expected calibration error of the scores",
    "event-precision": "predictions that overlap an event",
    "event-recall": "events that a prediction overlaps",
    "event-F1": "harmonic mean of the two",
    "false-alarms-per-hour": "predictions that overlap no event",
    "delay-seconds": "from an event's start to its detection",
}


def interval_page(
    evaluation: IntervalEvaluation, *, labels: str, predicted_by: str, library: str, videos: IndexedVideos
) -> str:
    """Draw an evaluation as one self-contained HTML document.

    Args:
        evaluation: The evaluation.
        labels: Path of the labelled set.
        predicted_by: The label set, or the file of predictions.
        library: Location of the library.
        videos: Opens the library's videos for thumbnails.
    """
    content = [
        _header(evaluation, labels, predicted_by, library),
        _tiles(evaluation),
        _macro(evaluation),
        _labels(evaluation.labels),
        _reliability("Reliability of the frames' scores", "frames", evaluation.frames),
        _reliability("Reliability of the intervals' confidences", "events", evaluation.events),
        _cases(
            "The most confident false alarms",
            "Predictions that overlap no event, highest confidence first, with their best frames.",
            evaluation.false_alarms,
            videos,
        ),
        _cases("Missed events", "Events that no prediction overlaps, longest first.", evaluation.missed, videos),
        tag("footer", "As JSON: ", tag("code", "momentseek evaluate LABELS --json")),
    ]
    return page(f"Evaluation on {file_name(labels)}", content, style=EVALUATION_STYLE)


def _header(evaluation: IntervalEvaluation, labels: str, predicted_by: str, library: str) -> Markup:
    size = f"{len(evaluation.labels):,} labels in {evaluation.videos:,} videos, {evaluation.hours:.2f} h"
    return tag(
        "header",
        tag("p", "momentseek \u00b7 evaluation on labelled intervals", class_="kicker"),
        tag("h1", file_name(labels)),
        tag("p", f"{size} \u00b7 predicted by {predicted_by} \u00b7 library {library}"),
        tag("p", f"labels {labels} \u00b7 rules {INTERVAL_RULE}"),
    )


def _tiles(evaluation: IntervalEvaluation) -> Markup:
    tiles = []
    for name, label in _TILES.items():
        if name in evaluation.macro:
            edges = evaluation.macro_intervals.get(name, ())
            note = " to ".join(_figure(name, edge) for edge in edges)
            tiles.append((label, _figure(name, evaluation.macro[name], unit=True), note, Markup()))
    return cards(tiles)


def _macro(evaluation: IntervalEvaluation) -> Markup:
    rows = []
    for name, value in evaluation.macro.items():
        low, high = evaluation.macro_intervals.get(name, (value, value))
        is_share = not name.endswith(("seconds", "per-hour"))
        rows.append(
            [
                tag("code", name),
                tag("b", _figure(name, value)),
                interval_mark(value, (low, high)) if is_share else Markup(),
                f"{_figure(name, low)} to {_figure(name, high)}" if name in evaluation.macro_intervals else "-",
                f"{evaluation.macro_labels[name]:,}",
                tag("span", _MEANINGS[name], class_="meaning"),
            ]
        )
    explanation = (
        "Means over the labels that have the metric: per cent, except seconds and alarms per hour. Intervals are"
        " 95 % bootstrap percentiles over videos."
    )
    header = ["metric", "value", "", "interval", "labels", "meaning"]
    return section("Means over labels", tag("p", explanation, class_="quiet"), table(header, rows, right=(1, 3, 4)))


def _labels(labels: Sequence[LabelScore]) -> Markup:
    header = ["label", *_COLUMNS, "events", "false", "videos"]
    rows = [
        [
            one.label,
            *_figures(one.metrics),
            f"{one.counts.events:,.0f}",
            f"{one.counts.false:,.0f}",
            f"{one.videos:,}",
        ]
        for one in labels
    ]
    explanation = "Lowest F1 of frames first; labels that no frame shows come last."
    return section("By label", tag("p", explanation, class_="quiet"), table(header, rows, right=range(1, len(header))))


def _figures(metrics: Mapping[str, float]) -> list[str]:
    return [_figure(name, metrics[name]) if name in metrics else "-" for name in _COLUMNS]


def _reliability(title: str, name: str, found: Reliability | None) -> Markup:
    if found is None or found.error is None:
        return Markup()
    explanation = (
        f"Of {found.count:,} confidences, in bins of a tenth: their mean (across), and the share that is true"
        f" (up). The expected calibration error is {100 * found.error:.1f} %."
    )
    points = [
        ReliabilityPoint(one.confidence, one.share_true, one.count)
        for one in found.bins
        if one.confidence is not None and one.share_true is not None
    ]
    cells = [[f"{point.confidence:.3f}", f"{point.share_true:.3f}", f"{point.count:,}"] for point in points]
    return section(
        title,
        tag("p", explanation, class_="quiet"),
        reliability_plot(Caption(f"reliability-{name}", title, explanation), points),
        table(["confidence", "true", "count"], cells, right=(0, 1, 2), is_folded=True),
    )


def _cases(title: str, explanation: str, cases: Sequence[WorstCase], videos: IndexedVideos) -> Markup:
    if not cases:
        return Markup()
    shown = cases[:_MOST_CASES]
    more = f" {len(shown)} of {len(cases):,} are shown." if len(cases) > len(shown) else ""
    pictures = [_case(one, videos) for one in shown]
    return section(title, tag("p", f"{explanation}{more}", class_="quiet"), tag("div", *pictures, class_="pictures"))


def _case(one: WorstCase, videos: IndexedVideos) -> Markup:
    between = f"{format_seconds(one.start_seconds)} - {format_seconds(one.end_seconds)}"
    return tag(
        "figure",
        thumbnail(videos, one.video_id, one.best_seconds, f"{one.label} in {one.video}"),
        tag(
            "figcaption",
            tag("b", one.label),
            tag("span", "" if one.score is None else f"{one.score:.3f}"),
            tag("span", f"{one.video} \u00b7 {between}", class_="when"),
        ),
    )


def _figure(name: str, value: float, *, unit: bool = False) -> str:
    if name.endswith("per-hour"):
        return f"{value:.2f}"
    if name.endswith("seconds"):
        return f"{value:.2f} s" if unit else f"{value:.2f}"
    return f"{value:.1f} %" if unit else f"{value:.1f}"
