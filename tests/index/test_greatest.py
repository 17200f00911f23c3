from __future__ import annotations

import numpy as np
import pytest

from pipeline.index.greatest import greatest


@pytest.mark.parametrize("count", [1, 2, 7, 50, 99, 100, 1000])
@pytest.mark.parametrize("kinds", [1, 2, 5, 1000])
def test_it_is_what_sorting_everything_gives(count, kinds):
    values = np.random.default_rng(kinds).integers(kinds, size=100).astype(np.float64)
    np.testing.assert_array_equal(greatest(values, count), np.argsort(-values, kind="stable")[:count])


def test_of_nothing_it_is_nothing():
    assert greatest(np.zeros(0), 3).tolist() == []
