"""How throughput grows with the number of videos that are read at once.

    python -m benchmarks.scaling VIDEO [--pieces 20] [--repeats 3] [--output benchmarks/results/scaling.json]

A long video is cut at keyframes into pieces without being decoded, and the pieces are indexed at one frame a second
through Ray with one reader and with two, in turn. The encoder is next to no work, so that readers are what is measured.
Two times are taken of a run of the executor on a Ray that is up: the whole, from the first source to the last report,
in which workers start and load the small model; and its steady part, from the report after which every reader of the
larger number has ended its first video to the last. A batch of days is nearly all steady part. Writing store and index
is in both. The first round is a warm-up and is thrown away.

Two processors are seldom worth twice one, for what they share: caches, memory, clock, and maybe a core. So the same
pieces are decoded, sampled and scaled by plain processes, one and two, without Ray, driver or encoder
(`machine_times_faster`): that is what this machine gives at most.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av

from benchmarks.setting import TINY, alternating, medians, random_model, rounded, stages_in, write_result
from pipeline.encode import OpenClipEncoder
from pipeline.execution import Execution, make_executor
from pipeline.execution.per_video.frame_batches import Reading, sampled_batches
from pipeline.sampling import FixedRate
from pipeline.types import Source
from pipeline.video import Decoding, make_decoder

READERS = (1, 2)


def cut(path: str, pieces: int, folder: Path) -> list[str]:
    """Copy a video's packets into so many files of about the same length, each beginning with a keyframe."""
    with av.open(path) as source:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        starts = [number for number, packet in enumerate(packets) if packet.is_keyframe]
        firsts = [starts[len(starts) * piece // pieces] for piece in range(pieces)]
        names = []
        for piece, (first, end) in enumerate(zip(firsts, [*firsts[1:], len(packets)], strict=True)):
            names.append(str(folder / f"{piece:02}.mp4"))
            with av.open(names[-1], "w") as target:
                copy = target.add_stream_from_template(stream)
                for packet in packets[first:end]:
                    packet.stream = copy
                    target.mux(packet)
    return names


@dataclass(frozen=True)
class Timed:
    """What a run took.

    Attributes:
        seconds: The whole of it.
        video_seconds: What it read.
        steady_rate: Seconds of video a second in its steady part.
    """

    seconds: float
    video_seconds: float
    steady_rate: float


def timed(paths: Sequence[str], encoder: OpenClipEncoder, readers: int) -> Timed:
    """Index into an empty store.

    Raises:
        RuntimeError: A piece could not be indexed.
    """
    with tempfile.TemporaryDirectory() as folder:
        executor = make_executor(Execution(videos_at_once=readers), stages_in(folder, encoder, FixedRate(fps=1.0)))
        started = time.perf_counter()
        reports, ends = [], []
        for report in executor.run(Source(path) for path in paths):
            reports.append(report)
            ends.append(time.perf_counter())
    bad = [report for report in reports if report.status not in ("done", "partial")]
    if bad:
        raise RuntimeError(f"{bad[0].source.uri}: {bad[0].problem}")
    lengths = [report.duration_seconds for report in reports]
    # With two readers, the first report finds the second video nearly done: the count begins when both have ended.
    first = max(READERS) - 1
    return Timed(ends[-1] - started, sum(lengths), sum(lengths[first + 1 :]) / (ends[-1] - ends[first]))


def decoded(reading: Reading, path: str) -> None:
    """Do with a piece what a reader does, and let its frames go."""
    for _ in sampled_batches(reading, path):
        pass


def timed_alone(paths: Sequence[str], reading: Reading, processes: int) -> float:
    """Seconds in which so many plain processes decode all pieces; they are up before the clock starts."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        list(pool.map(partial(decoded, reading), paths[:processes]))
        started = time.perf_counter()
        list(pool.map(partial(decoded, reading), paths))
        return time.perf_counter() - started


def main() -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--pieces", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/scaling.json"))
    arguments = parser.parse_args()
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    with tempfile.TemporaryDirectory() as folder:
        encoder = OpenClipEncoder(random_model(Path(folder), TINY))
        paths = cut(arguments.video, arguments.pieces, Path(folder))
        # A processor more than there may be: the encoder holds one, and leaves it idle.
        ray.init(num_cpus=max(READERS) + 1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        ways = {f"readers_{count}": partial(timed, paths, encoder, count) for count in READERS}
        reading = Reading(
            decoder=make_decoder(Decoding()),
            sampler=FixedRate(fps=1.0),
            preprocessing=encoder.preprocessing(),
            batch_frames=Execution().batch_frames,
        )
        alone_ways = {f"processes_{count}": partial(timed_alone, paths, reading, count) for count in READERS}
        alone: dict[str, list[float]] = {name: [] for name in alone_ways}
        for name, seconds_alone in alternating(alone_ways, arguments.repeats):
            alone[name].append(seconds_alone)
            print(name, round(seconds_alone, 1), "s", flush=True)
        runs: dict[str, list[Timed]] = {name: [] for name in ways}
        for name, run in alternating(ways, arguments.repeats):
            runs[name].append(run)
            print(name, round(run.seconds, 1), "s,", round(run.steady_rate, 1), "times real time", flush=True)
    seconds = {name: [run.seconds for run in of_way] for name, of_way in runs.items()}
    rates = {name: [run.steady_rate for run in of_way] for name, of_way in runs.items()}
    middle, middle_rate, middle_alone = medians(seconds), medians(rates), medians(alone)
    faster = middle_rate["readers_2"] / middle_rate["readers_1"]
    machine_faster = middle_alone["processes_1"] / middle_alone["processes_2"]
    content: dict[str, Any] = {
        "video": Path(arguments.video).name,
        "pieces": arguments.pieces,
        "video_seconds": runs["readers_1"][0].video_seconds,
        "seconds": seconds,
        "median_seconds": middle,
        "steady_rate": rates,
        "median_steady_rate": middle_rate,
        "seconds_decoding_alone": alone,
        "times_faster_with_two_readers": faster,
        "machine_times_faster": machine_faster,
        "share_of_what_the_machine_gives": faster / machine_faster,
        "times_faster_with_start": middle["readers_1"] / middle["readers_2"],
    }
    write_result(arguments.output, "benchmarks.scaling", rounded(content))
    print(json.dumps(rounded(content), indent=2))


if __name__ == "__main__":
    main()
