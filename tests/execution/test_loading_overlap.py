"""A batch in this process decodes its first video while the model is loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from contracts.executor_contract import settings
from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder, FakeModel, FakeStream, write_video

from pipeline.errors import ExecutionError, WeightsUnavailableError
from pipeline.execution import InProcessExecutor, LibrarySink, Stages
from pipeline.index import MemoryIndex
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore
from pipeline.types import Source, Status, VideoReport

WAIT_SECONDS = 20.0


@dataclass(frozen=True)
class WatchedDecoder(FakeDecoder):
    """Reports that a video was opened."""

    opened: threading.Event = field(default_factory=threading.Event)

    def open(self, path: str) -> FakeStream:
        self.opened.set()
        return super().open(path)


@dataclass(frozen=True)
class CountedFrames(EveryFrame):
    """Counts the frames that were decoded."""

    begun: list[int] = field(default_factory=list)

    def begin(self, info):
        sampling = super().begin(info)
        feed = sampling.feed

        def counted(frame):
            self.begun.append(frame.pts)
            return feed(frame)

        sampling.feed = counted
        return sampling


@dataclass(frozen=True)
class SlowEncoder(FakeEncoder):
    """Does something while its model is loaded."""

    while_loading: Callable[[], None] = lambda: None

    def open(self) -> FakeModel:
        self.while_loading()
        return super().open()


def _run(folder: Path, encoder: FakeEncoder, videos: Sequence[Path], **stages: object) -> list[VideoReport]:
    made = Stages(
        **{"decoder": FakeDecoder(), "sampler": EveryFrame()} | stages,
        encoder=encoder,
        sink=LibrarySink(
            store=ParquetStore(str(folder / "library"), "s", "e"),
            recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w"),
            index=MemoryIndex(),
        ),
    )
    return list(
        InProcessExecutor(settings(executor="in_process", batch_frames=4), made).run(Source(str(v)) for v in videos)
    )


def _prefetching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_decoding_begins_before_the_model_is_loaded(tmp_path: Path) -> None:
    decoder = WatchedDecoder()

    def wait() -> None:
        assert decoder.opened.wait(WAIT_SECONDS), "nothing was decoded while the model was loaded"

    video = write_video(tmp_path / "a.mp4")
    [report] = _run(tmp_path, SlowEncoder(while_loading=wait), [video], decoder=decoder)
    assert report.status is Status.DONE


def test_a_long_video_is_decoded_only_a_few_batches_ahead(tmp_path: Path) -> None:
    sampler, counts = CountedFrames(), []

    def wait() -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while len(sampler.begun) < 12 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        counts.append(len(sampler.begun))

    video = write_video(tmp_path / "a.mp4", frames=100)
    [report] = _run(tmp_path, SlowEncoder(while_loading=wait), [video], sampler=sampler)
    assert report.frames_sampled == 100
    # Two batches of four frames wait, and a third one waits to be put beside them.
    assert 12 <= counts[0] <= 16


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (WeightsUnavailableError("the weights are broken"), WeightsUnavailableError, "the weights are broken"),
        (
            ValueError("no such device"),
            ExecutionError,
            "unexpected ValueError while opening the encoder: no such device",
        ),
        (KeyboardInterrupt(), KeyboardInterrupt, "^$"),
        (SystemExit(15), SystemExit, "15"),
    ],
)
def test_an_error_of_the_model_ends_the_batch_and_its_threads(
    tmp_path: Path, raised: BaseException, expected: type[BaseException], message: str
) -> None:
    decoder = WatchedDecoder()

    def fail() -> None:
        assert decoder.opened.wait(WAIT_SECONDS)
        raise raised

    videos = [write_video(tmp_path / f"{name}.mp4", frames=200, grey=grey) for name, grey in (("a", 10), ("b", 20))]
    with pytest.raises(expected, match=message):
        _run(tmp_path, SlowEncoder(while_loading=fail), videos, decoder=decoder)
    assert not _prefetching()
    assert not list(ParquetStore(str(tmp_path / "library"), "s", "e").records())


def test_a_broken_first_video_is_reported_and_the_next_one_is_indexed(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(np.arange(100, dtype=np.uint8).tobytes())
    reports = _run(tmp_path, FakeEncoder(), [broken, write_video(tmp_path / "a.mp4")])
    assert [report.status for report in reports] == [Status.FAILED, Status.DONE]
    assert not _prefetching()
