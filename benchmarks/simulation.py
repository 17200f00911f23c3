"""A batch of a hundred thousand videos: does anything grow, and what does a video cost beside its stages?

    python -m benchmarks.simulation [--videos 100000] [--readers 4] [--hurry 100] [--uri http://host:19530]
                                    [--output benchmarks/results/simulation.json]

Simulated are decoding and encoding alone: they sleep as long as a clip of ten seconds was measured to take (see
`DECODE_SECONDS` and `ENCODE_SECONDS`), divided by `--hurry`. All else is real: a file for each video, which is
identified; Ray with a process a reader and one encoder, through which ten pictures of 224 x 224 a video travel; the
store, which gets a Parquet file a video; and Milvus, which gets its rows: the server at `--uri`, in a collection that
is dropped at the end, or else Milvus Lite. So a video leaves behind what a clip of ten seconds leaves behind.

Every `--every` videos is noted how long they took, the resident memory of this process (the driver; Milvus Lite is in
it), the bytes in Ray's object store, how many videos were being read, and the rows of the index. `overhead_ms` is the
time a video on the wall less what readers and encoder slept for it, which pass side by side: of the two the longer one.
Writing store and index counts as overhead.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.setting import rounded, write_result
from pipeline.execution import Execution, LibrarySink, Stages, make_executor
from pipeline.execution.ray.cluster import OWN_RAY
from pipeline.index import Indexing, Owner, open_index
from pipeline.index.protocol import MomentIndex
from pipeline.sampling import FixedRate
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore
from pipeline.types import Frame, Grid, Skip, Source, VideoInfo
from pipeline.types.packets import Packets, Span
from pipeline.video.protocol import VideoStream

CLIP_SECONDS = 10
DECODE_SECONDS = 0.32
"""A reader's for ten seconds of a 720p film, on one processor: twice `decode_alone`, which has two (pipeline.json)."""
ENCODE_SECONDS = 0.14
"""ViT-B/32's for its ten pictures, in bfloat16 on two processors: `encode_alone` (pipeline.json)."""
SIDE, DIMENSION = 224, 512


@dataclass(frozen=True)
class SimulatedFrame:
    """A picture without content."""

    pts: int
    width: int = SIDE
    height: int = SIDE
    is_keyframe: bool = True
    duration: Fraction | None = Fraction(1)

    @property
    def time(self) -> Fraction:
        """Seconds; one picture a second."""
        return Fraction(self.pts)

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        """uint8 (height, width, 3), all black."""
        return np.zeros((height or SIDE, width or SIDE, 3), np.uint8)

    def thumbnail(self) -> npt.NDArray[np.uint8]:
        """uint8 (3, 36, 64), all black."""
        return np.zeros((3, 36, 64), np.uint8)


