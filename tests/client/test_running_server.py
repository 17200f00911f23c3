"""The file by which commands find a server: whose it must be, and what else is ignored."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.client.running_server import (
    SERVER_FILE,
    RunningServer,
    find_server,
    forget_server,
    own_version,
    publish_server,
)
from pipeline.io.private_socket import PrivateSocket
from pipeline.io.process_identity import Process, this_process

STRANGER = 65_534


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of the folder, which listens."""
    with socket.socket(socket.AF_UNIX) as listener:
        private = PrivateSocket(lambda path: listener.bind(str(path)), tmp_path)
        listener.listen()
        yield RunningServer(this_process(), private.path, "http://127.0.0.1:8737/", own_version())
        private.close()


def written(folder: Path, **changed: Any) -> None:
    """Change fields of the server file; None leaves a field out."""
    path = folder / SERVER_FILE
    content = {**json.loads(path.read_text()), **changed}
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def test_a_server_is_found_until_it_is_forgotten(server: RunningServer, tmp_path: Path) -> None:
    assert find_server(tmp_path) is None
    publish_server(tmp_path, server)
    assert find_server(tmp_path) == server
    assert (tmp_path / SERVER_FILE).stat().st_mode & 0o777 == 0o600
    forget_server(tmp_path, Process(server.process.number, server.process.started + 1, server.process.place))
    assert find_server(tmp_path) == server
    forget_server(tmp_path, server.process)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"process": 2**22 + 7, "started": 1},
        {"started": 1},
        {"version": "0.0.1"},
        {"socket": "/tmp/elsewhere.sock"},
        {"socket": None},
        {"socket": 7},
        {"socket": "a\0b"},
        {"address": ""},
        {"process": "1"},
    ],
)
def test_a_file_that_does_not_fit_is_ignored(server: RunningServer, tmp_path: Path, changed: dict[str, Any]) -> None:
    publish_server(tmp_path, server)
    written(tmp_path, **changed)
    assert find_server(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"x" * 5000, b"[" * 4000])
def test_a_broken_file_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SERVER_FILE).write_bytes(content)
    assert find_server(tmp_path) is None


@pytest.mark.parametrize("trap", ["link", "moved", "loose", "closed", "strange file", "strange socket"])
def test_a_library_that_names_a_socket_of_others_is_not_asked(server: RunningServer, tmp_path: Path, trap: str) -> None:
    if trap.startswith("strange") and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    folder = tmp_path
    publish_server(folder, server)
    path = folder / SERVER_FILE
    if trap == "link":
        path.rename(tmp_path / "real.json")
        path.symlink_to(tmp_path / "real.json")
    elif trap == "moved":  # a copied library does not talk to the server of the original
        folder = tmp_path / "copy"
        folder.mkdir()
        (folder / SERVER_FILE).write_bytes(path.read_bytes())
    elif trap == "loose":
        server.socket.parent.chmod(0o755)
    elif trap == "closed":
        server.socket.unlink()
    elif trap == "strange file":
        os.chown(path, STRANGER, STRANGER)
    else:
        os.chown(server.socket, STRANGER, STRANGER)
    try:
        assert find_server(folder) is None
    finally:
        if trap == "loose":
            server.socket.parent.chmod(0o700)
