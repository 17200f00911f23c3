"""Measure a small batch from process start to the video's report, and to the end of the command.

    python -m benchmarks.small_batch VIDEO... [--other TREE] [--runs 3] [--output benchmarks/results/small_batch.json]

Each run is `momentseek index VIDEO... --json` in a new process, into a new library, in this process and on a Ray that
is started for it. The model has a ViT-B/32's size, text tower included, and random weights. `report_seconds` ends with
the line of the last video, `wall_seconds` with the command, which has then exported the text tower. `cpu_seconds` are
those of the command and of all processes that it started and waited for; Ray's own are not among them. With `--other`,
a working tree of another commit is measured as well, in alternation. Other processes can only slow a run down, so the
result contains minima beside all runs. Files are in the page cache, and compiled modules are cached, after one run of
each that is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.setting import VIT_B_32, alternating, random_model, rounded, write_result
from pipeline.encode import Encoding

OUTPUT = Path(__file__).parent / "results" / "small_batch.json"
TREE = Path(__file__).parents[1]
EXECUTORS = ("in_process", "ray")
TEXT_TOWER = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}
_INDEX = "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"


def measured(tree: Path, executor: str, videos: list[str], encoding: Encoding) -> dict[str, float]:
    """Run a batch with the code of a working tree; return its times in seconds."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with TemporaryDirectory() as folder:
        settings = {"executor": executor}
        options = [
            *("--library", f"{folder}/library", "--json"),
            *("--set", f"encoder={json.dumps(encoding.model_dump(mode='json'))}"),
            *("--set", f"execution={json.dumps(settings)}"),
        ]
        before, began = os.times(), time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", _INDEX, "index", *videos, *options],
            cwd=tree,
            env=environment | {"PYTHONPATH": str(tree)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            reports = []
            for line in process.stdout or ():
                reports.append(json.loads(line))
                reported = time.perf_counter() - began
            errors = process.stderr.read() if process.stderr is not None else ""
        wall, after = time.perf_counter() - began, os.times()
        if process.returncode or [report["status"] for report in reports] != ["done"] * len(videos):
            raise SystemExit(f"the batch failed: {errors}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"report_seconds": reported, "wall_seconds": wall, "cpu_seconds": cpu}


def minima(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return the minimum of each figure."""
    return {name: min(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    """Run the batches, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--other", type=Path, help="working tree of another commit")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-warm-up", action="store_true", help="count the first round, too")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    videos = [str(Path(video).absolute()) for video in given.videos]
    trees: Mapping[str, Path] = {"this": TREE} | ({} if given.other is None else {"other": given.other.absolute()})
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    with TemporaryDirectory() as folder:
        encoding = random_model(Path(folder), VIT_B_32, TEXT_TOWER)
        ways = {
            f"{executor}, {name}": partial(measured, tree, executor, videos, encoding)
            for executor in EXECUTORS
            for name, tree in trees.items()
        }
        for way, run in alternating(ways, given.runs, warm_up=not given.no_warm_up):
            found[way].append(run)
            print(way, json.dumps(rounded(run, 2)), f"load {os.getloadavg()[0]:.1f}", flush=True)
    content = {
        "videos": [Path(video).name for video in videos],
        "load_at_the_end": os.getloadavg()[0],
        "minima": {way: minima(runs) for way, runs in found.items()},
        "runs": found,
    }
    write_result(given.output, "benchmarks.small_batch", rounded(content))
    print(json.dumps(rounded(content["minima"]), indent=2))


if __name__ == "__main__":
    main()
