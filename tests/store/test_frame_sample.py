from __future__ import annotations

import logging
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.store import ParquetStore, erase, traces
from pipeline.store import frame_sample as background
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.frame_sample import FRAMES_OF_A_VIDEO, SAMPLE_FILE, VIDEOS, FrameSample, write_sample
from pipeline.testing.store import made_frames, made_record


def store_of(folder: Path, *counts: int) -> ParquetStore:
    """Videos v0, v1, ... with so many frames each."""
    store = ParquetStore(str(folder), "sampling", "encoder")
    for number, count in enumerate(counts):
        put(store, f"v{number}", count)
    return store


def put(store: ParquetStore, video_id: str, count: int = 5) -> None:
    store.write(
        replace(made_record(count=count), video_id=video_id), made_frames(video_id, count, seed=hash(video_id) % 99)
    )


def kept_file(folder: Path) -> Path:
    return folder / "frames" / "sampling-encoder" / SAMPLE_FILE


def test_a_sample_has_a_few_frames_of_each_video(tmp_path: Path) -> None:
    store = store_of(tmp_path, 3, 5000, 0)
    sample = store.frame_sample(7)
    assert sorted(sample.video_ids) == ["v0", "v1"]
    assert len(sample.vectors) == 3 + FRAMES_OF_A_VIDEO
    known = np.concatenate([store.read(name).vectors for name in sample.video_ids])
    assert (np.abs(sample.vectors @ known.T).max(axis=1) > 0.999).all()


def test_it_is_kept_until_the_library_changes(tmp_path: Path) -> None:
    store = store_of(tmp_path, 4)
    first = store.frame_sample(2)
    written = kept_file(tmp_path).stat().st_mtime_ns
    again = store.frame_sample(2)
    assert kept_file(tmp_path).stat().st_mtime_ns == written
    assert again.video_ids == first.video_ids
    assert (again.vectors == first.vectors).all()
    put(store, "v1")
    assert sorted(store.frame_sample(3).video_ids) == ["v0", "v1"]


def test_of_many_videos_the_same_are_chosen_and_growth_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "VIDEOS", 3)
    store = store_of(tmp_path, *[2] * 10)
    first = store.frame_sample(100)
    assert len(first.video_ids) == 3
    put(store, "v10")
    assert store.frame_sample(119).rows == 100
    grown = store.frame_sample(121)
    assert grown.rows == 121
    assert len(set(grown.video_ids) & set(first.video_ids)) >= 2


def test_removing_a_video_removes_its_frames_from_the_sample(tmp_path: Path) -> None:
    store = store_of(tmp_path, 4, 4)
    store.frame_sample(2)
    name = f"frames/sampling-encoder/{SAMPLE_FILE}"
    assert name in traces(str(tmp_path), "v0")
    assert name in erase(str(tmp_path), "v0")
    assert traces(str(tmp_path), "v0") == ()
    assert store.frame_sample(1).video_ids == ("v1",)


def test_a_broken_sample_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = store_of(tmp_path, 4)
    whole = store.frame_sample(2)
    for content in (b"", b"PK\3\4nonsense", kept_file(tmp_path).read_bytes()[:200]):
        kept_file(tmp_path).write_bytes(content)
        with caplog.at_level(logging.WARNING, logger="pipeline"):
            assert (store.frame_sample(2).vectors == whole.vectors).all()
        assert "is drawn again" in caplog.text


@pytest.mark.parametrize(("spare", "is_kept"), [(0, True), (-1, False)])
def test_a_sample_is_read_up_to_the_most_that_a_file_may_unpack_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spare: int, is_kept: bool
) -> None:
    store_of(tmp_path, 4).frame_sample(2)
    with zipfile.ZipFile(kept_file(tmp_path)) as archive:
        size_bytes = sum(member.file_size for member in archive.infolist())
    monkeypatch.setattr(background, "MOST_BYTES", size_bytes + spare)
    found = background.read_sample(AtomicFolder(str(tmp_path)), "frames/sampling-encoder/")
    assert (found is not None) == is_kept


def test_a_store_that_cannot_be_written_is_sampled_all_the_same(tmp_path: Path) -> None:
    store = store_of(tmp_path, 4)
    kept_file(tmp_path).mkdir()
    assert len(store.frame_sample(2).vectors) == 4


def test_an_empty_store_has_an_empty_sample_and_keeps_none(tmp_path: Path) -> None:
    assert len(store_of(tmp_path).frame_sample(0).vectors) == 0
    assert not kept_file(tmp_path).exists()


def test_a_sample_whose_first_video_is_gone_is_drawn_anew(tmp_path: Path) -> None:
    """Another process may have removed the video and not yet its rows, so that the number of rows is the same."""
    store = store_of(tmp_path, 4, 5)
    kept = store.frame_sample(2)
    first, second = kept.video_ids
    (tmp_path / "frames" / "sampling-encoder" / f"{first}.parquet").unlink()
    drawn = store.frame_sample(2)
    assert drawn.video_ids == (second,)
    assert len(drawn.vectors) == len(store.read(second).vectors)


@pytest.mark.parametrize("video_ids", [(), ("v0",)])
def test_a_sample_of_another_dimension_is_drawn_anew(tmp_path: Path, video_ids: tuple[str, ...]) -> None:
    store = store_of(tmp_path, 4)
    dimension = store.read("v0").vectors.shape[1]
    other = FrameSample(np.eye(3, dimension + 1, dtype=np.float32), video_ids, 2)
    write_sample(AtomicFolder(str(tmp_path / "frames" / "sampling-encoder")), other)
    drawn = store.frame_sample(2)
    assert (drawn.video_ids, drawn.vectors.shape) == (("v0",), (4, dimension))


@pytest.mark.parametrize(
    ("drawn_at", "rows", "is_fresh"),
    [(100, 120, True), (100, 121, False), (100, 84, True), (100, 83, False), (120, 100, True), (120, 99, False)],
)
def test_a_sample_of_many_videos_stays_fresh_up_to_a_fifth_more_or_less(
    drawn_at: int, rows: int, is_fresh: bool
) -> None:
    ids = tuple(f"v{number}" for number in range(VIDEOS))
    sample = FrameSample(np.eye(1, 4, dtype=np.float32), ids, drawn_at)
    assert sample.is_fresh(rows) == is_fresh


@pytest.mark.parametrize(("rows", "is_fresh"), [(99, False), (100, True), (101, False)])
def test_a_sample_of_all_videos_is_fresh_for_their_rows_alone(rows: int, is_fresh: bool) -> None:
    ids = tuple(f"v{number}" for number in range(VIDEOS - 1))
    assert FrameSample(np.eye(1, 4, dtype=np.float32), ids, 100).is_fresh(rows) == is_fresh


@pytest.mark.parametrize(
    ("vectors", "rows"),
    [
        (np.eye(2), 5),
        (np.eye(2, dtype=np.float16), 5),
        (np.ones(1, np.float32), 5),
        (np.ones((1, 1, 1), np.float32), 5),
        (np.eye(2, dtype=np.float32), -1),
        (2 * np.eye(2, dtype=np.float32), 5),
    ],
)
def test_a_sample_of_no_frame_embeddings_is_refused(vectors: npt.NDArray[np.floating], rows: int) -> None:
    with pytest.raises(ValueError, match=r"vectors of|length"):
        FrameSample(vectors, ("v0",), rows)  # type: ignore[arg-type]
