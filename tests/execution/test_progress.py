from __future__ import annotations

import numpy as np
import pytest

from pipeline.execution.per_video.messages import BatchTimes
from pipeline.execution.progress import EncoderTimes, LedgerCounts, ProgressEvent, ProgressMeter


def batch(decoded: float, *, busy: float = 0.0, waited: float = 0.0, frames: int = 2) -> BatchTimes:
    return BatchTimes(
        number=0,
        pts=np.arange(frames),
        times_seconds=np.arange(frames, dtype=np.float64),
        decoded_seconds=decoded,
        duration_seconds=10.0,
        busy_seconds=busy,
        waited_seconds=waited,
    )


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def events() -> list[ProgressEvent]:
    return []


@pytest.fixture
def meter(events: list[ProgressEvent], clock: Clock) -> ProgressMeter:
    meter = ProgressMeter(events.append, clock=clock)
    meter.resize(readers=2, encoders=1)
    return meter


def test_videos_are_added_up(meter, events, clock):
    first, second = meter.begin("a"), meter.begin("b")
    for number, times in ((first, batch(4, busy=1, waited=0.5)), (second, batch(5, busy=3)), (first, batch(8, busy=2))):
        clock.now += 1
        meter.advance(number, times)
    last = events[-1]
    assert (last.active, last.active_share) == (("a", "b"), pytest.approx(1.3))
    assert (last.seconds_decoded, last.frames_sampled) == (13, 6)
    assert (last.stages.decode, last.stages.wait) == (5, 0)


def test_a_worker_is_busy_in_proportion_to_the_time_it_had(meter, events, clock):
    number = meter.begin("a")
    clock.now += 10
    meter.advance(number, batch(4, busy=5), encoders=EncoderTimes(load_seconds=1, busy_seconds=8))
    last = events[-1]
    assert (last.stages.reader_slots, last.stages.encoder_slots) == (20, 10)
    assert (last.readers_busy, last.encoders_busy) == (0.25, 0.8)


def test_only_the_last_half_minute_says_how_busy_workers_are(meter, events, clock):
    number, busy = meter.begin("a"), 0.0
    for second in range(120):
        clock.now += 1
        busy += 2 if second < 60 else 0.5
        meter.advance(number, batch(4, busy=busy))
    assert events[-1].readers_busy == pytest.approx(0.25, abs=0.02)


def test_a_cluster_that_grows_has_more_time(meter, events, clock):
    clock.now += 10
    meter.resize(readers=6, encoders=3)
    clock.now += 10
    meter.ended(LedgerCounts(ended=1, failed=1, store_seconds=0.5), frames_waiting=7)
    last = events[-1]
    assert (last.stages.reader_slots, last.stages.encoder_slots) == (80, 40)
    assert (last.videos_ended, last.videos_failed, last.frames_waiting, last.stages.store) == (1, 1, 7, 0.5)


def test_it_tells_at_most_ten_times_a_second_but_every_video(meter, events, clock):
    for number in range(100):
        clock.now += 0.01
        meter.ended(LedgerCounts(ended=number // 50))
    assert 10 <= len(events) <= 12
    meter.ended(LedgerCounts(ended=2))
    assert events[-1].videos_ended == 2
