from __future__ import annotations

import numpy as np
from made_embeddings import DIMENSION, Film, embeddings, grid, letterboxed

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


def test_a_letterboxed_copy_is_nominated_by_what_is_left_without_the_means():
    index = MemoryIndex()
    films = [Film(100 + number).at(grid(20)) for number in range(60)]
    for number, film in enumerate(films):
        index.upsert(rows(f"other{number}", film))
    film = Film(1).at(grid(20))
    index.upsert(rows("copy", letterboxed(film), noise=0.1))
    asked = rows("asked", film)
    index.upsert(asked)
    mean = np.concatenate([embeddings("all", film).vectors for film in films]).mean(axis=0)
    nominated = nominate(index, "asked", asked, mean)
    assert "copy" in nominated
    assert len(nominated) <= 2 * CANDIDATES


def test_votes_for_one_offset_outweigh_more_votes_for_many():
    index = MemoryIndex()
    film = Film(1)
    order = np.random.default_rng(3).permutation(40)
    for number in range(12):
        index.upsert(rows(f"shuffled{number}", film.at(grid(20))[np.roll(order, number)], noise=0.1))
    index.upsert(rows("copy", film.at(grid(20)), noise=0.3))
    asked = rows("asked", film.at(grid(20)))
    index.upsert(asked)
    assert nominate(index, "asked", asked)[0] == "copy"
