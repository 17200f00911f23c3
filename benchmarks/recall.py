"""Where the index errs: approximate search against exact search, for each kind of index and effort.

    python -m benchmarks.recall --uri http://host:19530 [--sizes 10000 100000 1000000] [--kinds flat hnsw ...]
                                [--output benchmarks/results/recall.json]

Recall at 10 is the share of the ten nearest rows, by the exact index in memory, that a search for ten brings; at 100,
the same of a hundred, as many as `search.candidates` asks for. A hit whose exact cosine is within 1e-6 of the last true
one counts, so that a tie is no error. Milvus Lite is asked without `--uri`, too, up to 100,000 rows.

A million embeddings of real films are not at hand: rows and questions are made (see `benchmarks.made_rows`), a smaller
size being the beginning of a larger one; `geometry` in the result says how they lie. Real ones will differ: compare
kinds and efforts by these figures, and measure your own.

Rows are written once a size, through `pipeline.index`; over them the server then builds one kind after another, which
is `build_seconds` until it says that all rows are indexed. Latency is of one question at a time, for ten hits, after
some to warm up, and so includes the client.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.made_rows import DIMENSION, ROWS_A_VIDEO, MadeRows, Vectors
from benchmarks.setting import rounded, write_result
from benchmarks.simulation import drop_collections
from pipeline.index import Indexing, MemoryIndex, MomentIndex, Owner, open_index
from pipeline.index.settings import DiskAnn, Flat, Hnsw, IvfFlat, IvfSq8, Kind, Scann
from pipeline.types import IndexedSegment, Segment

if TYPE_CHECKING:
    from pymilvus import MilvusClient

LITE_MOST = 100_000
"""Rows for which Milvus Lite is meant."""
TOP, CANDIDATES = 10, 100
WARM_UP, TIMED = 5, 50
ROWS_A_WRITE = 10_000
TIE = 1e-6

EFFORTS: dict[str, tuple[Kind, ...]] = {
    "flat": (Flat(),),
    "hnsw": tuple(Hnsw(ef_search=width) for width in (64, 128, 256, 512)),
    "hnsw_m32": tuple(Hnsw(m=32, ef_search=width) for width in (64, 128, 256, 512)),
    "ivf_flat": tuple(IvfFlat(nprobe=lists) for lists in (16, 32, 64)),
    "ivf_sq8": tuple(IvfSq8(nprobe=lists) for lists in (16, 32, 64)),
    "scann": tuple(Scann(nprobe=lists) for lists in (16, 32, 64)),
    "diskann": tuple(DiskAnn(search_list=width) for width in (128, 256)),
}
"""Kinds, and with how much effort each is searched; the defaults are among them."""


def segments(rows: Vectors) -> Iterator[list[IndexedSegment]]:
    """Rows as the index takes them, some thousand at a time; a key is a row's number."""
    for first in range(0, len(rows), ROWS_A_WRITE):
        batch = []
        for number in range(first, min(first + ROWS_A_WRITE, len(rows))):
            video, ordinal = divmod(number, ROWS_A_VIDEO)
            segment = Segment(f"video-{video:06}", 2.0 * ordinal, 2.0 * ordinal + 2, ordinal)
            batch.append(IndexedSegment(f"{number:08}", segment, rows[number]))
        yield batch


def written(index: MomentIndex, rows: Vectors) -> float:
    """Write all rows; how long it took."""
    began = time.perf_counter()
    for batch in segments(rows):
        index.upsert(batch)
    return time.perf_counter() - began


def least_cosines(rows: Vectors, questions: Vectors) -> dict[int, npt.NDArray[np.float64]]:
    """For ten and a hundred hits, the cosine of each question with the last of its true ones, by the exact index."""
    with MemoryIndex(DIMENSION) as index:
        written(index, rows)
        # Ten at a time, for the exact index holds a cosine for each question and row.
        parts = [questions[part : part + 10] for part in range(0, len(questions), 10)]
        found = [hits for part in parts for hits in index.search(part, top=CANDIDATES)]
    return {top: np.array([hits[top - 1].score for hits in found]) for top in (TOP, CANDIDATES)}


