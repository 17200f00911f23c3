"""The review queue: what is uncertain, spread over videos and time, each picture once."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from pipeline.analyze.marks import Mark, Verdict
from pipeline.analyze.review import QueueSettings, review_queue
from pipeline.analyze.review.review_item import is_marked, mark_of, read_flags
from pipeline.errors import QueryError
from pipeline.types import FrameEmbeddings

DIMENSION = 16
RNG = np.random.default_rng(3)


class FirstNumber:
    """Log-odds are ten times the first number of an embedding."""

    def log_odds(self, vectors: np.ndarray) -> np.ndarray:
        return 10.0 * vectors[:, 0].astype(np.float64)


def video(video_id: str, *log_odds: float, step: float = 1.0) -> FrameEmbeddings:
    """A frame a step, each another picture."""
    vectors = RNG.normal(size=(len(log_odds), DIMENSION))
    vectors[:, 0] = 0
    first = np.asarray(log_odds) / 10
    vectors *= (np.sqrt(1 - first**2) / np.linalg.norm(vectors, axis=1))[:, None]
    vectors[:, 0] = first
    return FrameEmbeddings(
        video_id=video_id,
        pts=np.arange(len(log_odds)),
        time_base=Fraction(1),
        times_seconds=np.arange(len(log_odds)) * step,
        vectors=vectors.astype(np.float32),
        cuts_seconds=None,
        duration_seconds=len(log_odds) * step,
        step_seconds=step,
    )


def places(*videos: FrameEmbeddings, marks: tuple[Mark, ...] = (), **given: float) -> list[tuple[str, float]]:
    settings = QueueSettings(**{"gap_seconds": 0.0, **given})  # type: ignore[arg-type]
    return [(one.video_id, one.start_seconds) for one in review_queue(videos, FirstNumber(), "x", marks, settings)]


def test_the_most_uncertain_comes_first_and_videos_take_turns() -> None:
    a, b = video("a", 0.1, 0.2, 0.3), video("b", 0.9, -1.0)
    assert places(a, b) == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2)]


def test_beyond_what_is_uncertain_the_nearest_above_and_below_follow_in_turn() -> None:
    one = video("a", 5.0, 0.5, -4.0, 3.0, -2.0)
    assert places(one) == [("a", 1), ("a", 3), ("a", 4), ("a", 0), ("a", 2)]
    items = review_queue([one], FirstNumber(), "x", (), QueueSettings(gap_seconds=0))
    assert [item.reason.partition(",")[0] for item in items] == [
        "uncertain",
        "likely",
        "unlikely",
        "likely",
        "unlikely",
    ]
    assert items[0].score == pytest.approx(1 / (1 + np.exp(-0.5)))


def test_frames_close_in_time_are_asked_about_once() -> None:
    assert places(video("a", 0.1, 0.2, 0.3, 0.4, 0.5), gap_seconds=2.0) == [("a", 0), ("a", 2), ("a", 4)]


def test_copies_are_asked_about_once() -> None:
    a = video("a", 0.1, 0.4)
    copy = replace(a, video_id="copy")
    assert sorted(places(a, copy)) == [("a", 0), ("a", 1)]


def test_what_is_marked_does_not_come_again_whatever_the_sampling() -> None:
    a, b = video("a", 0.1, 0.2, 0.3, 0.4), video("b", 0.5)
    marks = (Mark("a", 1.4, 1.4, "X", Verdict.NO), Mark("b", 0.0, 0.0, "y", Verdict.NO))
    assert places(a, b, marks=marks) == [("a", 0), ("b", 0), ("a", 2), ("a", 3)]
    twice = video("a", 0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4, step=0.5)
    assert ("a", 1.5) not in places(twice, marks=marks)


def test_a_count_and_a_band_limit_the_queue() -> None:
    assert len(places(*(video(name, 0.1, 2, -3) for name in "abcd"), count=5)) == 5
    with pytest.raises(ValueError, match="uncertain score"):
        QueueSettings(exit=0.9, enter=0.5)


def test_an_item_becomes_a_mark_that_answers_it() -> None:
    (item,) = review_queue([video("a", 0.1)], FirstNumber(), "x", (), QueueSettings())
    mark = mark_of(item, Verdict.YES, by="ann")
    assert (mark.video_id, mark.start_seconds, mark.end_seconds, mark.by) == ("a", 0.0, 0.0, "ann")
    assert is_marked(item, [mark])
    assert not is_marked(item, [Mark("a", 5, 6, "x", Verdict.YES), Mark("b", 0, 9, "x", Verdict.YES)])


def test_flags_are_read_with_what_other_programs_add() -> None:
    lines = [
        '{"video_id": "a", "start_seconds": 1, "end_seconds": 3.5, "subject": "no  hat", "score": 0.7, "reason": "r"}',
        "",
        '{"video_id": "b", "start_seconds": 0, "end_seconds": 0, "severity": "high"}',
    ]
    first, second = read_flags(lines, "flags.jsonl", subject="hat")
    assert (first.subject, first.score, first.reason, first.end_seconds) == ("no hat", 0.7, "r", 3.5)
    assert (second.subject, second.score, second.reason) == ("hat", None, "flagged")


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{",
        '{"video_id": "a", "start_seconds": 3, "end_seconds": 1, "subject": "x"}',
        '{"video_id": "../a", "start_seconds": 1, "end_seconds": 1, "subject": "x"}',
        '{"video_id": "a", "start_seconds": "1", "end_seconds": 1, "subject": "x"}',
        '{"video_id": "a", "start_seconds": 1, "end_seconds": 1}',
        '{"video_id": "a", "start_seconds": 1, "end_seconds": 1, "subject": "x", "score": true}',
    ],
)
def test_a_line_that_is_no_flag_is_named(line: str) -> None:
    with pytest.raises(QueryError, match=r"f\.jsonl, line 2"):
        read_flags(["", line], "f.jsonl")
