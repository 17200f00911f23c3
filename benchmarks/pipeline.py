"""The whole way of a video, against the plain loop: the same frames of the same files, by the same model.

    python -m benchmarks.pipeline VIDEO... [--peer DIR] [--repeats 5] [--output benchmarks/results/pipeline.json]

The plain loop is what tutorials do: OpenCV reads every frame, every k-th goes through the model's PIL transform, in
float32 batches of 32, one process. Ours is the in-process executor, with its store and an index in memory. The image
tower is of ViT-B/32's size with random weights, loaded before the clock starts. Ways alternate; the first round is a
warm-up and is thrown away. `decode_alone`, `encode_alone` and `store_alone` are the stages of `fixed_rate` by
themselves, each with all processors; `store_alone` is everything else: identifying the video, and writing its
embeddings and rows.

`limit_seconds` is the least time in which the stages can be done on this machine: their processor seconds over the
number of processors, or the time of the slowest stage where that is longer (`benchmarks.stage_limit`). A thread that
waits for another one inside a matrix product counts as working. `end_to_end_over_limit` is 1 if the whole pipeline
takes no longer than that; above 1 is noise. `stages_over_processor_seconds` is the same ratio in processor seconds,
which tells how much work the pipeline adds to its stages, also while other programs use the machine.

`clip_video_encode` is there where `--peer` names its environment (see `benchmarks.clip_video_encode`); its clock
starts when it begins to read, so that neither its start nor its model's loading count.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.clip_video_encode import Peer
from benchmarks.setting import alternating, medians, random_model, rounded, stages_in, write_result
from benchmarks.stage_limit import StageCost, limit_seconds, processor_seconds
from pipeline.encode import Encoding, OpenClipEncoder, OpenEncoder, Preprocessing
from pipeline.execution import Execution, make_executor
from pipeline.execution.per_video.frame_batches import Reading, sampled_batches
from pipeline.execution.per_video.messages import FrameBatch
from pipeline.sampling import FixedRate, FrameSampler, Keyframe
from pipeline.types import FrameEmbeddings, Source, VideoRecord
from pipeline.video import Decoding, content_id, make_decoder

Vectors = npt.NDArray[np.float32]
SAMPLERS: dict[str, FrameSampler] = {
    "fixed_rate": FixedRate(fps=1.0),
    "fixed_rate_tolerant": FixedRate(fps=1.0, tolerance_seconds=0.5),
    "keyframe": Keyframe(),
}
STAGES_ALONE = ("decode_alone", "encode_alone", "store_alone")
BATCH_FRAMES = 32


@dataclass(frozen=True)
class Embedded:
    """Times in seconds and float32 (N, D) unit vectors of the frames that a way took, and the video's length."""

    times_seconds: npt.NDArray[np.float64]
    vectors: Vectors
    duration_seconds: float


@dataclass(frozen=True)
class Timed:
    """One run of a way.

    Attributes:
        wall_seconds: Time from start to end.
        processor_seconds: Processor time of all threads; None for another process.
        result: What came of it: `Embedded`, where the way goes all the way.
    """

    wall_seconds: float
    processor_seconds: float | None
    result: object


class ReadyEncoder:
    """An `Encoder` that is open already."""

    def __init__(self, encoder: OpenClipEncoder) -> None:
        self._encoder = encoder
        self._open = encoder.open()
        self.fingerprint = encoder.fingerprint
        self.description = encoder.description

    def preprocessing(self) -> Preprocessing:
        """The model's preprocessing."""
        return self._encoder.preprocessing()

    def open(self) -> OpenEncoder:
        """The open model."""
        return self._open


