"""An index held against its store, where the store changes under the hands of whoever does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from contracts.word_world import video

from pipeline.errors import MomentIndexError, StoreError
from pipeline.index import MemoryIndex
from pipeline.index.rewrite import replace_rows
from pipeline.library import maintenance, verification
from pipeline.segment import MeanPooling, Shots
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore
from pipeline.store.loading import IsWanted, Loaded
from pipeline.types import IndexedSegment

SHOWN = {"park": ("red", "green", "blue"), "gate": ("blue", "", "red green"), "yard": ("green", "")}
ROWS = {"park": 3, "gate": 3, "yard": 2}
RECIPE = RowRecipe(segmenter=Shots(), aggregator=MeanPooling(), fingerprint="s")


class ToldIndex(MemoryIndex):
    """Notes what is written to it, and tells a test when."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self.deleted: list[str] = []
        self.on_delete: Callable[[str], None] = lambda _: None

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        self.written += [row.key for row in rows]
        super().upsert(rows)

    def delete_video(self, video_id: str) -> int:
        self.deleted.append(video_id)
        count = super().delete_video(video_id)
        self.on_delete(video_id)
        return count

    def forget_calls(self) -> None:
        self.written.clear()
        self.deleted.clear()


@dataclass
class World:
    store: ParquetStore
    index: ToldIndex

    def store_video(self, name: str, *shots: str, metadata: dict[str, str] | None = None) -> None:
        self.store.write(*video(name, *shots, metadata=metadata))

    def put(self, name: str, *shots: str, metadata: dict[str, str] | None = None) -> None:
        """As a batch does that is under way meanwhile."""
        self.store_video(name, *shots, metadata=metadata)
        record = self.store.record(name)
        assert record is not None
        replace_rows(self.index, name, RECIPE.rows(self.store.read(name), record.metadata))

    def rows(self, name: str) -> list[IndexedSegment]:
        return list(self.index.rows_of([name]))

    @property
    def is_right(self) -> bool:
        return verification.compare(self.index, self.store, RECIPE).differences == ()


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(ParquetStore(str(tmp_path), "s", "e"), ToldIndex())
    for name, shots in SHOWN.items():
        made.put(name, *shots)
    made.index.forget_calls()
    return made


def changed(index: MemoryIndex, row: IndexedSegment) -> None:
    MemoryIndex.upsert(index, [row])


def test_a_rebuild_has_what_the_store_has_and_nothing_else(world: World) -> None:
    ghost = world.rows("park")[0]
    changed(world.index, replace(ghost, key="ghost-0", segment=replace(ghost.segment, video_id="ghost")))
    seen: list[tuple[int, int]] = []
    rebuilt = maintenance.rebuild(world.index, world.store, RECIPE, on_video=lambda *told: seen.append(told))
    assert (rebuilt.videos, rebuilt.segments, rebuilt.elapsed_seconds > 0) == (3, 8, True)
    assert world.index.videos() == ROWS
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert world.is_right


def test_a_rebuild_of_an_empty_store_empties_the_index(world: World) -> None:
    for name in SHOWN:
        world.store.delete(name)
    assert maintenance.rebuild(world.index, world.store, RECIPE).segments == 0
    assert world.index.count() == 0


@pytest.mark.parametrize("rows_a_write", [1, 4, 5000])
def test_rows_are_written_by_the_thousand_and_to_the_last(
    world: World, monkeypatch: pytest.MonkeyPatch, rows_a_write: int
) -> None:
    monkeypatch.setattr(maintenance, "_ROWS_PER_WRITE", rows_a_write)
    maintenance.rebuild(world.index, world.store, RECIPE)
    assert world.index.videos() == ROWS
    assert world.is_right


