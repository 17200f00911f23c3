from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import StoreError
from pipeline.experiments.stores import JointStore
from pipeline.store import EmbeddingStore, ParquetStore
from pipeline.testing.store import StoreContract, made_frames, made_record
from pipeline.types import FrameEmbeddings, Share, VideoRecord


def share_of(frames: FrameEmbeddings, rows: slice) -> Share:
    until = frames.seen_until_seconds
    return Share(
        pts=frames.pts[rows],
        times_seconds=frames.times_seconds[rows],
        cuts_seconds=frames.cuts_seconds,
        seen_until_seconds=None if until is None else until[rows],
        step_seconds=frames.step_seconds,
    )


def shared(frames: FrameEmbeddings, *rows: slice) -> FrameEmbeddings:
    return replace(frames, shares=tuple(share_of(frames, each) for each in rows))


class WholeAndHalf(JointStore):
    """Of what is new, the first store takes all frames, and the second every other."""

    def write(self, record: VideoRecord, frames: FrameEmbeddings) -> None:
        is_held = self.record(frames.video_id) is not None and np.array_equal(
            self.read(frames.video_id).vectors, frames.vectors
        )
        super().write(record, frames if is_held else shared(frames, slice(None), slice(None, None, 2)))


@pytest.fixture
def stores(tmp_path: Path) -> tuple[ParquetStore, ParquetStore]:
    return ParquetStore(str(tmp_path), "s1", "e"), ParquetStore(str(tmp_path), "s2", "e")


class TestSharedStore(StoreContract):
    @pytest.fixture
    def store(self, stores: tuple[ParquetStore, ParquetStore]) -> EmbeddingStore:
        return WholeAndHalf(stores)


def test_each_store_has_what_its_sampling_took(stores: tuple[ParquetStore, ParquetStore]) -> None:
    frames = made_frames()
    JointStore(stores).write(made_record(), shared(frames, slice(0, 3), slice(2, 5)))
    for store, rows in zip(stores, (slice(0, 3), slice(2, 5)), strict=True):
        read = store.read("v1")
        np.testing.assert_array_equal(read.pts, frames.pts[rows])
        np.testing.assert_array_equal(read.times_seconds, frames.times_seconds[rows])
        np.testing.assert_array_equal(read.vectors, frames.vectors[rows])
        assert store.record("v1") == replace(made_record(), frame_count=3)


def test_a_video_is_held_once_all_stores_hold_it(stores: tuple[ParquetStore, ParquetStore]) -> None:
    stores[0].write(made_record(), made_frames())
    both = JointStore(stores)
    assert (both.record("v1"), list(both.records())) == (None, [])
    stores[1].write(made_record(), made_frames())
    assert [record.video_id for record in both.records()] == ["v1"]


def test_vectors_that_are_not_at_hand_come_from_other_stores(stores: tuple[ParquetStore, ParquetStore]) -> None:
    frames = made_frames()
    stores[0].write(made_record(), frames)
    new = replace(frames, pts=frames.pts[:1], times_seconds=frames.times_seconds[:1], vectors=frames.vectors[:1])
    given = replace(new, shares=(share_of(frames, slice(0, 4)),))
    JointStore((stores[1],), others=(stores[0],)).write(made_record(), given)
    np.testing.assert_array_equal(stores[1].read("v1").vectors, frames.vectors[:4])


def test_what_is_at_hand_counts_more_than_what_others_hold(stores: tuple[ParquetStore, ParquetStore]) -> None:
    held, frames = made_frames(seed=1), made_frames()
    stores[0].write(made_record(), held)
    new = replace(frames, pts=frames.pts[:2], times_seconds=frames.times_seconds[:2], vectors=frames.vectors[:2])
    given = replace(new, shares=(share_of(frames, slice(None)),))
    JointStore((stores[1],), others=(stores[0],)).write(made_record(), given)
    read = stores[1].read("v1").vectors
    np.testing.assert_array_equal(read, np.concatenate([frames.vectors[:2], held.vectors[2:]]))


def test_a_frame_whose_embedding_is_nowhere_is_an_error(stores: tuple[ParquetStore, ParquetStore]) -> None:
    frames = made_frames()
    new = replace(frames, pts=frames.pts[:1], times_seconds=frames.times_seconds[:1], vectors=frames.vectors[:1])
    given = replace(new, shares=(share_of(frames, slice(None)), share_of(frames, slice(None))))
    with pytest.raises(StoreError, match="v1: the embedding of the frame with pts 1001"):
        JointStore(stores).write(made_record(), given)
    assert stores[0].record("v1") is None


def test_a_share_a_store_is_needed(stores: tuple[ParquetStore, ParquetStore]) -> None:
    with pytest.raises(ValueError, match="1 shares for 2 stores"):
        JointStore(stores).write(made_record(), shared(made_frames(), slice(None)))


def test_what_was_read_is_written_again_to_each_store_as_it_is(stores: tuple[ParquetStore, ParquetStore]) -> None:
    both, frames = JointStore(stores), made_frames()
    both.write(made_record(), shared(frames, slice(0, 3), slice(1, 5)))
    both.write(replace(made_record(), metadata={"camera": "2"}), both.read("v1"))
    for store, rows in zip(stores, (slice(0, 3), slice(1, 5)), strict=True):
        np.testing.assert_array_equal(store.read("v1").vectors, frames.vectors[rows])
        record = store.record("v1")
        assert record is not None
        assert (record.metadata, record.frame_count) == ({"camera": "2"}, len(frames.pts[rows]))


def test_other_frames_without_shares_are_refused(stores: tuple[ParquetStore, ParquetStore]) -> None:
    both = JointStore(stores)
    with pytest.raises(ValueError, match="0 shares for 2 stores"):
        both.write(made_record(), made_frames())
    both.write(made_record(), shared(made_frames(), slice(0, 3), slice(1, 5)))
    with pytest.raises(ValueError, match="0 shares for 2 stores"):
        both.write(made_record(), made_frames())


def test_a_background_is_that_of_the_first(stores: tuple[ParquetStore, ParquetStore]) -> None:
    JointStore(stores).write(made_record(), shared(made_frames(), slice(0, 3), slice(3, 5)))
    assert len(JointStore(stores).frame_sample(10).vectors) == 3


@pytest.mark.parametrize("rows", [slice(0, 5), slice(1, 3), slice(0, 0)])
def test_other_stores_are_not_read_where_all_is_at_hand(
    tmp_path: Path, stores: tuple[ParquetStore, ParquetStore], rows: slice
) -> None:
    """A broken file of another store then does not matter."""
    frames = made_frames()
    stores[0].write(made_record(), frames)
    (path,) = tmp_path.glob("frames/s1-e/v1.parquet")
    path.write_bytes(b"broken")
    JointStore((stores[1],), others=(stores[0],)).write(made_record(), shared(frames, rows))
    np.testing.assert_array_equal(stores[1].read("v1").vectors, frames.vectors[rows])


def test_other_stores_without_the_video_are_passed_over(stores: tuple[ParquetStore, ParquetStore]) -> None:
    frames = made_frames()
    new = replace(frames, pts=frames.pts[:1], times_seconds=frames.times_seconds[:1], vectors=frames.vectors[:1])
    with pytest.raises(StoreError, match="v1: the embedding of the frame with pts 1001"):
        JointStore((stores[1],), others=(stores[0],)).write(
            made_record(), replace(new, shares=(share_of(frames, slice(None)),))
        )
