"""A library's review queue, on two made-up videos."""

from __future__ import annotations

from pathlib import Path

import pytest
from shots_library import filled

from pipeline.analyze.marks import Verdict
from pipeline.analyze.review import QueueSettings
from pipeline.errors import QueryError
from pipeline.library.analysis.marks import VideoPart, add_marks
from pipeline.library.analysis.review import open_review

ALL = QueueSettings(count=50, gap_seconds=0, same_picture=2.0)


def test_frames_that_are_marked_do_not_wait(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        before = open_review(library, "red", ALL)
        add_marks(library, "red", [VideoPart("park.mp4", 0.0, 2.0)], Verdict.YES)
        after = open_review(library, "red", ALL)
    waiting = [(item.video_id, item.start_seconds) for item in before.items]
    assert len(waiting) == 24
    expected = [place for place in waiting if place[0] != "park" or place[1] > 2.0]
    assert sorted((item.video_id, item.start_seconds) for item in after.items) == sorted(expected)


def test_videos_and_texts_can_be_chosen(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        found = open_review(library, "crimson", ALL, text="red", videos=["gate.mp4"])
        assert {item.video_id for item in found.items} == {"gate"}
        assert (found.subject, found.scored_by) == ("crimson", "red")
        with pytest.raises(QueryError, match="nearest"):
            open_review(library, "red", ALL, videos=["gaet.mp4"])


def test_a_broken_video_is_said_and_the_others_wait(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        library.searcher()
        broken = next((tmp_path / "frames").rglob("park.parquet"))
        broken.write_bytes(b"PAR1" + bytes(100))
        found = open_review(library, "red", ALL)
    assert {item.video_id for item in found.items} == {"gate"}
    assert "park.parquet" in found.notes[0]


@pytest.mark.parametrize(("subject", "text"), [("", None), ("  ", None), ("red", ""), ("red", " \n")])
def test_an_empty_subject_or_text_is_a_clear_error(tmp_path: Path, subject: str, text: str | None) -> None:
    with filled(tmp_path) as library, pytest.raises(QueryError, match="is empty"):
        open_review(library, subject, ALL, text=text)
