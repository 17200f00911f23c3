"""The time that is left, on simulated batches: within a factor of two once a third of the work is done."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pytest

from pipeline.execution.per_video.messages import BatchTimes, VideoEnd
from pipeline.execution.progress import EncoderTimes, LedgerCounts, ProgressEvent, ProgressMeter
from pipeline.execution.time_left import seconds_left
from pipeline.types import VideoInfo

BATCH = 32


@dataclass
class Shape:
    """A batch of videos, and what works on it; seconds are those of the clock.

    Attributes:
        lengths: Seconds of the videos, in order.
        readers: How many read at once.
        decode: Seconds of work on a second of video.
        encode: Seconds of work on a frame; one frame a second.
        startup: Before a reader's first video begins.
        load: Before the encoder takes anything.
        search: Share of a video's decoding that the search for its cuts takes.
        ahead: Batches that a reader may be ahead of the encoder.
        write: Seconds until a finished video has its report.
        known: Whether containers say how long videos are.
        skipped: Videos that need no work, before the others.
    """

    lengths: list[float]
    readers: int = 1
    decode: float = 0.01
    encode: float = 0.01
    startup: float = 0.0
    load: float = 0.0
    search: float = 0.0
    ahead: int = 2
    write: float = 0.0
    known: bool = True
    skipped: int = 0


LONG, SHORT = [7200.0], [12.0] * 120
MIXED = [30.0, 600.0, 45.0, 20.0, 1800.0, 60.0, 240.0, 15.0] * 4
RAY = {"readers": 8, "startup": 3.0, "load": 15.0, "write": 2.0}
SHAPES = {
    "one long": Shape(LONG),
    "one long, slow encoder": Shape(LONG, encode=0.05),
    "one long, cuts searched for": Shape(LONG, search=0.8),
    "one long of unknown length": Shape([3600.0] * 6, known=False),
    "many short": Shape(SHORT),
    "many short, most of them known": Shape(SHORT, skipped=400),
    "many short, slow start": Shape(SHORT, load=20.0),
    "mixed": Shape(MIXED),
    "mixed, cuts searched for": Shape(MIXED, search=0.5),
    "ray, many short": Shape(SHORT, **RAY),
    "ray, 24 short": Shape(SHORT[:24], **RAY, decode=1.0),
    "ray, few of some length": Shape([140.0] * 10, **{**RAY, "readers": 2}, decode=0.02, encode=0.02),
    "ray, many short, slow encoder": Shape(SHORT * 3, **RAY, encode=0.1),
    "ray, mixed": Shape(MIXED * 3, **RAY, decode=0.05),
    "ray, mixed, cuts searched for": Shape(MIXED * 3, **RAY, decode=0.05, search=0.6),
    "ray, one long": Shape(LONG, **RAY, decode=0.02),
    "ray, a long one last": Shape([*SHORT, 3600.0], **RAY, decode=0.05),
}


@dataclass
class Simulation:
    """Simulates a batch as the executors run it, and records the reported progress."""

    shape: Shape
    now: float = 0.0
    events: list[tuple[float, float, ProgressEvent]] = field(default_factory=list)
    done: float = 0.0

    def run(self) -> None:
        shape = self.shape
        self.meter = ProgressMeter(
            lambda event: self.events.append((self.now, self.done, event)),
            clock=lambda: self.now,
            is_searching=shape.search > 0,
        )
        self.meter.resize(readers=shape.readers, encoders=1)
        self.todo, self.queue, self.agenda = deque(shape.lengths), deque(), []
        self.count = self.waiting = self.reported = 0
        self.encoder_is_free, self.busy = False, 0.0
        self.meter.ended(LedgerCounts(ended=shape.skipped, skipped=shape.skipped))
        self.at(shape.load, self.free_encoder)
        for _ in range(shape.readers):
            self.at(shape.startup, self.next_video)
        while self.agenda:
            self.now, _, action = heapq.heappop(self.agenda)
            action()

    def at(self, later: float, action) -> None:
        self.count += 1
        heapq.heappush(self.agenda, (self.now + later, self.count, action))

    def next_video(self) -> None:
        if self.todo:
            video = Video(self, self.todo.popleft())
            video.read_on()

    def free_encoder(self) -> None:
        self.encoder_is_free = True
        self.encode_next()

    def encode_next(self) -> None:
        if not (self.encoder_is_free and self.queue):
            return
        self.encoder_is_free = False
        video, frames = self.queue.popleft()
        self.waiting -= frames
        took = frames * self.shape.encode

        def finish() -> None:
            self.busy += took
            self.done += frames
            video.encoded(frames)
            self.tell()
            self.free_encoder()

        self.at(took, finish)

    def tell(self) -> None:
        counts = LedgerCounts(ended=self.shape.skipped + self.reported, skipped=self.shape.skipped)
        times = EncoderTimes(load_seconds=self.shape.load, busy_seconds=self.busy)
        self.meter.ended(counts, encoders=times, frames_waiting=self.waiting)


class Video:
    def __init__(self, simulation: Simulation, length: float) -> None:
        self.simulation, self.length = simulation, length
        self.number = simulation.meter.begin("v")
        self.decoded, self.busy, self.ahead, self.batches = 0.0, 0.0, 0, 0
        self.is_read = self.is_waiting = False
        self.left = 0

    def read_on(self) -> None:
        simulation = self.simulation
        if self.ahead >= simulation.shape.ahead:
            self.is_waiting = True
            return
        part = min(BATCH, self.length - self.decoded)
        took = part * simulation.shape.decode

        def finish() -> None:
            self.decoded += part
            self.busy += took
            frames = max(1, int(part))
            self.ahead += 1
            self.left += 1
            simulation.waiting += frames
            simulation.queue.append((self, frames))
            known = self.length if simulation.shape.known else None
            times = np.arange(frames, dtype=np.float64)
            batch = BatchTimes(
                number=self.batches,
                pts=np.arange(frames),
                times_seconds=times,
                decoded_seconds=self.decoded,
                duration_seconds=known,
                busy_seconds=self.busy,
            )
            self.batches += 1
            simulation.meter.advance(self.number, batch)
            simulation.encode_next()
            if self.decoded < self.length:
                self.read_on()
            else:
                search = simulation.shape.search * self.length * simulation.shape.decode
                simulation.at(search, lambda: self.end(search))

        simulation.at(took, finish)

    def end(self, search: float) -> None:
        info = VideoInfo(
            uri="v", container="mp4", codec="h264", width=4, height=4, rotation_degrees=0, time_base=1, start_time=0,
            average_rate=None, duration_seconds=None,
        )  # fmt: skip
        end = VideoEnd(
            info=info, duration_seconds=self.length, covered_seconds=self.length, frames_decoded=1, frames_seen=1,
            batches=self.batches, cuts_seconds=None, seen_until_seconds=None, damage=(),
            busy_seconds=self.busy + search,
        )  # fmt: skip
        self.simulation.meter.add_reading(self.number, end)
        self.is_read = True
        self.simulation.next_video()
        self.finish_if_complete()

    def encoded(self, frames: int) -> None:
        self.ahead -= 1
        self.left -= 1
        if self.is_waiting:
            self.is_waiting = False
            self.read_on()
        self.finish_if_complete()

    def finish_if_complete(self) -> None:
        if self.is_read and self.left == 0:
            self.simulation.meter.end(self.number)

            def report() -> None:
                self.simulation.reported += 1
                self.simulation.tell()

            self.simulation.at(self.simulation.shape.write, report)


@pytest.mark.parametrize("name", SHAPES)
def test_the_time_left_is_within_a_factor_of_two_after_a_third(name: str) -> None:
    shape = SHAPES[name]
    simulation = Simulation(shape)
    simulation.run()
    end, videos = simulation.now, len(shape.lengths) + shape.skipped
    whole = simulation.done
    begun = shape.load + shape.startup
    checked = 0
    for now, done, event in simulation.events:
        true = end - now
        # A third of the frames, and of the time after all was started. How long videos are that were not begun, and how
        # long reports are held back, is not known: at the end that is most of what is left.
        if done < whole / 3 or now < begun + (end - begun) / 3 or true < max(2 * shape.write, 0.02 * end):
            continue
        said = seconds_left(event, videos)
        assert said is not None, (now, end)
        slack = 0.08 * end if true < end / 5 else 0.0
        assert true / 2 - slack <= said <= 2 * true + slack, f"{said:.1f} s for {true:.1f} s, at {now:.1f} of {end:.1f}"
        checked += 1
    assert checked >= 3


def test_nothing_is_said_before_anything_is_known_and_after_the_end() -> None:
    simulation = Simulation(SHAPES["many short"])
    simulation.run()
    assert seconds_left(simulation.events[0][2], 120) is None
    assert seconds_left(simulation.events[-1][2], 120) is None
