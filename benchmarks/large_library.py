"""Measure a library of many videos: questions, lists and names, on a local disk and on an S3 server with latency.

    python -m benchmarks.large_library [--videos 3000] [--names 100000] [--work DIR]

The videos of the first part have 14 frames of 512 numbers each, which `made_rows` makes. The frames of all its films
are shuffled, so that the 100 segments that a question nominates are of almost as many videos, whose frames are all read
and scored. The index is held in memory: this measures what a question costs beside Milvus. The same questions are asked
on a local disk and on `slow_s3`, where every request takes 20 ms: about frames that the process has not read before,
and the same again.

The videos of the second part have two short frames. Measured are a complete list, its first line, a name found by file
name and by path, and the peak memory of a search.

Times are medians of wall time in milliseconds, with the processor time beside them. Files are in the page cache.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.made_rows import DIMENSION, ROWS_A_VIDEO, MadeRows, Vectors
from benchmarks.setting import rounded, write_result
from pipeline.encode import OpenEncoder, Preprocessing
from pipeline.library import Library
from pipeline.library.videos import find_video
from pipeline.search.filters.video_names import VideoNames
from pipeline.store import ParquetStore
from pipeline.types import FrameEmbeddings, Status, VideoInfo, VideoRecord

OUTPUT = Path(__file__).parent / "results" / "large_library.json"
FRAMES = 14
QUESTIONS = 20
LATENCY_MS = 20.0
_NO_SIGNATURE = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class _OpenMadeEncoder:
    """Embeds the text "question N" as one of the given vectors, and any other as a vector made from its hash."""

    dimension = DIMENSION
    device = "cpu"
    precision = "fp32"
    logit_scale = 100.0
    logit_bias: float | None = None

    def __init__(self, questions: Vectors) -> None:
        self._questions = questions

    def encode_images(self, images: Any) -> Vectors:
        raise NotImplementedError

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._vector(text) for text in texts])

    def unknown_words(self, text: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def _vector(self, text: str) -> Vectors:
        if text.startswith("question "):
            return np.asarray(self._questions[int(text.rpartition(" ")[2])], np.float32)
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
        vector = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


@dataclass(frozen=True)
class MadeEncoder:
    """The encoder of the synthetic library.

    Attributes:
        questions: float32 (N, 512), the vectors of "question 0" and so on.
    """

    questions: Vectors
    fingerprint: str = "made"
    description: str = "vectors of made_rows"

    def preprocessing(self) -> Preprocessing:
        """Not available: the library's videos are never read."""
        raise NotImplementedError

    def open(self) -> OpenEncoder:
        """Return the encoder of the questions."""
        return _OpenMadeEncoder(self.questions)


def opened(root: str, questions: Vectors, overrides: Sequence[str]) -> Library:
    """Open the synthetic library with an index in memory."""
    return Library.open(root, overrides=["index.backend=memory", *overrides], encoder=MadeEncoder(questions))


def video(number: int, vectors: Vectors) -> tuple[VideoRecord, FrameEmbeddings]:
    """Make a video with one frame per second."""
    video_id, length = hashlib.sha256(str(number).encode()).hexdigest()[:16], float(len(vectors))
    frames = FrameEmbeddings(
        video_id=video_id,
        pts=np.arange(len(vectors), dtype=np.int64),
        time_base=Fraction(1),
        times_seconds=np.arange(len(vectors), dtype=np.float64),
        vectors=vectors,
        cuts_seconds=(),
        duration_seconds=length,
        step_seconds=1.0,
    )
    info = VideoInfo(
        uri=f"/footage/camera {number % 50}/{number}.mp4",
        container="mov,mp4",
        codec="h264",
        width=1280,
        height=720,
        rotation_degrees=0,
        time_base=Fraction(1, 90_000),
        start_time=Fraction(0),
        average_rate=Fraction(25),
        duration_seconds=length,
    )
    record = VideoRecord(
        video_id=video_id,
        names=(info.uri,),
        status=Status.DONE,
        info=info,
        duration_seconds=length,
        covered_seconds=length,
        frame_count=len(vectors),
        metadata={"camera": number % 50},
    )
    return record, frames


def fill(store: ParquetStore, videos: Iterable[Vectors]) -> None:
    """Write videos to a store, without waiting for the disk."""
    with patch("os.fsync"):
        for number, vectors in enumerate(videos):
            record, frames = video(number, vectors)
            store.write(record, frames)
            for name in record.names:
                store.take_name(record.video_id, name)
        list(store.records())


