from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from pipeline.analyze.concepts.concept import Concept
from pipeline.analyze.concepts.concept_store import ConceptStore
from pipeline.analyze.labels.label_set import read_label_set
from pipeline.analyze.marks.mark import Mark, Verdict
from pipeline.analyze.marks.mark_store import MarkStore
from pipeline.errors import ConfigError
from pipeline.submission.bundle import JobBatch
from pipeline.submission.label_files import JobLabels, job_labels, store_labels
from pipeline.submission.model_files import MAX_BYTES

CONCEPT = Concept(
    "hi-vis", "hi vis", None, np.eye(1, 4, dtype=np.float32)[0], 0.2, 40.0, 0.0, 0.1, "e1", 3, 3, 0.9, 0.8, "d1", "now"
)
MARK = Mark("v1", 2.0, 3.0, "hi vis", Verdict.YES)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A label file with a picture beside it, one elsewhere, one on another host, and a part of a library's video."""
    for name in ("site/gate.png", "elsewhere/gate.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("RGB", (4, 4), "red" if "site" in name else "blue").save(tmp_path / name)
    examples = [
        {"image": "gate.png"},
        {"image": str(tmp_path / "elsewhere" / "gate.png")},
        {"clip": "http://host/a.mp4", "start": 1.0, "end": 2.0},
        {"like": "a.mp4", "at": 4.0},
    ]
    content = {
        "title": "Gates",
        "defaults": {"enter": 0.6, "templates": ["a photo of {}"]},
        "labels": {"gate": {"examples": examples}, "open": ["an open gate"], "shut": {"prompts": "x", "mode": "off"}},
        "groups": {"state": "gate | open"},
    }
    (tmp_path / "site" / "base.yaml").write_text(yaml.safe_dump(content))
    file = tmp_path / "site" / "gates.yaml"
    file.write_text(yaml.safe_dump({"extends": "base.yaml", "defaults": {"min_seconds": 2.0}}))
    return file


def sent_to(folder: Path, labels: JobLabels, library: str) -> Path:
    """The working directory of a job to which these were sent."""
    folder.mkdir()
    JobBatch(
        config_yaml="", identity={}, library=library, sources=(), version="0", labels=labels.sent, needed=labels.needed
    ).write(folder)
    return folder


def test_the_librarys_label_file_says_the_same_without_the_files_that_it_was_made_from(labels, tmp_path):
    library = tmp_path / "library"
    wanted = read_label_set(str(labels))
    sent = job_labels(str(labels), str(library))
    batch = sent_to(tmp_path / "batch", sent, str(library))
    for path in [*labels.parent.iterdir(), *(tmp_path / "elsewhere").iterdir()]:
        path.unlink()
    for _ in range(2):
        store_labels(batch, str(library))
    assert sent.name is not None
    assert Path(sent.name).is_relative_to(library)
    found = read_label_set(sent.name)
    assert found.fingerprint == wanted.fingerprint
    assert found.groups == wanted.groups
    assert [label.name for label in found.labels] == ["gate", "open", "shut"]
    assert (sent.needed, Path(sent.name).name) == ((), "gates.yaml")


def test_a_label_file_is_named_by_what_it_says_and_by_its_examples(labels, tmp_path):
    before = job_labels(str(labels), "/data/library").name
    assert job_labels(str(labels), "/data/library").name == before
    Image.new("RGB", (4, 4), "green").save(labels.parent / "gate.png")
    assert job_labels(str(labels), "/data/library").name != before


def test_a_bundled_label_file_is_sent_as_the_clusters_workers_have_only_code(tmp_path):
    sent = job_labels("vehicles", str(tmp_path / "library"))
    store_labels(sent_to(tmp_path / "batch", sent, ""), str(tmp_path / "library"))
    assert read_label_set(str(sent.name)).fingerprint == read_label_set("vehicles").fingerprint


def test_without_labels_nothing_is_sent():
    assert job_labels(None, "/data/library") == JobLabels()


@pytest.mark.parametrize("library", ["s3://bucket/library", "/data/library"])
def test_what_is_not_sent_is_named(labels, tmp_path, library):
    if "://" not in library:
        with (labels.parent / "gate.png").open("ab") as file:
            file.truncate(MAX_BYTES + 1)
    sent = job_labels(str(labels), library)
    assert (sent.name, sent.sent) == (str(labels), {})
    assert sent.needed == (str(labels), str(labels.parent / "gate.png"), str(tmp_path / "elsewhere" / "gate.png"))


@pytest.mark.parametrize("gone", ["site/gates.yaml", "site/gate.png"])
def test_a_missing_file_is_an_error(labels, tmp_path, gone):
    (tmp_path / gone).unlink()
    with pytest.raises(ConfigError, match=Path(gone).name):
        job_labels(str(labels), "/data/library")


@pytest.fixture
def concept_labels(tmp_path: Path) -> str:
    file = tmp_path / "vests.yaml"
    file.write_text("labels:\n  vest: 'concept:hi-vis'\n")
    return str(file)


def test_a_concept_travels_with_its_marks_and_does_not_replace_the_librarys(concept_labels, tmp_path):
    here, there = tmp_path / "library", str(tmp_path / "there")
    ConceptStore(str(here)).write(CONCEPT)
    MarkStore(str(here)).add(MARK)
    MarkStore(str(here)).add(replace(MARK, subject="another"))
    batch = sent_to(tmp_path / "batch", job_labels(concept_labels, str(here)), str(here))
    store_labels(batch, there)
    kept = ConceptStore(there).read("hi-vis")
    assert kept.as_json() == CONCEPT.as_json()
    assert MarkStore(there).marks() == [MARK]
    ConceptStore(there).write(replace(CONCEPT, level=0.5))
    MarkStore(there).remove(MARK)
    store_labels(batch, there)
    assert (ConceptStore(there).read("hi-vis").level, MarkStore(there).marks()) == (0.5, [])


def test_a_concept_that_this_machine_lacks_is_needed_or_an_error_where_the_library_is_here(concept_labels, tmp_path):
    library = tmp_path / "library"
    assert job_labels(concept_labels, str(library)).needed == ("the concept 'hi-vis' in the library",)
    library.mkdir()
    (library / "library.yaml").write_text("{}")
    with pytest.raises(ConfigError, match=r"vests\.yaml: no concept 'hi-vis' in this library"):
        job_labels(concept_labels, str(library))
