"""Identifies processes independently of the reuse of process ids, and describes them."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Process", "command_of", "has_begun_by", "lock_holder", "since", "this_process"]

_CLOCK_SLACK_SECONDS = 2.0


@dataclass(frozen=True)
class Process:
    """The identity of a process, for comparison by other processes.

    Attributes:
        number: The process id.
        started: Start time in clock ticks since the machine's start; 0 where /proc does not provide it.
        place: The machine since its last start, and the namespace that the process id belongs to.
    """

    number: int
    started: int
    place: str

    @property
    def is_running(self) -> bool:
        """Whether the process is running; True if this cannot be determined (another machine or container)."""
        if self.place != _place():
            return True
        if self.started:
            return _ticks(self.number) == self.started
        try:
            os.kill(self.number, 0)
        except ProcessLookupError:
            return False
        except (OSError, OverflowError):
            return True
        return True

    @property
    def is_stopped(self) -> bool:
        """Whether the process is suspended, for example by Ctrl-Z."""
        return self.place == _place() and _fields(self.number)[:1] == ["T"]

    def as_json(self) -> dict[str, int | str]:
        """Convert to JSON values."""
        return {"process": self.number, "started": self.started, "place": self.place}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Process:
        """Read the identity of a process from JSON values.

        Raises:
            KeyError, ValueError: They do not describe a process.
        """
        number, started, place = content["process"], content["started"], content["place"]
        is_process = type(number) is int and type(started) is int and isinstance(place, str)
        if not is_process or not 0 < number < 2**31 or not 0 <= started < 2**63:
            raise ValueError("not a process")
        return cls(number, started, place)


def this_process() -> Process:
    """Return the identity of this process."""
    return Process(os.getpid(), _ticks(os.getpid()), _place())


def has_begun_by(number: int, moment: float) -> bool:
    """Whether a running process had started by a point in time; if not, it only reuses the id of an earlier process.

    Args:
        number: A process id of this machine.
        moment: Seconds since 1970.
    """
    if not Path(f"/proc/{number}").exists():
        return False
    began = _began(number)
    return began is None or began <= moment + _CLOCK_SLACK_SECONDS


def lock_holder(lock: Path, locks: Path = Path("/proc/locks")) -> int | None:
    """Find the process that locked a file, by its inode in Linux's table of locks; None if it is not listed."""
    try:
        inode = str(lock.stat().st_ino)
        lines = locks.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        # 1: FLOCK  ADVISORY  WRITE 4711 08:01:1234567 0 EOF; for a waiting process, the second field is "->".
        fields: list[Any] = line.split()
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode and fields[4].isdigit():
            return int(fields[4]) or None
    return None


def command_of(number: int) -> str:
    """Return the command line of a process, shortened."""
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "unknown command"
    text = " ".join(b" ".join(words).decode(errors="replace").split())
    return text if len(text) <= 120 else f"{text[:117]}..."


def since(number: int) -> str:
    """Format the start time of a process; empty if /proc does not provide it."""
    began = _began(number)
    return "" if began is None else f", since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(began))}"


def _began(number: int) -> float | None:
    """Return the start of a process in seconds since 1970."""
    try:
        [booted] = [line for line in Path("/proc/stat").read_text(encoding="ascii").splitlines() if line[:5] == "btime"]
        ticks = _ticks(number)
        return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK") if ticks else None
    except (OSError, ValueError, IndexError):
        return None


def _ticks(number: int) -> int:
    """Return the start of a process in ticks since the machine's start; 0 if it does not run or /proc is missing."""
    fields = _fields(number)
    # A zombie has ended, but its parent has not read its exit status.
    if not fields or fields[0] in ("Z", "X"):
        return 0
    try:
        return int(fields[19])
    except (ValueError, IndexError):
        return 0


def _fields(number: int) -> list[str]:
    """Return the fields of /proc/N/stat from the third on; the second is the command, which may contain anything."""
    try:
        text = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


@cache
def _place() -> str:
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    except OSError:
        # Not Linux.
        pass
    return " ".join(parts)
