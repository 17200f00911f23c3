"""Runs momentseek's commands in processes of their own that are forked from one in which all is imported.

A command on a hostile library may hang, exhaust memory or crash the interpreter: each batch of commands gets a child
with a time limit and an address-space limit, and nothing of it stays behind. Start it with `CommandRunner`; run as a
program it reads requests, one JSON object a line, and answers each with one line.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CommandRunner", "Outcome"]

_TESTS = Path(__file__).resolve().parent.parent
_ADDRESS_SPACE_BYTES = 3 * 2**30
"""That a child may take beyond what its parent has; one search with the tiny model takes 0.5 GiB."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        command: Its arguments.
        code: Its exit code; None where it did not end by itself: it hung, crashed, or came after one that did.
        out: Standard output.
        err: Standard error.
        seconds: How long it took.
    """

    command: tuple[str, ...]
    code: int | None
    out: str
    err: str
    seconds: float


class CommandRunner:
    """A process that runs commands in children of its own. A context manager.

    Args:
        folder: The commands' working directory and, by HOME and XDG_CONFIG_HOME, their user's home.
    """

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOMENTSEEK_", "XDG_"))}
        environment = {
            **kept,
            "HOME": str(folder),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(_TESTS.parent), str(_TESTS)]),
            "TMPDIR": str(folder / "tmp"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        (folder / "tmp").mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=folder,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def run(
        self, commands: Sequence[Sequence[object]], *, longest_seconds: float = 60, debug: bool = False
    ) -> list[Outcome]:
        """Run commands one after another in one child.

        Args:
            commands: The arguments of each.
            longest_seconds: The child is killed after so long.
            debug: Show tracebacks.
        """
        request = {"commands": [list(map(str, command)) for command in commands], "longest_seconds": longest_seconds}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({**request, "debug": debug}) + "\n")
        self._process.stdin.flush()
        answers = json.loads(self._process.stdout.readline())
        return [Outcome(tuple(map(str, command)), **answer) for command, answer in zip(commands, answers, strict=True)]

    def __enter__(self) -> CommandRunner:
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def _serve() -> None:
    _import_all()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_in_child(json.loads(line))) + "\n")
        sys.stdout.flush()


def _import_all() -> None:
    """Import what the commands import late; nothing is started, so that a fork is safe."""

    from pipeline.index.milvus.lite.folder import silence

    silence()
    import av  # noqa: F401
    import milvus_lite.adapter.grpc.server  # noqa: F401
    import open_clip  # noqa: F401
    import pyarrow as pa
    import pyarrow.parquet
    import pymilvus  # noqa: F401

    # Arrow's own threads would not be there in a child.
    pa.set_cpu_count(1)


def _in_child(request: dict[str, Any]) -> list[dict[str, Any]]:
    ready, written = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready)
        os.setpgid(0, 0)
        _work(request, written)
    os.close(written)
    deadline = time.monotonic() + request["longest_seconds"]
    found: list[dict[str, Any]] = []
    pending = b""
    os.set_blocking(ready, False)
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            more = os.read(ready, 2**20)
            if not more:
                break
            pending += more
            *lines, pending = pending.split(b"\n")
            found += map(json.loads, lines)
            continue
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    os.close(ready)
    cause = "hung" if time.monotonic() >= deadline else f"ended with wait status {status}"
    missing = len(request["commands"]) - len(found)
    return found + [{"code": None, "out": "", "err": cause, "seconds": 0.0}] * missing


def _work(request: dict[str, Any], written: int) -> None:
    """Run the commands in this child, and end it."""
    used = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmSize"))
    limit = int(used.split()[1]) * 1024 + _ADDRESS_SPACE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if request["debug"]:
        os.environ["MOMENTSEEK_DEBUG"] = "1"
    for command in request["commands"]:
        with os.fdopen(written, "w", closefd=False) as pipe:
            pipe.write(json.dumps(_run(command)) + "\n")
    os._exit(0)


def _run(command: list[str]) -> dict[str, Any]:
    import tempfile

    from pipeline.cli import main

    started = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        # Below Python's own streams, so that what libraries written in C say is heard, too.
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115
        sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        try:
            code = main(command)
        except BaseException:  # noqa: BLE001 - shown, and counted as a traceback
            import traceback

            traceback.print_exc()
            code = 99
        sys.stdout.flush()
        sys.stderr.flush()
        out.seek(0)
        err.seek(0)
        said = [stream.read().decode("utf-8", "backslashreplace") for stream in (out, err)]
    return {"code": code, "out": said[0], "err": said[1], "seconds": time.monotonic() - started}


if __name__ == "__main__":
    _serve()
