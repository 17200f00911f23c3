"""Measure questions to a running server: a warm one over HTTP, and many people who ask at once.

    momentseek serve --library LIBRARY &
    python -m benchmarks.served_search LIBRARY [--people 32] [--seconds 60] [--to served_search.json]

Questions go over the server's private socket, each person's over a connection of its own. Every person asks the next
question as soon as the answer to the last one is there, and every text is new to the server. For a command's time from
its start to its answer, run `benchmarks.cold_search` while the server runs.
"""

from __future__ import annotations

import threading
import time
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.printed_result import print_result, result_parser
from pipeline.client.client import Client
from pipeline.client.running_server import find_server
from pipeline.errors import MomentseekError

__all__ = ["measure"]

_THINGS = ("a person", "a forklift", "a red car", "a truck", "a dog", "a ladder", "a bicycle", "a box")


def _client(library: str) -> Client:
    found = Client.of_library(library)
    if found is None:
        raise SystemExit(f"no server runs for {library!r}: start momentseek serve --library {library}")
    return found


def _resident_mebibytes(library: str) -> float:
    server = find_server(Path(library))
    assert server is not None
    status = Path(f"/proc/{server.process.number}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


class _People:
    """People who ask until a point in time; their waiting times and their errors."""

    def __init__(self, library: str, until: float) -> None:
        self._library, self._until = library, until
        self._numbers = count()
        self.seconds: list[float] = []
        self.errors: list[str] = []

    def ask(self) -> None:
        """Ask one question after another."""
        with _client(self._library) as client:
            while time.monotonic() < self._until:
                number = next(self._numbers)
                began = time.monotonic()
                try:
                    client.search(f"{_THINGS[number % len(_THINGS)]} {number}")
                except MomentseekError as error:
                    self.errors.append(str(error))
                self.seconds.append(time.monotonic() - began)


def _together(library: str, people: int, seconds: float) -> _People:
    asking = _People(library, time.monotonic() + seconds)
    threads = [threading.Thread(target=asking.ask) for _ in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return asking


def measure(library: str, people: int, seconds: float) -> dict[str, Any]:
    """Measure one person, then many, after questions that warm the caches."""
    _together(library, 1, 2.0)
    alone = _together(library, 1, min(10.0, seconds))
    before = _resident_mebibytes(library)
    crowd = _together(library, people, seconds)
    return {
        "one_person": {"questions": len(alone.seconds), "median_seconds": round(median(alone.seconds), 4)},
        "people": {
            "questions": len(crowd.seconds),
            "errors": len(crowd.errors),
            "median_seconds": round(median(crowd.seconds), 3),
            "p95_seconds": round(quantiles(crowd.seconds, n=20)[-1], 3),
            "questions_per_second": round(len(crowd.seconds) / seconds, 1),
            "server_mebibytes_before": round(before),
            "server_mebibytes_after": round(_resident_mebibytes(library)),
        },
    }


def main() -> None:
    """Measure, print and save the figures."""
    parser = result_parser(__doc__)
    parser.add_argument("library")
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    figures = {
        "asking_people": given.people,
        "asking_seconds": given.seconds,
        **measure(given.library, given.people, given.seconds),
    }
    print_result(figures, given.to)


if __name__ == "__main__":
    main()
