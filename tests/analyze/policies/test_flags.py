from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.analyze.frame_intervals import FrameIntervals
from pipeline.analyze.policies.flags import peak_of, probabilities, rule_flags
from pipeline.analyze.policies.policy import Rule
from pipeline.config import validate


def rule(**fields: Any) -> Rule:
    return validate(Rule, {"when": {"text": "x"}, **fields}, "rule")


def frames(count: int) -> FrameIntervals:
    starts = np.arange(count, dtype=np.float64)
    return FrameIntervals(starts, starts + 1, starts + 0.5, float(count))


def odds(scores: list[float]) -> dict[str, Any]:
    values = np.asarray(scores)
    return {"x": np.log(values / (1 - values))}


def flagged(scores: list[float], windows: list[tuple[float, float]] | None = None, **fields: Any) -> list[Any]:
    found = rule_flags(rule(**fields), frames(len(scores)), odds(scores), windows)
    return [(flag.start_seconds, flag.end_seconds) for flag in found]


def test_one_bad_frame_does_not_decide() -> None:
    scores = [0.1, 0.4, 0.9, 0.4, 0.4, 0.1]
    assert flagged(scores, exit=0.3, min_seconds=2) == [(1, 5)]
    assert flagged(scores, exit=0.3, min_seconds=2, share=0.25) == [(1, 5)]
    assert flagged(scores, exit=0.3, min_seconds=2, share=0.26) == []


def test_nor_does_one_missed_frame() -> None:
    assert flagged([0.9, 0.9, 0.1, 0.9, 0.9], min_seconds=3) == []
    assert flagged([0.9, 0.9, 0.1, 0.9, 0.9], min_seconds=3, merge_gap_seconds=1) == [(0, 5)]


@pytest.mark.parametrize(("aggregate", "confidence"), [("max", 0.9), ("mean", 0.6), ("share", 1 / 3)])
def test_confidence_is_the_aggregate_of_the_rule(aggregate: str, confidence: float) -> None:
    (flag,) = rule_flags(rule(exit=0.3, enter=0.6, aggregate=aggregate), frames(3), odds([0.4, 0.5, 0.9]))
    assert (flag.confidence, flag.peak.seconds) == (pytest.approx(confidence), 2.5)
    assert flag.peak.parts == {"x": pytest.approx(0.9)}


def test_hours_cut_intervals_and_keep_them_apart() -> None:
    scores = [0.9] * 6
    assert flagged(scores, [(0.5, 2.0), (3.25, 9.0)]) == [(0.5, 2.0), (3.25, 6.0)]
    assert flagged(scores, [(0.5, 2.0), (3.25, 9.0)], merge_gap_seconds=9, min_seconds=2) == [(3.25, 6.0)]
    assert flagged(scores, []) == []
    assert flagged(scores, [(6.0, 9.0)]) == []


def test_the_best_frame_is_one_within_the_hours() -> None:
    found = peak_of(rule(), frames(3), odds([0.9, 0.2, 0.3]), [(1.0, 3.0)])
    assert found is not None
    assert (found.seconds, found.score) == (2.5, pytest.approx(0.3))
    assert peak_of(rule(), frames(3), odds([0.9, 0.2, 0.3]), [(7.0, 8.0)]) is None


def test_probabilities_of_extremes() -> None:
    assert probabilities(np.asarray([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


def test_a_single_frame_decides_nothing_where_scores_are_smoothed() -> None:
    """Frames are a second apart, so that a window of two seconds has three of them."""
    scores = [0.1, 0.9, 0.1, 0.1, 0.1, 0.9, 0.8, 0.1, 0.9, 0.1, 0.1]
    assert flagged(scores) == [(1, 2), (5, 7), (8, 9)]
    assert flagged(scores, smooth_seconds=1.9) == flagged(scores)
    assert flagged(scores, smooth_seconds=2) == [(5, 8)]
    (flag,) = rule_flags(rule(smooth_seconds=2), frames(len(scores)), odds(scores))
    assert (flag.peak.seconds, round(flag.peak.score, 9)) == (5.5, 0.8)
    assert flag.peak.parts["x"] == pytest.approx(0.9)
    assert flag.confidence == pytest.approx(0.8)
