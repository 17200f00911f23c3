"""Whether a video's first moment is the same, asked of the whole library and of the video alone.

    python -m benchmarks.agreement FOLDER... [--config demo] [--output benchmarks/results/agreement.json]

Each folder of videos is a library, indexed by the in-process executor; each is asked the same questions. Compared are
the start, the end and the score of the first moment of every video, weak ones, too. `throughout` is the share of these
moments that cover at least half of their video.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.search import indexed
from benchmarks.setting import rounded, write_result
from pipeline.library import Library
from pipeline.run_config import load_run_config
from pipeline.types import Moment

QUESTIONS = (
    "a person", "a car", "a street", "a bicycle", "a warehouse with shelves", "an office", "a worker in a vest",
    "daylight", "a person walking", "a box", "nobody", "a person standing", "a green forklift", "a truck", "snow",
    "a person in a hard hat", "night", "a crane", "fire", "rain", "a dog", "smoke", "a red truck", "a blue car",
    "a harbour", "a damaged box", "a person on a ladder", "a person carrying a box", "a forklift in a warehouse",
    "a person without a hard hat",
)  # fmt: skip


def agreement(library: Library) -> dict[str, float]:
    """How many first moments of videos were compared, and the shares that agree and that cover half of their video."""
    lengths = {record.video_id: record.duration_seconds for record in library.store.records()}
    pairs = same = long = 0
    for text in QUESTIONS:
        firsts: dict[str, Moment] = {}
        for moment in library.search(text, top=1000, min_score=0.0):
            for each in (moment, *moment.copies):
                firsts.setdefault(each.video_id, each)
        for video_id, first in firsts.items():
            (alone,) = library.search(text, top=1, videos=[video_id], min_score=0.0)
            pairs += 1
            same += _place(first) == _place(alone)
            long += first.end_seconds - first.start_seconds >= lengths[video_id] / 2
    return {"compared": pairs, "same": same / pairs, "throughout": long / pairs}


def _place(moment: Moment) -> tuple[float, float, float]:
    return moment.start_seconds, moment.end_seconds, moment.score


def main() -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--config", default="demo", help="the model and all else (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/agreement.json"))
    arguments = parser.parse_args()
    config = load_run_config(arguments.config, ["execution.executor=in_process", "index.backend=memory"])
    results = {}
    for folder in arguments.folders:
        with tempfile.TemporaryDirectory() as place, indexed(folder, place, config, {}) as library:
            results[folder.name] = rounded(agreement(library))
        print(folder.name, results[folder.name], flush=True)
    content = {"config": arguments.config, "questions": len(QUESTIONS), "results": results}
    write_result(arguments.output, "benchmarks.agreement", content)


if __name__ == "__main__":
    main()
