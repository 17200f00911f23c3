"""Concepts are fitted to the frames that marks point to, in a world of three words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contracts.word_world import DictStore, WordEncoder, video

from pipeline.analyze.concepts import Concept, ConceptStore
from pipeline.analyze.concepts.concept_terms import ConceptTerms
from pipeline.analyze.concepts.examples import marked_rows
from pipeline.analyze.concepts.fitting import ConceptFitter, ConceptSource
from pipeline.analyze.marks import Mark, MarkStore, Verdict
from pipeline.errors import QueryError
from pipeline.index import MemoryIndex
from pipeline.search import Searcher, Searching, as_query
from pipeline.segment import MeanPooling, Shots
from pipeline.segment.row_recipe import RowRecipe

ENCODER = "words1"
VIDEOS = {"a": ("red", "green"), "b": ("red blue", ""), "c": ("red", "blue"), "d": ("green blue", "blue")}


class World:
    def __init__(self, root: Path) -> None:
        self.store, index = DictStore(), MemoryIndex()
        recipe = RowRecipe(segmenter=Shots(), aggregator=MeanPooling(), fingerprint="s")
        for name, shots in VIDEOS.items():
            record, frames = video(name, *shots)
            # No two pictures are quite the same.
            noise = np.random.default_rng(len(name) + ord(name)).normal(size=frames.vectors.shape) * 0.05
            vectors = frames.vectors + noise.astype(np.float32)
            frames = replace(frames, vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
            self.store.write(record, frames)
            index.upsert(recipe.rows(frames, {}))
        self.root = str(root)
        self.marks = MarkStore(self.root)
        self.concepts = ConceptStore(self.root)
        resolver = ConceptTerms(self.root, self.store, ENCODER)
        settings = Searching(same_picture=None)
        self.searcher = Searcher(WordEncoder(), index, self.store, settings, concepts=resolver)

    def mark(self, verdict: str, *places: tuple[str, float]) -> None:
        for video_id, at in places:
            self.marks.add(Mark(video_id, at, at, "red", Verdict(verdict)))

    def fit(self, text: str | None = None, name: str = "crimson") -> Concept:
        fitter = ConceptFitter(self.store, self.searcher.embedder, ENCODER)
        concept = fitter.fit(ConceptSource(name, "red", text), self.marks.marks("red"))
        self.concepts.write(concept)
        return concept


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.mark("yes", ("a", 0.5), ("b", 0.5), ("c", 1.0))
    made.mark("no", ("a", 3.0), ("c", 3.0), ("d", 0.5))
    return made


@pytest.mark.parametrize("text", ["red", None])
def test_a_concept_finds_what_its_marks_show(world: World, text: str | None) -> None:
    concept = world.fit(text)
    for name, shots in VIDEOS.items():
        vectors = world.store.read(name).vectors
        scores = concept.calibration(vectors @ concept.vector)
        shows = np.repeat(["red" in shot for shot in shots], 4)
        assert (scores[shows] > 0).all(), name
        assert (scores[~shows] < 0).all(), name
    assert (concept.yes, concept.no, concept.encoder_fingerprint) == (3, 3, ENCODER)


def test_a_concept_can_be_asked_for(world: World) -> None:
    world.fit("red")
    moments = world.searcher.ask(as_query("concept:crimson")).moments
    assert {(one.video_id, one.start_seconds) for one in moments} == {("a", 0), ("b", 0), ("c", 0)}
    none = world.searcher.ask(as_query({"shows": "concept:crimson", "none": True}))
    assert {one.video_id for one in none.absences if one.is_whole} == {"d"}


@pytest.mark.parametrize(
    ("kept_yes", "kept_no", "said"),
    [(0, 0, "3 more yes and 3 more no"), (3, 1, "needs 2 more no:"), (2, 3, "needs 1 more yes:")],
)
def test_too_few_marks_are_refused_with_what_is_lacking(world: World, kept_yes: int, kept_no: int, said: str) -> None:
    marks = world.marks.marks()
    yes = [mark for mark in marks if mark.verdict is Verdict.YES]
    no = [mark for mark in marks if mark.verdict is Verdict.NO]
    for mark in (*yes[kept_yes:], *no[kept_no:]):
        world.marks.remove(mark)
    with pytest.raises(QueryError, match=said):
        world.fit("red")


def test_marks_of_one_scene_alone_are_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.mark("yes", ("a", 0.0), ("a", 0.5), ("a", 1.0))
    world.mark("no", ("a", 3.0), ("c", 3.0), ("d", 0.5))
    with pytest.raises(QueryError, match="1 more yes from another scene"):
        world.fit("red")


def test_a_mark_of_a_video_that_is_gone_is_an_error_that_names_it(world: World) -> None:
    world.mark("yes", ("gone", 1.0))
    with pytest.raises(QueryError, match="video gone, which is not in this library"):
        world.fit("red")


def test_changed_marks_refit_the_concept_at_its_next_use(world: World) -> None:
    world.fit("red")
    assert world.searcher.ask(as_query("concept:crimson")).notes == ()
    world.mark("no", ("d", 3.5))
    answer = world.searcher.ask(as_query("concept:crimson"))
    assert "fitted again, to 3 yes and 4 no" in answer.notes[0]
    assert world.concepts.read("crimson").no == 4
    assert world.searcher.ask(as_query("concept:crimson")).notes == ()


def test_a_turned_verdict_is_a_change(world: World) -> None:
    world.fit("red")
    world.mark("no", ("c", 1.0))
    with pytest.raises(QueryError, match="1 more yes"):
        world.searcher.ask(as_query("concept:crimson"))


def test_a_concept_of_another_encoder_is_refused(world: World) -> None:
    concept = world.fit("red")
    world.concepts.write(replace(concept, encoder_fingerprint="other"))
    with pytest.raises(QueryError, match=r"another encoder .*--refit"):
        world.searcher.ask(as_query("concept:crimson"))


def test_marks_point_to_the_frame_on_screen_whatever_the_sampling(world: World) -> None:
    frames = world.store.read("a")
    assert marked_rows(frames, 1.3, 1.3).tolist() == [3]
    assert marked_rows(frames, 1.9, 1.95).tolist() == [3]
    assert marked_rows(frames, 0.0, 2.0).tolist() == [0, 1, 2, 3]
    rare = replace(
        frames,
        pts=frames.pts[::3],
        times_seconds=frames.times_seconds[::3],
        vectors=frames.vectors[::3],
    )
    assert marked_rows(rare, 1.9, 1.95).tolist() == [1]


def test_no_frame_stands_for_a_hole(world: World) -> None:
    frames = world.store.read("a")
    rows = [0, 1, 6, 7]
    holed = replace(
        frames,
        pts=frames.pts[rows],
        times_seconds=frames.times_seconds[rows],
        vectors=frames.vectors[rows],
        step_seconds=0.5,
        cuts_seconds=None,
    )
    assert marked_rows(holed, 1.7, 1.7).tolist() == []