class Examination:
    """Questions, and what is true of them among some rows."""

    def __init__(self, rows: Vectors, questions: Vectors) -> None:
        self._rows, self._questions = rows, questions
        self._least = least_cosines(rows, questions)

    def recall(self, index: MomentIndex, top: int) -> float:
        """The share of the true `top` that a search for so many brings."""
        shares = []
        for question, least, hits in zip(
            self._questions.astype(np.float64), self._least[top], index.search(self._questions, top=top), strict=True
        ):
            numbers = sorted({int(hit.key) for hit in hits})
            shares.append(float((self._rows[numbers].astype(np.float64) @ question >= least - TIE).sum()) / top)
        return float(np.mean(shares))

    def milliseconds(self, index: MomentIndex) -> float:
        """The median time of a question by itself."""
        times = []
        for question in self._questions[: WARM_UP + TIMED]:
            began = time.perf_counter()
            index.search(question[None], top=TOP)
            times.append((time.perf_counter() - began) * 1000)
        return median(times[WARM_UP:])

    def milliseconds_among_many(self, index: MomentIndex) -> float:
        """The time of a question where all are asked in one request."""
        began = time.perf_counter()
        index.search(self._questions, top=TOP)
        return (time.perf_counter() - began) / len(self._questions) * 1000

    def of(self, index: MomentIndex) -> dict[str, float]:
        """Everything that is measured of one index at one effort."""
        return {
            "recall_at_10": self.recall(index, TOP),
            "recall_at_100": self.recall(index, CANDIDATES),
            "median_ms": self.milliseconds(index),
            "ms_among_many": self.milliseconds_among_many(index),
        }


def lite(rows: Vectors, examination: Examination) -> list[dict[str, Any]]:
    """Milvus Lite, which compares a question with every row."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_index(Indexing(), folder=Path(folder) / "index", owner=Owner("recall")) as index,
    ):
        seconds = written(index, rows)
        return [noted("lite_flat", Flat(), {"write_seconds": seconds, **examination.of(index)})]


@contextmanager
def on_server(uri: str, rows: Vectors) -> Iterator[tuple[str, float]]:
    """All rows in a collection that is dropped afterwards: the library's id, and how long they took to write."""
    library_id = uuid.uuid4().hex[:12]
    try:
        with opened(uri, library_id, Flat()) as index:
            yield library_id, written(index, rows)
    finally:
        drop_collections(uri, library_id)


def opened(uri: str, library_id: str, kind: Kind) -> MomentIndex:
    """The library's index on the server."""
    return open_index(Indexing(uri=uri, kind=kind), folder=None, owner=Owner("recall", library_id=library_id))


def build(uri: str, library_id: str, kind: Kind, longest_seconds: float) -> float:
    """Let the server build another kind over the rows that it has; how long that took.

    Raises:
        TimeoutError: It is not done by then: a server tries for ever what it cannot build.
    """
    from pymilvus import MilvusClient

    name, parameters = kind.described()
    with closing(MilvusClient(uri)) as client:
        [collection] = [name for name in client.list_collections() if library_id in name]
        client.flush(collection, timeout=600)
        client.release_collection(collection)
        client.drop_index(collection, "embedding")
        index = client.prepare_index_params()
        index.add_index("embedding", index_type=name, metric_type="COSINE", params=parameters)
        began = time.perf_counter()
        client.create_index(collection, index, sync=False)
        seconds = wait_until_built(client, collection, began + longest_seconds) - began
        client.load_collection(collection, timeout=600)
    return seconds


