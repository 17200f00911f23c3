"""Rows of a received index that are not what momentseek writes: one error with the remedy, and never a traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shots_library import filled as filled_library
from shots_library import opened as library_at

from pipeline.errors import IndexDamagedError, MomentIndexError
from pipeline.index import Filter, Indexing, LabelFilter, MilvusIndex
from pipeline.index.milvus.lite.exact_service import ExactService
from pipeline.index.milvus.rows import MilvusRows
from pipeline.testing.index import DIMENSION, random_rows, unit

Change = Callable[[dict[str, Any]], None]
"""Changes one row of a file, as a dictionary."""


def set_to(**values: object) -> Change:
    return lambda row: row.update(values)


ROWS: dict[str, Change] = {
    "a video id of another form": set_to(video_id="../../elsewhere"),
    "a video id that commands a terminal": set_to(video_id="\x1b[2J"),
    "no video id": set_to(video_id=""),
    "a video id of a megabyte": set_to(video_id="v" * 2**20),
    "a key of a megabyte": set_to(key="k" * 2**20),
    "no key": set_to(key=""),
    "a time that is no number": set_to(start_seconds=float("nan")),
    "a negative time": set_to(start_seconds=-3.0),
    "a time without end": set_to(end_seconds=float("inf")),
    "an end before the start": set_to(end_seconds=0.0, start_seconds=1.0),
    "a negative ordinal": set_to(ordinal=-1),
    "metadata that is no JSON": set_to(metadata="{"),
    "metadata that is a list": set_to(metadata="[1, 2]"),
    "metadata that is a number": set_to(metadata="7"),
    "metadata that is deep": set_to(metadata='{"a":' * 50_000),
    "metadata with odd names": set_to(metadata='{"\\u001b": 1}'),
    "metadata with objects": set_to(metadata='{"a": {"b": 1}}'),
    "labels that are a list": set_to(metadata='{"@labels": ["person"]}'),
    "labels without a set": set_to(metadata='{"@labels": {"some": [], "whole": []}}'),
    "labels that are numbers": set_to(metadata='{"@labels": {"set": "s", "some": [1], "whole": []}}'),
    "labels that cover and do not overlap": set_to(metadata='{"@labels": {"set": "s", "some": [], "whole": ["a"]}}'),
    "labels of no set": set_to(metadata='{"@labels": {"set": "", "some": [], "whole": []}}'),
    "labels that are deep": set_to(metadata='{"@labels": ' + '{"a":' * 500 + "1" + "}" * 501),
    "a vector that is no number": set_to(embedding=[float("nan")] * DIMENSION),
    "a vector without end": set_to(embedding=[float("inf")] * DIMENSION),
    "a vector without length": set_to(embedding=[0.0] * DIMENSION),
    "a long vector": set_to(embedding=[1e30] * DIMENSION),
}


def change_data(index: Path, change: Callable[[pa.Table], pa.Table], *, keep_vectors: bool = False) -> None:
    """Change a file of rows, and take away what was derived from it."""
    path = max(index.glob("collections/*/partitions/_default/data/*.parquet"), key=lambda path: path.stat().st_size)
    pq.write_table(change(pq.read_table(path)), path)
    if not keep_vectors:
        shutil.rmtree(path.parent.parent / "indexes")


def row_changed(change: Change) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        change(rows[0])
        return pa.Table.from_pylist(rows, schema=table.schema)

    return changed


def column_changed(name: str, values: Callable[[int], pa.Array] | None) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(name)
        if values is None:
            return table.remove_column(place)
        return table.set_column(place, name, values(table.num_rows))

    return changed


COLUMNS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "no times": column_changed("start_seconds", None),
    "no metadata": column_changed("metadata", None),
    "no video ids": column_changed("video_id", None),
    "no vectors": column_changed("embedding", None),
    "no keys": column_changed("key", None),
    "times of text": column_changed("start_seconds", lambda count: pa.array(["soon"] * count)),
    "times that are missing": column_changed("end_seconds", lambda count: pa.nulls(count, pa.float64())),
    "ordinals of text": column_changed("ordinal", lambda count: pa.array(["x"] * count)),
    "ordinals that are lists": column_changed("ordinal", lambda count: pa.array([[1]] * count)),
    "ids of numbers": column_changed("video_id", lambda count: pa.array(range(count))),
    "ids that are missing": column_changed("video_id", lambda count: pa.nulls(count, pa.string())),
    "keys that are missing": column_changed("key", lambda count: pa.nulls(count, pa.string())),
    "keys of bytes": column_changed("key", lambda count: pa.array([b"\xff"] * count)),
    "metadata of numbers": column_changed("metadata", lambda count: pa.array(range(count))),
    "vectors that are missing": column_changed(
        "embedding", lambda count: pa.nulls(count, pa.list_(pa.float32(), DIMENSION))
    ),
    "vectors of doubles": column_changed(
        "embedding", lambda count: pa.array([[1.0] * DIMENSION] * count, pa.list_(pa.float64(), DIMENSION))
    ),
    "longer vectors": column_changed(
        "embedding", lambda count: pa.array([[1.0] * 99] * count, pa.list_(pa.float32(), 99))
    ),
    "vectors of a text": column_changed("embedding", lambda count: pa.array(["x"] * count)),
}


def use(folder: Path) -> list[str]:
    """Everything that reads rows; what each said is an error of ours, or nothing."""
    said = []
    works: list[Callable[[MilvusIndex], object]] = [
        lambda index: index.count(),
        lambda index: index.search(unit(1)[None], top=50),
        lambda index: index.search(unit(1)[None], top=50, where=Filter(labels=LabelFilter("s", ("a",), ("b",)))),
        lambda index: index.videos(),
        lambda index: index.keys_of("v0", "v1", "v2"),
        lambda index: list(index.rows_of(["v0", "v1", "v2"])),
        lambda index: list(index.rows_of(["../../elsewhere"])),
    ]
    for work in works:
        try:
            with MilvusIndex(Indexing(), "abc", folder=folder) as index:
                work(index)
        except MomentIndexError as error:
            said.append(str(error))
    return said


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows") / "index"
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        index.upsert(random_rows(30))
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "index"))


# Milvus Lite's own arithmetic, on vectors that no encoder gives.
@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")
@pytest.mark.parametrize("change", [*map(row_changed, ROWS.values()), *COLUMNS.values()], ids=[*ROWS, *COLUMNS])
def test_rows_of_any_content_are_one_error(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    change_data(folder, change)
    said = use(folder)
    assert said
    for each in said:
        assert "momentseek index rebuild" in each
        assert each.isprintable()
        assert len(each) < 1500


@pytest.mark.parametrize("is_of_momentseek", [True, False])
def test_derived_vectors_of_any_content_change_no_answer(
    folder: Path, is_of_momentseek: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an answer from the live rows, nor one of Milvus Lite."""
    if not is_of_momentseek:
        monkeypatch.setattr(ExactService, "_searched", lambda *_: None)
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        before = index.search(unit(1)[None], top=5)
    [path] = folder.glob("collections/*/partitions/_default/indexes/*.idx")
    vectors = np.load(path)
    vectors[:] = np.nan
    with path.open("wb") as file:
        np.save(file, vectors)
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert index.search(unit(1)[None], top=5) == before


