"""A concept stands in a question wherever a text can."""

from __future__ import annotations

import numpy as np
import pytest
from contracts.word_world import DictStore, WordEncoder, video

from pipeline.errors import QueryError
from pipeline.index import MemoryIndex
from pipeline.search import Searcher, Searching, Term, as_query, read_query
from pipeline.search.calibration import Calibration
from pipeline.search.query_embedding import ResolvedConcept, TermEmbedder
from pipeline.segment import MeanPooling, Shots
from pipeline.segment.row_recipe import RowRecipe


class RedConcept:
    """Knows one concept, the direction of red."""

    def __call__(self, name: str, embedder: TermEmbedder) -> ResolvedConcept:
        if name != "crimson":
            raise QueryError(f"no concept {name!r}; did you mean 'crimson'?")
        (term,) = embedder.embed([Term(text="red")])
        return ResolvedConcept(term.vector, term.calibration, note="it was fitted again")


@pytest.fixture
def searcher() -> Searcher:
    store, index = DictStore(), MemoryIndex()
    recipe = RowRecipe(segmenter=Shots(), aggregator=MeanPooling(), fingerprint="s")
    for name, shots in {"a": ("red", "green"), "b": ("blue", "green"), "c": ("red blue", "blue")}.items():
        record, frames = video(name, *shots)
        store.write(record, frames)
        index.upsert(recipe.rows(frames, {}))
    return Searcher(WordEncoder(), index, store, Searching(same_picture=None), concepts=RedConcept())


def found(searcher: Searcher, question: object) -> list[tuple[str, float, float]]:
    answer = searcher.ask(as_query(question))  # type: ignore[arg-type]
    return [(one.video_id, one.start_seconds, round(one.score, 6)) for one in answer.moments]


def test_a_concept_is_found_as_its_text_would_be(searcher: Searcher) -> None:
    expected = found(searcher, "red")
    assert expected
    assert found(searcher, "concept:crimson") == found(searcher, {"shows": {"concept": "crimson"}}) == expected


def test_a_concept_is_mixed_with_texts(searcher: Searcher) -> None:
    for said in (
        '{"shows": ["concept:crimson", "blue"]}',
        '{"shows": "blue", "without": "concept:crimson"}',
        '{"shows": "concept:crimson", "then": [{"shows": "green"}]}',
    ):
        expected = found(searcher, read_query(said.replace("concept:crimson", "red")))
        assert expected
        assert found(searcher, read_query(said)) == expected


def test_what_the_concept_says_of_itself_is_in_the_answer(searcher: Searcher) -> None:
    assert searcher.ask(as_query("concept:crimson")).notes == ("it was fitted again",)
    assert searcher.ask(as_query({"shows": "concept:crimson", "none": True})).notes == ("it was fitted again",)
    assert searcher.ask(as_query("red")).notes == ()


def test_an_unknown_concept_is_an_error_with_the_nearest(searcher: Searcher) -> None:
    with pytest.raises(QueryError, match="did you mean 'crimson'"):
        searcher.ask(as_query("concept:crimsom"))


def test_a_searcher_without_concepts_says_so(searcher: Searcher) -> None:
    plain = Searcher(WordEncoder(), MemoryIndex(), DictStore(), Searching())
    with pytest.raises(QueryError, match="knows no concepts"):
        plain.ask(as_query("concept:crimson"))


def test_a_concept_of_other_length_is_refused() -> None:
    def resolve(name: str, embedder: TermEmbedder) -> ResolvedConcept:
        return ResolvedConcept(np.ones(1, np.float32), Calibration(0.0, 1.0, 1.0))

    plain = Searcher(WordEncoder(), MemoryIndex(), DictStore(), Searching(), concepts=resolve)
    with pytest.raises(QueryError, match="--refit"):
        plain.ask(as_query("concept:crimson"))


def test_texts_become_concepts_only_where_they_name_one() -> None:
    assert Term(text="concept:hi-vis").concept == "hi-vis"
    assert str(Term(concept="hi-vis")) == "concept:hi-vis"
    assert Term(text="concept: a new car").text == "concept: a new car"
    with pytest.raises(QueryError, match="one of text, image, clip, like and concept"):
        as_query({"shows": {"concept": "a", "text": "b"}})
    with pytest.raises(QueryError, match="no start, end or at"):
        as_query({"shows": {"concept": "a", "start": 3}})


def test_a_question_with_a_concept_survives_json() -> None:
    query = as_query({"shows": ["concept:hi-vis", "a person"]})
    assert as_query(query, {"top": 3}).shows == query.shows
    assert read_query(query.model_dump_json()) == query
