"""Measure how many small changes of the code the tests notice: `make mutants`.

A mutant is a copy of the project in which one expression is changed (`mutants.py`). The tests that areas.toml names for
the changed file are run on it, and fail where they hold the code to what it is to do. Changes that change nothing for
anybody are listed in equivalents.txt and not drawn. The working tree is only read.

A run is limited by processor time, so that a busy machine makes no difference, and far more loosely by the clock. Where
the clock alone ran out, the unchanged code is tried again: the mutant hung the tests if these pass, and otherwise the
run is left undecided and counts for nothing.

A test that fails for a reason of its own, such as a busy machine, catches nothing. So the test that failed on a mutant
is run again by itself; if it passes then, its name is printed and all tests are run again.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import NoReturn

import click
import pytest

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent

Areas = dict[str, dict[str, list[str]]]

_UNMARKED = "not ray and not milvus_server and not browser and not gpu and not world and not footage and not siglip"
# A process out of processor time is ended by either.
_OUTCOMES = {0: "passed", -signal.SIGXCPU: "hung", -signal.SIGKILL: "hung"}
_MEMORY_BYTES = 24 * 2**30
_IMPORTED_ONCE = ("av", "fsspec", "hypothesis", "numpy", "pyarrow.parquet", "pydantic", "yaml")
"""What most tests import and no mutant changes; nothing of the project is among it."""
_LEAST_PROCESSOR_SECONDS = 20
_LEAST_CLOCK_SECONDS = 600
_MOST_REPEATS = 2
_FAILED = "first to fail: "


def read_areas(path: Path = HERE / "areas.toml") -> Areas:
    """Read the source files of each area, with the test files of each."""
    return tomllib.loads(path.read_text())


def read_equivalents(path: Path = HERE / "equivalents.txt") -> dict[str, str]:
    """Read the names of equivalent mutants with the reason of each: the comment above it."""
    found = {}
    reason: list[str] = []
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            reason.append(line.removeprefix("#").strip())
        elif line.strip():
            found[line.strip()] = " ".join(reason)
        else:
            reason = []
    return found


@dataclass(frozen=True)
class Run:
    """How tests went.

    Attributes:
        outcome: "passed", "failed", "hung" or "out of time".
        processor_seconds: Processor time that they took.
        clock_seconds: How long they took.
        output: What they printed.
    """

    outcome: str
    processor_seconds: float
    clock_seconds: float
    output: str

    @property
    def failed_test(self) -> str | None:
        """The test that failed first, as pytest names it; None if no single test did."""
        last = self.output.rstrip().rpartition("\n")[2]
        return last.removeprefix(_FAILED) if last.startswith(_FAILED) else None


class _FirstFailure:
    """A plugin of pytest that notes which test failed first."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.name = self.name or report.nodeid


