"""Tasks and actors against Ray Data: the same batch by `RayExecutor` and by a Ray Data pipeline.

    python -m benchmarks.executors [--short] [--repeats 5] [--output benchmarks/results/executors.json]

Two batches of generated H.264 videos (640 x 360, 25 frames/s, moving noise, seed 0): one of five minutes, and sixty of
three seconds; with `--short`, one of 30 seconds and six of three. All sampled at 2 frames/s; the image tower is of
ViT-B/32's size with random weights. All ways use the same decoder, sampler, preprocessing, encoder class and writer, on
one Ray that is up before the clock starts; each run starts its own encoder process and loads the model, and ends when
the last embedding is stored. Runs alternate; the first round is a warm-up and is thrown away.

Ray Data runs once as its planner wants it, which puts decoding into the encoder's process where both ask for the same
resources (`ray_data_fused`), and once with decoding in tasks of its own (`ray_data`). Both do less than the executor:
they skip nothing, deal with no damage and no death, and name no cause.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.setting import alternating, medians, random_model, rounded, stages_in, write_result
from pipeline.encode import OpenClipEncoder
from pipeline.execution import Execution, Stages, make_executor
from pipeline.execution.ledger.ledger import Ledger
from pipeline.execution.per_video.embedding_buffer import EmbeddingBuffer
from pipeline.execution.per_video.frame_batches import Reading, sampled_batches
from pipeline.execution.per_video.messages import (
    BatchTimes,
    FrameBatch,
    Heartbeat,
    VideoEnd,
)
from pipeline.sampling import FixedRate
from pipeline.types import Source
from pipeline.video import content_id

RATE, WIDTH, HEIGHT = 25, 640, 360
BATCH_FRAMES = 32


def main() -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a tenth of the video")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/executors.json"))
    arguments = parser.parse_args()
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    with tempfile.TemporaryDirectory() as folder:
        encoder = OpenClipEncoder(random_model(Path(folder)))
        length, count = (30, 6) if arguments.short else (300, 60)
        batches = {
            f"one_video_of_{length}_s": [write_video(Path(folder, "long.mp4"), length, seed=0)],
            f"{count}_videos_of_3_s": [
                write_video(Path(folder, f"{seed}.mp4"), 3, seed=seed) for seed in range(1, count + 1)
            ],
        }
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        results = {name: compare(paths, encoder, arguments.repeats) for name, paths in batches.items()}
    write_result(arguments.output, "benchmarks.executors", {"seed": 0, "results": results})
    print(json.dumps(results, indent=2))


def compare(paths: list[str], encoder: OpenClipEncoder, repeats: int) -> dict[str, Any]:
    """Seconds of each way, alternating, after a warm-up of each."""
    ways: dict[str, Callable[[list[str], Stages], int]] = {
        "tasks_and_actors": by_executor,
        "ray_data": partial(by_ray_data, decode_cpus=0.99),
        "ray_data_fused": partial(by_ray_data, decode_cpus=1),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    frames: set[int] = set()
    timed = {name: partial(timed_run, way, paths, encoder) for name, way in ways.items()}
    for name, (of_run, count) in alternating(timed, repeats):
        seconds[name].append(of_run)
        frames.add(count)
    if len(frames) != 1:
        raise RuntimeError(f"the ways did different work: {frames} frames")
    median_seconds = medians(seconds)
    ours = median_seconds["tasks_and_actors"]
    result = {
        "frames_encoded": frames.pop(),
        "seconds": seconds,
        "median_seconds": median_seconds,
        "over_tasks_and_actors": {name: each / ours for name, each in median_seconds.items()},
    }
    return {name: rounded(value) for name, value in result.items()}


def timed_run(way: Callable[[list[str], Stages], int], paths: list[str], encoder: OpenClipEncoder) -> tuple[float, int]:
    """Seconds of one run into an empty store, and the frames that it encoded."""
    with tempfile.TemporaryDirectory() as folder:
        stages = stages_in(folder, encoder, FixedRate(fps=2.0))
        started = time.perf_counter()
        count = way(paths, stages)
        return time.perf_counter() - started, count


def by_executor(paths: list[str], stages: Stages) -> int:
    """The frames that `RayExecutor` encoded."""
    executor = make_executor(Execution(batch_frames=BATCH_FRAMES), stages)
    return sum(report.frames_sampled for report in executor.run(Source(path) for path in paths))


def by_ray_data(paths: list[str], stages: Stages, *, decode_cpus: float) -> int:
    """The frames that a streaming Ray Data pipeline encoded: generators decode, an actor encodes, the driver writes."""
    import ray
    from ray.data import DataContext

    DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ledger = Ledger(stages.sink, rows_per_write=1000)
    ids = {path: content_id(path) for path in paths}
    for path in paths:
        ledger.admit(Source(path), ids[path])
    reading = Reading(
        decoder=stages.decoder,
        sampler=stages.sampler,
        preprocessing=stages.encoder.preprocessing(),
        batch_frames=BATCH_FRAMES,
    )
    rows = (
        ray.data.from_items([{"path": path} for path in paths], override_num_blocks=len(paths))
        .map_batches(_decode, fn_args=(reading,), batch_size=1, num_cpus=decode_cpus)
        .map_batches(
            _Encode,
            fn_constructor_args=(stages.encoder,),
            batch_size=BATCH_FRAMES,
            compute=ray.data.ActorPoolStrategy(size=1),
            num_cpus=1,
        )
        .iter_rows()
    )
    return _write(rows, ledger, ids)


def _decode(batch: dict[str, Any], reading: Reading) -> Iterator[dict[str, Any]]:
    """A row a frame, and the facts of the whole video in its last one."""
    path = str(batch["path"][0])
    held: FrameBatch | None = None
    for item in sampled_batches(reading, path):
        if isinstance(item, Heartbeat):
            continue
        if held is not None:
            yield _rows(path, held, item if isinstance(item, VideoEnd) else None)
        held = item if isinstance(item, FrameBatch) else None


def _rows(path: str, batch: FrameBatch, end: VideoEnd | None) -> dict[str, Any]:
    ends = np.empty(len(batch.times), object)
    ends[-1] = end
    return {
        "path": np.array([path] * len(batch.times)),
        "image": batch.images,
        "pts": batch.times.pts,
        "seconds": batch.times.times_seconds,
        "end": ends,
    }


class _Encode:
    def __init__(self, encoder: OpenClipEncoder) -> None:
        os.environ["OMP_NUM_THREADS"] = str(len(os.sched_getaffinity(0)))
        self._model = encoder.open()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        images = batch.pop("image")
        return {**batch, "vector": self._model.encode_images(np.ascontiguousarray(images))}


def _write(rows: Iterator[dict[str, Any]], ledger: Ledger, ids: dict[str, str]) -> int:
    count = 0
    gathered: dict[str, list[dict[str, Any]]] = {}
    ends: dict[str, VideoEnd] = {}
    for row in rows:
        count += 1
        path = str(row["path"])
        gathered.setdefault(path, []).append(row)
        if row["end"] is not None:
            ends[path] = row["end"]
    for path, end in ends.items():
        of_video = sorted(gathered[path], key=lambda row: row["pts"])
        times = BatchTimes(
            number=0,
            pts=np.array([row["pts"] for row in of_video], np.int64),
            times_seconds=np.array([row["seconds"] for row in of_video], np.float64),
            decoded_seconds=end.duration_seconds,
            duration_seconds=end.duration_seconds,
        )
        embeddings = EmbeddingBuffer()
        embeddings.add(times, np.stack([row["vector"] for row in of_video]))
        ledger.finish(Source(path), embeddings.assembled(ids[path], end), end)
    reports = list(ledger.reports(all_written=True))
    if len(reports) != len(ids):
        raise RuntimeError(f"{len(reports)} of {len(ids)} videos came out")
    return count


def write_video(path: Path, seconds: int, *, seed: int) -> str:
    """Noise that moves over a colour which changes: neither trivial to decode nor all alike."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 60, (HEIGHT, 2 * WIDTH, 3), np.uint8)
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "crf": "30"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(seconds * RATE):
            shift = 4 * number % WIDTH
            colour = np.array([number // 2 % 190, seed * 3 % 190, 90], np.uint8)
            picture = np.ascontiguousarray(noise[:, shift : shift + WIDTH] + colour)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return str(path)


if __name__ == "__main__":
    main()
