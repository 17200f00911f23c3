"""Scripts that tests run in a process of their own, in which any warning is an error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

__all__ = ["MACHINES_SECONDS", "script_output", "start_script"]

MACHINES_SECONDS = 900
"""How long a script may take that starts a cluster's machines: a minute on an idle computer, far more on a busy one."""

_TESTS = Path(__file__).resolve().parent


def start_script(script: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a script in a folder, which is made; it finds the project and the tests' folder, and no cluster of others.

    It leads a process group, so that it can be ended with all that it started.
    """
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment["PYTHONPATH"] = os.pathsep.join([str(_TESTS), str(_TESTS.parent)])
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *arguments],
        cwd=folder,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def script_output(script: str, folder: Path, *, longest_seconds: float = 240) -> tuple[str, str]:
    """Run a script as `start_script` does: its standard output and error. Nothing of it is left running."""
    process = start_script(script, folder)
    try:
        return process.communicate(timeout=longest_seconds)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