class Copy:
    """A copy of the project in which files are changed for a while.

    Args:
        folder: An empty folder for it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "project"
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=PROJECT,
            check=True,
            capture_output=True,
        )
        for name in listed.stdout.decode().split("\0"):
            if name and (PROJECT / name).is_file():
                (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / name, self._folder / name)

    def run(self, tests: Sequence[str], processor_seconds: float, clock_seconds: float, *, is_changed: bool) -> Run:
        """Run test files until the first failure.

        Args:
            tests: The files.
            processor_seconds: Processor time after which they are ended as hung.
            clock_seconds: Time after which they are ended as out of time.
            is_changed: Whether a file is changed: nothing that is compiled then may be kept for later runs.
        """
        began, used = monotonic(), _processor_seconds()
        with tempfile.TemporaryFile() as output:
            # A fork has the libraries imported already, which takes longer than most tests do.
            process = os.fork()
            if process == 0:
                self._test(tests, int(processor_seconds), output.fileno(), is_changed=is_changed)
            try:
                outcome = _awaited(process, clock_seconds)
            finally:
                _end_group(process)
            output.seek(0)
            text = output.read().decode(errors="replace")
        return Run(outcome, _processor_seconds() - used, monotonic() - began, text)

    def _test(self, tests: Sequence[str], processor_seconds: int, output: int, *, is_changed: bool) -> NoReturn:
        code = 70
        try:
            os.setsid()
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(self._folder)
            resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds + 5))
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
            sys.path[0] = os.environ["PYTHONPATH"] = str(self._folder)
            sys.dont_write_bytecode = is_changed
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            # The libraries are imported before pytest starts, which it warns of, and a warning is an error.
            arguments = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
            arguments += ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "-m", _UNMARKED, "--timeout=0"]
            first = _FirstFailure()
            code = int(pytest.main([*arguments, "--hypothesis-profile=ci", *tests], plugins=[first]))
            if first.name:
                print(f"\n{_FAILED}{first.name}")  # noqa: T201 - into the output that the parent reads
        except BaseException:  # noqa: BLE001 - a child must never go on as its parent; what happened is in the output
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def run_changed(self, path: str, code: str, tests: Sequence[str], unchanged: Run) -> Run:
        """Run test files on the project with one file changed, with limits taken from the run without the change."""
        source = self._folder / path
        original, times = source.read_text(), source.stat()
        processor_seconds = _LEAST_PROCESSOR_SECONDS + 10 * unchanged.processor_seconds
        clock_seconds = _LEAST_CLOCK_SECONDS + 10 * unchanged.clock_seconds
        source.write_text(code)
        # Python tells by the second whether what it compiled is of this file.
        os.utime(source, (times.st_atime, times.st_mtime + 10))
        try:
            run = self._decided(tests, processor_seconds, clock_seconds, is_changed=True)
        finally:
            source.write_text(original)
            os.utime(source, (times.st_atime, times.st_mtime))
        if run.outcome == "out of time":
            again = self.run(tests, processor_seconds, clock_seconds, is_changed=False)
            return replace(run, outcome="hung" if again.outcome == "passed" else run.outcome)
        return run

    def run_unchanged(self, tests: Sequence[str]) -> Run:
        """Run test files on the project as it is; they pass, unless they fail whenever they are run."""
        return self._decided(tests, 1800, 3600, is_changed=False)

    def _decided(
        self, tests: Sequence[str], processor_seconds: float, clock_seconds: float, *, is_changed: bool
    ) -> Run:
        """Run test files, and again where the test that failed passes by itself."""
        run = self.run(tests, processor_seconds, clock_seconds, is_changed=is_changed)
        for _ in range(_MOST_REPEATS):
            failed = run.failed_test
            if failed is None:
                break
            if self.run([failed], processor_seconds, clock_seconds, is_changed=is_changed).outcome != "passed":
                break
            click.echo(f"{failed} failed, and passed by itself; the tests are run again")
            run = self.run(tests, processor_seconds, clock_seconds, is_changed=is_changed)
        return run


def _awaited(process: int, clock_seconds: float) -> str:
    """Wait for the end of a process and say how it ended; one that takes longer is ended with all that it started."""
    deadline = monotonic() + clock_seconds
    while monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return _OUTCOMES.get(os.waitstatus_to_exitcode(status), "failed")
        sleep(0.05)
    _end_group(process)
    os.waitpid(process, 0)
    return "out of time"


def _end_group(process: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def score_table(results: Iterable[Mapping[str, object]]) -> str:
    """Draw up how many mutants of each area were noticed, as a table for people."""
    counts = Counter((str(result["area"]), str(result["outcome"])) for result in results)
    areas = list(dict.fromkeys(area for area, _ in counts))
    lines = [f"{'area':<12} {'mutants':>7} {'caught':>6} {'missed':>6} {'undecided':>9} {'score':>6}"]
    for name, of_row in [*((area, [area]) for area in areas), ("all", areas)]:
        failed, hung, passed, undecided = (
            sum(counts[area, outcome] for area in of_row) for outcome in ("failed", "hung", "passed", "out of time")
        )
        caught = failed + hung
        score = f"{caught / (caught + passed):6.0%}" if caught + passed else f"{'-':>6}"
        lines.append(f"{name:<12} {caught + passed + undecided:>7} {caught:>6} {passed:>6} {undecided:>9} {score}")
    return "\n".join(lines)


def _chosen(areas: Areas, names: Sequence[str]) -> Areas:
    unknown = [name for name in names if not any(name in {area, *sources} for area, sources in areas.items())]
    if unknown:
        raise SystemExit(f"no such area or source file: {', '.join(unknown)}; there are: {', '.join(areas)}")
    if not names:
        return areas
    chosen = {
        area: {path: tests for path, tests in sources.items() if area in names or path in names}
        for area, sources in areas.items()
    }
    return {area: sources for area, sources in chosen.items() if sources}


def main() -> None:
    """Draw mutants, try each, and print the score of each area."""
    parser = argparse.ArgumentParser(description="Measure how many small changes of the code the tests notice.")
    parser.add_argument("areas", nargs="*", help="areas or source files of areas.toml; all of them by default")
    parser.add_argument("--count", type=int, default=200, help="mutants in all, as many of each area")
    parser.add_argument("--seed", type=int, default=7, help="of the draw")
    parser.add_argument("--output", type=Path, default=PROJECT / "build" / "mutants.json", help="the results as JSON")
    arguments = parser.parse_args()
    areas = _chosen(read_areas(), arguments.areas)
    # Behind the project's own packages, so that none of them is taken from there.
    sys.path.append(str(PROJECT / "build" / "mutants"))
    from mutants import drawn

    for name in _IMPORTED_ONCE:
        importlib.import_module(name)
    mutants = drawn(areas, PROJECT, count=arguments.count, seed=arguments.seed, left_out=read_equivalents())
    results: list[dict[str, object]] = []
    unchanged: dict[tuple[str, ...], Run] = {}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Copy(Path(folder))
        for number, mutant in enumerate(mutants, 1):
            tests = tuple(areas[mutant.area][mutant.path])
            if tests not in unchanged:
                unchanged[tests] = copy.run_unchanged(tests)
                if unchanged[tests].outcome != "passed":
                    raise SystemExit(f"{' '.join(tests)} fail on the unchanged code:\n{unchanged[tests].output}")
            run = copy.run_changed(mutant.path, mutant.code, tests, unchanged[tests])
            results.append(
                {
                    "area": mutant.area,
                    "place": f"{mutant.path}:{mutant.line}",
                    "name": mutant.name,
                    "outcome": run.outcome,
                    "seconds": round(run.clock_seconds, 1),
                }
            )
            click.echo(f"{number}/{len(mutants)} {run.outcome:<11} {mutant.path}:{mutant.line} {mutant.name}")
            document = {"seed": arguments.seed, "count": arguments.count, "mutants": results}
            arguments.output.write_text(json.dumps(document, indent=1) + "\n")
    click.echo(score_table(results))


if __name__ == "__main__":
    main()