@contextlib.contextmanager
def slow_s3(folder: Path, latency_ms: float) -> Iterator[dict[str, str]]:
    """Serve a folder as buckets; yields the environment variables of its clients."""
    command = [sys.executable, "-m", "benchmarks.slow_s3", str(folder), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = "" if server.stdout is None else server.stdout.readline().strip()
            yield {**_NO_SIGNATURE, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        finally:
            server.terminate()


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Wall and processor time of some work in milliseconds."""
    began, began_processor = time.perf_counter(), time.process_time()
    work()
    wall, processor = time.perf_counter() - began, time.process_time() - began_processor
    return {"ms": wall * 1e3, "processor_ms": processor * 1e3}


def ask(root: str, questions: Vectors, overrides: Sequence[str], *, is_repeated: bool) -> dict[str, Any]:
    """Ask each question once, or twice and count the second time; runs in a process of its own."""
    with opened(root, questions, overrides) as library:
        start = timed(library.searcher)
        times = []
        for number in range(len(questions)):
            for _ in range(1 + is_repeated):
                # The count of the stored videos is renewed every ten seconds, which is part of some questions.
                taken = timed(partial(library.ask, f"question {number}"))
            times.append(taken)
    found = {name: median(time[name] for time in times) for name in times[0]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**found, "most_ms": max(time["ms"] for time in times), "start_ms": start["ms"], "peak_mebibytes": peak}


def look_up(root: str) -> dict[str, Any]:
    """List all videos and find some by name; runs in a process of its own."""
    store = ParquetStore(root, "sampling", "made")
    listed = store.records()
    found = {"first_line": timed(lambda: next(listed)), "rest_of_the_list": timed(lambda: list(listed))}
    records = [video(number, np.eye(2, 16, dtype=np.float32))[0] for number in range(11, 2011, 400)]
    names = {"path": [record.last_name for record in records], "file_name": [f"{n}.mp4" for n in range(11, 2011, 400)]}
    for form, of_form in names.items():
        times = [timed(partial(find_video, VideoNames(), store, store.survey, name)) for name in of_form]
        found[form] = {each: median(time[each] for time in times) for each in times[0]}
    return {**found, "peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def in_a_process(*arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a part of this program in a process of its own and return what it printed."""
    command = [sys.executable, "-m", "benchmarks.large_library", *arguments]
    done = subprocess.run(command, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure_questions(work: Path, videos: int) -> dict[str, Any]:
    """Measure the first part of the text at the top."""
    library, vectors = work / "bucket" / "questions", work / "questions.npy"
    made = MadeRows(-(-videos * FRAMES // ROWS_A_VIDEO) * ROWS_A_VIDEO)
    if not library.exists():
        with opened(str(library), made.rows[:1], ()) as new:
            shuffled = np.random.default_rng(0).permutation(made.rows)[: videos * FRAMES]
            fill(new.store, shuffled.reshape(videos, FRAMES, DIMENSION))
    np.save(vectors, made.questions(QUESTIONS, videos * FRAMES))
    found: dict[str, Any] = {}
    with slow_s3(work, LATENCY_MS) as environment:
        for place, root in (("local disk", str(library)), ("S3", "s3://bucket/questions")):
            cases = {"not read before": "once", "read before": "twice"}
            found[place] = {
                case: in_a_process("--ask", root, str(vectors), times, environment=environment)
                for case, times in cases.items()
            }
    return found


def measure_names(work: Path, videos: int) -> dict[str, Any]:
    """Measure the second part of the text at the top."""
    root = str(work / "bucket" / "names")
    if not Path(root).exists():
        vectors = np.eye(2, 16, dtype=np.float32)
        fill(ParquetStore(root, "sampling", "made"), (vectors for _ in range(videos)))
    with slow_s3(work, LATENCY_MS) as environment:
        return {
            "local disk": in_a_process("--look-up", root),
            "S3": in_a_process("--look-up", "s3://bucket/names", environment=environment),
        }


def main() -> None:
    """Measure, print and save the figures."""
    if sys.argv[1:2] == ["--ask"]:
        root, vectors, times = sys.argv[2:]
        overrides = ["search.cache_mebibytes=0"] if times == "once" else []
        print(json.dumps(ask(root, np.load(vectors), overrides, is_repeated=times == "twice")))
        return
    if sys.argv[1:2] == ["--look-up"]:
        print(json.dumps(look_up(sys.argv[2])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=3000)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--work", type=Path, help="a folder for the libraries, which a later run uses again")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    with TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        content: dict[str, Any] = {"load": os.getloadavg()[0], "latency_ms": LATENCY_MS}
        if given.videos:
            content |= {"videos": given.videos, "questions": measure_questions(work, given.videos)}
        if given.names:
            content |= {"named_videos": given.names, "names": measure_names(work, given.names)}
    content = rounded(content, 1)
    print(json.dumps(content, indent=2))
    write_result(given.output, "benchmarks.large_library", content)


if __name__ == "__main__":
    main()
