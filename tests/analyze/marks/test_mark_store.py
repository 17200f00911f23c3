"""Marks are kept one a file, on any file system, and survive whatever others write there."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from pipeline.analyze.marks import Mark, MarkStore, Verdict
from pipeline.analyze.marks.mark import mark_from
from pipeline.errors import StoreError
from pipeline.store import erase, traces

AT = "2026-11-21T17:00:00Z"


def mark(video_id: str = "v1", start: float = 12.0, end: float | None = None, **fields: object) -> Mark:
    given = {"subject": "hi-vis vest", "verdict": Verdict.YES, "marked_at": AT, **fields}
    return Mark(video_id, start, start if end is None else end, **given)  # type: ignore[arg-type]


@pytest.fixture(params=["disk", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "library") if request.param == "disk" else f"memory://{uuid.uuid4().hex}"


def test_marks_come_back_ordered_by_video_and_time(root: str) -> None:
    store = MarkStore(root)
    marks = [mark("v2", 3), mark("v1", 7, 9, verdict=Verdict.NO, by="ann", note="jacket"), mark("v1", 2, 5)]
    for one in marks:
        store.add(one)
    assert store.marks() == [marks[2], marks[1], marks[0]]
    assert store.video_ids() == ("v1", "v2")


def test_a_second_verdict_on_the_same_part_replaces_the_first(root: str) -> None:
    store = MarkStore(root)
    store.add(mark(verdict=Verdict.YES))
    store.add(mark(verdict=Verdict.NO, subject="Hi-Vis  vest"))
    assert [one.verdict for one in store.marks("HI-VIS VEST")] == [Verdict.NO]


def test_a_subject_and_a_video_select_marks(root: str) -> None:
    store = MarkStore(root)
    for one in (mark("v1"), mark("v2"), mark("v1", subject="forklift")):
        store.add(one)
    assert [one.video_id for one in store.marks("hi-vis vest")] == ["v1", "v2"]
    assert [one.subject for one in store.marks(video_id="v1")] == ["forklift", "hi-vis vest"]
    assert store.marks("ladder") == store.marks(video_id="../v1") == []


def test_a_removed_mark_is_gone(root: str) -> None:
    store = MarkStore(root)
    store.add(mark())
    assert (store.remove(mark()), store.remove(mark()), store.marks()) == (True, False, [])


def test_removing_a_video_erases_its_marks(root: str) -> None:
    store = MarkStore(root)
    for one in (mark("v1"), mark("v1", 40), mark("v2")):
        store.add(one)
    assert len(traces(root, "v1")) == 2
    assert len(erase(root, "v1")) == 2
    assert traces(root, "v1") == ()
    assert [one.video_id for one in store.marks()] == ["v2"]


def test_removing_a_video_erases_marks_that_a_killed_writer_left(tmp_path: Path) -> None:
    MarkStore(str(tmp_path)).add(mark())
    partial = tmp_path / "marks" / "v1" / ".partial"
    partial.mkdir(exist_ok=True)
    (partial / f"{mark().file_name}.{uuid.uuid4().hex}").write_text("{")
    erase(str(tmp_path), "v1")
    assert not (tmp_path / "marks" / "v1").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({**mark().as_json(), "end_seconds": 1e308}).encode(),
        json.dumps({**mark().as_json(), "start_seconds": True}).encode(),
        json.dumps({**mark().as_json(), "video_id": "v2"}).encode(),
        json.dumps({**mark().as_json(), "verdict": "maybe"}).encode(),
        json.dumps({**mark().as_json(), "subject": 5}).encode(),
        json.dumps({**mark().as_json(), "more": 1}).encode(),
        b'{"video_id": "v1", "note": "' + b"x" * 100_000 + b'"}',
    ],
)
def test_a_hostile_file_is_named_and_the_others_are_read(tmp_path: Path, content: bytes) -> None:
    store = MarkStore(str(tmp_path))
    store.add(mark("v1"))
    store.add(mark("v2"))
    path = tmp_path / "marks" / "v1" / mark().file_name
    path.write_bytes(content)
    found, broken = store.survey()
    assert [one.video_id for one in found] == ["v2"]
    assert path.name in str(broken[0])
    assert "delete it" in str(broken[0]) or "has more than" in str(broken[0])
    with pytest.raises(StoreError, match="v1"):
        store.marks()


def test_files_of_others_are_not_marks(tmp_path: Path) -> None:
    store = MarkStore(str(tmp_path))
    store.add(mark())
    (tmp_path / "marks" / "v1" / "notes.json").write_text("{}")
    (tmp_path / "marks" / ".DS_Store").write_text("")
    assert store.marks() == [mark()]


def test_a_link_in_place_of_the_marks_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    library = tmp_path / "library"
    library.mkdir()
    (library / "marks").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        MarkStore(str(library)).add(mark())
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"subject": " "}, "subject is empty"),
        ({"subject": "x" * 501}, "500 characters"),
        ({"note": "\ud800"}, "not UTF-8"),
        ({"video_id": "../v1"}, "not the id"),
        ({"start": 9.0, "end": 3.0}, "not a part"),
        ({"start": float("nan"), "end": 3.0}, "not a part"),
        ({"marked_at": "yesterday"}, "not a time"),
    ],
)
def test_what_is_no_mark_is_refused(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        mark(**fields)  # type: ignore[arg-type]


def test_a_mark_reads_back_from_its_json() -> None:
    one = mark(start=1.25, end=3.5, by="ann", note="café")
    assert mark_from(json.loads(json.dumps(one.as_json()))) == one
