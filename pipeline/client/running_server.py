"""The server file: the file in a library's folder by which commands find the server of the library.

The server writes the file when it listens, and removes it when it ends. If the server is killed, the file remains, but
the process that it names no longer runs. The file may come from others, as part of a library: it is used only if it
belongs to this user, and its socket only if `is_private_socket` accepts it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pipeline.io.own_files import read_own_file, remove_own_file, write_own_file
from pipeline.io.private_socket import is_private_socket
from pipeline.io.process_identity import Process
from pipeline.parsing import ParseError, parse_json

__all__ = ["SERVER_FILE", "RunningServer", "find_server", "forget_server", "own_version", "publish_server"]

SERVER_FILE = "server.json"


@dataclass(frozen=True)
class RunningServer:
    """A server of a library on this machine.

    Attributes:
        process: The server's process.
        socket: The private socket at which it serves this user's processes.
        address: Its address for browsers, as "http://127.0.0.1:8737/".
        version: Its version of momentseek.
    """

    process: Process
    socket: Path
    address: str
    version: str


def publish_server(folder: Path, server: RunningServer) -> None:
    """Write the server file of a library's folder.

    Raises:
        OSError: The file cannot be written.
    """
    content = {
        **server.process.as_json(),
        "socket": str(server.socket),
        "address": server.address,
        "version": server.version,
    }
    write_own_file(folder / SERVER_FILE, json.dumps(content).encode())


def forget_server(folder: Path, process: Process) -> None:
    """Remove the server file of a library's folder, unless another server has written it since."""
    server = _read(folder)
    if server is not None and server.process == process:
        remove_own_file(folder / SERVER_FILE)


def find_server(folder: Path) -> RunningServer | None:
    """Find the running server of a library's folder.

    Args:
        folder: The library's folder on this machine.

    Returns:
        None if no server of this user runs for the library, or if its version of momentseek is another one.
    """
    server = _read(folder)
    if server is None or not server.process.is_running or server.version != own_version():
        return None
    return server if is_private_socket(server.socket, folder) else None


def own_version() -> str:
    """Return the version of momentseek that runs in this process."""
    return version("momentseek")


def _read(folder: Path) -> RunningServer | None:
    content = read_own_file(folder / SERVER_FILE)
    if content is None:
        return None
    try:
        found = parse_json(content)
        if not isinstance(found, dict):
            return None
        texts = [found[name] for name in ("socket", "address", "version")]
        process = Process.from_json(found)
    except (ParseError, KeyError, ValueError):
        return None
    if not all(isinstance(text, str) and text and "\0" not in text for text in texts):
        return None
    return RunningServer(process, Path(texts[0]), texts[1], texts[2])
