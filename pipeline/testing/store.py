"""Contract suite of stores of frame embeddings (`pipeline.store.EmbeddingStore`), with test videos."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from pipeline.errors import StoreError
from pipeline.store import EmbeddingStore
from pipeline.types import FrameEmbeddings, Status, VideoInfo, VideoRecord


def made_frames(video_id: str = "v1", count: int = 5, dimension: int = 8, seed: int = 0) -> FrameEmbeddings:
    """Make frame embeddings with random rows of unit length: float32 (count, dimension)."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, dimension)).astype(np.float32)
    return FrameEmbeddings(
        video_id=video_id,
        pts=np.arange(count, dtype=np.int64) * 1001,
        time_base=Fraction(1, 24000),
        times_seconds=np.arange(count) * 1001 / 24000,
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        cuts_seconds=(0.05, 1 / 3),
        duration_seconds=0.1 + 0.2,
    )


def made_record(video_id: str = "v1", count: int = 5) -> VideoRecord:
    """Make the record of a video with `count` frames; no two of its fields have equal values."""
    info = VideoInfo(
        uri="/videos/a b.mp4",
        container="mov,mp4",
        codec="h264",
        width=640,
        height=360,
        rotation_degrees=90,
        time_base=Fraction(1, 24000),
        start_time=Fraction(1, 3),
        average_rate=Fraction(24000, 1001),
        duration_seconds=None,
    )
    return VideoRecord(
        video_id=video_id,
        names=("/videos/a b.mp4",),
        status=Status.PARTIAL,
        info=info,
        duration_seconds=0.1 + 0.2,
        covered_seconds=0.25,
        frame_count=count,
        problem="damaged at 0:00.250",
        metadata={"camera": "gate 3", "floor": 2, "height": 2.5, "indoors": True},
    )


