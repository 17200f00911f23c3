"""Contract suite of aggregators (`pipeline.segment.Aggregator`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.segment import Aggregator
from pipeline.testing.examples import examples


def unit_rows(count: int, dimension: int, seed: int) -> npt.NDArray[np.float32]:
    """Draw random rows of unit length: float32 (count, dimension)."""
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class AggregatorContract:
    """Tests that every aggregator must pass.

    Attributes:
        aggregator: Required: the aggregator. It takes float32 (N, D) rows of unit length and returns float32 (D,).
    """

    aggregator: Aggregator

    def test_the_result_is_a_unit_vector(self) -> None:
        # A local function, not a method: hypothesis must not share examples between implementations.
        @given(
            count=st.integers(1, 40), dimension=st.integers(1, 16), seed=st.integers(0, 1000), spread=st.floats(0, 1)
        )
        @settings(max_examples=examples(100), deadline=None)
        def check(count: int, dimension: int, seed: int, spread: float) -> None:
            rows = unit_rows(1, dimension, seed + 1) + spread * unit_rows(count, dimension, seed) * 0.999
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            vector = self.aggregator.aggregate(rows)
            assert vector.dtype == np.float32
            assert vector.shape == (dimension,)
            assert abs(np.linalg.norm(vector) - 1) < 1e-5, "aggregates must have unit length"

        check()

    def test_one_row_is_its_own_aggregate(self) -> None:
        rows = unit_rows(1, 8, 0)
        np.testing.assert_allclose(self.aggregator.aggregate(rows), rows[0], atol=1e-6)

    def test_equal_rows_aggregate_to_themselves(self) -> None:
        rows = np.repeat(unit_rows(1, 8, 0), 5, axis=0)
        np.testing.assert_allclose(self.aggregator.aggregate(rows), rows[0], atol=1e-6)

    def test_rows_that_cancel_out_give_a_unit_vector(self) -> None:
        row = np.array([-0.6, -0.8, 0, 0], np.float32)
        for rows in ([row, -row], [row, -row, row, -row], [[-1, 0, 0, 0], [0, -1, 0, 0]]):
            vector = self.aggregator.aggregate(np.array(rows, np.float32))
            assert abs(np.linalg.norm(vector) - 1) < 1e-5, "aggregates must have unit length"

    def test_read_only_rows_are_taken_and_left_alone(self) -> None:
        rows = unit_rows(6, 8, 0)
        before = rows.copy()
        rows.setflags(write=False)
        vector = self.aggregator.aggregate(rows)
        vector[:] = 0
        np.testing.assert_array_equal(rows, before)

    def test_no_row_is_refused(self) -> None:
        with pytest.raises(ValueError, match="N at least 1"):
            self.aggregator.aggregate(np.empty((0, 8), np.float32))
