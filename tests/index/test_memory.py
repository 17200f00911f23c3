from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.index import MemoryIndex, MomentIndex
from pipeline.testing.index import IndexContract, random_rows


class TestMemoryIndex(IndexContract):
    @pytest.fixture
    def open_it(self) -> Callable[[], MomentIndex]:
        return MemoryIndex


def test_close_forgets_the_rows() -> None:
    index = MemoryIndex()
    index.upsert(random_rows(3))
    index.close()
    assert index.count() == 0
