from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluate.bootstrap import Resampling, drawn_means, intervals, resampling_of


def test_videos_are_drawn_with_all_of_their_queries_where_there_are_ten() -> None:
    how = resampling_of([f"v{number // 3}" for number in range(30)])
    assert (how.unit, how.count, how.groups[:4]) == ("videos", 10, (0, 0, 0, 1))


def test_queries_are_drawn_where_there_are_fewer_videos() -> None:
    how = resampling_of(["a", "a", "b"])
    assert (how.unit, how.groups) == ("queries", (0, 1, 2))


def test_intervals_hold_what_normal_theory_says() -> None:
    scores = np.random.default_rng(1).uniform(size=400)
    low, high = intervals({"x": scores}, Resampling("queries", tuple(range(400))))["x"]
    error = 100 * scores.std() / np.sqrt(400)
    assert low == pytest.approx(100 * scores.mean() - 1.96 * error, abs=0.25)
    assert high == pytest.approx(100 * scores.mean() + 1.96 * error, abs=0.25)


def test_queries_that_score_alike_within_videos_give_wider_intervals() -> None:
    scores = np.repeat(np.random.default_rng(2).uniform(size=40), 10)
    videos = [f"v{number // 10}" for number in range(400)]
    (low, high), (alone_low, alone_high) = (
        intervals({"x": scores}, how)["x"] for how in (resampling_of(videos), Resampling("queries", tuple(range(400))))
    )
    # Ten copies of one score tell as much as one: the interval is wider by the root of ten.
    assert (high - low) / (alone_high - alone_low) == pytest.approx(np.sqrt(10), rel=0.1)


def test_queries_without_a_score_do_not_count() -> None:
    scores = np.array([1.0, np.nan, 1.0, np.nan])
    how = Resampling("queries", (0, 1, 2, 3), draws=200)
    drawn = drawn_means(scores[:, None], how)
    assert set(drawn[~np.isnan(drawn)].tolist()) == {1.0}
    assert intervals({"x": scores, "none": np.full(4, np.nan)}, how) == {"x": (100.0, 100.0)}
    assert intervals({"none": np.full(4, np.nan)}, how) == {}


def test_intervals_are_the_same_again() -> None:
    scores = np.random.default_rng(3).uniform(size=50)
    how = resampling_of([str(number) for number in range(50)])
    assert intervals({"x": scores}, how) == intervals({"x": scores}, how)


def test_seconds_are_not_per_cent() -> None:
    assert intervals({"x-seconds": np.array([2.0, 2.0])}, Resampling("queries", (0, 1)))["x-seconds"] == (2.0, 2.0)
