from __future__ import annotations

import numpy as np
import pytest

from pipeline.analyze import running_median as module
from pipeline.analyze.running_median import running_median

TIMES = np.arange(8) / 2


def test_a_single_frame_goes_and_an_edge_stays() -> None:
    scores = np.asarray([0, 0, 9, 0, 5, 5, 5, 5.0])
    assert running_median(scores, TIMES, 1.0).tolist() == [0, 0, 0, 5, 5, 5, 5, 5]
    edge = np.asarray([0, 0, 0, 0, 5, 5, 5, 5.0])
    assert running_median(edge, TIMES, 1.0).tolist() == edge.tolist()


@pytest.mark.parametrize(("width", "count"), [(0.0, 1), (0.49, 1), (0.99, 1), (1.0, 3), (1.99, 3), (2.0, 5)])
def test_a_window_includes_its_edges(width: float, count: int) -> None:
    scores = np.asarray([3, 1, 4, 1, 5, 9, 2, 6.0])
    assert running_median(scores, TIMES, width)[4] == np.median(scores[4 - count // 2 : 5 + count // 2])


def test_at_the_ends_the_frame_itself_counts_twice() -> None:
    assert running_median(np.asarray([1, 3, 8.0]), TIMES[:3], 1.0).tolist() == [1, 3, 8]
    assert running_median(np.asarray([9, 0, 0, 0, 5.0]), TIMES[:5], 2.0).tolist() == [0, 0, 0, 0, 0]
    assert running_median(np.asarray([7.0]), TIMES[:1], 1.0).tolist() == [7]
    assert running_median(np.empty(0), np.empty(0), 1.0).tolist() == []


def test_frames_at_uneven_times_and_no_frame_of_another_scene_beyond_a_hole() -> None:
    times = np.asarray([0, 0.1, 0.2, 5, 5.9, 6.0])
    scores = np.asarray([1, 9, 2, 4, 6, 8.0])
    assert running_median(scores, times, 1.0).tolist() == [2, 2, 2, 4, 6, 8]


def test_impossible_scores_stay_impossible() -> None:
    scores = np.asarray([-np.inf, -np.inf, 3.0, -np.inf])
    assert running_median(scores, TIMES[:4], 1.0).tolist() == [-np.inf] * 4


def test_long_videos_are_computed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(3)
    times = np.cumsum(draw.uniform(0.1, 0.9, 500))
    scores = draw.normal(size=500)
    whole = running_median(scores, times, 3.0)
    monkeypatch.setattr(module, "_MOST_VALUES", 20)
    np.testing.assert_array_equal(running_median(scores, times, 3.0), whole)
    for row in (0, 100, 499):
        near = scores[np.abs(times - times[row]) <= 1.5].tolist()
        assert whole[row] == np.median(near if len(near) % 2 else [*near, scores[row]])
