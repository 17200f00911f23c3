"""A library that an earlier version made opens, searches, verifies and goes on.

`fixtures/library-2026-11` was made by the version of November 2026, of two sample films in /srv/films:

    momentseek index films/harbour-day.mp4 films/concrete-evening.mkv --config demo --set sampling.fps=0.5 \
        --set execution.executor=in_process --library /srv/library-2026-11

and then searched once. Never make it anew: it stands for the libraries that are out there. Where this test fails, they
cannot be used any more; if that is meant, it takes a migration and a new fixture beside this one.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from label_library import keep_labels
from video_factory import make_video, steady

from pipeline.library import Library
from pipeline.library.analysis.label_rows import apply_labels
from pipeline.search import Query
from pipeline.types import Status

FIXTURE = Path(__file__).parent.parent / "fixtures" / "library-2026-11"
HARBOUR, CONCRETE = "144bec235d5b1cc0", "674050282ba9bc1a"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy, as one that was received: git keeps no empty folders."""
    return Path(shutil.copytree(FIXTURE, tmp_path / "library"))


def test_it_is_read_as_it_was_written(folder: Path) -> None:
    with Library.open(str(folder)) as library:
        records = {record.video_id: (record.names, record.frame_count, record.status) for record in library.videos()}
        frames = library.frames("/srv/films/harbour-day.mp4")
        comparison = library.verify_index()
    assert records == {
        HARBOUR: (("/srv/films/harbour-day.mp4",), 13, Status.DONE),
        CONCRETE: (("/srv/films/concrete-evening.mkv",), 14, Status.DONE),
    }
    assert frames.times_seconds[:3].tolist() == [0.0, 2.0, 4.0]
    assert frames.cuts_seconds is not None
    assert frames.cuts_seconds[:2] == (4.16, 8.32)
    assert (comparison.videos, comparison.segments, comparison.differences) == (2, 12, ())
    assert comparison.without_checksum == 0


def test_it_is_searched_and_goes_on(folder: Path, tmp_path: Path) -> None:
    film = make_video(tmp_path / "new.mp4", steady(30)).path
    with Library.open(str(folder), overrides=["execution.executor=in_process"]) as library:
        best = library.search("a person walking", top=1)
        [report, known] = library.index([str(film), str(film)])
        comparison = library.verify_index()
    assert [(moment.video_id, moment.start_seconds, moment.end_seconds) for moment in best] == [(HARBOUR, 8.32, 12.84)]
    assert best[0].score == pytest.approx(0.763, abs=0.02)
    assert (report.status, known.status) == (Status.DONE, Status.SKIPPED)
    assert (comparison.videos, comparison.differences) == (3, ())
    assert comparison.segments == 12 + report.segments


def told(library: Library) -> list[tuple[object, ...]]:
    """The best moments; the exported text tower is in half precision, so scores differ in the fourth decimal."""
    found = library.search("a person walking", top=3)
    return [(one.video_id, one.start_seconds, one.end_seconds, round(one.score, 3)) for one in found]


def test_it_is_labelled_and_searched_by_labels(folder: Path) -> None:
    """Its collection keeps its schema: labels lie in the JSON field that it has."""
    with Library.open(str(folder)) as library:
        before = told(library)
        keep_labels(library, {HARBOUR: {"person": [(11.0, 12.84)]}})
        assert apply_labels(library).segments == 6
        assert library.verify_index().differences == ()
        [one] = library.ask(Query(shows="a person walking", labels="person", top=1)).moments
        assert (one.video_id, one.start_seconds, one.end_seconds) == (HARBOUR, 11.0, 12.84)
        answer = library.ask(Query(shows="a person walking", not_labels="person"))
        assert all(not 11 <= moment.best_seconds < 12.84 for moment in answer.moments)
        assert {skip.video_id for skip in answer.explanation.skipped if skip.is_unlabelled} == {CONCRETE}
        assert told(library) == before
    with Library.open(str(folder)) as library:
        assert library.rebuild_index().segments == 12
        assert library.verify_index().differences == ()
        assert told(library) == before
