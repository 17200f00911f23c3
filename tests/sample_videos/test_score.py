"""The demo model's figures: average precision of a ranking, with what cannot be said left out."""

from __future__ import annotations

import numpy as np
import pytest

from sample_videos.demo_model.score import concept_scores

IMAGES = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]], np.float32)
TEXT = np.array([[1.0, 0.0]], np.float32)


@pytest.mark.parametrize(
    ("truth", "expected"),
    [
        ([1, 1, -1, -1], (1.0, 0.5)),
        ([-1, 1, -1, 1], (0.5, 0.5)),
        ([0, 1, -1, -1], (1.0, 1 / 3)),
        ([0, 1, 0, -1], (1.0, 0.5)),
    ],
)
def test_concept_scores_are_average_precision_and_share(truth: list[int], expected: tuple[float, float]) -> None:
    (scores,) = concept_scores(TEXT, IMAGES, np.array([truth], np.int8))
    assert scores == pytest.approx(expected)


def test_concept_scores_of_what_is_never_shown_are_not_a_number() -> None:
    ((average, share),) = concept_scores(TEXT, IMAGES, -np.ones((1, 4), np.int8))
    assert np.isnan(average)
    assert share == 0
