"""What every executor promises; a test class gives `executor` and inherits these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts.fake_videos import FAILS_ENCODER, EveryFrame, FakeDecoder, FakeEncoder, GrowingDecoder, write_video
from video_factory import make_video, steady
from web_server import WebServer

from pipeline.errors import ConfigError, MomentIndexError, StoreError, WeightsUnavailableError
from pipeline.execution import Execution, Executor, LibrarySink, ProgressEvent, Stages, StopRequest
from pipeline.execution.model_task import ModelTask
from pipeline.index import MemoryIndex
from pipeline.io.settings import Fetching
from pipeline.sampling import Novelty
from pipeline.segment import FixedWindows, MeanPooling, Shots
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore
from pipeline.types import FrameEmbeddings, IndexedSegment, Source, Status, VideoRecord, VideoReport
from pipeline.uris import public_name
from pipeline.video import Decoding, make_decoder

MakeExecutor = Callable[..., Executor]


class RefusingIndex(MemoryIndex):
    """Takes no row of the camera "refused", unless it `accepts_all`."""

    accepts_all = False

    @property
    def rows(self) -> list[IndexedSegment]:
        return list(self._rows.values())

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        if not self.accepts_all and any(row.metadata.get("camera") == "refused" for row in rows):
            raise MomentIndexError("these rows are refused")
        super().upsert(rows)


class StuckIndex(MemoryIndex):
    def delete_video(self, video_id: str) -> None:
        raise MomentIndexError("the index is gone")


class DeadIndex(MemoryIndex):
    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        raise MomentIndexError("the index is gone")

    def count(self) -> int:
        raise MomentIndexError("the index is gone")


class FullStore(ParquetStore):
    """Has no room for the videos of ten frames."""

    def write(self, record: VideoRecord, frames: FrameEmbeddings) -> None:
        if record.frame_count == 10:
            raise StoreError("no space left")
        super().write(record, frames)


def by_name(reports: Sequence[VideoReport]) -> dict[str, VideoReport]:
    assert len({report.source.uri for report in reports}) == len(reports)
    return {Path(report.source.uri).name: report for report in reports}


def changed(stages: Stages, **changes: Any) -> Stages:
    """Stages with others in their place; store, recipe and index are those of the sink."""
    of_sink = {name: changes.pop(name) for name in ("store", "recipe", "index") if name in changes}
    return replace(stages, sink=replace(stages.sink, **of_sink), **changes)


class ExecutorContract:
    @pytest.fixture
    def executor(self) -> MakeExecutor:
        """Called with stages, settings by keyword, `on_progress` and `stop`."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def calls(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The log of all calls of the encoder, which is the same one in all tests of a class."""
        path = tmp_path_factory.mktemp("calls") / "calls.log"
        path.touch()
        return path

    @pytest.fixture
    def stages(self, tmp_path: Path, calls: Path) -> Stages:
        return Stages(
            decoder=FakeDecoder(),
            sampler=EveryFrame(),
            encoder=FakeEncoder(log=str(calls)),
            sink=LibrarySink(
                store=ParquetStore(str(tmp_path / "library"), "s", "e"),
                recipe=RowRecipe(
                    segmenter=FixedWindows(length_seconds=2.0, overlap_seconds=0.0),
                    aggregator=MeanPooling(),
                    fingerprint="w",
                ),
                index=MemoryIndex(),
            ),
        )

    @pytest.fixture
    def run(self, executor: MakeExecutor, stages: Stages) -> Callable[..., list[VideoReport]]:
        def run(*paths: Path | Source, **changes: Any) -> list[VideoReport]:
            sources = [path if isinstance(path, Source) else Source(str(path)) for path in paths]
            return list(executor(changed(stages, **changes), batch_frames=4).run(sources))

        return run

    def test_run_reports_a_whole_video_as_done(self, run, stages, tmp_path):
        path = write_video(tmp_path / "a.mp4", frames=10)
        [report] = run(path)
        assert (report.status, report.problem, report.source) == (Status.DONE, None, Source(str(path)))
        assert (report.frames_decoded, report.frames_sampled, report.segments) == (10, 10, 3)
        assert (report.duration_seconds, report.covered_seconds) == (5.0, 5.0)
        assert report.largest_gap_seconds == 0.5
        assert report.elapsed_seconds > 0
        assert stages.sink.index.count() == 3

    def test_run_keeps_how_long_a_picture_stayed_the_same(self, run, stages, tmp_path):
        sampler = Novelty(fps=2.0, max_gap_seconds=None)
        [report] = run(write_video(tmp_path / "a.mp4", frames=10), sampler=sampler)
        assert (report.frames_decoded, report.frames_sampled, report.largest_gap_seconds) == (10, 1, 0.5)
        assert stages.sink.store.read(report.video_id).seen_until_seconds.tolist() == [4.5]

    def test_run_keeps_the_embeddings_in_their_order(self, run, stages, tmp_path):
        [report] = run(write_video(tmp_path / "a.mp4", frames=11, grey=51))
        frames = stages.sink.store.read(report.video_id)
        assert frames.pts.tolist() == list(range(11))
        assert frames.times_seconds.tolist() == [number / 2 for number in range(11)]
        assert np.allclose(frames.vectors, [np.cos(0.2), np.sin(0.2), 0, 0], atol=1e-6)

    def test_run_gives_each_video_of_a_batch_its_own_embeddings(self, run, stages, tmp_path):
        paths = [write_video(tmp_path / f"{grey}.mp4", frames=1 + grey % 7, grey=grey) for grey in range(10, 130, 10)]
        for report in run(*paths):
            grey = int(Path(report.source.uri).stem)
            frames = stages.sink.store.read(report.video_id)
            assert len(frames) == 1 + grey % 7
            assert np.allclose(frames.vectors[:, 1], np.sin(np.float32(grey / 255)), atol=1e-6)

    def test_run_reports_every_bad_source_and_goes_on(self, run, tmp_path):
        (tmp_path / "empty.mp4").touch()
        (tmp_path / "text.mp4").write_text("dear diary")
        (tmp_path / "noise.mp4").write_bytes(bytes(range(256)))
        write_video(tmp_path / "broken.mp4", fail=6)
        write_video(tmp_path / "none.mp4", frames=0)
        write_video(tmp_path / "good.mp4", grey=1)
        names = ["missing.mp4", "empty.mp4", "text.mp4", "noise.mp4", "broken.mp4", "none.mp4", "good.mp4"]
        reports = by_name(run(*(tmp_path / name for name in names)))
        assert {name: report.status for name, report in reports.items()} == {
            **dict.fromkeys(names, Status.FAILED),
            "good.mp4": Status.DONE,
        }
        assert "not a video" in reports["text.mp4"].problem
        assert "not a fake video" in reports["noise.mp4"].problem
        assert "unexpected RuntimeError: the fake decoder broke" in reports["broken.mp4"].problem
        assert "none was sampled" in reports["none.mp4"].problem

    def test_run_keeps_nothing_of_a_failed_video(self, run, stages, tmp_path):
        run(write_video(tmp_path / "broken.mp4", fail=6))
        assert list(stages.sink.store.records()) == []
        assert stages.sink.index.count() == 0

    def test_run_reports_damage_as_partial_with_what_is_covered(self, run, stages, tmp_path):
        [report] = run(write_video(tmp_path / "cut.mp4", frames=10, damaged=4))
        assert report.status is Status.PARTIAL
        assert (report.covered_seconds, report.frames_sampled) == (3.0, 6)
        assert "4 frames at the end are lost" in report.problem
        assert stages.sink.store.record(report.video_id).status is Status.PARTIAL

    def test_run_fails_only_the_video_that_the_encoder_refuses(self, run, tmp_path):
        bad = write_video(tmp_path / "bad.mp4", frames=2, grey=FAILS_ENCODER)
        good = [write_video(tmp_path / f"{grey}.mp4", frames=2, grey=grey) for grey in (10, 20, 30)]
        reports = by_name(run(good[0], bad, *good[1:]))
        assert "cannot be encoded" in reports.pop("bad.mp4").problem
        assert {report.status for report in reports.values()} == {Status.DONE}

    def test_the_task_on_the_model_is_done_once_after_the_last_video(self, run, stages, tmp_path):
        results: list[object] = []

        def take(result: object) -> None:
            results.append((result, len(list(stages.sink.store.records())), stages.sink.index.count()))

        task = ModelTask(work=attrgetter("precision"), take=take)
        paths = [write_video(tmp_path / f"{grey}.mp4", grey=grey) for grey in (10, 20)]
        assert [report.status for report in run(*paths, model_task=task)] == [Status.DONE, Status.DONE]
        assert results == [("fp32", 2, 6)]
        # A batch that encodes nothing loads no model for it.
        assert [report.status for report in run(*paths, model_task=task)] == [Status.SKIPPED, Status.SKIPPED]
        assert len(results) == 1

    def test_run_skips_what_is_indexed(self, run, calls, tmp_path):
        path = write_video(tmp_path / "a.mp4")
        before = calls.read_text()
        run(path)
        first = calls.read_text()
        [report] = run(path)
        assert (report.status, report.problem) == (Status.SKIPPED, "already indexed")
        assert (report.duration_seconds, report.frames_sampled, report.segments) == (5.0, 10, 0)
        assert before != first == calls.read_text()

    def test_run_loads_no_model_where_nothing_is_to_be_done(self, run, tmp_path):
        path = write_video(tmp_path / "a.mp4")
        run(path)
        [report] = run(path, encoder=FakeEncoder(has_weights=False))
        assert report.status is Status.SKIPPED

    def test_run_notes_a_new_name_of_old_content(self, run, stages, tmp_path):
        path = write_video(tmp_path / "a.mp4")
        run(path)
        [report] = run(path.rename(tmp_path / "b.mp4"))
        assert report.status is Status.SKIPPED
        names = stages.sink.store.record(report.video_id).names
        assert [Path(name).name for name in names] == ["a.mp4", "b.mp4"]

    def test_run_notes_where_a_video_is_whatever_the_working_directory(self, run, stages, tmp_path, monkeypatch):
        write_video(tmp_path / "a.mp4")
        monkeypatch.chdir(tmp_path)
        [report] = run("a.mp4")
        assert report.source.uri == "a.mp4"
        assert stages.sink.store.record(report.video_id).names == (str(tmp_path / "a.mp4"),)

    def test_run_indexes_content_once_that_has_two_names_in_one_batch(self, run, stages, tmp_path):
        first, second = write_video(tmp_path / "a.mp4"), write_video(tmp_path / "b.mp4")
        reports = by_name(run(first, second))
        statuses = sorted(report.status for report in reports.values())
        assert statuses == [Status.DONE, Status.SKIPPED]
        skipped = next(report for report in reports.values() if report.status is Status.SKIPPED)
        assert "same content as" in skipped.problem
        assert skipped.frames_decoded == 0
        [record] = stages.sink.store.records()
        assert {Path(name).name for name in record.names} == {"a.mp4", "b.mp4"}
        assert stages.sink.index.count() == 3

    def test_run_fails_both_names_of_bad_content(self, run, tmp_path):
        paths = [write_video(tmp_path / name, fail=3) for name in ("a.mp4", "b.mp4")]
        reports = by_name(run(*paths))
        assert {report.status for report in reports.values()} == {Status.FAILED}
        assert sum("same content as" in report.problem for report in reports.values()) == 1

    def test_run_takes_another_copy_where_the_first_cannot_be_read(self, run, tmp_path):
        paths = [write_video(tmp_path / name) for name in ("unreadable.mp4", "b.mp4", "c.mp4")]
        reports = by_name(run(*paths))
        failed = reports.pop("unreadable.mp4")
        assert (failed.status, failed.problem) == (Status.FAILED, "its server is silent")
        assert sorted(report.status for report in reports.values()) == [Status.DONE, Status.SKIPPED]

    def test_run_takes_one_name_given_twice(self, run, tmp_path):
        path = write_video(tmp_path / "a.mp4")
        statuses = sorted(report.status for report in run(path, path))
        assert statuses == [Status.DONE, Status.SKIPPED]

    def test_run_writes_missing_rows_again_without_decoding(self, run, stages, tmp_path):
        path = write_video(tmp_path / "a.mp4")
        run(path)
        index = MemoryIndex()
        [report] = run(path, index=index, encoder=FakeEncoder(has_weights=False))
        assert report.status is Status.SKIPPED
        assert "missing from the index" in report.problem
        assert (report.segments, index.count()) == (3, 3)

    def test_run_replaces_the_rows_of_another_segmentation(self, run, stages, tmp_path):
        path = write_video(tmp_path / "a.mp4")
        run(path)
        shorter = FixedWindows(length_seconds=1.0, overlap_seconds=0.0)
        [report] = run(path, recipe=RowRecipe(segmenter=shorter, aggregator=MeanPooling(), fingerprint="x"))
        assert report.segments == 5
        assert stages.sink.index.count() == 5

    def test_run_replaces_metadata(self, run, stages, tmp_path):
        path = write_video(tmp_path / "a.mp4")
        run(Source(str(path), {"camera": 1}))
        [report] = run(Source(str(path), {"camera": 2}))
        assert "metadata was replaced" in report.problem
        assert stages.sink.store.record(report.video_id).metadata == {"camera": 2}
        [again] = run(path)
        assert again.problem == "already indexed"

    @pytest.mark.parametrize("metadata", [{}, {"camera": 1}])
    def test_run_keeps_the_first_metadata_that_a_batch_has_for_a_video(self, run, stages, tmp_path, metadata):
        path = str(write_video(tmp_path / "a.mp4"))
        if metadata:
            run(Source(path, metadata))
        run(Source(path), Source(path, {"camera": 2}), Source(path, {"camera": 3}))
        [record] = stages.sink.store.records()
        assert record.metadata == {"camera": 2}
        assert {row.metadata["camera"] for row in stages.sink.index._rows.values()} == {2}
        assert stages.sink.index.count() == 3

    def test_run_ends_the_batch_where_the_index_is_gone_while_metadata_is_replaced(self, run, tmp_path):
        path = str(write_video(tmp_path / "a.mp4"))
        run(Source(path, {"camera": 1}))
        with pytest.raises(MomentIndexError, match="gone"):
            run(Source(path, {"camera": 2}), index=StuckIndex())

    def test_run_writes_rows_again_whose_new_metadata_did_not_reach_the_index(self, run, stages, tmp_path):
        path = write_video(tmp_path / "a.mp4")
        index = RefusingIndex()
        run(Source(str(path), {"camera": "old"}), index=index)
        [failed] = run(Source(str(path), {"camera": "refused"}), index=index)
        assert failed.status is Status.FAILED
        index.accepts_all = True
        [again] = run(Source(str(path), {"camera": "refused"}), index=index)
        assert "written again" in again.problem
        assert {row.metadata["camera"] for row in index.rows} == {"refused"}

    def test_run_refuses_metadata_that_no_index_takes_before_any_work(self, run, stages, calls, tmp_path):
        path = write_video(tmp_path / "a.mp4")
        before = calls.read_text()
        [report] = run(Source(str(path), {"bad]name": 1}))
        assert report.status is Status.FAILED
        assert "metadata 'bad]name'" in report.problem
        assert list(stages.sink.store.records()) == []
        assert calls.read_text() == before

    def test_run_fails_a_video_that_changed_since_it_was_identified(self, run, stages, tmp_path):
        path = write_video(tmp_path / "a.mp4")
        [report] = run(path, decoder=GrowingDecoder())
        assert (report.status, list(stages.sink.store.records())) == (Status.FAILED, [])
        assert "changed while it was read; run it again" in report.problem
        [again] = run(path)
        assert again.status is Status.DONE

    def test_run_reads_videos_where_they_are(self, run, stages, tmp_path):
        made = make_video(tmp_path / "a.mp4", steady(30))
        fetching = Fetching(timeout_seconds=2, pause_seconds=0.01, private_hosts=("127.0.0.1",))
        remote = {"decoder": make_decoder(Decoding(), fetching), "fetching": fetching}
        with WebServer({"/a.mp4": made.path.read_bytes(), "/page.mp4": b"<html>"}) as server:
            wanted = [server.url(name, "?sig=secret") for name in ("a.mp4", "page.mp4", "none.mp4")]
            ended = run(*map(Source, wanted), **remote)
            [moved] = run(made.path, **remote)
        reports = {public_name(report.source.uri).rpartition("/")[2]: report for report in ended}
        assert (reports["a.mp4"].status, reports["a.mp4"].frames_sampled) == (Status.DONE, 30)
        assert "a text file" in reports["page.mp4"].problem
        assert "no such file (404" in reports["none.mp4"].problem
        assert "already indexed" in moved.problem
        [record] = stages.sink.store.records()
        assert record.names == (server.url("a.mp4"), str(made.path))
        assert "secret" not in repr(record)

    def test_run_fails_an_empty_name_and_goes_on(self, run, tmp_path):
        empty, other = run(Source(""), write_video(tmp_path / "a.mp4"))
        assert (empty.status, other.status) == (Status.FAILED, Status.DONE)
        assert "an empty path" in empty.problem

    def test_run_says_whose_metadata_counts(self, run, tmp_path):
        path = str(write_video(tmp_path / "a.mp4"))
        _, other, same = run(Source(path, {"camera": 1}), Source(path, {"camera": 2}), Source(path))
        assert other.problem == "named twice in this batch; the metadata given first is used"
        assert same.problem == "named twice in this batch"

    def test_run_refuses_the_metadata_of_one_name_and_takes_the_other(self, run, tmp_path):
        first, second = write_video(tmp_path / "a.mp4"), write_video(tmp_path / "b.mp4")
        reports = by_name(run(Source(str(first), {"bad]name": 1}), second))
        assert (reports["a.mp4"].status, reports["b.mp4"].status) == (Status.FAILED, Status.DONE)

    def test_run_fails_the_video_whose_rows_the_index_refuses(self, run, tmp_path):
        bad = Source(str(write_video(tmp_path / "bad.mp4", grey=1)), {"camera": "refused"})
        good = [write_video(tmp_path / f"{grey}.mp4", grey=grey) for grey in (10, 20)]
        reports = by_name(run(good[0], bad, good[1], index=RefusingIndex()))
        assert "these rows are refused" in reports.pop("bad.mp4").problem
        assert {report.status for report in reports.values()} == {Status.DONE}

    def test_run_fails_the_video_that_cannot_be_kept(self, run, stages, tmp_path):
        paths = [write_video(tmp_path / f"{frames}.mp4", frames=frames) for frames in (9, 10, 11)]
        reports = by_name(run(*paths, store=FullStore(str(tmp_path / "full"), "s", "e")))
        assert "no space left" in reports.pop("10.mp4").problem
        assert {report.status for report in reports.values()} == {Status.DONE}

    def test_run_ends_the_batch_where_the_index_is_gone(self, run, tmp_path):
        with pytest.raises(MomentIndexError, match="gone"):
            run(write_video(tmp_path / "a.mp4"), index=DeadIndex())

    def test_run_says_once_that_weights_are_out_of_reach(self, run, tmp_path):
        paths = [write_video(tmp_path / f"{grey}.mp4", grey=grey) for grey in range(5)]
        with pytest.raises(WeightsUnavailableError, match="set has_weights"):
            run(*paths, encoder=FakeEncoder(has_weights=False))

    def test_run_ends_the_batch_where_two_settings_do_not_fit(self, run, stages, tmp_path):
        with pytest.raises(ConfigError, match="cuts"):
            run(write_video(tmp_path / "a.mp4"), recipe=replace(stages.sink.recipe, segmenter=Shots()))

    def test_run_takes_unusual_names(self, run, tmp_path):
        names = ["a\nb.mp4", "\x1b[31mred.mp4", "видео 视频.mp4", "--help", "a'b\"c.mp4"]
        paths = [write_video(tmp_path / name, grey=number) for number, name in enumerate(names)]
        reports = run(*paths)
        assert {report.source.uri for report in reports} == {str(path) for path in paths}
        assert {report.status for report in reports} == {Status.DONE}

    def test_run_of_nothing_reports_nothing(self, run):
        assert run() == []

    def test_run_takes_sources_as_they_come(self, executor, stages, tmp_path):
        def sources() -> Iterator[Source]:
            for number in range(150):
                taken.append(number)
                yield Source(str(write_video(tmp_path / f"{number}.mp4", frames=2, grey=number % 250, part=number)))

        taken: list[int] = []
        reports = executor(stages).run(sources())
        next(reports)
        assert len(taken) < 150
        assert len(list(reports)) == 149

    def test_run_tells_its_progress(self, executor, stages, tmp_path):
        events: list[ProgressEvent] = []
        paths = [write_video(tmp_path / f"{grey}.mp4", frames=8, grey=grey) for grey in range(3)]
        list(executor(stages, on_progress=events.append, batch_frames=4).run(Source(str(path)) for path in paths))
        last = events[-1]
        assert (last.videos_ended, last.active, last.active_share) == (3, (), 0)
        phases = [event.phase for event in events]
        assert ("loading the model" in phases, phases[-1]) == (True, "")
        # A video is decoded up to the time of its last frame, the eighth of two a second.
        assert (last.frames_sampled, last.seconds_decoded) == (24, 3 * 3.5)

    def test_run_ends_cleanly_where_its_caller_loses_interest(self, executor, run, stages, tmp_path):
        paths = [write_video(tmp_path / f"{grey}.mp4", grey=grey) for grey in range(6)]
        reports = executor(stages).run([Source(str(path)) for path in paths])
        next(reports)
        reports.close()
        assert {report.status for report in run(*paths)} <= {Status.DONE, Status.SKIPPED}

    def test_run_that_is_asked_to_stop_finishes_what_is_under_way_and_begins_no_other(
        self, executor, run, stages, tmp_path
    ):
        paths = [write_video(tmp_path / f"{grey}.mp4", frames=12, grey=grey, slow=0.05) for grey in range(10, 90, 4)]
        taken: list[int] = []
        stop = StopRequest(lambda under_way, _seconds: taken.append(under_way))
        ended: list[VideoReport] = []

        def ask(event: ProgressEvent) -> None:
            if event.active and not stop.is_requested:
                assert stop.is_watched
                stop.request(KeyboardInterrupt())

        with pytest.raises(KeyboardInterrupt):
            ended.extend(executor(stages, on_progress=ask, stop=stop, batch_frames=4).run(map(Source, map(str, paths))))
        assert not stop.is_watched
        assert len(taken) == 1
        assert 1 <= taken[0] <= len(ended) < len(paths)
        assert {report.status for report in ended} == {Status.DONE}
        kept = {report.video_id for report in ended}
        assert {record.video_id for record in stages.sink.store.records()} == set(stages.sink.index.videos()) == kept
        again = Counter(report.status for report in run(*paths))
        assert again == {Status.SKIPPED: len(ended), Status.DONE: len(paths) - len(ended)}

    def test_run_that_is_asked_to_stop_gives_up_what_takes_too_long(self, executor, run, stages, tmp_path):
        quick = [write_video(tmp_path / f"{grey}.mp4", frames=4, grey=grey) for grey in (10, 20)]
        endless = write_video(tmp_path / "endless.mp4", frames=100_000, slow=0.02, grey=30)
        stop = StopRequest()

        def ask(event: ProgressEvent) -> None:
            if event.videos_ended == 2 and event.frames_sampled > 8 and not stop.is_requested:
                stop.request(SystemExit(15), finish_seconds=0.2)

        sources = [Source(str(path)) for path in (*quick, endless)]
        with pytest.raises(SystemExit, match="15"):
            list(executor(stages, on_progress=ask, stop=stop, batch_frames=4).run(sources))
        assert len(list(stages.sink.store.records())) == len(stages.sink.index.videos()) == 2


def settings(**changes: Any) -> Execution:
    return Execution.model_validate(changes)
