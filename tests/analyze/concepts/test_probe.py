"""A probe starts from what is known and moves as far as marks demand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.analyze.concepts.probe import Probe, fit_probe, frame_statistics, probe_of
from pipeline.search.calibration import Calibration

RNG = np.random.default_rng(5)
DIMENSION = 32


def units(count: int, *, towards: np.ndarray | None = None, by: float = 0.0) -> np.ndarray:
    vectors = RNG.normal(size=(count, DIMENSION)) / np.sqrt(DIMENSION)
    if towards is not None:
        vectors = vectors + by * towards
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


AXIS = np.eye(DIMENSION)[0]
FRAMES = units(400)
STATISTICS = frame_statistics(FRAMES)
START = Probe(np.zeros(DIMENSION), 0.0)


def fitted(yes: np.ndarray, no: np.ndarray, start: Probe = START, counts: np.ndarray | None = None) -> Probe:
    vectors = np.concatenate([yes, no])
    weights = np.ones(len(vectors)) if counts is None else counts
    return fit_probe(vectors, np.arange(len(vectors)) < len(yes), weights, start=start, statistics=STATISTICS)


def test_a_calibrated_text_is_the_same_as_a_probe() -> None:
    calibration = Calibration(level=0.2, scale=40.0, log_odds=6.9)
    vector = units(1)[0]
    np.testing.assert_allclose(probe_of(vector, calibration).log_odds(FRAMES), calibration(FRAMES @ vector), atol=1e-5)


def test_whitened_frames_have_unit_variance_in_all_directions() -> None:
    wide = FRAMES * np.linspace(0.7, 1.4, DIMENSION)
    statistics = frame_statistics(wide.astype(np.float32))
    white = (wide - statistics.mean) @ statistics.whitening
    assert np.allclose(np.diag(np.cov(white.T)), 1, atol=0.4)


def test_marks_separate_what_the_start_does_not() -> None:
    yes, no = units(6, towards=AXIS, by=1.5), units(6, towards=AXIS, by=-1.5)
    probe = fitted(yes, no)
    unseen = units(50, towards=AXIS, by=1.5), units(50, towards=AXIS, by=-1.5)
    assert (probe.log_odds(unseen[0]) > 0).mean() > 0.9
    assert (probe.log_odds(unseen[1]) < 0).mean() > 0.9


def test_marks_that_the_start_agrees_with_hardly_move_it() -> None:
    start = Probe(20 * AXIS, 0.0)
    probe = fitted(units(3, towards=AXIS, by=2), units(3, towards=AXIS, by=-2), start)
    assert np.linalg.norm(probe.weights - start.weights) < 0.15 * np.linalg.norm(start.weights)


def test_yes_and_no_count_the_same_however_many_of_each() -> None:
    yes, no = units(3, towards=AXIS, by=1), units(3, towards=AXIS, by=-1)
    many = fitted(yes, np.repeat(no, 10, axis=0), counts=np.concatenate([np.ones(3), np.full(30, 0.1)]))
    few = fitted(yes, no)
    np.testing.assert_allclose(many.weights, few.weights, atol=1e-3)


def test_fitting_is_deterministic_and_frames_that_are_alike_do_no_harm() -> None:
    alike = np.repeat(units(1), 20, axis=0)
    statistics = frame_statistics(alike)
    assert np.isfinite(statistics.whitening).all()
    yes, no = units(3, towards=AXIS, by=1), units(3, towards=AXIS, by=-1)
    assert (fitted(yes, no).weights == fitted(yes, no).weights).all()


@pytest.mark.parametrize("length", [3, 4])
def test_short_embeddings_and_few_frames_can_be_whitened(length: int) -> None:
    vectors = RNG.normal(size=(2, length))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.isfinite(frame_statistics(vectors.astype(np.float32)).whitening).all()