def test_a_search_compares_the_vectors_that_are_verified(folder: Path) -> None:
    changed = unit(0, 0, 1)
    change_data(folder, row_changed(set_to(embedding=changed.tolist())), keep_vectors=True)
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        [hit] = index.search(changed[None], top=1)[0]
        [row] = [row for row in index.rows_of([hit.segment.video_id]) if row.key == hit.key]
    assert hit.score == pytest.approx(1, abs=1e-6)
    assert row.vector.tolist() == changed.tolist()


def test_a_row_of_another_video_is_not_taken_for_one_that_was_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        monkeypatch.setattr("pipeline.index.milvus.rows.expression_of", lambda _: "")
        with pytest.raises(IndexDamagedError, match="was returned for"):
            list(index.rows_of(["v0"]))


def test_a_server_that_gives_the_same_rows_again_does_not_hold_a_reader_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = MilvusRows._page

    def the_first_page(self: MilvusRows, client: object, *, expression: str, fields: list[str]) -> list[Any]:
        return page(self, client, expression="", fields=fields)  # type: ignore[arg-type]

    monkeypatch.setattr("pipeline.index.milvus.rows._ROWS_PER_REQUEST", 10)
    monkeypatch.setattr(MilvusRows, "_page", the_first_page)
    with (
        MilvusIndex(Indexing(), "abc", folder=folder) as index,
        pytest.raises(IndexDamagedError, match="the rows after the key"),
    ):
        index.videos()


@pytest.mark.parametrize(
    "builder", ["5", "[1]", '["h", "../../etc", 5]', '["h", 5, "x"]', '["h", 5, 1e300]', "[" * 9999]
)
def test_odd_notes_of_a_builder(folder: Path, builder: str) -> None:
    from pipeline.index.milvus.collections import _in_progress, _may_be_running

    assert _may_be_running(builder) is False
    assert "run this again" in str(_in_progress("c", builder))


def test_all_commands_on_broken_rows_say_so_and_a_rebuild_mends_them(tmp_path: Path) -> None:
    with filled_library(tmp_path / "library", backend="milvus") as library:
        before = library.moment_index().videos()
    change_data(tmp_path / "library" / "index", row_changed(ROWS["a video id of another form"]))
    for work in (
        lambda library: library.verify_index(),
        lambda library: library.search("red"),
        lambda library: library.moment_index().videos(),
    ):
        with (
            library_at(tmp_path / "library", backend="milvus") as library,
            pytest.raises(MomentIndexError, match="momentseek index rebuild"),
        ):
            work(library)
    with library_at(tmp_path / "library", backend="milvus") as library:
        library.rebuild_index()
        assert library.moment_index().videos() == before
        assert not library.verify_index().differences