def test_what_changes_while_a_rebuild_fills_is_in_the_index_before_it_answers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {"new": "late", "gone": "yard", "metadata": "gate"}

    def meddle(done: int, total: int) -> None:
        if done == total and kinds:
            kinds.clear()
            world.store_video("late", "red")
            world.store_video("gate", *SHOWN["gate"], metadata={"site": "a"})
            world.store.delete("yard")

    seen: list[dict[str, int]] = []
    become = MemoryIndex._become

    def noted(index: MemoryIndex, other: MemoryIndex) -> None:
        seen.append(dict(other.videos()))
        become(index, other)

    monkeypatch.setattr(MemoryIndex, "_become", noted)
    rebuilt = maintenance.rebuild(world.index, world.store, RECIPE, on_video=meddle)
    assert seen == [{"park": 3, "gate": 3, "late": 1}]
    assert (rebuilt.videos, rebuilt.segments) == (3, 7)
    assert world.is_right


def test_what_changes_while_a_rebuild_takes_over_is_caught_up_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    become = MemoryIndex._become

    def meddled(index: MemoryIndex, other: MemoryIndex) -> None:
        world.put("late", "red")
        world.put("gate", *SHOWN["gate"], metadata={"site": "a"})
        world.store.delete("yard")
        become(index, other)

    monkeypatch.setattr(MemoryIndex, "_become", meddled)
    maintenance.rebuild(world.index, world.store, RECIPE)
    assert world.index.videos() == {"park": 3, "gate": 3, "late": 1}
    assert world.is_right


def test_a_video_that_is_removed_while_it_is_read_is_no_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    load = ParquetStore.load_many

    def vanishing(store: ParquetStore, video_ids: list[str], is_wanted: IsWanted) -> Iterator[Loaded]:
        store.delete("park")
        return load(store, video_ids, is_wanted)

    with monkeypatch.context() as patch:
        patch.setattr(ParquetStore, "load_many", vanishing)
        maintenance.rebuild(world.index, world.store, RECIPE)
    assert world.index.videos() == {"gate": 3, "yard": 2}


def test_a_broken_file_ends_a_rebuild_and_the_old_index_stays(world: World, tmp_path: Path) -> None:
    (tmp_path / "frames" / "s-e" / "yard.parquet").write_bytes(b"broken")
    with pytest.raises(StoreError, match="is broken"):
        maintenance.rebuild(world.index, world.store, RECIPE)
    assert world.index.videos() == ROWS


def test_to_fill_writes_what_is_missing_or_otherwise_and_removes_the_rest(world: World) -> None:
    first, second, _ = world.rows("park")
    changed(world.index, replace(first, metadata={"site": "b"}))
    changed(world.index, replace(second, segment=replace(second.segment, end_seconds=4.5)))
    stray = world.rows("gate")[0]
    changed(world.index, replace(stray, key="gate-old-0"))
    changed(world.index, replace(stray, key="ghost-0", segment=replace(stray.segment, video_id="ghost")))
    del world.index._rows["yard-s-1"]
    world.index._sorted = None
    world.index.forget_calls()
    filled = maintenance.fill(world.index, world.store, RECIPE, switch=lambda: None)
    assert (filled.videos, filled.segments) == (3, 8)
    assert sorted(world.index.written) == ["gate-s-0", "gate-s-1", "gate-s-2", "park-s-0", "park-s-1", "yard-s-1"]
    assert sorted(world.index.deleted) == ["gate", "ghost"]
    assert world.is_right
    world.index.forget_calls()
    maintenance.fill(world.index, world.store, RECIPE, switch=lambda: None)
    assert (world.index.written, world.index.deleted) == ([], [])


def test_what_is_written_until_the_switch_is_caught_up_with(world: World) -> None:
    def switch() -> None:
        # All that was there is here already.
        assert world.index.videos() == ROWS
        world.store_video("late", "red")
        world.store_video("gate", *SHOWN["gate"], metadata={"site": "a"})
        world.store.delete("yard")

    seen: list[tuple[int, int]] = []
    filled = maintenance.fill(world.index, world.store, RECIPE, switch=switch, on_video=lambda *told: seen.append(told))
    assert seen == [(3, 3)]
    assert filled.videos == 3
    assert world.index.videos() == {"park": 3, "gate": 3, "late": 1}
    assert world.is_right


