"""Report sections on single questions, with thumbnails of found and true moments."""

from __future__ import annotations

from pipeline.evaluate import Evaluation, ScoredAnswer
from pipeline.render.markup import Markup, tag
from pipeline.render.page import legend, section
from pipeline.render.plot_area import Caption
from pipeline.render.score_plots import TimelineSpan, time_line
from pipeline.render.thumbnails import thumbnail
from pipeline.timecode import format_seconds
from pipeline.video import IndexedVideos

__all__ = ["false_alarms", "worst_cases"]

_WORST, _FALSE_ALARMS, _PICTURES = 10, 5, 2


def worst_cases(evaluation: Evaluation, videos: IndexedVideos) -> Markup:
    """Draw the true questions with the worst answers."""
    worst = evaluation.worst(_WORST)
    if not worst:
        return Markup()
    return section(
        "The worst answers" if len(worst) > 1 else "The worst answer",
        tag(
            "p",
            "The questions with the lowest average precision, then the lowest IoU of the first moment.",
            class_="quiet",
        ),
        legend(("true", "true"), ("found", "found first"), ("later", "found later")),
        *(_case(f"worst{number}", answer, videos) for number, answer in enumerate(worst)),
    )


def false_alarms(evaluation: Evaluation, videos: IndexedVideos) -> Markup:
    """Draw the absent questions whose answers have the highest scores."""
    answered = [answer for answer in evaluation.answers if answer.is_absent and not evaluation.is_rejected(answer)]
    if not answered:
        return Markup()
    surest = sorted(answered, key=lambda answer: -answer.moments[0].score)[:_FALSE_ALARMS]
    return section(
        "The most confident false alarms",
        tag(
            "p",
            "Absent questions whose first moments have the highest scores: the right answer is nothing.",
            class_="quiet",
        ),
        *(_case(f"alarm{number}", answer, videos) for number, answer in enumerate(surest)),
    )


def _case(name: str, answer: ScoredAnswer, videos: IndexedVideos) -> Markup:
    figures = [f"qid {answer.query_id}", answer.video]
    if not answer.is_absent:
        figures += [
            f"average precision {100 * answer.scores['MR-full-mAP']:.1f}",
            f"IoU of the first moment {answer.first_iou:.2f}",
        ]
    if not answer.moments:
        figures.append("nothing found")
    return tag(
        "div",
        tag("h3", f"\u201c{answer.text}\u201d"),
        tag("p", " \u00b7 ".join(figures)),
        _line(name, answer),
        tag("div", *_true_pictures(answer, videos), *_found_pictures(answer, videos), class_="pictures"),
        class_="case",
    )


def _line(name: str, answer: ScoredAnswer) -> Markup:
    true = [TimelineSpan(*window, "true", f"true: {_between(*window)}") for window in answer.truth]
    found = [
        TimelineSpan(start, end, "later" if rank else "found", f"found {rank + 1}: {_between(start, end)}, {score:.3f}")
        for rank, (start, end, score) in enumerate(answer.found)
    ]
    ends = [stretch.end_seconds for stretch in (*true, *found)]
    end = answer.duration_seconds or max(ends, default=1.0)
    description = "; ".join(stretch.tip for stretch in (*true, *found[:3])) or "nothing found"
    # The first moment is drawn last, on top of the others.
    rows = [("true", true), ("found", found[::-1])] if true else [("found", found[::-1])]
    return time_line(Caption(name, answer.text, description), rows, end)


def _true_pictures(answer: ScoredAnswer, videos: IndexedVideos) -> list[Markup]:
    return [
        tag(
            "figure",
            thumbnail(videos, answer.video_id, (start + end) / 2, f"true: {answer.text}"),
            tag("figcaption", tag("b", "true"), tag("span", _between(start, end), class_="when")),
            class_="true",
        )
        for start, end in answer.truth[:_PICTURES]
    ]


def _found_pictures(answer: ScoredAnswer, videos: IndexedVideos) -> list[Markup]:
    return [
        tag(
            "figure",
            thumbnail(videos, moment.video_id, moment.best_seconds, f"found {rank}"),
            tag(
                "figcaption",
                tag("b", f"found {rank}"),
                tag("span", f"{moment.score:.3f}"),
                tag("span", _between(moment.start_seconds, moment.end_seconds), class_="when"),
            ),
            class_="found" if rank == 1 else None,
        )
        for rank, moment in enumerate(answer.moments[:_PICTURES], 1)
    ]


def _between(start_seconds: float, end_seconds: float) -> str:
    return f"{format_seconds(start_seconds)} - {format_seconds(end_seconds)}"
