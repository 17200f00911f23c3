from __future__ import annotations

import numpy as np
from made_embeddings import DIMENSION, Film, embeddings, grid

from pipeline.analyze.duplicates.nomination import CANDIDATES, nominate
from pipeline.index import MemoryIndex
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.segment.row_recipe import RowRecipe

RECIPE = RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="test")


def rows(video_id, vectors, **changes):
    return RECIPE.rows(embeddings(video_id, vectors, **changes), {})


def test_a_copy_among_many_videos_is_nominated_first():
    index = MemoryIndex()
    for number in range(40):
        index.upsert(rows(f"other{number}", Film(100 + number).at(grid(20))))
    index.upsert(rows("copy", Film(1).at(grid(20) + 1.1), noise=0.2))
    asked = rows("asked", Film(1).at(grid(20)))
    index.upsert(asked)
    nominated = nominate(index, "asked", asked)
    assert nominated[0] == "copy"
    assert len(nominated) <= CANDIDATES
    assert "asked" not in nominated


def test_a_common_opening_does_not_hide_a_copy():
    index = MemoryIndex()
    opening = Film(7).at(grid(8))
    for number in range(80):
        index.upsert(rows(f"other{number}", np.concatenate([opening, Film(100 + number).at(grid(8))])))
    index.upsert(rows("copy", np.concatenate([opening, Film(1).at(grid(8))]), noise=0.2))
    asked = rows("asked", np.concatenate([opening, Film(1).at(grid(8))]))
    assert "copy" in nominate(index, "asked", asked)


def test_a_long_video_that_fills_the_hits_of_its_own_rows_still_finds_its_copy():
    place = 3 * np.random.default_rng(9).normal(size=DIMENSION)
    long = Film(20, motion=0.2, place=place)
    index = MemoryIndex()
    asked = rows("asked", long.at(grid(600)), noise=0.02)
    index.upsert(asked)
    index.upsert(rows("copy", long.at(grid(60) + 100), shift=0.4 * place[::-1]))
    assert nominate(index, "asked", asked) == ["copy"]


def test_an_index_of_one_video_nominates_nothing():
    index = MemoryIndex()
    alone = rows("alone", Film(1).at(grid(20)))
    index.upsert(alone)
    assert nominate(index, "alone", alone) == []
    assert nominate(index, "alone", []) == []
