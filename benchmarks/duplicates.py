"""How many copies does `momentseek duplicates` find, how many others does it take for copies, and how exact is it?

    python -m benchmarks.duplicates --seed 9301 --footage FOLDER --work DIR

Clips are made of which some are copies of others (`benchmarks.copied_footage`), indexed with the demo model, and
searched for duplicates. A pair of clips is found if any of its stretches is reported, and correct if the one clip is a
copy of the other: recall is of the copies, precision of the reported pairs of clips. The offset error of a pair is the
greatest error of its reported stretches: the start in the copy, against the start that the truth gives for the start in
the source. Clips and embeddings are kept in DIR, and a second run goes on from there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.copied_footage import KINDS, Copy, make_clips, make_copies
from benchmarks.setting import rounded, write_result
from pipeline.analyze.duplicates.pairs import DuplicatePair
from pipeline.library import Library
from pipeline.library.analysis.duplicates import MIN_SECONDS, THRESHOLD, Duplicates, find_duplicates
from pipeline.run_config import load_run_config

OUTPUT = Path(__file__).parent / "results" / "duplicates.json"
STEP_SECONDS = 0.5


def offset_error_seconds(pair: DuplicatePair, copy: Copy, source_id: str) -> float:
    """How far the start of a reported stretch in the copy is from where the truth has it."""
    source, shown = (pair.a, pair.b) if pair.a.video_id == source_id else (pair.b, pair.a)
    errors = [
        abs(shown.start_seconds - (start_in_copy + copy.rate * (source.start_seconds - start)))
        for start, end, start_in_copy in copy.pieces
        if source.start_seconds < end and source.end_seconds > start
    ]
    return min(errors, default=float("inf"))


def scored(found: Duplicates, copies: Sequence[Copy], ids: Mapping[Path, str]) -> dict[str, Any]:
    """Precision, recall and offset errors."""
    truth = {frozenset((ids[copy.source], ids[copy.copy])): copy for copy in copies}
    paths = {video_id: path for path, video_id in ids.items()}
    errors: dict[frozenset[str], float] = {}
    wrong: Counter[frozenset[str]] = Counter()
    for pair in found.pairs:
        clips = frozenset((pair.a.video_id, pair.b.video_id))
        if clips not in truth:
            wrong[clips] += 1
            continue
        error = offset_error_seconds(pair, truth[clips], ids[truth[clips].source])
        errors[clips] = max(errors.get(clips, 0.0), error)
    kinds = {kind: [key for key, copy in truth.items() if copy.kind == kind] for kind in KINDS}
    return {
        "precision": len(errors) / max(1, len(errors) + len(wrong)),
        "recall": len(errors) / len(truth),
        "recall_by_kind": {kind: sum(key in errors for key in keys) / len(keys) for kind, keys in kinds.items()},
        "median_offset_error_seconds": median(errors.values()) if errors else None,
        "worst_offset_error_seconds": max(errors.values(), default=None),
        "within_one_step": sum(error <= STEP_SECONDS + 1e-6 for error in errors.values()) / max(1, len(errors)),
        "missed": sorted(f"{copy.source.name} {copy.kind}" for key, copy in truth.items() if key not in errors),
        "wrong": sorted(" ".join(sorted(paths[each].name for each in clips)) for clips in wrong),
        "groups": len(found.groups),
        "originals": sum(group.original in {ids[copy.source] for copy in copies} for group in found.groups),
    }


def main() -> None:
    """Make the clips, index them, search, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=9301)
    parser.add_argument("--clips", type=int, default=500, help="copies included")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--footage", type=Path, help="folder of real videos")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for clips and library, of one seed and number of clips"
    )
    parser.add_argument("--prepare", action="store_true", help="only make and index the clips")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    clips = make_clips(arguments.work / "clips", arguments.seed, arguments.clips - arguments.pairs, arguments.footage)
    copies = make_copies(arguments.work / "copies", clips, arguments.seed, arguments.pairs)
    everything = [*clips, *(copy.copy for copy in copies)]
    settings = [f"library={json.dumps(str(arguments.work / 'library'))}", "execution.executor=in_process"]
    with Library.open(load_run_config("demo", [*settings, "index.backend=memory"])) as library:
        reports = list(library.index(map(str, everything)))
        ids = {Path(report.source.uri): str(report.video_id) for report in reports}
        if arguments.prepare:
            return
        began = time.process_time()
        found = find_duplicates(library, list(ids.values()))
        seconds = time.process_time() - began
    write_result(
        arguments.output,
        "benchmarks.duplicates",
        rounded(
            {
                "seed": arguments.seed,
                "clips": len(everything),
                "pairs": len(copies),
                "min_seconds": MIN_SECONDS,
                "threshold": THRESHOLD,
                "processor_seconds": seconds,
                **scored(found, copies, ids),
            }
        ),
    )


if __name__ == "__main__":
    main()