def test_many_videos_are_read_some_at_a_time_and_none_is_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_VIDEOS_PER_READ", 2)
    seen: list[tuple[int, int]] = []
    comparison = verification.compare(world.index, world.store, RECIPE, on_video=lambda *told: seen.append(told))
    assert (comparison.videos, comparison.segments, comparison.differences) == (3, 8, ())
    assert seen == [(2, 3), (3, 3)]
    fresh = ToldIndex()
    assert maintenance.fill(fresh, world.store, RECIPE, switch=lambda: None).segments == 8
    assert fresh.videos() == ROWS


def different(world: World) -> dict[str, str]:
    [difference] = verification.compare(world.index, world.store, RECIPE).differences
    return dict(difference.different or {})


@pytest.mark.parametrize(
    ("start", "end", "ordinal", "is_named"),
    [
        (0.0, 5e-7, 0, False),
        (0.0, 2e-6, 0, True),
        (2e-6, 0.0, 0, True),
        (0.0, 0.0, 5, True),
    ],
)
def test_times_may_differ_by_a_microsecond(
    world: World, start: float, end: float, ordinal: int, is_named: bool
) -> None:
    row = world.rows("park")[0]
    mine = row.segment
    segment = replace(
        mine,
        start_seconds=mine.start_seconds + start,
        end_seconds=mine.end_seconds + end,
        ordinal=mine.ordinal + ordinal,
    )
    changed(world.index, replace(row, segment=segment))
    if is_named:
        assert "times" in different(world)[row.key]
    else:
        assert world.is_right


@pytest.mark.parametrize(("off", "is_named"), [(5e-6, False), (5e-5, True)])
def test_vectors_may_differ_in_the_last_digits(world: World, off: float, is_named: bool) -> None:
    row = world.rows("park")[0]
    vector = row.vector.copy()
    vector[0] += np.float32(off)
    changed(world.index, replace(row, vector=vector))
    if is_named:
        assert different(world)[row.key].startswith("vector off by")
    else:
        assert world.is_right


def test_a_vector_of_another_length_is_named(world: World) -> None:
    row = world.rows("park")[0]
    world.index._rows[row.key] = replace(row, vector=np.asarray([1, 0], np.float32))
    assert different(world)[row.key] == "a vector of 2 numbers instead of 4"


def test_changed_files_and_rows_without_a_file_are_told_apart(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "frames" / "s-e"
    path = folder / "park.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (folder / "gate.parquet").unlink()
    comparison = verification.compare(world.index, world.store, RECIPE)
    found = {difference.video_id: difference for difference in comparison.differences}
    assert {name: difference.file for name, difference in found.items()} == {"park": "changed", "gate": "missing"}
    assert len(found["gate"].extra) == 3
    assert (comparison.videos, comparison.segments, comparison.without_checksum) == (2, 2, 0)


def test_a_removal_takes_the_rows_first_and_looks_again_afterwards(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bool] = []

    def deleted(video_id: str) -> None:
        kept.append(world.store.record(video_id) is not None)
        if len(kept) == 1:
            # A batch that is under way writes rows that it had in hand.
            MemoryIndex.upsert(world.index, late)

    late = world.rows("park")[:2]
    world.index.on_delete = deleted
    removed = maintenance.remove(world.index, world.store, "park")
    assert kept == [True, False]
    assert (removed.segments, removed.frames, removed.files) == (5, 12, 2)
    assert (removed.remaining_segments, removed.remaining_files) == (0, 0)


def test_a_removal_says_so_where_rows_come_back(world: World) -> None:
    rows = world.rows("park")
    world.index.on_delete = lambda _: MemoryIndex.upsert(world.index, rows)
    with pytest.raises(MomentIndexError, match="park: 3 rows are still in the index, written by another process"):
        maintenance.remove(world.index, world.store, "park")


def test_a_removal_says_so_where_files_come_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    erase = maintenance.erase

    def undone(root_url: str, video_id: str) -> tuple[str, ...]:
        files = erase(root_url, video_id)
        world.store_video("park", "red")
        return files

    monkeypatch.setattr(maintenance, "erase", undone)
    with pytest.raises(StoreError, match=r"park: these files still exist: .*frames/s-e/park\.parquet"):
        maintenance.remove(world.index, world.store, "park")