class StoreContract:
    """Tests that every store must pass; the fixture `store` is required."""

    @pytest.fixture
    def store(self) -> EmbeddingStore:
        """Return an empty store. Required."""
        raise NotImplementedError("give the fixture `store`, which returns an empty store")

    def test_what_is_written_is_read_exactly(self, store: EmbeddingStore) -> None:
        frames = made_frames()
        store.write(made_record(), frames)
        read = store.read("v1")
        for name in ("pts", "times_seconds", "vectors"):
            np.testing.assert_array_equal(getattr(read, name), getattr(frames, name))
            assert getattr(read, name).dtype == getattr(frames, name).dtype
        assert (read.video_id, read.time_base) == (frames.video_id, frames.time_base)
        assert (read.cuts_seconds, read.duration_seconds) == (frames.cuts_seconds, frames.duration_seconds)

    def test_a_record_comes_back_equal(self, store: EmbeddingStore) -> None:
        store.write(made_record(), made_frames())
        assert store.record("v1") == made_record()
        assert list(store.records()) == [made_record()]

    def test_what_is_read_can_be_written_with_another_record(self, store: EmbeddingStore) -> None:
        store.write(made_record(), made_frames())
        renewed = replace(made_record(), metadata={"camera": "gate 4"})
        store.write(renewed, store.read("v1"))
        assert store.record("v1") == renewed
        np.testing.assert_array_equal(store.read("v1").vectors, made_frames().vectors)

    def test_absent_values_come_back_absent(self, store: EmbeddingStore) -> None:
        info = replace(made_record().info, average_rate=None)
        record = replace(made_record(), info=info, status=Status.DONE, problem=None, metadata={})
        store.write(record, replace(made_frames(), cuts_seconds=None))
        assert store.record("v1") == record
        assert store.read("v1").cuts_seconds is None
        assert store.read("v1").seen_until_seconds is None
        assert store.read("v1").step_seconds is None

    def test_no_cuts_differ_from_cuts_not_looked_for(self, store: EmbeddingStore) -> None:
        store.write(made_record(), replace(made_frames(), cuts_seconds=()))
        assert store.read("v1").cuts_seconds == ()

    def test_how_long_pictures_stayed_the_same_is_kept(self, store: EmbeddingStore) -> None:
        until = made_frames().times_seconds + 0.01
        store.write(made_record(), replace(made_frames(), seen_until_seconds=until, step_seconds=0.04))
        np.testing.assert_array_equal(store.read("v1").seen_until_seconds, until)
        assert store.read("v1").step_seconds == 0.04

    def test_a_video_without_frames_is_kept(self, store: EmbeddingStore) -> None:
        store.write(made_record(count=0), made_frames(count=0))
        assert store.read("v1").vectors.shape == (0, 8)

    def test_nothing_is_known_of_other_videos(self, store: EmbeddingStore) -> None:
        assert list(store.records()) == []
        for video_id in ("v2", "../v1", "", "a/b"):
            assert store.record(video_id) is None
            assert store.delete(video_id) is False
            with pytest.raises(StoreError, match="no such video"):
                store.read(video_id)
            with pytest.raises(StoreError, match="no such video"):
                store.add_name(video_id, "b.mp4")

    def test_records_are_ordered_by_id(self, store: EmbeddingStore) -> None:
        for video_id in ("b", "a", "a-b", "c", "a1"):
            store.write(made_record(video_id), made_frames(video_id))
        assert [record.video_id for record in store.records()] == ["a", "a-b", "a1", "b", "c"]

    def test_writing_again_replaces(self, store: EmbeddingStore) -> None:
        store.write(made_record(), made_frames())
        store.add_name("v1", "old.mp4")
        record = replace(made_record(count=7), names=("new.mp4",))
        store.write(record, made_frames(count=7, seed=1))
        assert list(store.records()) == [record]
        np.testing.assert_array_equal(store.read("v1").vectors, made_frames(count=7, seed=1).vectors)

    def test_names_are_added_in_order_of_arrival(self, store: EmbeddingStore) -> None:
        store.write(made_record(), made_frames())
        names = ["z.mp4", "s3://bucket/ü b.mp4", "a.mp4"]
        for name in names:
            returned = store.add_name("v1", name)
        assert returned.names == ("/videos/a b.mp4", *names)
        assert store.record("v1") == returned
        assert list(store.records()) == [returned]

    def test_a_known_name_changes_nothing(self, store: EmbeddingStore) -> None:
        store.write(made_record(), made_frames())
        store.add_name("v1", "b.mp4")
        expected = store.record("v1")
        assert store.add_name("v1", "b.mp4") == expected
        assert store.add_name("v1", "/videos/a b.mp4") == expected
        assert store.record("v1") == expected

    def test_a_name_that_another_video_takes_becomes_a_former_one(self, store: EmbeddingStore) -> None:
        for video_id in ("v1", "v2"):
            store.write(replace(made_record(video_id), names=("cam.mp4", f"{video_id}.mp4")), made_frames(video_id))
            assert store.take_name(video_id, f"{video_id}.mp4") == ()
        store.take_name("v1", "cam.mp4")
        assert store.take_name("v2", "cam.mp4") == ("v1",)
        assert store.take_name("v2", "cam.mp4") == ()
        names = {record.video_id: (record.names, record.former_names) for record in store.records()}
        assert names == {"v1": (("v1.mp4",), ("cam.mp4",)), "v2": (("cam.mp4", "v2.mp4"), ())}

    def test_a_lost_name_can_be_had_again(self, store: EmbeddingStore) -> None:
        for video_id in ("v1", "v2"):
            store.write(replace(made_record(video_id), names=("cam.mp4",)), made_frames(video_id))
            store.take_name(video_id, "cam.mp4")
        lost = store.record("v1")
        assert lost is not None
        assert (lost.names, lost.former_names, lost.last_name) == ((), ("cam.mp4",), "cam.mp4")
        assert store.add_name("v1", "cam.mp4").names == ("cam.mp4",)
        assert store.take_name("v1", "cam.mp4") == ("v2",)
        again = store.record("v1")
        assert again is not None
        assert (again.names, again.former_names) == (("cam.mp4",), ())

    def test_lost_names_outlast_a_new_record(self, store: EmbeddingStore) -> None:
        for video_id in ("v1", "v2"):
            store.write(replace(made_record(video_id), names=("cam.mp4",)), made_frames(video_id))
            store.take_name(video_id, "cam.mp4")
        lost = store.record("v1")
        assert lost is not None
        renewed = replace(lost, metadata={"camera": "gate 4"})
        store.write(renewed, store.read("v1"))
        assert store.record("v1") == renewed

    def test_a_deleted_video_is_gone_with_its_names(self, store: EmbeddingStore) -> None:
        store.write(made_record("v1"), made_frames("v1"))
        store.write(made_record("v2"), made_frames("v2"))
        store.add_name("v1", "b.mp4")
        assert store.delete("v1") is True
        assert store.delete("v1") is False
        assert [record.video_id for record in store.records()] == ["v2"]
        store.write(made_record("v1"), made_frames("v1"))
        assert store.record("v1") == made_record("v1")