class PlainLoop:
    """Every frame by OpenCV, every k-th through PIL into a float32 model."""

    def __init__(self, encoding: Encoding) -> None:
        import open_clip
        import torch
        from safetensors.torch import load_file

        self._torch = torch
        self._model, _, self._transform = open_clip.create_model_and_transforms(encoding.model)
        self._model.load_state_dict(
            {name: value.float() for name, value in load_file(str(encoding.checkpoint)).items()}
        )
        self._model.eval()

    def __call__(self, path: str) -> Embedded:
        """A video's embeddings."""
        capture = cv2.VideoCapture(path)
        every = max(1, round(capture.get(cv2.CAP_PROP_FPS)))
        times, batch, vectors, number = [], [], [], 0
        while True:
            has_frame, picture = capture.read()
            if not has_frame:
                break
            if number % every == 0:
                times.append(number / capture.get(cv2.CAP_PROP_FPS))
                batch.append(self._transform(Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))))
            if len(batch) == BATCH_FRAMES:
                vectors.append(self._encoded(batch))
                batch = []
            number += 1
        if batch:
            vectors.append(self._encoded(batch))
        return Embedded(np.array(times), np.concatenate(vectors), number / capture.get(cv2.CAP_PROP_FPS))

    def _encoded(self, batch: Sequence[Any]) -> Vectors:
        with self._torch.no_grad():
            vectors: Vectors = self._model.encode_image(self._torch.stack(list(batch)), normalize=True).numpy()
        return vectors


def indexed(path: str, encoder: ReadyEncoder, sampler: FrameSampler) -> tuple[VideoRecord, FrameEmbeddings]:
    """A video through the in-process executor: what it stored."""
    with tempfile.TemporaryDirectory() as folder:
        stages = stages_in(folder, encoder, sampler)
        execution = Execution(executor="in_process", batch_frames=BATCH_FRAMES)
        [report] = make_executor(execution, stages).run([Source(path)])
        if report.video_id is None:
            raise RuntimeError(f"{path}: {report.problem}")
        record = stages.sink.store.record(report.video_id)
        if record is None:
            raise RuntimeError(f"{path}: nothing was stored")
        return record, stages.sink.store.read(report.video_id)


def ours(path: str, encoder: ReadyEncoder, sampler: FrameSampler) -> Embedded:
    """A video through the in-process executor."""
    _, frames = indexed(path, encoder, sampler)
    return Embedded(frames.times_seconds, frames.vectors, frames.duration_seconds)


def by_peer(path: str, *, peer: Peer, encoding: Encoding) -> Timed:
    """A video through clip-video-encode: every k-th frame as in the plain loop, timed by its own process."""
    capture = cv2.VideoCapture(path)
    rate = capture.get(cv2.CAP_PROP_FPS)
    every = max(1, round(rate))
    seconds, vectors = peer.embedded(path, every=every, encoding=encoding)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    duration_seconds = capture.get(cv2.CAP_PROP_FRAME_COUNT) / rate
    return Timed(seconds, None, Embedded(np.arange(len(vectors)) * every / rate, vectors, duration_seconds))


def decode_alone(path: str, encoder: ReadyEncoder) -> list[npt.NDArray[np.uint8]]:
    """The first stage of `fixed_rate`: decoded, scaled, in batches."""
    reading = Reading(
        decoder=make_decoder(Decoding(threads=2)),
        sampler=SAMPLERS["fixed_rate"],
        preprocessing=encoder.preprocessing(),
        batch_frames=BATCH_FRAMES,
    )
    return [item.images for item in sampled_batches(reading, path) if isinstance(item, FrameBatch)]


def store_alone(path: str, encoder: ReadyEncoder, record: VideoRecord, frames: FrameEmbeddings) -> None:
    """The last stage, and the first step: identified, then embeddings and rows written."""
    content_id(path)
    with tempfile.TemporaryDirectory() as folder:
        sink = stages_in(folder, encoder, SAMPLERS["fixed_rate"]).sink
        sink.store.write(record, frames)
        sink.write_rows({frames.video_id: sink.rows(frames, record.metadata)})


def timed(way: Callable[[], object]) -> Timed:
    """One run of a way."""
    started, processor_started = time.perf_counter(), time.process_time()
    result = way()
    return Timed(time.perf_counter() - started, time.process_time() - processor_started, result)


def ways_of(
    path: str, encoder: ReadyEncoder, plain: PlainLoop, others: Mapping[str, Callable[[str], Timed]]
) -> dict[str, Callable[[], Timed]]:
    """All ways of a video, and its stages alone."""
    model, batches = encoder.open(), decode_alone(path, encoder)
    stored = indexed(path, encoder, SAMPLERS["fixed_rate"])
    return {
        "plain_loop": partial(timed, partial(plain, path)),
        **{name: partial(other, path) for name, other in others.items()},
        **{name: partial(timed, partial(ours, path, encoder, sampler)) for name, sampler in SAMPLERS.items()},
        "decode_alone": partial(timed, partial(decode_alone, path, encoder)),
        "encode_alone": partial(timed, lambda: [model.encode_images(batch) for batch in batches]),
        "store_alone": partial(timed, partial(store_alone, path, encoder, *stored)),
    }


