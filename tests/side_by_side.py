"""Runs the tests in two pytest processes side by side: while one waits for a cluster, the other one works.

    python -m tests.side_by_side                       all tests
    python -m tests.side_by_side tests/video -k grid   any arguments of pytest

The process `cluster` runs what starts Ray or the Milvus server (a machine runs one of them at a time), then helps with
the rest; the process `rest` never starts either. Both collect all tests. Whichever is free takes the next file, so that
they end at about the same time. Run as a program, this file starts both and shows what they say; in the two processes
it is a plugin of pytest.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pytest

LANES = ("cluster", "rest")
_OWN_MARKS = ("ray", "milvus_server")
"""Marks of the tests that only the process `cluster` runs."""
_DETAILS = re.compile(r"=+ (?!test session starts)\S.* =+$")
"""The first line of pytest's report, after which it no longer says how far it is."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("side by side")
    group.addoption("--lane", choices=LANES, help="which of the two processes this is")
    group.addoption("--claims", type=Path, help="the folder in which the two processes note what they took")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run what no other process has taken, as pytest's own loop would."""
    if session.config.option.collectonly or session.testsfailed:
        return None
    ran = 0
    for tests in _taken(session.items, session.config.option.lane, session.config.option.claims):
        # Behind a file's last test all is torn down but what the session keeps: which file comes next is asked only
        # then, since the other process may take it meanwhile.
        for item, following in zip(tests, [*tests[1:], session], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            ran += 1
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
    said = f"{ran} {len(session.items)}"
    (session.config.option.claims / f"{session.config.option.lane}.ran").write_text(said)
    return True


def _taken(items: Sequence[pytest.Item], lane: str, claims: Path) -> Iterator[list[pytest.Item]]:
    """The tests of each file that this process is the first to ask for."""
    long = {_file(item) for item in items if item.get_closest_marker("slow")}

    def turn(item: pytest.Item) -> tuple[bool, bool, str]:
        """Clusters first, then what takes long, so that nothing long is left for the end."""
        own = any(item.get_closest_marker(mark) for mark in _OWN_MARKS)
        return not own, _file(item) not in long, _file(item)

    for (shared, _, path), tests in groupby(sorted(items, key=turn), key=turn):
        if lane != "cluster" and not shared:
            continue
        claim = claims / f"{path.replace('/', '!')}-{shared}"
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            continue
        yield list(tests)


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


class _Lane(threading.Thread):
    """One of the two processes: how far it is is shown line by line, its report when it has ended."""

    def __init__(self, name: str, claims: Path, arguments: Sequence[str]) -> None:
        super().__init__(name=name)
        # With a blank in place of "=", pytest would look for its configuration beside the folder of claims.
        plugin = ("-p", "tests.side_by_side", f"--lane={name}", f"--claims={claims}")
        command = [sys.executable, "-m", "pytest", *plugin, "-o", "console_output_style=classic", *arguments]
        # A process group of its own: an interrupt reaches it once, by `interrupt`.
        self.process = subprocess.Popen(
            command,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        self.report: list[str] = []

    def run(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if self.report or _DETAILS.match(line):
                self.report.append(line)
            else:
                sys.stdout.write(f"{self.name:>7} | {line}")
                sys.stdout.flush()
        self.process.wait()

    def interrupt(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)


def run(arguments: Sequence[str]) -> int:
    """Run the tests that pytest's arguments name in both processes: the exit code, which is 0 if both ended well."""
    lanes: list[_Lane] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: [lane.interrupt() for lane in lanes])
    with tempfile.TemporaryDirectory(prefix="momentseek-tests-") as folder:
        lanes += [_Lane(name, Path(folder), arguments) for name in LANES]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        code = next((lane.process.returncode for lane in lanes if lane.process.returncode), 0)
        missed = _missed(Path(folder)) if code == 0 else 0
    for lane in lanes:
        sys.stdout.write(f"\n######## {lane.name} ########\n{''.join(lane.report)}")
    sys.stdout.write("\n")
    for lane in lanes:
        said = lane.report[-1].strip("= \n") if lane.report else "no report"
        ended = f" (exit code {lane.process.returncode})" if lane.process.returncode else ""
        sys.stdout.write(f"{lane.name:>7}: {said}{ended}\n")
    if missed:
        sys.stdout.write(f"error: {missed} tests were run by neither process\n")
    return code or bool(missed)


def _missed(claims: Path) -> int:
    """How many of the tests that were collected neither process ran; none where tests were only to be listed."""
    told = [list(map(int, written.read_text().split())) for written in claims.glob("*.ran")]
    return max((collected for _, collected in told), default=0) - sum(ran for ran, _ in told)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
