"""Frame embeddings, records and samples of a library that somebody else wrote: whatever they say is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquet_mutations import set_detail, with_column

from pipeline.errors import StoreError
from pipeline.search.localization import unrolled
from pipeline.store import ParquetStore, frames_file
from pipeline.store.frame_sample import SAMPLE_FILE, FrameSample
from pipeline.testing.store import made_frames, made_record

_KEY = b"momentseek"


@pytest.fixture
def store(tmp_path: Path) -> ParquetStore:
    """Two videos of five frames."""
    made = ParquetStore(str(tmp_path), "s1", "e1")
    for number, video_id in enumerate(("v1", "v2")):
        made.write(
            replace(made_record(count=5), video_id=video_id, names=(f"/{video_id}.mp4",)),
            made_frames(video_id, 5, seed=number),
        )
    return made


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    return tmp_path / "frames" / "s1-e1" / "v1.parquet"


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = pq.read_table(path)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)


def vectors(values: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float32).reshape(-1)), values.shape[1])


_TIMES = (1e308, -1.0, float("nan"), float("inf"), 10**40, 2.0**60, True, "1", None, [1.0])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(("record.duration_seconds", time) for time in _TIMES),
        *(("record.covered_seconds", time) for time in _TIMES),
        *(("record.frame_count", count) for count in (4, 6, -1, 10**40, 5.5, None, "5", [])),
        *(("record.names", names) for names in (["/a\0b"], ["\ud800"], [7], [["a"]], "\0")),
        ("record.former_names", [None]),
        ("record.status", "failed"),
        ("record.status", []),
        ("record.problem", {"a": 1}),
        *(("record.metadata", each) for each in ({"a": [1]}, {"a": None}, {"a": float("nan")}, {"\ud800": 1}, [], "a")),
        *(("record.info.width", pixels) for pixels in (0, -1, 10**40, 1e9, "64", None)),
        *(("record.info.time_base", each) for each in ("0/1", "-1/25", "1/0", "a", [], None)),
        ("record.info.codec", 7),
        ("record.info.uri", "a\0b"),
    ],
)
def test_a_record_that_says_what_none_can_is_broken(store: ParquetStore, v1: Path, place: str, value: object) -> None:
    set_detail(v1, place, value)
    with pytest.raises(StoreError, match=r"v1\.parquet: is broken .*delete it and index the video again") as caught:
        store.record("v1")
    assert len(str(caught.value)) < 600
    records, broken = store.survey()
    assert ([record.video_id for record in records], list(broken)) == (["v2"], ["v1"])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(("duration_seconds", time) for time in _TIMES),
        *(("step_seconds", step) for step in (0.0, -1.0, float("nan"), float("inf"), 1e308, "1", [])),
        *(("cuts_seconds", cuts) for cuts in ([-1.0], [float("nan")], [1e308], ["1"], [None], 7, [[1]])),
        *(("time_base", each) for each in ("0/1", "-1/25", "1/0", None)),
    ],
)
def test_frames_of_which_the_file_says_what_none_can_are_broken(
    store: ParquetStore, v1: Path, place: str, value: object
) -> None:
    set_detail(v1, place, value)
    with pytest.raises(StoreError, match=r"v1\.parquet: is broken .*delete it and index the video again"):
        store.read("v1")
    assert len(store.read("v2")) == 5


_UNIT = np.eye(5, 8)


@pytest.mark.parametrize(
    "change",
    [
        *(with_column("time_seconds", [0.0, 1.0, 2.0, 3.0, last]) for last in (1e308, float("inf"), float("nan"))),
        with_column("time_seconds", [-1.0, 1.0, 2.0, 3.0, 4.0]),
        with_column("time_seconds", [0.0, 1.0, 1.0, 3.0, 4.0]),
        with_column("time_seconds", [0.0, 1.0, 2.0, 3.0, None]),
        with_column("time_seconds", ["a"] * 5),
        with_column("time_seconds", [0, 1, 2, 3, 4], pa.int32()),
        with_column("pts", [0, 1, 2, 3, 3]),
        with_column("pts", [0.0, 1.0, 2.0, 3.0, 4.0]),
        with_column("pts", [0, 1, None, 3, 4]),
        with_column("embedding", vectors(_UNIT * 2)),
        with_column("embedding", vectors(np.full((5, 8), np.nan))),
        with_column("embedding", vectors(np.full((5, 8), 1e30))),
        with_column("embedding", vectors(np.zeros((5, 8)))),
        with_column("embedding", vectors(np.ones((5, 1), np.float32)).cast(pa.list_(pa.float32()))),
        with_column("embedding", [[1.0]] * 5, pa.list_(pa.float64(), 1)),
        with_column("embedding", [[1.0], None, [1.0], [1.0], [1.0]], pa.list_(pa.float32(), 1)),
        with_column("embedding", [[]] * 5, pa.list_(pa.float32(), 0)),
        lambda table: table.drop_columns(["pts"]),
        lambda table: table.drop_columns(["embedding"]),
        lambda table: table.append_column("seen_until_seconds", pa.array([float("inf")] * 5)),
        lambda table: table.append_column("seen_until_seconds", pa.array([5.0, 1.0, 2.0, 3.0, 4.0])),
        lambda table: table.append_column("seen_until_seconds", pa.array(["a"] * 5)),
        lambda table: table.append_column("pts", pa.array([0] * 5)),
    ],
)
def test_columns_that_no_sampling_gives_are_broken(
    store: ParquetStore, v1: Path, change: Callable[[pa.Table], pa.Table]
) -> None:
    rewrite(v1, change)
    with pytest.raises(StoreError, match=r"v1\.parquet: is broken .*delete it and index the video again"):
        store.read("v1")
    # The sample of the library's frames is made of the others.
    assert "v2" in store.frame_sample(7).video_ids


@pytest.mark.parametrize("rows", [0, 4, 5000])
def test_a_file_with_other_frames_than_its_record_says_is_broken(store: ParquetStore, v1: Path, rows: int) -> None:
    rewrite(v1, lambda table: pa.concat_tables([table] * (rows // 5 + 1)).slice(0, rows))
    with pytest.raises(StoreError, match=f"its record states 5 frames, but the file has {rows}"):
        store.record("v1")


def test_a_few_kilobytes_that_stand_for_more_than_the_memory_are_not_unpacked(
    store: ParquetStore, v1: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 4096
    same = np.zeros((2048, size), np.float32)
    same[:, 0] = 1
    rewrite(
        v1, lambda _: pa.table({"time_seconds": np.arange(2048.0), "pts": np.arange(2048), "embedding": vectors(same)})
    )
    assert v1.stat().st_size < 200_000
    monkeypatch.setattr(frames_file, "_memory_bytes", lambda: 2**24)
    for read in (store.read, store.some_vectors, store.outline, store.record):
        with pytest.raises(StoreError, match=r"its 2048 frames need 0\.0 GiB, more than this machine's memory"):
            read("v1")


def test_a_sample_is_made_of_embeddings_of_one_length(store: ParquetStore, v1: Path) -> None:
    store.write(replace(made_record(count=5), video_id="v3"), made_frames("v3", 5, seed=3))
    rewrite(v1, with_column("embedding", vectors(np.eye(5, 7))))
    assert sorted(store.frame_sample(9).video_ids) == ["v2", "v3"]


@pytest.mark.parametrize(
    "change",
    [
        {"vectors": np.full((4, 8), np.nan, np.float32)},
        {"vectors": np.full((4, 8), 1e38, np.float32)},
        {"vectors": np.zeros((4, 8), np.float32)},
        {"vectors": np.eye(4, 8)},
        {"vectors": np.eye(4, 8, dtype=np.complex64)},
        {"vectors": np.eye(4, 8, dtype=np.float32).reshape(-1)},
        {"vectors": np.array([["a"]])},
        {"rows": np.array(-1)},
    ],
)
def test_a_sample_that_is_none_is_made_anew(store: ParquetStore, v1: Path, change: dict[str, np.ndarray]) -> None:
    drawn = store.frame_sample(7)
    kept = {"vectors": drawn.vectors, "video_ids": np.array(drawn.video_ids), "rows": np.array(7)}
    np.savez(v1.parent / SAMPLE_FILE, **{**kept, **change})
    assert (store.frame_sample(7).vectors == drawn.vectors).all()


def test_a_sample_holds_unit_vectors() -> None:
    with pytest.raises(ValueError, match="unit length"):
        FrameSample(np.full((2, 3), np.inf, np.float32), ("a",), 1)


@pytest.mark.parametrize("step", [5e-324, 1e-300, 1e-12])
def test_a_step_of_next_to_nothing_is_bounded(step: float) -> None:
    times = np.array([0.0, 1.0, 2.0])
    unrolled_times, scores = unrolled(times, np.arange(3.0), np.array([0.9, 1.9, 1e15]), step)
    assert len(unrolled_times) == len(scores) <= 2**20 + 3
    assert np.isfinite(unrolled_times).all()
