"""`python -m tests.side_by_side`: every test once, clusters in one process, and an exit code that can be trusted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
NOTE = "import os, pytest\ndef note(name): print(name, os.getpid(), file=open({log!r}, 'a'))\n"
"""The head of each file: tests write down their name and process."""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts both processes on test files of their own; none of them outlives the test."""
    started: list[subprocess.Popen[str]] = []
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    ray\n    milvus_server\n    slow\n")

    def run(files: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
        for name, text in files.items():
            (tmp_path / name).write_text(NOTE.format(log=str(tmp_path / "log")) + text)
        command = [sys.executable, "-m", "tests.side_by_side", str(tmp_path), "-p", "no:cacheprovider", *arguments]
        started.append(
            subprocess.Popen(command, cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        )
        return started[-1]

    yield run
    for process in started:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)


def noted(folder: Path) -> dict[str, str]:
    """The process of each test that ran; none ran twice."""
    lines = [line.split() for line in (folder / "log").read_text().splitlines()]
    assert len(dict(lines)) == len(lines)
    return dict(lines)


def test_every_test_runs_once_and_clusters_run_in_one_process(start: Start, tmp_path: Path) -> None:
    files = {
        f"test_{letter}.py": f"def test_{letter}1(): note('{letter}1')\n"
        f"@pytest.mark.{mark}\ndef test_{letter}2(): note('{letter}2')\n"
        for letter, mark in zip("abcd", ("ray", "milvus_server", "slow", "ray"), strict=True)
    }
    process = start(files)
    out, _ = process.communicate(timeout=120)
    ran = noted(tmp_path)
    assert (process.returncode, len(ran)) == (0, 8), out
    assert len({ran[name] for name in ("a2", "b2", "d2")}) == 1
    cluster, rest = out.splitlines()[-2:]
    assert cluster.startswith("cluster: ")
    assert rest.startswith("   rest: ")
    assert sum(int(line.split(" passed")[0].split()[-1]) for line in (cluster, rest) if "passed" in line) == 8


def test_a_failure_in_either_fails_and_is_shown(start: Start) -> None:
    process = start(
        {"test_a.py": "@pytest.mark.ray\ndef test_a(): assert 6 * 9 == 42\n", "test_b.py": "def test_b(): ...\n"}
    )
    out, _ = process.communicate(timeout=120)
    assert (process.returncode, "assert (6 * 9) == 42" in out, "FAILED" in out) == (1, True, True), out
    assert "exit code 1" in out.splitlines()[-2]


def test_a_process_that_ends_early_is_no_success(start: Start) -> None:
    """Not even where it says that all is well."""
    process = start({"test_a.py": "@pytest.mark.ray\ndef test_a(): os._exit(0)\n", "test_b.py": "def test_b(): ...\n"})
    out, _ = process.communicate(timeout=120)
    assert (process.returncode, out.splitlines()[-1]) == (1, "error: 1 tests were run by neither process"), out


def test_no_test_found_is_no_success(start: Start) -> None:
    process = start({"test_a.py": "def test_a(): ...\n"}, "-k", "nothing")
    out, _ = process.communicate(timeout=120)
    assert process.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert all("1 deselected" in line for line in out.splitlines()[-2:])


def test_an_interrupt_ends_both(start: Start, tmp_path: Path) -> None:
    wait = "import time\n{mark}\ndef test_it():\n    note('{name}')\n    time.sleep(600)\n"
    marks = {"a": "@pytest.mark.ray", "b": "@pytest.mark.slow"}
    files = {f"test_{name}.py": wait.format(mark=mark, name=name) for name, mark in marks.items()}
    process = start(files)
    while not (tmp_path / "log").exists() or len(noted(tmp_path)) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert (process.returncode, out.count("KeyboardInterrupt") >= 2) == (pytest.ExitCode.INTERRUPTED, True), out
    for number in noted(tmp_path).values():
        with pytest.raises(ProcessLookupError):
            os.kill(int(number), 0)


def test_the_projects_configuration_counts() -> None:
    """Markers, time limit and warnings as errors come from pyproject.toml, whatever else the two processes are told."""
    command = [sys.executable, "-m", "tests.side_by_side", "-p", "no:cacheprovider", "tests/test_timecode.py"]
    ended = subprocess.run(command, check=False, cwd=PROJECT, text=True, capture_output=True, timeout=120)
    said = [line for line in ended.stdout.splitlines() if "rootdir" in line or "configfile" in line]
    assert ended.returncode == 0, ended.stdout
    assert sum(str(PROJECT) in line for line in said) == 2
    assert sum("pyproject.toml" in line for line in said) == 2
