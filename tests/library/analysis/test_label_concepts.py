"""Labels that stand on concepts and videos of the library, which change after the videos were labelled."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contracts.word_world import shown, video
from shots_library import ShotsExecutor, filled, opened

from pipeline.analyze.concepts.concept import Concept
from pipeline.analyze.concepts.concept_store import ConceptStore
from pipeline.analyze.concepts.fitting import ConceptSource, marks_digest
from pipeline.analyze.labels.label_set import as_label_set
from pipeline.analyze.labels.label_store import LabelStore
from pipeline.analyze.labels.snapshot import read_snapshot
from pipeline.analyze.marks.mark import Mark, Verdict
from pipeline.analyze.marks.mark_store import MarkStore
from pipeline.analyze.policies.policy import as_policy
from pipeline.errors import QueryError
from pipeline.library import Library
from pipeline.library.analysis.label_views import open_view
from pipeline.library.analysis.labelling import label_videos
from pipeline.library.analysis.policies.scoring import policy_scorer
from pipeline.search.query import Query

CONCEPT = Concept(
    name="vest",
    subject="vest",
    text=None,
    vector=shown("red"),
    level=0.5,
    scale=40.0,
    log_odds=0.0,
    base=0.1,
    encoder_fingerprint="words1",
    yes=3,
    no=3,
    precision=1.0,
    recall=1.0,
    marks_digest=marks_digest(ConceptSource("vest", "vest", None), []),
    fitted_at="2026-11-30T00:00:00Z",
)
LABELS = as_label_set({"labels": {"vest": "concept:vest", "green": "green"}})
CHANGES = {
    "another vector": {"vector": shown("blue")},
    "another threshold": {"level": 0.6},
    "another scale": {"scale": 20.0},
}


@pytest.fixture(autouse=True)
def warnings_are_logged(caplog):
    """Whatever an earlier command of this process chose."""
    caplog.set_level(logging.WARNING, logger="pipeline")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with filled(tmp_path) as made:
        ConceptStore(made.config.library).write(CONCEPT)
        assert label(made) == {"done"}
        yield made


def label(library: Library, labels=LABELS, **options: object) -> set[str]:
    return {str(report.status) for report in label_videos(library, labels, name="site.yaml", **options)}


def kept(library: Library, labels=LABELS) -> LabelStore:
    return LabelStore(library.config.library, labels.fingerprint, "words1")


def vest_of_park(library: Library) -> list[tuple[float, float]]:
    tracks = {track.label: track for track in kept(library).tracks("park")}
    return [(one.start_seconds, one.end_seconds) for one in tracks["vest"].intervals]


@pytest.mark.parametrize("change", CHANGES)
def test_a_concept_that_was_fitted_again_labels_all_videos_again(library, change):
    green = kept(library).read("park").scores_of("green")
    assert vest_of_park(library) == [(0.0, 2.0)]
    ConceptStore(library.config.library).write(replace(CONCEPT, **CHANGES[change]))
    assert label(library) == {"done"}
    assert vest_of_park(library) == [(4.0, 6.0) if change == "another vector" else (0.0, 2.0)]
    # Labels that do not stand on it have the scores of before, to the bit.
    assert np.array_equal(kept(library).read("park").scores_of("green"), green)
    assert label(library) == {"skipped"}


def test_a_concept_that_is_as_it_was_changes_nothing_and_loads_no_model(library, monkeypatch):
    ConceptStore(library.config.library).write(replace(CONCEPT, fitted_at="2026-12-01T00:00:00Z", recall=0.9))
    monkeypatch.setattr(Library, "model", None)
    assert label(library) == {"skipped"}


@pytest.mark.parametrize(
    ("as_it_is", "problem"),
    [
        (None, "no concept 'vest' in this library; it has none yet"),
        (replace(CONCEPT, name="vests"), "did you mean 'vests'?"),
        (replace(CONCEPT, encoder_fingerprint="other"), "another encoder"),
    ],
)
def test_a_concept_that_is_gone_renamed_or_foreign_is_an_error_and_the_labels_stay(library, as_it_is, problem):
    ConceptStore(library.config.library).remove("vest")
    if as_it_is is not None:
        ConceptStore(library.config.library).write(as_it_is)
    with pytest.raises(QueryError, match=problem.replace("?", r"\?")):
        label(library)
    assert vest_of_park(library) == [(0.0, 2.0)]
    without = as_label_set({"labels": {"vest": {"prompts": "concept:vest", "mode": "off"}, "green": "green"}})
    assert label(library, without) == {"done"}


def test_marks_that_changed_fit_the_concept_again_or_say_what_is_lacking(library):
    MarkStore(library.config.library).add(Mark("park", 4.5, 5.5, "vest", Verdict.YES))
    with pytest.raises(QueryError, match="the concept 'vest' needs 2 more yes"):
        label(library)
    library.store.write(*video("yard", "", "blue green"))
    for video_id, start, verdict in (
        ("gate", 0.5, "yes"), ("yard", 2.5, "yes"), ("park", 0.5, "no"), ("park", 2.5, "no"), ("gate", 3.0, "no"),
    ):  # fmt: skip
        MarkStore(library.config.library).add(Mark(video_id, start, start + 0.9, "vest", Verdict(verdict)))
    assert label(library) == {"done"}
    fitted = ConceptStore(library.config.library).read("vest")
    assert (fitted.yes, fitted.no) == (3, 3)
    assert any(np.array_equal(one.vector, fitted.vector) for one in read_snapshot(kept(library)).scorer.vectors)
    assert label(library) == {"skipped"}


def shows(library: Library, caplog: pytest.LogCaptureFixture) -> dict[str, list[str]]:
    """The warnings of each way to look at labels."""
    said = {}
    for name, look in {
        "labels": lambda: open_view(library, library.survey()[0]),
        "search": lambda: library.ask(Query(shows="red", labels=("vest",), min_score=0.0)),
        "videos": lambda: library.select(without_labels=["vest"]),
        "some": lambda: label(library, records=library.survey()[0][:1]),
    }.items():
        caplog.clear()
        library.labels._warnings.clear()
        look()
        look()
        said[name] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    return said


@pytest.mark.parametrize("is_gone", [True, False])
def test_whoever_looks_at_labels_is_told_once_that_their_concept_changed(library, caplog, is_gone):
    assert not any(shows(library, caplog).values())
    if is_gone:
        ConceptStore(library.config.library).remove("vest")
    else:
        ConceptStore(library.config.library).write(replace(CONCEPT, level=0.7))
    what = "which the library no longer has" if is_gone else "which has been refitted since"
    for said in shows(library, caplog).values():
        (warning,) = said
        assert warning.startswith(f"the label 'vest' is based on the concept 'vest', {what}")
        assert "momentseek label site.yaml" in warning
    assert vest_of_park(library) == [(0.0, 2.0)]


def test_videos_that_are_indexed_meanwhile_are_labelled_like_the_others(tmp_path, caplog):
    file = tmp_path / "site.yaml"
    file.write_text("labels: {vest: 'concept:vest', green: green}\n")
    library = tmp_path / "library"
    ConceptStore(str(library)).write(CONCEPT)
    with opened(library, f"analyze.labels={file}") as first:
        list(first.index(["park.mp4"], executor=ShotsExecutor(first)))
        ConceptStore(str(library)).write(replace(CONCEPT, vector=shown("blue")))
        list(first.index(["gate.mp4"], executor=ShotsExecutor(first)))
        assert "has been refitted since; the labels are those of the earlier concept" in caplog.text
        states = {kept(first).state(video_id).scorer_fingerprint for video_id in ("park", "gate")}
        assert len(states) == 1
        assert {str(report.status) for report in label_videos(first, LABELS)} == {"done"}


LIKE = as_label_set({"labels": {"first": {"examples": {"like": "park.mp4", "at": 0.5}}, "green": "green"}})


def test_an_example_video_that_was_replaced_labels_again_and_one_that_was_removed_does_not(library, monkeypatch):
    assert label(library, LIKE) == {"done"}
    assert label(library, LIKE) == {"skipped"}
    record, frames = video("park", "blue", "green", "red")
    library.store.write(record, frames)
    library._forget()
    assert label(library, LIKE) == {"done"}
    first = kept(library, LIKE).read("gate").scores_of("first")
    assert first[:4].min() > first[4:].max()
    library.remove("park")
    assert label(library, LIKE) == {"skipped"}


def test_a_policys_identity_counts_the_concepts_that_its_labels_stand_on(library, tmp_path):
    file = tmp_path / "policy-labels.yaml"
    file.write_text("labels: {vest: 'concept:vest', green: green}\n")
    rules = {"seen": {"when": {"label": "vest"}, "severity": "low"}}
    policy = as_policy({"labels": str(file), "rules": rules})
    unrelated = as_policy({"labels": str(file), "rules": {"seen": {"when": {"label": "green"}, "severity": "low"}}})
    before, other = (policy_scorer(library, each) for each in (policy, unrelated))
    assert (list(before.concepts), list(other.concepts)) == (["label:vest concept:vest"], [])
    ConceptStore(library.config.library).write(replace(CONCEPT, level=0.6))
    after = policy_scorer(library, policy)
    assert after.identity != before.identity
    assert policy_scorer(library, unrelated).identity == other.identity