def wait_until_built(client: MilvusClient, collection: str, until: float) -> float:
    """When it was first seen that all rows are indexed; it must stay so for three seconds, for segments get merged."""
    since = None
    while since is None or time.perf_counter() - since < 3:
        if time.perf_counter() > until:
            raise TimeoutError("not built in --build-seconds; the server's log says why")
        about = client.describe_index(collection, "embedding")
        is_done = about["state"] == "Finished" and about["indexed_rows"] >= about["total_rows"]
        since = (since or time.perf_counter()) if is_done else None
        time.sleep(1.0)
    return since


def server(
    uri: str, rows: Vectors, examination: Examination, kinds: Sequence[str], build_seconds: float
) -> Iterator[dict[str, Any]]:
    """Each kind at each effort; a kind that the server does not build is noted with what it says."""
    from pymilvus.exceptions import MilvusException

    with on_server(uri, rows) as (library_id, write_seconds):
        for name in kinds:
            try:
                built = build(uri, library_id, EFFORTS[name][0], build_seconds)
            except (MilvusException, TimeoutError) as error:
                yield {"index": name, "refused": str(error)}
                continue
            times = {"write_seconds": write_seconds, "build_seconds": built}
            for kind in EFFORTS[name]:
                with opened(uri, library_id, kind) as index:
                    yield noted(name, kind, {**times, **examination.of(index)})


def noted(name: str, kind: Kind, found: dict[str, Any]) -> dict[str, Any]:
    """What was found, with the parameters of the kind; `is_default` where they are what the kind comes with."""
    parameters = kind.model_dump(exclude={"strategy"})
    is_default = all(parameters[name] == type(kind).model_fields[name].default for name in parameters)
    return {"index": name, "parameters": parameters, "is_default": is_default, **found}


def examined(rows: Vectors, examination: Examination, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All kinds that are wanted and can be had."""
    if "lite_flat" in arguments.kinds and len(rows) <= LITE_MOST:
        yield from lite(rows, examination)
    if arguments.uri is not None:
        kinds = [name for name in arguments.kinds if name in EFFORTS]
        yield from server(arguments.uri, rows, examination, kinds, arguments.build_seconds)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uri", help="a Milvus server; without it, Milvus Lite alone")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="by the hundred")
    parser.add_argument("--kinds", nargs="+", choices=["lite_flat", *EFFORTS], default=["lite_flat", *EFFORTS])
    parser.add_argument("--questions", type=int, default=200, help=f"{WARM_UP + TIMED} or more")
    parser.add_argument("--build-seconds", type=float, default=1800.0, help="how long a server may build one kind")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/recall.json"))
    arguments = parser.parse_args()
    if any(size < 1000 or size % ROWS_A_VIDEO for size in arguments.sizes):
        parser.error(f"--sizes: multiples of {ROWS_A_VIDEO} from 1000, got {arguments.sizes}")
    if not WARM_UP + TIMED <= arguments.questions <= 1000:
        parser.error(f"--questions: {WARM_UP + TIMED} to 1000, got {arguments.questions}")
    return arguments


def main() -> None:
    """Run it, and write what is there so far after each kind and effort."""
    arguments = parsed()
    # Told to end, it drops what it wrote to the server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    world = MadeRows(max(arguments.sizes))
    results: dict[str, Any] = {}
    for size in sorted(arguments.sizes):
        questions, rows = world.questions(arguments.questions, size), world.rows[:size]
        found = results[str(size)] = {"geometry": world.geometry(questions, size), "indexes": []}
        told(f"{size:,} rows: {json.dumps(rounded(found['geometry']))}")
        examination = Examination(rows, questions)
        told("  the exact answers are there")
        for note in examined(rows, examination, arguments):
            found["indexes"].append(note)
            told(f"  {json.dumps(rounded(note, 4))}")
            content = {"dimension": DIMENSION, "questions": arguments.questions, "results": results}
            write_result(arguments.output, "benchmarks.recall", rounded(content, 4))


def told(line: str) -> None:
    """Say how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
