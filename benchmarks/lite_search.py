"""Measure how long a question takes on Milvus Lite, by the number of segments, against Milvus Lite's own search.

    python -m benchmarks.lite_search --rows 10000 100000 500000 --repeats 10

Each index is filled with synthetic rows, one video of 100 rows after another, in requests of 5,000 rows. Every video
has metadata, and every tenth one labels. In one process that holds the folder, the same questions are answered by
Milvus Lite's own search and from the live rows, in turn: without a filter, and with filters of metadata, of a hundred
videos and of labels. A question is a call of `MomentIndex.search` for the 100 nearest segments, so the time includes
pymilvus, gRPC and the socket. Processor seconds are those of the whole process, and depend less on the load of the
machine than the wall time. The first question of each way and filter is the warm-up; its time is `first_seconds`.
Milvus Lite itself answers three more of them, since it takes up to 40 s for one.

For each way, another process opens the folder and asks one question: `cold` has the seconds from the beginning of
opening, without imports, to the answer, and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.made_rows import ROWS_A_VIDEO, MadeRows, Vectors
from benchmarks.setting import rounded, write_result
from pipeline.index import Filter, Indexing, LabelFilter, MilvusIndex
from pipeline.types import IndexedSegment, Segment, SegmentLabels

OUTPUT = Path(__file__).parent / "results" / "lite_search.json"
WAYS = ("milvus_lite", "live_rows")
TOP = 100
ROWS_A_REQUEST = 5000
# Questions that Milvus Lite itself answers after the warm-up; with a filter of metadata, one takes up to 40 s.
LITE_REPEATS = 3
LABEL_SET = "made"
FILTERS = {
    "none": Filter(),
    "metadata": Filter(metadata={"site": "site 3"}),
    "videos": Filter(tuple(f"video-{number}" for number in range(100))),
    "labels": Filter(labels=LabelFilter(LABEL_SET, ("car",), ("person",))),
}


@contextmanager
def answered_by(way: str) -> Iterator[None]:
    """Let this process, which holds the folder, answer questions in one way."""
    from pipeline.index.milvus.lite.exact_service import ExactService

    answer = ExactService._searched
    if way == "milvus_lite":
        ExactService._searched = lambda *_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        ExactService._searched = answer  # type: ignore[method-assign]


def opened(folder: Path) -> MilvusIndex:
    """Open the index in a folder."""
    return MilvusIndex(Indexing(), "benchmark", folder=folder)


def made_row(number: int, vector: Vectors) -> IndexedSegment:
    """Make a row: a hundred per video, with metadata, and labels for every tenth video."""
    video, ordinal = divmod(number, ROWS_A_VIDEO)
    some = tuple(name for name, every in (("car", 2), ("person", 3)) if ordinal % every == 0)
    return IndexedSegment(
        f"video-{video}-{ordinal}",
        Segment(f"video-{video}", 2.0 * ordinal, 2.0 * ordinal + 4, ordinal),
        vector,
        {"site": f"site {video % 7}", "day": video % 30},
        SegmentLabels(LABEL_SET, some, ()) if video % 10 == 0 else None,
    )


def fill(folder: Path, vectors: Vectors) -> float:
    """Write the rows and return the seconds that this took, including the merging of segments."""
    began = time.monotonic()
    with opened(folder) as index:
        for first in range(0, len(vectors), ROWS_A_REQUEST):
            index.upsert(
                [made_row(first + number, vector) for number, vector in enumerate(vectors[first:][:ROWS_A_REQUEST])]
            )
    return time.monotonic() - began


def ask_once(folder: Path, way: str, question: Path) -> None:
    """Open a folder, ask one question, and print what this took; runs in its own process."""
    vectors = np.load(question)
    began, began_processor = time.monotonic(), time.process_time()
    with answered_by(way), opened(folder) as index:
        index.search(vectors, top=TOP)
        figures = {"seconds": time.monotonic() - began, "processor_seconds": time.process_time() - began_processor}
    # The `ru_maxrss` of a new process begins with that of the process that started it.
    (peak,) = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
    print(json.dumps({**figures, "peak_mib": int(peak) / 1024}))


def cold(folder: Path, questions: Vectors) -> dict[str, dict[str, float]]:
    """Ask one question from a new process in each way, and return its seconds and peak memory in MiB."""
    figures = {}
    for way in WAYS:
        with TemporaryDirectory() as work:
            question = Path(work, "question.npy")
            np.save(question, questions[:1])
            command = [sys.executable, "-m", "benchmarks.lite_search", "--once", str(folder), way, str(question)]
            figures[way] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return figures


def warm(folder: Path, questions: Vectors) -> dict[str, dict[str, dict[str, float]]]:
    """Ask questions with each filter, in each way in turn, and return the medians."""
    times: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    with opened(folder) as index:
        for number, question in enumerate(questions):
            for filtered, where in FILTERS.items():
                keys = []
                for way in WAYS if number <= LITE_REPEATS else WAYS[1:]:
                    began, began_processor = time.monotonic(), time.process_time()
                    with answered_by(way):
                        (hits,) = index.search(question[None], top=TOP, where=where)
                    times[filtered, way].append((time.monotonic() - began, time.process_time() - began_processor))
                    keys.append([hit.key for hit in hits])
                if keys[0] != keys[-1]:
                    raise SystemExit(f"the two ways found other rows with the filter {filtered}")
    return {
        filtered: {
            way: {
                "first_seconds": times[filtered, way][0][0],
                "seconds": median(seconds for seconds, _ in times[filtered, way][1:]),
                "least_seconds": min(seconds for seconds, _ in times[filtered, way][1:]),
                "processor_seconds": median(seconds for _, seconds in times[filtered, way][1:]),
            }
            for way in WAYS
        }
        for filtered in FILTERS
    }


def measured(count: int, repeats: int) -> dict[str, Any]:
    """Fill an index with so many rows and return its figures."""
    made = MadeRows(count)
    questions = made.questions(repeats + 1, count)
    with TemporaryDirectory() as work:
        folder = Path(work, "index")
        filled = fill(folder, made.rows)
        del made
        return {"fill_seconds": filled, "cold": cold(folder, questions), "warm": warm(folder, questions)}


def main() -> None:
    """Fill the indexes, ask the questions, and write the figures."""
    if sys.argv[1:2] == ["--once"]:
        ask_once(Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    sizes = {}
    for count in arguments.rows:
        sizes[str(count)] = measured(count, arguments.repeats)
        print(json.dumps({str(count): rounded(sizes[str(count)], 4)}, indent=2), flush=True)
        write_result(arguments.output, "benchmarks.lite_search", rounded({"top": TOP, "sizes": sizes}, 4))


if __name__ == "__main__":
    main()
