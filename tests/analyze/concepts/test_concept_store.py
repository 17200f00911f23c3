"""Concepts are kept one a file; hostile files are refused, and names that are nearly right get a hint."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.analyze.concepts import Concept, ConceptStore
from pipeline.errors import QueryError, StoreError

CONCEPT = Concept(
    name="hi-vis",
    subject="hi-vis vest",
    text="a hi-vis vest",
    vector=np.asarray([0.6, 0.8], np.float32),
    level=0.1,
    scale=40.0,
    log_odds=6.9,
    base=0.05,
    encoder_fingerprint="abc",
    yes=5,
    no=4,
    precision=None,
    recall=0.8,
    marks_digest="0" * 16,
    fitted_at="2026-11-21T17:00:00Z",
)


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_a_concept_comes_back_as_it_was(where: str, tmp_path: Path) -> None:
    store = ConceptStore(str(tmp_path) if where == "disk" else f"memory://{uuid.uuid4().hex}")
    assert store.names() == []
    store.write(CONCEPT)
    found = store.read("hi-vis")
    assert found.as_json() == CONCEPT.as_json()
    np.testing.assert_array_equal(found.vector, CONCEPT.vector)
    assert (store.names(), store.remove("hi-vis"), store.remove("hi-vis")) == (["hi-vis"], True, False)


@pytest.mark.parametrize("wanted", ["hivis", "Hi-Vis", "hi-viz"])
def test_a_misspelt_name_gets_the_nearest(tmp_path: Path, wanted: str) -> None:
    store = ConceptStore(str(tmp_path))
    store.write(CONCEPT)
    with pytest.raises(QueryError, match="did you mean 'hi-vis'"):
        store.read(wanted)


def test_an_unknown_name_gets_the_list(tmp_path: Path) -> None:
    store = ConceptStore(str(tmp_path))
    with pytest.raises(QueryError, match="it has none yet"):
        store.read("x")
    store.write(CONCEPT)
    with pytest.raises(QueryError, match="there are: hi-vis"):
        store.read("../../etc/passwd")


@pytest.mark.parametrize("name", ["hi_vis", "HiVis", "HI.VIS"])
def test_a_new_name_that_reads_like_another_is_refused(tmp_path: Path, name: str) -> None:
    store = ConceptStore(str(tmp_path))
    store.write(CONCEPT)
    with pytest.raises(QueryError, match="easily confused with"):
        store.check_new_name(name)
    store.check_new_name("hi-vis")
    store.check_new_name("hi-vis-2")


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "x" * 65, "concept:x"])
def test_what_cannot_name_a_file_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(QueryError, match="cannot be the name of a concept"):
        ConceptStore(str(tmp_path)).check_new_name(name)


@pytest.mark.parametrize(
    "changed",
    [
        {"vector": [1e400]},
        {"vector": [3.0, 4.0]},
        {"vector": []},
        {"vector": "0.6"},
        {"vector": [True, 0.0]},
        {"scale": "40"},
        {"yes": -1},
        {"yes": 2.5},
        {"text": 5},
        {"name": "other"},
        {"more": 1},
        {"subject": None},
    ],
)
def test_a_hostile_file_is_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    store = ConceptStore(str(tmp_path))
    store.write(CONCEPT)
    fields = {**CONCEPT.as_json(), **changed}
    (tmp_path / "concepts" / "hi-vis.json").write_text(json.dumps(fields))
    with pytest.raises(StoreError, match="delete it"):
        store.read("hi-vis")


def test_other_files_are_not_concepts(tmp_path: Path) -> None:
    store = ConceptStore(str(tmp_path))
    store.write(replace(CONCEPT, name="b"))
    (tmp_path / "concepts" / ".partial").mkdir(exist_ok=True)
    (tmp_path / "concepts" / "a b.json").write_text("{}")
    assert store.names() == ["b"]
