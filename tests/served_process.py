"""Runs commands and servers as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.client.running_server import find_server

PROJECT = Path(__file__).parents[1]
# A test runner in the background ignores interrupts, and so do its children.
COMMAND = [
    sys.executable,
    "-c",
    "import signal, sys; from pipeline.cli import main;"  # noqa: ISC004 - one argument
    " signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())",
]
START_SECONDS = 60
# Batches join the Ray cluster that Ray notes in this folder. Other tests may be running one on this machine.
_WITHOUT_CLUSTER = Path(tempfile.gettempdir()) / "momentseek-tests-without-cluster"


def command_environment() -> dict[str, str]:
    """The environment of a command of a test."""
    _WITHOUT_CLUSTER.mkdir(exist_ok=True)
    return {**os.environ, "PYTHONPATH": str(PROJECT), "RAY_TMPDIR": str(_WITHOUT_CLUSTER)}


@dataclass(frozen=True)
class Ended:
    """What a command printed, and its exit code."""

    output: str
    errors: str
    code: int


def run_command(*arguments: str, folder: Path, **environment: str) -> Ended:
    """Run momentseek as a process of its own."""
    known = {name: value for name, value in command_environment().items() if not name.startswith("MOMENTSEEK_")}
    found = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**known, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return Ended(found.stdout, found.stderr, found.returncode)


def run_commands(*commands: Sequence[str], folder: Path) -> list[Ended]:
    """Run several commands one after another in a process of their own."""
    script = """
        import contextlib, io, json, sys
        from pipeline.cli import main
        for arguments in json.loads(sys.argv[1]):
            with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
                code = main(arguments)
            print(json.dumps([out.getvalue(), err.getvalue(), code]))
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), json.dumps([list(command) for command in commands])],
        cwd=folder,
        env=command_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    return [Ended(*json.loads(line)) for line in found.stdout.splitlines()]


def start_server(library: Path, *options: str) -> subprocess.Popen[str]:
    """Start a server of a library, and wait until commands can find it."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--library", str(library), "--port", "0", *options],
        env=command_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + START_SECONDS
    while find_server(library) is None:
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise AssertionError(f"the server did not start: {process.communicate()}")
        time.sleep(0.05)
    return process


def stop_server(process: subprocess.Popen[str]) -> None:
    """Interrupt a server, and wait for its end."""
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
