"""A probe starts from what is known and moves as far as marks demand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.analyze.concepts.linear_probe import LinearProbe, fit_probe, frame_statistics, probe_of
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
START = LinearProbe(np.zeros(DIMENSION), 0.0)


def fitted(
    yes: np.ndarray, no: np.ndarray, start: LinearProbe = START, counts: np.ndarray | None = None
) -> LinearProbe:
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
    start = LinearProbe(20 * AXIS, 0.0)
    probe = fitted(units(3, towards=AXIS, by=2), units(3, towards=AXIS, by=-2), start)
    assert np.linalg.norm(probe.weights - start.weights) < 0.15 * np.linalg.norm(start.weights)


@pytest.mark.parametrize("yes_count", [1, 5])
def test_a_probe_is_the_most_likely_one_after_the_marks(yes_count: int) -> None:
    """By Newton's method here, on the posterior that the module states, with what was chosen for its two deviations."""
    yes, no = units(yes_count, towards=AXIS, by=1), units(5, towards=AXIS, by=-1)
    start = LinearProbe(3 * AXIS, 0.5)
    vectors = np.concatenate([yes, no]).astype(np.float64)
    signs = np.where(np.arange(len(vectors)) < yes_count, 1.0, -1.0)
    counts = len(vectors) / 2 / np.where(signs > 0, yes_count, len(no))
    white = (vectors - STATISTICS.mean) @ STATISTICS.whitening
    design = np.column_stack([white, np.ones(len(white))])
    precision = np.append(np.full(DIMENSION, DIMENSION / 2.0**2), 1 / 2.0**2)
    added = np.zeros(DIMENSION + 1)
    for _ in range(30):
        doubt = 1 / (1 + np.exp(signs * (start.log_odds(vectors) + design @ added)))
        slope = design.T @ (-counts * signs * doubt) + precision * added
        added -= np.linalg.solve((design.T * (counts * doubt * (1 - doubt))) @ design + np.diag(precision), slope)
    probe = fitted(yes, no, start)
    np.testing.assert_allclose(probe.log_odds(vectors), start.log_odds(vectors) + design @ added, atol=1e-3)
    np.testing.assert_allclose(probe.weights, start.weights + STATISTICS.whitening @ added[:-1], atol=1e-2)


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
