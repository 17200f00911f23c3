"""What sampling costs in decoding: every backend with every strategy, on the same files.

    python -m benchmarks.decode VIDEO... [--backends pyav ...] [--repeats 5] [--output benchmarks/results/decode.json]

Timed is `sampled_batches`, the first stage of a run: a file is opened, decoded by one thread as far as the strategy
asks for, its frames chosen, and the chosen ones scaled and cropped to 224 x 224 in batches of 32, which are dropped.
Nothing is encoded or written. Processor seconds are those of the whole process, all its threads counted; they are told
for an hour of video, as is the time on the wall. `plain_decoding` asks a backend for all frames, one after another, and
does nothing with them; `every_frame` scales them all, and is what a strategy that chooses nothing costs.

Ways alternate within a video; the first round is a warm-up and is thrown away. What a backend cannot open is told with
its reason. The overall figures are of the videos that every backend opened.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, get_args

from benchmarks.setting import alternating, rounded, write_result
from pipeline.encode import ClipPreprocessing
from pipeline.errors import VideoError
from pipeline.execution.per_video.frame_batches import Reading, sampled_batches
from pipeline.execution.per_video.messages import FrameBatch, VideoEnd
from pipeline.sampling import (
    Composite,
    CutDetection,
    FixedRate,
    FrameSampler,
    Keyframe,
    Novelty,
    SamplingPass,
    SceneChange,
)
from pipeline.types import Frame, Skip, VideoInfo
from pipeline.video import Decoding, VideoDecoder, make_decoder

BATCH_FRAMES = 32
BACKENDS: tuple[str, ...] = get_args(Decoding.model_fields["backend"].annotation)


class EveryFrame:
    """A `FrameSampler` and its own `SamplingPass`: takes whatever comes."""

    skip = Skip.NOTHING
    grid = None
    cut_searches: tuple[CutDetection, ...] = ()
    finds_cuts = False
    cuts: tuple[Fraction, ...] | None = None
    seen_until: tuple[Fraction, ...] | None = None
    step: Fraction | None = None
    held_since: Fraction | None = None

    def begin(self, info: VideoInfo) -> SamplingPass:  # noqa: ARG002  # the seam gives it to every strategy
        """Itself: there is nothing to remember."""
        return self

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """The frame."""
        return [frame]

    def finish(self) -> Sequence[Frame]:
        """Nothing is held back."""
        return []


SAMPLERS: dict[str, FrameSampler] = {
    "every_frame": EveryFrame(),
    "scene_change": SceneChange(),
    "composite": Composite(parts=(SceneChange(), FixedRate(fps=0.5))),
    "fixed_rate_with_cuts": FixedRate(fps=1.0, cuts=CutDetection()),
    "fixed_rate": FixedRate(fps=1.0),
    "novelty": Novelty(fps=1.0),
    "fixed_rate_tolerant": FixedRate(fps=1.0, tolerance_seconds=0.5),
    "keyframe": Keyframe(),
}


@dataclass(frozen=True)
class Cost:
    """What one reading of a video took.

    Attributes:
        cpu_seconds: Processor seconds of the process.
        wall_seconds: Time that passed.
        frames_decoded: Pictures that the decoder decoded.
        frames_sampled: Frames that were chosen and scaled.
    """

    cpu_seconds: float
    wall_seconds: float
    frames_decoded: int
    frames_sampled: int


def sampled(decoder: VideoDecoder, sampler: FrameSampler, path: str) -> Cost:
    """The cost of the batches of one video."""
    reading = Reading(
        decoder=decoder,
        sampler=sampler,
        preprocessing=ClipPreprocessing(image_height=224, image_width=224),
        batch_frames=BATCH_FRAMES,
    )
    wall, cpu = time.perf_counter(), time.process_time()
    decoded = chosen = 0
    for item in sampled_batches(reading, path):
        if isinstance(item, FrameBatch):
            chosen += len(item.times)
        elif isinstance(item, VideoEnd):
            decoded = item.frames_decoded
    return Cost(time.process_time() - cpu, time.perf_counter() - wall, decoded, chosen)


def plainly_decoded(decoder: VideoDecoder, path: str) -> Cost:
    """The cost of all frames of one video, none of them looked at."""
    wall, cpu = time.perf_counter(), time.process_time()
    with decoder.open(path) as stream:
        for _ in stream.frames():
            pass
        decoded = stream.frames_decoded
    return Cost(time.process_time() - cpu, time.perf_counter() - wall, decoded, 0)


def ways_of(backend: str, path: str) -> dict[str, Callable[[], Cost]]:
    """Everything that one backend is asked to do with a video."""
    decoder = make_decoder(Decoding.model_validate({"backend": backend, "threads": 1}))
    return {
        "plain_decoding": partial(plainly_decoded, decoder, path),
        **{name: partial(sampled, decoder, sampler, path) for name, sampler in SAMPLERS.items()},
    }


def compare(path: str, backends: Sequence[str], repeats: int) -> dict[str, Any]:
    """The costs of backends with all strategies on one video; why, where a backend cannot have it."""
    duration_seconds = end_seconds(path)
    ways: dict[str, Callable[[], Cost]] = {}
    found: dict[str, Any] = {}
    for backend in backends:
        try:
            plainly_decoded(make_decoder(Decoding.model_validate({"backend": backend})), path)
        except VideoError as error:
            found[backend] = {"problem": error.problem}
            continue
        found[backend] = {}
        ways.update({f"{backend} {name}": way for name, way in ways_of(backend, path).items()})
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for name, cost in alternating(ways, repeats):
        costs[name].append(cost)
    for name, of_way in costs.items():
        backend, _, strategy = name.partition(" ")
        found[backend][strategy] = told(of_way, duration_seconds)
    return {"duration_seconds": duration_seconds, "backends": found}


def told(costs: Sequence[Cost], duration_seconds: float) -> dict[str, Any]:
    """The repeats of one way, and their medians for an hour of video."""
    cpu, wall = [cost.cpu_seconds for cost in costs], [cost.wall_seconds for cost in costs]
    return {
        "frames_decoded": costs[0].frames_decoded,
        "frames_sampled": costs[0].frames_sampled,
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "median_cpu_seconds": median(cpu),
        "median_wall_seconds": median(wall),
        "cpu_seconds_per_hour": median(cpu) * 3600 / duration_seconds,
        "wall_seconds_per_hour": median(wall) * 3600 / duration_seconds,
    }


def end_seconds(path: str) -> float:
    """Where the last frame of a video ends, by the default decoder."""
    with make_decoder(Decoding()).open(path) as stream:
        for _ in stream.frames():
            pass
        return float(stream.end_time)


def overall(videos: Iterable[dict[str, Any]], backends: Sequence[str]) -> dict[str, Any]:
    """For each backend and strategy, the seconds for an hour of all videos that every backend opened."""
    common = [video for video in videos if not any("problem" in found for found in video["backends"].values())]
    if not common:
        return {}
    hours = sum(video["duration_seconds"] for video in common) / 3600
    return {
        backend: {
            strategy: {
                f"{clock}_seconds_per_hour": sum(
                    video["backends"][backend][strategy][f"median_{clock}_seconds"] for video in common
                )
                / hours
                for clock in ("cpu", "wall")
            }
            for strategy in ("plain_decoding", *SAMPLERS)
        }
        for backend in backends
    }


def main() -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/decode.json"))
    arguments = parser.parse_args()
    results = {}
    for path in arguments.videos:
        results[Path(path).name] = compare(path, arguments.backends, arguments.repeats)
        print(Path(path).name, "done", flush=True)
    summary = overall(results.values(), arguments.backends)
    content = {"decoder_threads": 1, "overall": summary, "results": results}
    write_result(arguments.output, "benchmarks.decode", rounded(content, 4))
    print(json.dumps(rounded(summary, 1), indent=1))


if __name__ == "__main__":
    main()
