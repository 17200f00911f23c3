"""Holder file: the file in an index folder that names the process that serves the folder, and its socket.

The process that holds the folder's lock writes the file, and removes it before it releases the lock. If that process is
killed, the file remains, but the process that it names no longer runs. The file may come from others, as part of a
library. Its socket is used only if `private_socket.is_private_socket` accepts it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.io.own_files import read_own_file, remove_own_file, write_own_file
from pipeline.io.process_identity import Process
from pipeline.parsing import ParseError, parse_json

__all__ = ["HOLDER_FILE", "Holder", "read_holder", "remove_holder", "write_holder"]

HOLDER_FILE = "holder.json"


@dataclass(frozen=True)
class Holder:
    """The process that holds an index folder.

    Attributes:
        process: The process.
        is_own: Whether it opened the folder as a library's own folder.
        socket: The socket on which it serves the folder; None while it opens or closes the folder.
    """

    process: Process
    is_own: bool
    socket: Path | None


def write_holder(folder: Path, holder: Holder) -> None:
    """Write the holder file of a folder that this process holds, atomically and readable by this user only.

    Raises:
        OSError: The file cannot be written.
    """
    content = {
        **holder.process.as_json(),
        "is_own": holder.is_own,
        "socket": None if holder.socket is None else str(holder.socket),
    }
    write_own_file(folder / HOLDER_FILE, json.dumps(content).encode())


def read_holder(folder: Path) -> Holder | None:
    """Read the holder file of a folder; None if it is missing, or was not written by momentseek for this user."""
    content = read_own_file(folder / HOLDER_FILE)
    if content is None:
        return None
    try:
        return _parsed(parse_json(content))
    except (ParseError, KeyError, TypeError, ValueError):
        return None


def remove_holder(folder: Path) -> None:
    """Remove the holder file, if there is one; only the process that holds the folder may call this."""
    remove_own_file(folder / HOLDER_FILE)


def _parsed(content: object) -> Holder:
    if not isinstance(content, dict):
        raise TypeError("not an object")
    process, is_own, path = Process.from_json(content), content["is_own"], content["socket"]
    if not isinstance(is_own, bool) or (path is not None and (not isinstance(path, str) or "\0" in path)):
        raise ValueError("not a holder")
    return Holder(process, is_own, None if path is None else Path(path))
