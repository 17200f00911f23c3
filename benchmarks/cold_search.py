"""Measure a search from process start to answer, for a new text and for an earlier one.

    python -m benchmarks.cold_search LIBRARY [--runs 5] [--to cold_search.json]

LIBRARY contains the sample films and the exported text tower (the first search exports it). Each run starts a new
process, so imports, index, text tower and answer are all included. Other processes can only slow a run down, so the
result contains minima, of wall time and of user plus system time. The files are in the page cache, and compiled modules
are cached.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from benchmarks.printed_result import print_result, result_parser

_SEARCH = "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"


def _run(library: str, text: str, overrides: tuple[str, ...] = ()) -> dict[str, float]:
    """Run one search in a new process; return wall and processor time in seconds, and peak memory in MiB."""
    options = [part for override in overrides for part in ("--set", override)]
    command = [sys.executable, "-c", _SEARCH, "search", text, "--library", library, *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    process = os.posix_spawn(sys.executable, command, environment, file_actions=quiet)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"the search failed: momentseek search {text!r} --library {library}")
    return {
        "wall_seconds": time.perf_counter() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mebibytes": usage.ru_maxrss / 1024,
    }


def measure(library: str, runs: int) -> dict[str, Any]:
    """Measure both cases alternately, after one run that warms the caches."""
    _run(library, "a red car")
    stamp = f"{time.time():.0f}"
    cases: dict[str, list[dict[str, float]]] = {"new text": [], "text asked before": []}
    for number in range(runs):
        # The demo model ignores unknown words, but each such text is new to the cache.
        cases["new text"].append(_run(library, f"a red car {stamp}x{number}"))
        cases["text asked before"].append(_run(library, "a red car"))
    return {
        case: {name: round(min(run[name] for run in found), 3) for name in found[0]} for case, found in cases.items()
    }


def main() -> None:
    """Measure, print and save the figures."""
    parser = result_parser(__doc__)
    parser.add_argument("library")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    print_result({"runs": given.runs, "minima": measure(given.library, given.runs)}, given.to)


if __name__ == "__main__":
    main()
