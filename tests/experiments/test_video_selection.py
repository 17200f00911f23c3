from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import StoreError
from pipeline.experiments.stores import StoreView
from pipeline.store import ParquetStore
from pipeline.testing.store import made_frames, made_record


@pytest.fixture
def store(tmp_path: Path) -> ParquetStore:
    found = ParquetStore(str(tmp_path), "s1", "e1")
    for seed, video_id in enumerate(("v1", "v2", "v3")):
        found.write(made_record(video_id), made_frames(video_id, seed=seed))
    return found


def test_chosen_videos_are_called_what_they_are_called_now(store: ParquetStore) -> None:
    chosen = StoreView(store, {"v3": ("c.mp4", "d.mp4"), "v1": ("a.mp4",), "gone": ("x.mp4",)})
    assert list(chosen.records()) == [
        replace(made_record("v1"), names=("a.mp4",)),
        replace(made_record("v3"), names=("c.mp4", "d.mp4")),
    ]


def test_other_videos_are_not_there(store: ParquetStore) -> None:
    chosen = StoreView(store, {"v1": ("a.mp4",)})
    assert chosen.record("v2") is None
    np.testing.assert_array_equal(chosen.read("v1").vectors, store.read("v1").vectors)
    with pytest.raises(StoreError, match="v2: is not among the 1 selected videos"):
        chosen.read("v2")


def test_the_background_is_that_of_a_store_of_these_alone(store: ParquetStore, tmp_path: Path) -> None:
    alone = ParquetStore(str(tmp_path / "alone"), "s1", "e1")
    alone.write(made_record("v2"), made_frames("v2", seed=1))
    # What was kept of all videos is not theirs.
    store.frame_sample(9)
    found, expected = StoreView(store, {"v2": ("b.mp4",)}).frame_sample(9), alone.frame_sample(9)
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    assert (found.video_ids, found.rows) == (("v2",), 9)
