from __future__ import annotations

import numpy as np
import pytest
from contracts.made_labels import Rule, log_odds, seconds

from pipeline.analyze.labels.tracks import LabelInterval, label_tracks, probabilities, rounded_log_odds


def tracks(scores: list[float], **rule: float | str) -> tuple[LabelInterval, ...]:
    rounded = log_odds(np.asarray(scores)[:, None])
    [track] = label_tracks(seconds(len(scores)), rounded, ["a"], [Rule("a", **rule)])  # type: ignore[arg-type]
    return track.intervals


@pytest.mark.parametrize(("aggregate", "confidence"), [("max", 0.9), ("mean", 0.7), ("share", 2 / 3)])
def test_the_confidence_is_the_labels_aggregate(aggregate: str, confidence: float) -> None:
    [one] = tracks([0.1, 0.7, 0.9, 0.5, 0.1], enter=0.6, exit=0.4, aggregate=aggregate)
    assert (one.start_seconds, one.end_seconds, one.peak_seconds) == (1.0, 4.0, 2.5)
    assert one.confidence == pytest.approx(confidence, abs=1e-3)


def test_each_label_has_its_own_rule() -> None:
    assert len(tracks([0.9, 0.1, 0.9])) == 2
    assert len(tracks([0.9, 0.1, 0.9], merge_gap_seconds=1.0)) == 1
    assert tracks([0.9, 0.1, 0.9], min_seconds=2.0) == ()
    assert tracks([0.4] * 3) == ()
    assert tracks([]) == ()


def test_a_label_of_no_column_is_refused() -> None:
    with pytest.raises(ValueError, match="not in"):
        label_tracks(seconds(1), log_odds(np.full((1, 1), 0.5)), ["a"], [Rule("b")])


def test_rounded_log_odds_are_within_a_two_thousandth_of_the_score() -> None:
    exact = np.linspace(-20, 20, 100_001)
    assert np.abs(probabilities(rounded_log_odds(exact)) - 1 / (1 + np.exp(-exact))).max() < 0.0005
    assert probabilities(rounded_log_odds(np.asarray([-1e9, 1e9, -np.inf]))).tolist() == [0.0, 1.0, 0.0]
