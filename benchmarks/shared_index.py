"""Measure how much a batch on Milvus Lite slows down while another process asks a question every two seconds.

    python -m benchmarks.shared_index VIDEO... --rows 20000 --repeats 3

The videos are indexed with the image tower of a ViT-B/32 with random weights, into a library whose index already
contains `--rows` synthetic rows. The process of the batch holds the index; this process joins it and searches. Batches
with and without questions alternate, each with a copy of the same library. The batch's processor seconds are those of
its process from the first video to the last, which hardly depend on the load of the machine. Its wall time does, and
with it the number of questions. The result therefore also contains the cost of a question in processor seconds of the
batch's process, and the share of all processors that one question every two seconds takes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.made_rows import ROWS_A_VIDEO, MadeRows, Vectors
from benchmarks.setting import VIT_B_32, alternating, random_model, rounded, write_result
from pipeline.encode import Encoding
from pipeline.library import Library
from pipeline.types import IndexedSegment, Segment

OUTPUT = Path(__file__).parent / "results" / "shared_index.json"
QUESTION_SECONDS = 2.0
TOP = 100


def opened(folder: Path, encoding: Encoding) -> Library:
    """Open the library of a run."""
    settings = [f"encoder={json.dumps(encoding.model_dump(mode='json'))}", "execution.executor=in_process"]
    return Library.open(str(folder), overrides=settings)


def fill(folder: Path, encoding: Encoding, vectors: Vectors) -> None:
    """Create a library whose index contains these vectors."""
    with opened(folder, encoding) as library:
        index = library.moment_index()
        for first in range(0, len(vectors), ROWS_A_VIDEO):
            video = f"{first:016x}"
            index.upsert(
                [
                    IndexedSegment(
                        f"{video}-{number}", Segment(video, 2.0 * number, 2.0 * number + 2, number), vector, {}
                    )
                    for number, vector in enumerate(vectors[first : first + ROWS_A_VIDEO])
                ]
            )


def run_batch(folder: Path, encoding: Encoding, videos: list[str]) -> None:
    """Index the videos and print processor seconds and wall time in seconds; runs in its own process."""
    with opened(folder, encoding) as library:
        library.moment_index()
        print("open", flush=True)
        sys.stdin.readline()
        began, began_processor = time.monotonic(), time.process_time()
        reports = list(library.index(videos))
        figures = {"processor_seconds": time.process_time() - began_processor, "seconds": time.monotonic() - began}
        failed = [report.problem for report in reports if report.problem]
        print(json.dumps({**figures, "failed": failed}), flush=True)


def watched_batch(filled: Path, encoding: Encoding, videos: list[str], questions: Vectors | None) -> dict[str, Any]:
    """Run a batch, ask questions during it, and return its figures and the time of each answer in seconds."""
    with TemporaryDirectory() as work:
        folder = Path(shutil.copytree(filled, Path(work, "library")))
        arguments = [json.dumps(encoding.model_dump(mode="json")), str(folder), *videos]
        command = [sys.executable, "-m", "benchmarks.shared_index", "--batch", *arguments]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as batch:
            if batch.stdin is None or batch.stdout is None or batch.stdout.readline() != "open\n":
                raise SystemExit("the batch did not start")
            with opened(folder, encoding) as library:
                index = library.moment_index() if questions is not None else None
                batch.stdin.write("\n")
                batch.stdin.flush()
                answers: list[float] = []
                while index is not None and questions is not None and not _has_output(batch.stdout.fileno()):
                    began = time.monotonic()
                    index.search(questions[len(answers) % len(questions)][None], top=TOP)
                    answers.append(time.monotonic() - began)
                    time.sleep(max(0.0, QUESTION_SECONDS - answers[-1]))
                return {**json.loads(batch.stdout.readline()), "answers": answers}


def _has_output(descriptor: int) -> bool:
    import select

    return bool(select.select([descriptor], [], [], 0)[0])


def main() -> None:
    """Fill a library, run the batches, and write the figures."""
    if sys.argv[1:2] == ["--batch"]:
        run_batch(Path(sys.argv[3]), Encoding.model_validate_json(sys.argv[2]), sys.argv[4:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--rows", type=int, default=20_000, help="rows in the index before the batch")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    videos = [os.path.abspath(video) for video in arguments.videos]  # noqa: PTH100 - the batch has another folder
    figures: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with TemporaryDirectory() as work:
        encoding = random_model(Path(work), VIT_B_32)
        made = MadeRows(arguments.rows)
        fill(Path(work, "filled"), encoding, made.rows)
        questions = made.questions(50, arguments.rows)
        filled = Path(work, "filled")
        ways = {
            "alone": lambda: watched_batch(filled, encoding, videos, None),
            "with questions": lambda: watched_batch(filled, encoding, videos, questions),
        }
        for name, run in alternating(ways, arguments.repeats, warm_up=False):
            print(name, rounded(run["processor_seconds"]), rounded(run["seconds"]), run["failed"], flush=True)
            figures[name].append(run)
    answers = [seconds for run in figures["with questions"] for seconds in run["answers"]]
    measures = ("processor_seconds", "seconds")
    of_way = {name: {each: median(run[each] for run in runs) for each in measures} for name, runs in figures.items()}
    ratios = {f"ratio_of_{each}": of_way["with questions"][each] / of_way["alone"][each] for each in measures}
    asked = len(answers) / len(figures["with questions"])
    more = of_way["with questions"]["processor_seconds"] - of_way["alone"]["processor_seconds"]
    ratios["processor_seconds_a_question"] = more / asked
    ratios["share_of_all_processors"] = more / asked / QUESTION_SECONDS / (os.cpu_count() or 1)
    content = {"rows": arguments.rows, "videos": len(videos), **of_way, **ratios, "questions": len(answers)}
    content |= {"median_answer_seconds": median(answers), "worst_answer_seconds": max(answers)}
    write_result(arguments.output, "benchmarks.shared_index", rounded(content))
    print(json.dumps(rounded(content), indent=2))


if __name__ == "__main__":
    main()