def compare(
    path: str, encoder: ReadyEncoder, plain: PlainLoop, others: Mapping[str, Callable[[str], Timed]], *, repeats: int
) -> dict[str, Any]:
    """Seconds of each way, alternating, after a warm-up of each."""
    runs: dict[str, list[Timed]] = {}
    for name, run in alternating(ways_of(path, encoder, plain, others), repeats):
        runs.setdefault(name, []).append(run)
    results = {name: of_way[-1].result for name, of_way in runs.items()}
    embedded = {name: result for name, result in results.items() if isinstance(result, Embedded)}
    seconds = {name: [run.wall_seconds for run in of_way] for name, of_way in runs.items()}
    processor = {
        name: [run.processor_seconds for run in of_way if run.processor_seconds is not None]
        for name, of_way in runs.items()
    }
    median_seconds = medians(seconds)
    median_processor = medians({name: of_way for name, of_way in processor.items() if of_way})
    plainly, length = median_seconds["plain_loop"], embedded["fixed_rate"].duration_seconds
    compared = [name for name in embedded if name != "plain_loop"]
    return {
        "duration_seconds": length,
        "frames": {name: len(result.vectors) for name, result in embedded.items()},
        "least_cosine_to_plain_loop": {name: least_cosine(embedded["plain_loop"], embedded[name]) for name in compared},
        "seconds": rounded(seconds),
        "median_seconds": rounded(median_seconds),
        "processor_seconds": rounded(processor),
        "median_processor_seconds": rounded(median_processor),
        "video_seconds_per_second": {name: round(length / median_seconds[name], 1) for name in embedded},
        "times_faster_than_plain_loop": {name: round(plainly / median_seconds[name], 2) for name in compared},
        **rounded(against_limit(median_seconds, median_processor, processors=usable_processors())),
    }


def against_limit(seconds: Mapping[str, float], processor: Mapping[str, float], *, processors: int) -> dict[str, float]:
    """`fixed_rate` against what its stages cost alone; the arguments are medians by way."""
    stages = {name: StageCost(seconds[name], processor[name]) for name in STAGES_ALONE}
    limit = limit_seconds(stages, processors)
    return {
        "limit_seconds": limit,
        "end_to_end_over_limit": limit / seconds["fixed_rate"],
        "stages_over_processor_seconds": processor_seconds(stages) / processor["fixed_rate"],
    }


def usable_processors() -> int:
    """The processors that this process may run on."""
    return len(os.sched_getaffinity(0))


def least_cosine(one: Embedded, other: Embedded) -> float | None:
    """The least cosine of embeddings of frames at the same times; None where no times are the same."""
    rows = [(k, int(np.abs(other.times_seconds - time).argmin())) for k, time in enumerate(one.times_seconds)]
    same = [(k, row) for k, row in rows if abs(other.times_seconds[row] - one.times_seconds[k]) < 1e-3]
    return round(min(float(one.vectors[k] @ other.vectors[row]) for k, row in same), 5) if same else None


def main() -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--peer", type=Path, help="environment of clip-video-encode")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/pipeline.json"))
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        nullcontext() if arguments.peer is None else Peer(arguments.peer) as peer,
    ):
        encoding = random_model(Path(folder))
        encoder, plain = ReadyEncoder(OpenClipEncoder(encoding)), PlainLoop(encoding)
        others: dict[str, Callable[[str], Timed]] = (
            {} if peer is None else {"clip_video_encode": partial(by_peer, peer=peer, encoding=encoding)}
        )
        results = {}
        for path in arguments.videos:
            results[Path(path).name] = compare(path, encoder, plain, others, repeats=arguments.repeats)
            print(Path(path).name, json.dumps(results[Path(path).name], indent=1), flush=True)
    content = {"precision": encoder.open().precision, "processors": usable_processors(), "results": results}
    write_result(arguments.output, "benchmarks.pipeline", content)


if __name__ == "__main__":
    main()
