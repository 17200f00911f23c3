"""How throughput grows with the number of videos that are read at once.

    python -m benchmarks.scaling VIDEO [--pieces 20] [--repeats 3] [--output benchmarks/results/scaling.json]

A long video is cut at keyframes into pieces without being decoded, and the pieces are indexed at one frame a second
through Ray with one reader and with two, in turn. The encoder is next to no work, so that readers are what is measured.
Timed is a whole run of the executor on a Ray that is up, from the first source to the last report: the start of its
workers, the loading of the small model, and the writing of store and index included. The first round is a warm-up and
is thrown away.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import av

from benchmarks.setting import TINY, alternating, medians, random_model, rounded, stages_in, write_result
from pipeline.encode import OpenClipEncoder
from pipeline.execution import Execution, make_executor
from pipeline.sampling import FixedRate
from pipeline.types import Source

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


def seconds_of(paths: Sequence[str], encoder: OpenClipEncoder, readers: int) -> tuple[float, float]:
    """Seconds of a run into an empty store, and the seconds of video that it read.

    Raises:
        RuntimeError: A piece could not be indexed.
    """
    with tempfile.TemporaryDirectory() as folder:
        executor = make_executor(Execution(videos_at_once=readers), stages_in(folder, encoder, FixedRate(fps=1.0)))
        started = time.perf_counter()
        reports = list(executor.run(Source(path) for path in paths))
        seconds = time.perf_counter() - started
    bad = [report for report in reports if report.status not in ("done", "partial")]
    if bad:
        raise RuntimeError(f"{bad[0].source.uri}: {bad[0].problem}")
    return seconds, sum(report.duration_seconds for report in reports)


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
        ways = {f"readers_{count}": partial(seconds_of, paths, encoder, count) for count in READERS}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        lengths: set[float] = set()
        for name, (of_run, length) in alternating(ways, arguments.repeats):
            seconds[name].append(of_run)
            lengths.add(length)
            print(name, round(of_run, 1), flush=True)
    middle = medians(seconds)
    content: dict[str, Any] = {
        "video": Path(arguments.video).name,
        "pieces": arguments.pieces,
        "video_seconds": max(lengths),
        "seconds": seconds,
        "median_seconds": middle,
        "times_faster_with_two_readers": middle["readers_1"] / middle["readers_2"],
    }
    write_result(arguments.output, "benchmarks.scaling", rounded(content))
    print(json.dumps(rounded(content), indent=2))


if __name__ == "__main__":
    main()
