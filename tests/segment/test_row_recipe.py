from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from pipeline.index import MemoryIndex
from pipeline.index.rewrite import remove_other_rows, replace_rows
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.segment.row_recipe import RowRecipe
from pipeline.types import FrameEmbeddings, IndexedSegment


def frames() -> FrameEmbeddings:
    return FrameEmbeddings(
        video_id="v1",
        pts=np.arange(10),
        time_base=Fraction(1),
        times_seconds=np.arange(10) * 1.0,
        vectors=np.eye(10, dtype=np.float32),
        cuts_seconds=None,
        duration_seconds=10.0,
    )


def recipe(length_seconds: float, fingerprint: str) -> RowRecipe:
    windows = FixedWindows(length_seconds=length_seconds, overlap_seconds=0)
    return RowRecipe(segmenter=windows, aggregator=MeanPooling(), fingerprint=fingerprint)


def rows(length_seconds: float, fingerprint: str) -> list[IndexedSegment]:
    return recipe(length_seconds, fingerprint).rows(frames(), {"site": "gate"})


def test_rows_are_the_segments_with_their_vectors_and_metadata() -> None:
    made = rows(5, "abc")
    assert [row.key for row in made] == ["v1-abc-0", "v1-abc-1"]
    assert [(row.segment.start_seconds, row.segment.end_seconds) for row in made] == [(0, 5), (5, 10)]
    assert made[0].metadata == {"site": "gate"}
    assert np.flatnonzero(made[1].vector).tolist() == [5, 6, 7, 8, 9]


def test_keys_are_those_of_the_rows() -> None:
    assert recipe(2, "abc").keys(frames()) == {row.key for row in rows(2, "abc")}


def test_replace_rows_leaves_nothing_of_another_segmentation() -> None:
    index = MemoryIndex()
    replace_rows(index, "v1", rows(2, "abc"))
    assert index.count() == 5
    replace_rows(index, "v1", rows(5, "def"))
    assert index.keys_of("v1") == {"v1-def-0", "v1-def-1"}
    replace_rows(index, "v1", rows(5, "def"))
    assert index.count() == 2


def test_only_videos_with_other_rows_are_taken_out_of_the_index() -> None:
    index = MemoryIndex()
    kept, other = rows(5, "abc"), [replace(row, key=f"other-{row.key}") for row in rows(2, "abc")]
    others = [replace(row, segment=replace(row.segment, video_id="v2")) for row in other]
    index.upsert([*kept, *others])
    remove_other_rows(index, {"v1": kept, "v2": others[:2]})
    assert index.videos() == {"v1": 2}
    index.upsert(others)
    remove_other_rows(index, {"v1": kept, "v2": others})
    assert index.videos() == {"v1": 2, "v2": 5}
