"""The HTML page of an evaluation: metrics with intervals, thresholds, concepts and the worst answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from functools import partial

from pipeline.evaluate import ConceptScore, Evaluation, RejectionCurve, RejectionPoint, ScoredAnswer
from pipeline.evaluate.report.cases import false_alarms, worst_cases
from pipeline.evaluate.report.metric_names import meaning_of
from pipeline.evaluate.report.style import EVALUATION_STYLE
from pipeline.render.markup import Markup, tag
from pipeline.render.page import cards, legend, page, section, table
from pipeline.render.plot_area import Caption, percent
from pipeline.render.score_plots import Bar, ShareSeries, interval_mark, score_bars, shares
from pipeline.render.text import file_name
from pipeline.video import IndexedVideos

__all__ = ["evaluation_page"]

_MOST_CONCEPTS, _MOST_ROWS = 30, 40
_REJECTION = "Rejection of absent questions"
_OUTCOMES = {
    "correct": "right, IoU 0.5 or more",
    "near": "near, IoU below 0.5",
    "wrong": "elsewhere",
    "nothing": "no answer",
}


def evaluation_page(evaluation: Evaluation, *, labels: str, library: str, videos: IndexedVideos) -> str:
    """Draw an evaluation as one self-contained HTML document.

    Args:
        evaluation: The evaluation.
        labels: Path of the labelled set.
        library: Location of the library.
        videos: Opens the library's videos for thumbnails.
    """
    content = [
        _header(evaluation, labels, library),
        _tiles(evaluation),
        _metrics(evaluation),
        _rejection(evaluation),
        _concepts(evaluation),
        worst_cases(evaluation, videos),
        false_alarms(evaluation, videos),
        _footer(evaluation),
    ]
    return page(f"Evaluation on {file_name(labels)}", content, style=EVALUATION_STYLE)


def _header(evaluation: Evaluation, labels: str, library: str) -> Markup:
    videos = len({answer.video_id for answer in evaluation.answers})
    absent = f", {evaluation.absent} of them absent" if evaluation.absent else ""
    return tag(
        "header",
        tag("p", "momentseek \u00b7 evaluation", class_="kicker"),
        tag("h1", file_name(labels)),
        tag("p", f"{len(evaluation.answers):,} questions about {videos:,} videos{absent} \u00b7 library {library}"),
        tag("p", f"labels {labels} \u00b7 matching rule {evaluation.rule}"),
    )


def _tiles(evaluation: Evaluation) -> Markup:
    tiles = []
    wanted = {
        "MR-full-R1@0.5": "first moment right",
        "MR-full-mAP": "mean average precision",
        "MR-full-mIoU": "mean IoU of the first",
        "VR-nDCG@10": "videos ranked, nDCG@10",
        "MR-full-start-error-seconds": "start is off by",
        "MR-full-end-error-seconds": "end is off by",
    }
    for name, label in wanted.items():
        if name in evaluation.metrics:
            more = _outcome_bar(evaluation) if name == "MR-full-R1@0.5" else Markup()
            tiles.append(
                (
                    label,
                    _figure(name, evaluation.metrics[name], unit=True),
                    _interval(name, evaluation.intervals[name]),
                    more,
                )
            )
    if evaluation.rejection is not None and (point := evaluation.rejection.operating) is not None:
        lost = f"{percent(point.true_lost)} of the true ones lost"
        tiles.append(("absent questions rejected", percent(point.absent_rejected), lost, Markup()))
    return cards(tiles)


def _outcome_bar(evaluation: Evaluation) -> Markup:
    counts = Counter(_outcome(evaluation, answer) for answer in evaluation.answers if not answer.is_absent)
    parts = [tag("i", class_=name, style=f"flex:{counts[name]}") for name in _OUTCOMES if counts[name]]
    entries = [
        tag("span", f"{counts[name]:,} {what}", class_=f"dot {name}")
        for name, what in _OUTCOMES.items()
        if counts[name]
    ]
    return tag("div", tag("div", *parts, class_="share"), tag("p", *entries, class_="legend"))


def _outcome(evaluation: Evaluation, answer: ScoredAnswer) -> str:
    if evaluation.is_rejected(answer):
        return "nothing"
    if answer.first_iou >= 0.5:
        return "correct"
    return "near" if answer.first_iou > 0 else "wrong"


def _metrics(evaluation: Evaluation) -> Markup:
    rows = []
    for name, value in evaluation.metrics.items():
        low, high = evaluation.intervals[name]
        mark = Markup() if name.endswith("seconds") else interval_mark(value, (low, high))
        rows.append(
            [
                tag("code", name),
                tag("b", _figure(name, value)),
                mark,
                _interval(name, (low, high)),
                f"{evaluation.counts[name]:,}",
                tag("span", meaning_of(name), class_="meaning"),
            ]
        )
    how = evaluation.resampling
    explanation = (
        f"Per cent, except seconds. Intervals are {how.level:.0%} bootstrap percentiles over {how.count:,} {how.unit}."
    )
    return section(
        "Metrics",
        tag("p", explanation.replace("%", " %"), class_="quiet"),
        table(["metric", "value", "", "interval", "questions", "meaning"], rows, right=(1, 3, 4)),
    )


def _rejection(evaluation: Evaluation) -> Markup:
    title, curve = _REJECTION, evaluation.rejection
    if curve is None:
        what = "absent" if not evaluation.absent else "true"
        explanation = f"The set has no {what} questions, so it does not show the effect of a threshold on the score."
        return section(title, tag("p", explanation, class_="quiet"))
    points = [point for point in curve.points if point.threshold is not None]
    if not points:
        return section(title, tag("p", "All questions were answered with nothing.", class_="quiet"))
    return section(title, *_rejection_plots(curve, points), _rejection_table(curve))


def _rejection_plots(curve: RejectionCurve, points: Sequence[RejectionPoint]) -> list[Markup]:
    """Draw the rates of rejected questions, and those of the remaining answers, by threshold."""
    rejected = [
        ShareSeries("absent, answered with nothing", "rejected", [point.absent_rejected for point in points]),
        ShareSeries("true, answered with nothing", "lost", [point.true_lost for point in points]),
        ShareSeries(
            "true and right, answered with nothing", "right-lost", [point.right_lost or 0.0 for point in points]
        ),
    ]
    answered = [
        ShareSeries("precision", "precise", [point.precision or 0.0 for point in points]),
        ShareSeries("recall", "recalled", [point.recall for point in points]),
    ]
    where = None if curve.operating is None else curve.operating.threshold
    plot = partial(
        shares,
        thresholds=[point.threshold for point in points if point.threshold is not None],
        marked=None if where is None else (where, f"{where:.3f}"),
    )
    verdict = _verdict(curve)
    meaning = "Precision: share of answers whose first moment is right (R1@0.5). Recall: share of true questions."
    return [
        tag("p", verdict, class_="verdict"),
        legend(*((share.colour, share.name) for share in rejected)),
        plot(Caption("rejection", _REJECTION, verdict), series=rejected),
        tag("h3", "Remaining answers"),
        tag("p", meaning, class_="quiet"),
        legend(*((share.colour, share.name) for share in answered)),
        plot(Caption("answered", "Precision and recall", verdict), series=answered),
    ]


def _verdict(curve: RejectionCurve) -> str:
    point = curve.operating
    if point is None:
        return "Without any threshold the search answers more than 10 % of the true questions with nothing."
    where = "Without a threshold" if point.threshold is None else f"At a score of {point.threshold:.4f} or more"
    why = "No threshold rejects more" if point.threshold is None else "It is the threshold that rejects most"
    right = (
        "" if point.right_lost is None else f", and {percent(point.right_lost)} of those whose first moment is right"
    )
    return (
        f"{where}, {percent(point.absent_rejected)} of the absent questions are answered with nothing; this loses"
        f" {percent(point.true_lost)} of the true ones{right}. {why} while losing 10 % at most."
    )


def _rejection_table(curve: RejectionCurve) -> Markup:
    step = max(1, -(-len(curve.points) // _MOST_ROWS))
    kept = [point for number, point in enumerate(curve.points) if number % step == 0 or point == curve.operating]
    names = [field.name.replace("_", " ") for field in fields(RejectionPoint)]
    rows = [_point_row(point) for point in kept]
    return table(names, rows, right=range(len(names)), is_folded=True)


def _point_row(point: RejectionPoint) -> list[str]:
    shares = (point.absent_rejected, point.true_lost, point.right_lost, point.precision, point.recall)
    first = "none" if point.threshold is None else f"{point.threshold:.4f}"
    return [first, *("-" if share is None else percent(share) for share in shares)]


def _concepts(evaluation: Evaluation) -> Markup:
    kinds = "concepts" if evaluation.concepts_are_named else "words"
    title = f"By {kinds[:-1]}"
    if not evaluation.concepts:
        return section(title, tag("p", f"No three questions share one of their {kinds}.", class_="quiet"))
    shown = _ends(evaluation.concepts)
    explanation = (
        f"Mean average precision of the questions about each, with its interval; {kinds} of three questions or more"
    )
    explanation += "." if len(shown) == len(evaluation.concepts) else f", the best and worst {len(shown) // 2} of them."
    rows = [
        Bar(
            score.concept,
            score.metrics["MR-full-mAP"],
            score.intervals["MR-full-mAP"],
            f"{score.metrics['MR-full-mAP']:.1f} \u00b7 {score.queries} questions",
        )
        for score in shown
    ]
    description = "; ".join(f"{row.label}: {row.note}" for row in rows)
    return section(
        title, tag("p", explanation, class_="quiet"), score_bars(Caption("concepts", title, description), rows)
    )


def _ends(scores: tuple[ConceptScore, ...]) -> tuple[ConceptScore, ...]:
    if len(scores) <= _MOST_CONCEPTS:
        return scores
    return scores[: _MOST_CONCEPTS // 2] + scores[-_MOST_CONCEPTS // 2 :]


def _footer(evaluation: Evaluation) -> Markup:
    how = evaluation.resampling
    explanation = f"Intervals: {how.draws:,} draws of {how.unit}, seed {how.seed}. As JSON: "
    return tag("footer", explanation, tag("code", "momentseek evaluate LABELS --json"))


def _interval(name: str, interval: tuple[float, float]) -> str:
    low, high = (f"{edge:.2f}" if name.endswith("seconds") else f"{edge:.1f}" for edge in interval)
    return f"{low} to {high} s" if name.endswith("seconds") else f"{low} to {high}"


def _figure(name: str, value: float, *, unit: bool = False) -> str:
    if name.endswith("seconds"):
        return f"{value:.2f} s"
    return f"{value:.1f} %" if unit else f"{value:.1f}"
