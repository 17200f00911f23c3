"""Measure a warm question over HTTP to a library of 100,000 segments on Milvus Lite.

    python -m benchmarks.served_lite [--videos 1000] [--questions 60]

The library has the rows of `made_rows`: videos of a hundred frames, one a second, and a segment for each. A real
server process, `run_server`, holds it, and one client asks over HTTP at a connection that is kept alive. Every text is
new to the server; its vector is looked up instead of being embedded. So a figure has everything but the text tower:
HTTP, JSON, the index, the frame embeddings of the nominated videos, scoring and ranking.

`milliseconds` is the wall time from sending a question to having its answer. `processor_milliseconds` is that of the
server and its children for a question, which depends less on the load of the machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import numpy as np

from benchmarks.large_library import MadeEncoder, fill
from benchmarks.made_rows import ROWS_A_VIDEO, MadeRows, Vectors
from benchmarks.setting import rounded, write_result
from pipeline.client.running_server import RunningServer, find_server
from pipeline.library import Library
from pipeline.serve import ServeSettings

OUTPUT = Path(__file__).parent / "results" / "served_lite.json"
_OVERRIDES = ("segmentation.length_seconds=1", "segmentation.overlap_seconds=0")
_VIDEOS_A_WRITE = 50
_WARM_UP = 10
_START_SECONDS = 300
_TICKS = os.sysconf("SC_CLK_TCK")


def opened(root: str, questions: Vectors) -> Library:
    """Open the library, whose index is a folder of Milvus Lite."""
    return Library.open(root, overrides=list(_OVERRIDES), encoder=MadeEncoder(questions))


def make_library(root: str, rows: Vectors) -> int:
    """Write the videos and their segments; return the number of segments."""
    with opened(root, rows[:1]) as library:
        fill(library.store, rows.reshape(-1, ROWS_A_VIDEO, rows.shape[1]))
        records = iter(library.videos())
        index, recipe = library.moment_index(), library.row_recipe
        with patch("os.fsync"):
            while some := list(islice(records, _VIDEOS_A_WRITE)):
                made = (recipe.rows(library.store.read(record.video_id), record.metadata) for record in some)
                index.upsert([row for of_video in made for row in of_video])
        return index.count()


def serve(root: str, vectors: str) -> None:
    """Serve the library until SIGTERM; runs in a process of its own."""
    from pipeline.serve.server import run_server

    run_server(opened(root, np.load(vectors)), ServeSettings(port=0), tell=print)


@contextmanager
def running(root: str, vectors: Path) -> Iterator[RunningServer]:
    """A server of the library."""
    command = [sys.executable, "-m", "benchmarks.served_lite", "--serve", root, str(vectors)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + _START_SECONDS
        while (server := find_server(Path(root))) is None:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("the server does not start")
            time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def _processor_seconds(number: int) -> float:
    """Processor time of a process and its descendants so far."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS + sum(_processor_seconds(int(child)) for child in children)


def ask_all(server: RunningServer, questions: int) -> dict[str, Any]:
    """Ask questions one after another, and return the figures."""
    connection = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=120)

    def ask(number: int) -> float:
        body = json.dumps({"shows": f"question {number}"})
        began = time.perf_counter()
        connection.request("POST", "/api/v1/search", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        found = json.loads(response.read())
        taken = time.perf_counter() - began
        if response.status != http.HTTPStatus.OK:
            raise SystemExit(f"the server answers: {found}")
        return taken

    for number in range(_WARM_UP):
        ask(number)
    load, before = os.getloadavg()[0], _processor_seconds(server.process.number)
    times = [1e3 * ask(number) for number in range(_WARM_UP, _WARM_UP + questions)]
    processor = _processor_seconds(server.process.number) - before
    return {
        "load": load,
        "milliseconds": {"median": median(times), "least": min(times), "most": max(times)},
        "processor_milliseconds": 1e3 * processor / questions,
    }


def main() -> None:
    """Make the library, ask, print and save the figures."""
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:4])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--work", type=Path, help="a folder for the library, which a later run uses again")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    made = MadeRows(given.videos * ROWS_A_VIDEO)
    with TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        root, vectors = work / f"library-{given.videos}", work / "questions.npy"
        if not root.exists():
            make_library(str(root), made.rows)
        np.save(vectors, made.questions(_WARM_UP + given.questions, len(made.rows)))
        with running(str(root), vectors) as server:
            content = {"videos": given.videos, "segments": len(made.rows), "questions": given.questions}
            content |= ask_all(server, given.questions)
    content = rounded(content, 1)
    print(json.dumps(content, indent=2))
    write_result(given.output, "benchmarks.served_lite", content)


if __name__ == "__main__":
    main()
