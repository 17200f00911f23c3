"""Label files of a library that somebody else wrote: whatever they say is checked."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contracts.made_labels import made_labels
from parquet_mutations import mutate_details, set_detail, with_column

from pipeline.analyze.labels.label_store import LabelStore
from pipeline.errors import StoreError
from pipeline.store import frames_file

_KEY = b"momentseek"
KINDS = ("number", "name", "shape", "missing")
_BROKEN = r"v1\.parquet: is broken .*delete it and label the video again"


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    made = LabelStore(str(tmp_path), "l1", "e1")
    for video_id in ("v1", "v2"):
        made.write(made_labels(video_id))
    return made


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    return tmp_path / "labels" / "l1-e1" / "v1.parquet"


def scores(values: np.ndarray) -> pa.Array:
    return pa.array([row.astype("<f2").tobytes() for row in values], pa.binary(2 * values.shape[1]))


_TIMES = (1e308, -1.0, float("nan"), float("inf"), 10**40, 2.0**60, True, "1", None, [1.0])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(("tracks.person", [[0.0, 1.0, 0.5, each]]) for each in (1.5, *_TIMES)),
        *(("tracks.person", [[0.0, each, 0.5, 0.5]]) for each in (0.0, 0.25, *_TIMES)),
        *(("tracks.person", [[each, 1.0, 0.9, 0.5]]) for each in _TIMES),
        *(("tracks.person", each) for each in (7, "ab", [7], [[1.0]], [[0, 1, 0.5, 0.5, 1]], {"a": 1}, None)),
        ("tracks.person", [[4.0, 5.0, 4.5, 0.5], [1.0, 2.0, 1.5, 0.5]]),
        ("tracks.person", [[4.0, 5.0, 4.5, 0.5], [4.5, 6.0, 5.5, 0.5]]),
        ("tracks.bus", []),
        *(("tracks", each) for each in ([], "a", None, 7)),
        *(
            ("labels", each)
            for each in ([], ["a", "a", "b"], ["a", 7, "b"], ["", "b", "c"], "abc", None, {}, ["x" * 300])
        ),
        ("labels", ["person", "car", "\ud800"]),
        ("scorer_fingerprint", 7),
        ("scorer_fingerprint", "x" * 1000),
        *(("kind", each) for each in ("frames", None, 7)),
    ],
)
def test_metadata_that_no_labelling_gives_is_broken(store: LabelStore, v1: Path, place: str, value: object) -> None:
    set_detail(v1, place, value)
    for read in (store.tracks, store.read):
        with pytest.raises(StoreError, match=_BROKEN) as caught:
            read("v1")
        assert len(str(caught.value)) < 700
    assert len(store.tracks("v2")) == 2


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(("sampled.frame_count", each) for each in (5, 7, -1, 10**40, 6.0, None, "6", True)),
        *(("sampled.duration_seconds", each) for each in _TIMES),
        *(("sampled.sampling_fingerprint", each) for each in (7, "", None, "é", "x" * 1000)),
        ("sampled", []),
    ],
)
def test_a_state_that_no_labelling_gives_is_broken(store: LabelStore, v1: Path, place: str, value: object) -> None:
    set_detail(v1, place, value)
    for read in (store.state, store.read):
        with pytest.raises(StoreError, match=_BROKEN):
            read("v1")


@pytest.mark.parametrize(
    "change",
    [
        *(
            with_column("time_seconds", [0.5, 1.5, 2.5, 3.5, 4.5, last])
            for last in (1e308, float("inf"), float("nan"), 9.0)
        ),
        with_column("time_seconds", [-1.0, 1.5, 2.5, 3.5, 4.5, 5.5]),
        with_column("start_seconds", [-1.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        with_column("start_seconds", [0.0, 1.0, 2.0, 3.0, 3.5, 5.0]),
        with_column("end_seconds", [1.0, 2.0, 3.0, 4.0, 5.0, 2.0**60]),
        with_column("end_seconds", [1.0, 2.0, 3.0, 4.0, 5.0, None]),
        with_column("end_seconds", ["a"] * 6),
        with_column("start_seconds", [0, 1, 2, 3, 4, 5], pa.int32()),
        with_column("log_odds", scores(np.full((6, 3), np.nan))),
        with_column("log_odds", scores(np.zeros((6, 2)))),
        with_column("log_odds", [[1.0] * 3] * 6, pa.list_(pa.float16(), 3)),
        with_column("log_odds", [b"abcdef"] * 6, pa.binary()),
        with_column("log_odds", [b"abc"] * 6, pa.binary(3)),
        with_column("log_odds", [None, *[b"abcdef"] * 5], pa.binary(6)),
        lambda table: table.drop_columns(["log_odds"]),
        lambda table: table.drop_columns(["start_seconds"]),
        lambda table: table.append_column("log_odds", pa.array([0] * 6)),
        lambda table: table.slice(0, 4),
        lambda table: pa.concat_tables([table, table]),
    ],
)
def test_columns_that_no_labelling_gives_are_broken(
    store: LabelStore, v1: Path, change: Callable[[pa.Table], pa.Table]
) -> None:
    table = pq.read_table(v1)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), v1)
    with pytest.raises(StoreError, match=_BROKEN):
        store.read("v1")
    assert len(store.read("v2").frames) == 6


def test_more_frames_than_fit_the_memory_are_refused(store: LabelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_file, "_memory_bytes", lambda: 100)
    with pytest.raises(StoreError, match=r"6 frames need .* more than this machine's memory"):
        store.read("v1")
    assert len(store.tracks("v1")) == 2


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 100, bytes(1000)])
def test_what_is_no_parquet_is_broken(store: LabelStore, v1: Path, content: bytes) -> None:
    v1.write_bytes(content)
    for read in (store.read, store.tracks, store.state):
        with pytest.raises(StoreError, match=_BROKEN):
            read("v1")


def test_a_cut_or_changed_file_is_broken(store: LabelStore, v1: Path) -> None:
    whole = v1.read_bytes()
    for length in range(0, len(whole), 397):
        v1.write_bytes(whole[:length])
        with pytest.raises(StoreError, match="is broken"):
            store.read("v1")


def test_a_file_of_another_place_or_format_is_refused(store: LabelStore, v1: Path) -> None:
    (v1.parent / "v2.parquet").write_bytes(v1.read_bytes())
    with pytest.raises(StoreError, match=r"belongs elsewhere .video_id 'v1' instead of v2.; move it back or delete it"):
        store.tracks("v2")
    other = v1.parent.parent / "l2-e1"
    other.mkdir()
    (other / "v1.parquet").write_bytes(v1.read_bytes())
    with pytest.raises(StoreError, match="label_set_fingerprint 'l1' instead of l2"):
        LabelStore(store.root_url, "l2", "e1").state("v1")
    set_detail(v1, "format", 9)
    with pytest.raises(StoreError, match="has format 9, and this version of momentseek reads format 1"):
        store.read("v1")


def test_a_link_in_place_of_a_file_is_refused(store: LabelStore, v1: Path) -> None:
    v1.unlink()
    v1.symlink_to(v1.parent / "v2.parquet")
    for read in (store.read, store.tracks, store.state):
        with pytest.raises(StoreError, match="link"):
            read("v1")


@pytest.mark.parametrize("seed", range(60))
def test_any_changed_value_is_refused_or_harmless(store: LabelStore, v1: Path, seed: int) -> None:
    rng = random.Random(seed)
    how = mutate_details(v1, rng, ("labels", "tracks", "sampled", "duration_seconds"), rng.choice(KINDS))
    for read in (store.read, store.tracks, store.state):
        try:
            read("v1")
        except StoreError as error:
            said = str(error)
        else:
            said = "v1.parquet"
        assert "v1.parquet" in said, how
