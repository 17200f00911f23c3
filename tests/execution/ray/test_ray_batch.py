"""What a batch on Ray does with a try that it has given up; no cluster is needed for that."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from contracts.executor_contract import settings
from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder

from pipeline.execution import LibrarySink, Stages
from pipeline.execution.per_video.messages import BatchTimes, Failure, Lost, Vectors, VideoEnd
from pipeline.execution.progress import ProgressMeter
from pipeline.execution.ray.batch_dispatch import PendingBatch, RayVideo
from pipeline.execution.ray.cluster import Shares
from pipeline.execution.ray.executor import _Batch
from pipeline.index import MemoryIndex
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore
from pipeline.types import Source, Status, VideoInfo
from pipeline.video import Identity

SOURCE, VIDEO_ID = Source("/videos/a.mp4"), "0" * 16
FRAMES = 4


def vectors(axis: int) -> Vectors:
    return np.eye(4, dtype=np.float32)[[axis] * FRAMES]


def times(number: int) -> BatchTimes:
    pts = np.arange(FRAMES) + FRAMES * number
    return BatchTimes(number=number, pts=pts, times_seconds=pts / 2, decoded_seconds=2.0, duration_seconds=None)


def end(batches: int) -> VideoEnd:
    info = VideoInfo(
        uri=SOURCE.uri,
        container="fake",
        codec="fake",
        width=8,
        height=8,
        rotation_degrees=0,
        time_base=Fraction(1, 2),
        start_time=Fraction(0),
        average_rate=None,
        duration_seconds=None,
    )
    seconds = batches * FRAMES / 2
    return VideoEnd(
        info=info,
        duration_seconds=seconds,
        covered_seconds=seconds,
        frames_decoded=batches * FRAMES,
        frames_seen=batches * FRAMES,
        batches=batches,
        cuts_seconds=None,
        seen_until_seconds=None,
        damage=(),
    )


@dataclass
class Run:
    """A batch with one video, and what it has stored."""

    batch: _Batch
    store: ParquetStore
    index: MemoryIndex

    def begun(self) -> RayVideo:
        """The next try at the video, as if its reader had been started."""
        video = self.batch._admitted.popleft()
        self.batch._ledger.begin(video.video_id)
        video.number = self.batch._meter.begin(video.source.uri)
        return video

    def read(self, video: RayVideo, number: int) -> PendingBatch:
        part = video.add_read(times(number), "pixels")
        self.batch._queue.add(part)
        return part

    def finished(self, video: RayVideo, batches: int) -> None:
        video.end = end(batches)
        self.batch._finish_if_complete(video)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    store, index = ParquetStore(str(tmp_path), "s", "e"), MemoryIndex()
    stages = Stages(
        decoder=FakeDecoder(),
        sampler=EveryFrame(),
        encoder=FakeEncoder(),
        sink=LibrarySink(
            store=store,
            recipe=RowRecipe(
                segmenter=FixedWindows(length_seconds=2.0, overlap_seconds=0.0),
                aggregator=MeanPooling(),
                fingerprint="w",
            ),
            index=index,
        ),
    )
    shares = Shares(encoders=1, encoder_cpus=1, encoder_gpus=0, readers=1, reader_cpus=1)
    batch = _Batch(settings(retries=1), stages, shares, ProgressMeter(None), iter(()), None)
    batch._add_identified(SOURCE, Identity(VIDEO_ID, "state"))
    return Run(batch, store, index)


def test_embeddings_of_a_try_that_was_given_up_are_not_kept(run: Run) -> None:
    first = run.begun()
    late = [run.read(first, number) for number in range(2)]
    run.batch._add_encoded(late[0], vectors(0))
    run.batch._fail(first, Lost("its node left"))
    second = run.begun()
    # All that was under way comes in now, the first try's end included.
    first.end = end(2)
    run.batch._add_encoded(late[1], vectors(1))
    assert run.store.record(VIDEO_ID) is None
    parts = [run.read(second, number) for number in range(2)]
    for part in parts:
        run.batch._add_encoded(part, vectors(3))
    assert run.store.record(VIDEO_ID) is None
    run.finished(second, 2)
    assert run.store.read(VIDEO_ID).vectors.tolist() == [[0, 0, 0, 1]] * 2 * FRAMES
    [report] = run.batch._ledger.reports(all_written=True)
    assert (report.status, report.frames_sampled) == (Status.DONE, 2 * FRAMES)


def test_a_failure_of_a_try_that_was_given_up_fails_nobody(run: Run) -> None:
    first = run.begun()
    part = run.read(first, 0)
    run.batch._fail(first, Lost("its node left"))
    for late in (Failure("its frames cannot be encoded"), Lost("an encoder left"), None):
        run.batch._add_encoded(part, late)
    assert len(run.batch._admitted) == 1
    assert run.batch._queue.frames == 0
    assert list(run.batch._ledger.reports(all_written=True)) == []


def test_frames_of_a_try_that_was_given_up_go_to_no_encoder(run: Run) -> None:
    first = run.begun()
    run.read(first, 0)
    assert run.batch._queue.frames == FRAMES
    run.batch._fail(first, Lost("its node left"))
    assert run.batch._queue.frames == 0
    assert first.is_over


def test_bad_luck_is_tried_again_as_often_as_the_settings_say(run: Run) -> None:
    for tries_left in (1, 0):
        video = run.begun()
        assert video.tries_left == tries_left
        run.batch._fail(video, Lost("its node left"))
    assert not run.batch._admitted
    [report] = run.batch._ledger.reports(all_written=True)
    assert (report.status, report.problem) == (Status.FAILED, "its node left")


def test_a_fault_of_the_video_is_not_tried_again(run: Run) -> None:
    run.batch._fail(run.begun(), Failure("the file is broken"))
    assert not run.batch._admitted
    [report] = run.batch._ledger.reports(all_written=True)
    assert (report.status, report.problem) == (Status.FAILED, "the file is broken")


def test_batches_that_come_back_in_another_order_are_put_in_theirs(run: Run) -> None:
    video = run.begun()
    parts = [run.read(video, number) for number in range(3)]
    for number in (2, 0, 1):
        run.batch._add_encoded(parts[number], vectors(number))
        assert video.is_encoded == (number == 1)
    run.finished(video, 3)
    assert run.store.read(VIDEO_ID).vectors.argmax(axis=1).tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_a_reader_that_went_on_after_a_gap_is_noticed(run: Run) -> None:
    video = run.begun()
    run.read(video, 0)
    assert video.gap_before(times(1)) is None
    assert video.gap_before(times(0)) == "its reader died, and the next one continued at batch 0 instead of 1"
    assert video.gap_before(times(2)) == "its reader died, and the next one continued at batch 2 instead of 1"
    assert video.gap_before(end(1)) is None
    assert video.gap_before(end(2)) == "its reader died, and the next one continued at batch 2 instead of 1"


def test_a_video_is_not_over_before_its_last_embeddings_have_come(run: Run) -> None:
    video = run.begun()
    parts = [run.read(video, number) for number in range(2)]
    run.batch._add_encoded(parts[0], vectors(0))
    run.finished(video, 2)
    assert not video.is_encoded
    assert run.store.record(VIDEO_ID) is None
    run.batch._add_encoded(parts[1], vectors(1))
    assert len(run.store.read(VIDEO_ID)) == 2 * FRAMES
