"""Videos of many hours: what is in memory at once does not grow with the square of their length."""

from __future__ import annotations

import tracemalloc

import numpy as np

from pipeline.analyze.duplicates.frame_track import FrameTrack
from pipeline.analyze.duplicates.hough import Matches, find_lines, find_matches

DIMENSION = 8


def made(name: str, points: int, seed: int) -> FrameTrack:
    vectors = np.random.default_rng(seed).normal(size=(points, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return FrameTrack(name, 1.0, vectors, np.ones(points, np.float32), float(points))


def test_the_matches_of_a_day_need_little_memory():
    a, day = made("a", 600, 1), made("b", 86_400, 2)
    tracemalloc.start()
    try:
        matches = find_matches(a, day)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(matches.a) == 600 * 8
    assert peak_bytes < 300 * 2**20


def test_the_matches_of_a_long_video_are_those_of_its_rows_one_by_one():
    a, b = made("a", 30, 1), made("b", 20_000, 2)
    found = find_matches(a, b)
    for row in range(30):
        cosines = a.vectors[row] @ b.vectors.T
        weights = np.where(cosines < 0.35, 0, cosines - max(cosines.mean(), 0))
        change_a = np.zeros((30, DIMENSION), np.float32)
        change_a[:-1] = a.vectors[1:] - a.vectors[:-1]
        change_b = np.zeros_like(b.vectors)
        change_b[:-1] = b.vectors[1:] - b.vectors[:-1]
        weights = weights + 2 * np.maximum(change_a[row] @ change_b.T, 0)
        best = np.sort(weights)[-8:]
        np.testing.assert_allclose(np.sort(found.weights[found.a == row]), best, rtol=1e-4)


def test_lines_of_equal_votes_are_ordered_by_their_place():
    """Many lines have one vote each; those first in order are returned, however they are selected."""
    a, b = np.arange(0, 640, 64), np.arange(0, 6400, 640)
    lines = find_lines(Matches(a, b, np.ones(len(a))), 8)
    assert [line.votes for line in lines] == [1.0] * 8
    assert [(line.rate, line.near) for line in lines] == [(1.0, near) for near in (-32, 0, 32, 64, 96, 128, 160, 192)]
