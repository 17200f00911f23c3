from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipeline.errors import StoreError
from pipeline.store import FailureLog
from pipeline.types import FailedSource, Source, Status, VideoReport


def failed(uri: str, *, at: str = "2026-01-01T00:00:00Z", problem: str = "it broke", **metadata: str) -> FailedSource:
    return FailedSource(source=Source(uri, metadata), problem=problem, video_id=None, failed_at=at)


def test_note_keeps_the_latest_failure_of_a_source(tmp_path: Path) -> None:
    log = FailureLog(str(tmp_path))
    log.note(failed("/a.mp4", camera="yard"))
    log.note(failed("/a.mp4", at="2026-01-02T00:00:00Z", problem="again"))
    log.note(failed("/b\udcff.mp4"))
    assert list(FailureLog(str(tmp_path))) == [
        failed("/b\udcff.mp4"),
        failed("/a.mp4", at="2026-01-02T00:00:00Z", problem="again"),
    ]


def test_metadata_comes_back_as_it_was(tmp_path: Path) -> None:
    log = FailureLog(str(tmp_path))
    log.note(failed("/a.mp4", camera="yard"))
    [kept] = log
    assert kept.source.metadata == {"camera": "yard"}


@pytest.mark.parametrize("is_open", [False, True])
def test_clear_forgets_what_was_there_when_it_was_opened(tmp_path: Path, is_open: bool) -> None:
    FailureLog(str(tmp_path)).note(failed("/a.mp4"))
    log = FailureLog(str(tmp_path))
    if is_open:
        log.open()
    log.clear("/a.mp4")
    assert len(list(log)) == (0 if is_open else 1)


def test_a_library_without_failures_has_none(tmp_path: Path) -> None:
    assert list(FailureLog(str(tmp_path / "none"))) == []


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    log = FailureLog(str(tmp_path))
    log.note(failed("/a.mp4"))
    [file] = (tmp_path / "failures").glob("*.json")
    file.write_text("{")
    with pytest.raises(StoreError, match=rf"{file.name}: is broken .*delete it"):
        list(log)


def test_remember_keeps_a_failure_by_the_name_that_the_library_has_until_the_source_is_well(tmp_path: Path) -> None:
    log, source = FailureLog(str(tmp_path)), Source("https://user:secret@host/a.mp4?key=secret")
    log.remember(VideoReport(source=source, status=Status.FAILED, problem="it broke"))
    assert [kept.source.uri for kept in log] == ["https://host/a.mp4"]
    log.remember(VideoReport(source=source, status=Status.DONE, video_id="v1"))
    assert list(log) == []


def test_remember_says_in_the_log_that_it_cannot_and_lets_the_batch_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "failures").write_text("a file where the folder should be")
    failed = VideoReport(source=Source("/a.mp4"), status=Status.FAILED, problem="it broke")
    with caplog.at_level(logging.WARNING, logger="pipeline"):
        FailureLog(str(tmp_path)).remember(failed)
    [record] = caplog.records
    assert (record.levelname, "failures" in record.message) == ("WARNING", True)
