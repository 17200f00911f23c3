from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from contracts.word_world import WordModel

from pipeline.errors import ConfigError, ExecutionError, QueryError, StoreError
from pipeline.execution import ProgressEvent
from pipeline.library import Library
from pipeline.run_id import current_run_id
from pipeline.runs.log import RunLog
from pipeline.runs.page_file import RunPages
from pipeline.runs.recorder import begin_run
from pipeline.types import Source, Status, VideoReport

RUN = "20261121T173000Z-1a2b3c"


class FailingExecutor:
    """Fails every source, and the batch itself at one that is called "stop"."""

    def __init__(self) -> None:
        self.run_ids: list[str | None] = []

    def run(self, sources: Iterable[Source]) -> Iterator[VideoReport]:
        for source in sources:
            self.run_ids.append(current_run_id())
            if source.uri == "stop":
                raise ExecutionError("the cluster is gone")
            yield VideoReport(source=source, status=Status.FAILED, problem="no such file")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    monkeypatch.setenv("MOMENTSEEK_RUN_ID", RUN)
    with Library.open(str(tmp_path / "library"), overrides=["index.backend=memory"], encoder=WordModel()) as library:
        yield library


def index(library: Library, *sources: str) -> FailingExecutor:
    executor = FailingExecutor()
    list(library.index(sources, executor=executor))
    return executor


def test_a_run_leaves_a_report_and_a_page(library: Library, tmp_path: Path) -> None:
    executor = index(library, "a.mp4", "b.mp4")
    [report] = library.runs()
    assert (report.run_id, report.outcome, report.sources) == (RUN, "finished", 2)
    assert report.counts == {"done": 0, "partial": 0, "skipped": 0, "failed": 2}
    assert report.first_sources == ("a.mp4", "b.mp4")
    assert report.configuration["index"]["backend"] == "memory"
    assert report.fingerprints["encoder"] == WordModel().fingerprint
    page = Path(RunPages(library.config.library).address(RUN))
    assert page == tmp_path / "library" / "runs" / f"{RUN}.html"
    assert RUN in page.read_text()
    assert (executor.run_ids, current_run_id()) == ([RUN, RUN], None)


def test_the_log_writes_a_report_and_no_page(library: Library, tmp_path: Path) -> None:
    index(library, "a.mp4")
    other = tmp_path / "other"
    RunLog(str(other)).write(library.runs().latest())
    assert [path.name for path in (other / "runs").glob("[!.]*")] == [f"{RUN}.json"]
    assert list(RunLog(str(other))) == list(library.runs())


def test_a_run_that_fails_leaves_what_is_known(library: Library) -> None:
    with pytest.raises(ExecutionError):
        index(library, "a.mp4", "stop")
    report = library.runs().latest()
    assert (report.outcome, report.problem, report.counts["failed"]) == ("failed", "the cluster is gone", 1)


def test_a_run_that_is_given_up_leaves_what_is_known(library: Library) -> None:
    reports = library.index(["a.mp4", "b.mp4"], executor=FailingExecutor())
    next(reports)
    assert library.runs().latest().outcome == "running"
    reports.close()
    report = library.runs().latest()
    assert (report.outcome, report.counts["failed"]) == ("interrupted", 1)


def test_runs_of_one_id_are_told_apart(library: Library) -> None:
    index(library, "a.mp4")
    index(library, "b.mp4")
    assert [report.run_id for report in library.runs()] == [RUN, f"{RUN}-2"]
    assert library.last_run_id == f"{RUN}-2"


def test_nothing_to_do_leaves_no_report(library: Library) -> None:
    index(library)
    assert list(library.runs()) == []


def test_an_id_that_is_none_is_refused_before_anything_is_done(library: Library, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MOMENTSEEK_RUN_ID", "../elsewhere")
    with pytest.raises(ConfigError, match="MOMENTSEEK_RUN_ID"):
        index(library, "a.mp4")
    assert not (tmp_path / "library").exists()


def test_a_report_is_written_while_the_run_lasts(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.runs.recorder._INTERVAL_SECONDS", 0.0)
    told: list[ProgressEvent] = []
    recorder = begin_run(library.config, WordModel(), [Source("a.mp4")], told.append)
    event = ProgressEvent(videos_ended=0, active=("a",), active_share=0.5, frames_sampled=7, seconds_decoded=9.0)
    with recorder:
        recorder.progress(event)
        report = library.runs().latest()
        assert (report.outcome, report.periods[0].seconds_decoded) == ("running", 9.0)
    assert told == [event]


def test_a_report_that_cannot_be_written_ends_no_run(library: Library, tmp_path: Path, caplog) -> None:
    (tmp_path / "library").mkdir()
    recorder = begin_run(library.config, WordModel(), [Source("a.mp4")])
    (tmp_path / "library" / "runs").write_text("in the way")
    with caplog.at_level("ERROR", "pipeline.runs.recorder"), recorder:
        pass
    [record] = caplog.records
    assert "cannot be written" in record.getMessage()


def test_read_names_the_latest_where_there_is_no_such_run(library: Library) -> None:
    with pytest.raises(QueryError, match="it has none yet"):
        library.runs().read("x")
    index(library, "a.mp4")
    with pytest.raises(QueryError, match=f"no run 'x'; the latest is {RUN}"):
        library.runs().read("x")


def test_a_broken_report_is_named(library: Library, tmp_path: Path) -> None:
    index(library, "a.mp4")
    (tmp_path / "library" / "runs" / f"{RUN}.json").write_text('{"run_id": 1}')
    with pytest.raises(StoreError, match=rf"runs/{RUN}.json: is broken or of another version"):
        list(RunLog(library.config.library))


@pytest.mark.parametrize(
    "change",
    [
        {"elapsed_seconds": float("nan")},
        {"elapsed_seconds": 1e308},
        {"video_seconds": float("inf")},
        {"sources": 10**40},
        {"counts": {"done": 10**40}},
        {"started_at": "\x1b[2J"},
        {"updated_at": "yesterday"},
        {"failures": [{"cause": "a", "videos": 1, "examples": []}]},
        {"slowest": [{"uri": 1}]},
    ],
)
def test_a_report_that_says_what_no_run_can_is_broken(
    library: Library, tmp_path: Path, change: dict[str, object]
) -> None:
    index(library, "a.mp4")
    file = tmp_path / "library" / "runs" / f"{RUN}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(StoreError, match=rf"runs/{RUN}.json: is broken or of another version"):
        list(library.runs())