class SimulatedStream:
    """A clip of ten seconds that takes its time.

    Args:
        path: Which.
        seconds: How long it takes to decode.
    """

    def __init__(self, path: str, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self.damage: tuple[str, ...] = ()
        self.covered_seconds = float(CLIP_SECONDS)
        self.end_time = Fraction(CLIP_SECONDS)
        self.frames_decoded = 30 * CLIP_SECONDS

    @property
    def info(self) -> VideoInfo:
        """What a container would say."""
        return VideoInfo(
            uri=self._path,
            container="simulated",
            codec="simulated",
            width=SIDE,
            height=SIDE,
            rotation_degrees=0,
            time_base=Fraction(1),
            start_time=Fraction(0),
            average_rate=Fraction(1),
            duration_seconds=float(CLIP_SECONDS),
        )

    def frames(
        self,
        *,
        start: Fraction | None = None,  # noqa: ARG002 - of the protocol
        end: Fraction | None = None,  # noqa: ARG002
        skip: Skip = Skip.NOTHING,  # noqa: ARG002
        grid: Grid | None = None,  # noqa: ARG002
    ) -> Iterator[Frame]:
        """A picture a second."""
        time.sleep(self._seconds)
        for second in range(CLIP_SECONDS):
            yield SimulatedFrame(second)

    def packets(self) -> Packets | None:
        """None are told."""
        return None

    def frames_within(
        self,
        spans: Sequence[Span],  # noqa: ARG002 - of the protocol
        *,
        skip: Skip = Skip.NOTHING,  # noqa: ARG002
    ) -> Iterator[Frame]:
        """Never asked for, as there are no packets."""
        raise ValueError("a simulated clip has no packets")

    def close(self) -> None:
        """Nothing to give back."""

    def __enter__(self) -> SimulatedStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@dataclass(frozen=True)
class SimulatedDecoder:
    """Opens clips that take so many seconds each."""

    seconds: float
    name: str = "simulated"

    def open(self, path: str) -> VideoStream:
        """A clip."""
        return SimulatedStream(path, self.seconds)


@dataclass(frozen=True)
class SimulatedPreprocessing:
    """Hands pictures on as they are."""

    image_height: int = SIDE
    image_width: int = SIDE

    def __call__(self, frame: Frame) -> npt.NDArray[np.uint8]:
        """uint8 (224, 224, 3)."""
        return frame.rgb()


class SimulatedModel:
    """Vectors of noise, after a while.

    Args:
        seconds: How long an image takes.
    """

    dimension = DIMENSION
    device = "cpu"
    precision = "fp32"
    logit_scale = 20.0
    logit_bias = None

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._random = np.random.default_rng(0)

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """float32 (N, 512) of unit length."""
        time.sleep(self._seconds * len(images))
        vectors = self._random.standard_normal((len(images), DIMENSION), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """float32 (N, 512) of unit length."""
        return np.eye(DIMENSION, dtype=np.float32)[[0] * len(texts)]

    def unknown_words(self, text: str) -> tuple[str, ...]:  # noqa: ARG002 - it has no words
        """None."""
        return ()


@dataclass(frozen=True)
class SimulatedEncoder:
    """An encoder that takes so many seconds an image."""

    seconds: float
    fingerprint: str = "simulated"
    description: str = "simulated encoder"

    def preprocessing(self) -> SimulatedPreprocessing:
        """Nothing is done."""
        return SimulatedPreprocessing()

    def open(self) -> SimulatedModel:
        """The model."""
        return SimulatedModel(self.seconds)


def write_clips(folder: Path, count: int) -> list[Source]:
    """A small file a clip, each of other content, a thousand to a folder."""
    sources = []
    for number in range(count):
        path = folder / f"{number // 1000:03}" / f"{number % 1000:03}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\0simulated\0" + number.to_bytes(8))
        sources.append(Source(str(path)))
    return sources


def resident_bytes() -> int:
    """Memory of this process that is in use."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def object_store_bytes() -> float:
    """What lies in Ray's shared memory."""
    import ray

    held = ray.cluster_resources().get("object_store_memory", 0.0)
    return float(held - ray.available_resources().get("object_store_memory", 0.0))


@contextmanager
def opened_index(folder: Path, uri: str | None) -> Iterator[MomentIndex]:
    """An empty index: Milvus Lite in a folder, or a collection of a server, which is dropped afterwards."""
    library_id = uuid.uuid4().hex[:12]
    index = open_index(Indexing(uri=uri), folder=folder, owner=Owner("simulated", library_id=library_id))
    try:
        yield index
    finally:
        index.close()
        if uri is not None:
            drop_collections(uri, library_id)


def drop_collections(uri: str, library_id: str) -> None:
    """Drop what a server holds of a library."""
    from pymilvus import MilvusClient

    with closing(MilvusClient(uri)) as client:
        for collection in client.list_collections():
            if library_id in collection:
                for alias in client.list_aliases(collection)["aliases"]:
                    client.drop_alias(alias)
                client.drop_collection(collection)


def simulated(
    folder: Path, sources: Sequence[Source], index: MomentIndex, *, readers: int, hurry: float, every: int
) -> dict[str, Any]:
    """Index all clips, and note how it went every so many."""
    stages = Stages(
        decoder=SimulatedDecoder(DECODE_SECONDS / hurry),
        sampler=FixedRate(fps=1.0),
        encoder=SimulatedEncoder(ENCODE_SECONDS / CLIP_SECONDS / hurry),
        sink=LibrarySink(
            store=ParquetStore(str(folder / "library"), "simulated", "simulated"),
            recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="simulated"),
            index=index,
        ),
    )
    being_read: list[int] = []
    executor = make_executor(
        Execution(videos_at_once=readers), stages, on_progress=lambda event: being_read.append(len(event.active))
    )
    notes: list[dict[str, float]] = []
    began = before = time.perf_counter()
    for done, report in enumerate(executor.run(sources), 1):
        if report.status != "done":
            raise RuntimeError(f"{report.source.uri}: {report.problem}")
        if done % every:
            continue
        now = time.perf_counter()
        notes.append(
            {
                "videos": done,
                "ms_a_video": (now - before) / every * 1000,
                "driver_mib": resident_bytes() / 2**20,
                "object_store_mib": object_store_bytes() / 2**20,
                "most_being_read": max(being_read, default=0),
                "rows": index.count(),
            }
        )
        being_read.clear()
        print(json.dumps(rounded(notes[-1], 1)), flush=True, file=sys.stderr)
        before = time.perf_counter()
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "rows": index.count(), "notes": notes}


def main() -> None:
    """Run it and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--hurry", type=float, default=100.0)
    parser.add_argument("--every", type=int, default=1000)
    parser.add_argument("--uri", help="a Milvus server in place of Milvus Lite")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/simulation.json"))
    arguments = parser.parse_args()
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    readers = arguments.readers
    ray.init(
        num_cpus=readers + 1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        _system_config={**OWN_RAY, "worker_niceness": 0},
    )
    with tempfile.TemporaryDirectory() as name, opened_index(Path(name) / "index", arguments.uri) as index:
        sources = write_clips(Path(name), arguments.videos)
        found = simulated(Path(name), sources, index, readers=readers, hurry=arguments.hurry, every=arguments.every)
    notes = found["notes"]
    slept = max(DECODE_SECONDS / readers, ENCODE_SECONDS) / arguments.hurry * 1000
    tenth = max(1, len(notes) // 10)
    first, last = notes[tenth : 2 * tenth] or notes, notes[-tenth:]
    content = {
        "work": {
            "videos": arguments.videos,
            "readers": readers,
            "hurry": arguments.hurry,
            "index": "Milvus Lite" if arguments.uri is None else "Milvus server",
        },
        "slept_ms_a_video": slept,
        "overhead_ms": median(note["ms_a_video"] for note in notes) - slept,
        "last_over_second_tenth": {
            name: median(note[name] for note in last) / median(note[name] for note in first)
            for name in ("ms_a_video", "driver_mib", "most_being_read")
        },
        **found,
    }
    write_result(arguments.output, "benchmarks.simulation", rounded(content))
    print(json.dumps(rounded({name: value for name, value in content.items() if name != "notes"}), indent=2))


if __name__ == "__main__":
    main()
