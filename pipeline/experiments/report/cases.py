"""Report section on the queries with the largest differences between two variants, with images of both answers."""

from __future__ import annotations

from pipeline.evaluate import ScoredAnswer, question_differences
from pipeline.experiments.report.figures import METRIC, VariantFigures
from pipeline.render.markup import Markup, joined, tag
from pipeline.render.page import legend, section
from pipeline.render.plot_area import Caption
from pipeline.render.score_plots import TimelineSpan, time_line
from pipeline.render.thumbnails import thumbnail
from pipeline.timecode import format_seconds
from pipeline.video import IndexedVideos

__all__ = ["wins_and_losses"]

_MOST = 4
_ROWS = 3


def wins_and_losses(before: VariantFigures, after: VariantFigures, columns: Markup, videos: IndexedVideos) -> Markup:
    """Draw the questions whose average precision rises and falls most from one variant to another.

    Args:
        before: The cheaper variant.
        after: The better variant.
        columns: A plot of all questions.
        videos: Opens the videos for thumbnails.
    """
    found = question_differences(before.evaluation, after.evaluation, METRIC)
    wins = [each for each in found if each[2] > 0][:_MOST]
    losses = [each for each in reversed(found) if each[2] < 0][:_MOST]
    names = before.name, after.name
    return section(
        f"From \u201c{before.name}\u201d to \u201c{after.name}\u201d",
        tag("p", "Average precision, question by question: up where the second is better.", class_="quiet"),
        columns,
        legend(("true", "true"), ("found", "found first"), ("later", "found later")),
        *_cases(f"Where \u201c{after.name}\u201d gains most", "win", wins, names, videos),
        *_cases(f"Where it loses most to \u201c{before.name}\u201d", "loss", losses, names, videos),
    )


def _cases(
    title: str,
    name: str,
    found: list[tuple[ScoredAnswer, ScoredAnswer, float]],
    names: tuple[str, str],
    videos: IndexedVideos,
) -> list[Markup]:
    if not found:
        return []
    cases = [_case(f"{name}{number}", *each, names, videos) for number, each in enumerate(found)]
    return [tag("h3", title, class_="cases"), *cases]


def _case(
    name: str, one: ScoredAnswer, other: ScoredAnswer, rise: float, names: tuple[str, str], videos: IndexedVideos
) -> Markup:
    before, after = (100 * answer.scores[METRIC] for answer in (one, other))
    summary = f"{one.video} \u00b7 average precision {before:.1f} \u2192 {after:.1f} ({100 * rise:+.1f})"
    shown = [_true(one, videos), *(_found(*each, videos) for each in zip((one, other), names, strict=True))]
    return tag(
        "div",
        tag("h4", f"\u201c{one.text}\u201d"),
        tag("p", summary),
        _line(name, one, other),
        tag("div", *shown, class_="pictures"),
        class_="case",
    )


def _line(name: str, one: ScoredAnswer, other: ScoredAnswer) -> Markup:
    true = [TimelineSpan(*window, "true", f"true: {_between(*window)}") for window in one.truth]
    rows = [("true", true), ("first", _stretches(one)), ("second", _stretches(other))]
    end = max((stretch.end_seconds for _, stretches in rows for stretch in stretches), default=1.0)
    description = "; ".join(f"{row}: {', '.join(each.tip for each in found) or 'nothing'}" for row, found in rows)
    return time_line(Caption(name, one.text, description), rows, one.duration_seconds or end)


def _stretches(answer: ScoredAnswer) -> list[TimelineSpan]:
    found = [
        TimelineSpan(start, end, "later" if rank else "found", f"{rank + 1}: {_between(start, end)}, {score:.3f}")
        for rank, (start, end, score) in enumerate(answer.found[:_ROWS])
    ]
    # The first moment is drawn last, on top of the others.
    return found[::-1]


def _true(answer: ScoredAnswer, videos: IndexedVideos) -> Markup:
    start, end = answer.truth[0]
    picture = thumbnail(videos, answer.video_id, (start + end) / 2, "true")
    return _figure(picture, "true", "", _between(start, end), "true")


def _found(answer: ScoredAnswer, name: str, videos: IndexedVideos) -> Markup:
    if not answer.moments:
        return _figure(tag("div", "nothing found", class_="none"), name, "", "", None)
    start, end, score = answer.found[0]
    # A stored result has the start and end of a moment, but not its best frame.
    picture = thumbnail(videos, answer.video_id, (start + end) / 2, f"found by {name}")
    return _figure(picture, name, f"{score:.3f}", f"{_between(start, end)}, IoU {answer.first_iou:.2f}", "found")


def _figure(picture: Markup, name: str, score: str, when: str, colour: str | None) -> Markup:
    caption = joined([tag("b", name), tag("span", score), tag("span", when, class_="when")])
    return tag("figure", picture, tag("figcaption", caption), class_=colour)


def _between(start_seconds: float, end_seconds: float) -> str:
    return f"{format_seconds(start_seconds)} - {format_seconds(end_seconds)}"
