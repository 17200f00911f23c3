"""The stop of a server that has work: SIGTERM and SIGINT end it in seconds, with success, and leave nothing behind."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from PIL import Image
from served_process import start_server

from pipeline.client.running_server import find_server

API = "/api/v1"


def children_of(number: int) -> set[int]:
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == number:
            found.add(int(status.parent.name))
    return found


@pytest.fixture
def folder(served_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(served_folder, tmp_path / "library"))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    place = Path("/tmp") / f"stop-{os.getpid()}-{time.monotonic_ns()}"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield place
    shutil.rmtree(place, ignore_errors=True)


def check_nothing_is_left(folder: Path, temporary: Path) -> None:
    """The name .ses is that of a file which a library keeps for telemetry."""
    assert not (folder / "server.json").exists()
    assert not [path for path in temporary.iterdir() if path.name != ".ses"]


def is_listening(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=20):
        return True
    return False


class Follower:
    """Follows the events of a run in a thread."""

    def __init__(self, address: str, run_id: str) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []
        self.is_whole = False
        self._url = f"{address}{API}/runs/{run_id}/events"
        self.thread = threading.Thread(target=self._follow)
        self.thread.start()

    def _follow(self) -> None:
        kind = ""
        with httpx.stream("GET", self._url, timeout=60) as response:
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    self.events.append((kind, json.loads(value)))
        self.is_whole = True


def stalled_download(address: str, path: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    connection.recv(1000)
    return connection


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_with_work_of_every_kind(folder: Path, films: Path, temporary: Path, number: signal.Signals) -> None:
    process = start_server(folder, "--allow-sources", str(films))
    server = find_server(folder)
    address = server.address.rstrip("/")
    video = next(one for one in httpx.get(f"{address}{API}/videos").json()["videos"] if "fire" in one["name"])
    media = f"{API}/videos/{video['video_id']}"
    run = httpx.post(f"{address}{API}/runs", json={"sources": [str(films)]}, timeout=60).json()
    follower = Follower(address, run["run_id"])
    download = stalled_download(address, f"{media}/media")
    # Nobody waits for this clip any more, but it is still being encoded.
    with pytest.raises(httpx.TimeoutException):
        httpx.get(f"{address}{media}/part.mp4?start=0&end={video['duration_seconds']}", timeout=0.3)
    idle = http.client.HTTPConnection(address.removeprefix("http://"))
    idle.request("GET", "/healthz")
    idle.getresponse().read()
    while not follower.events:
        time.sleep(0.05)
    children = children_of(process.pid)
    assert children
    began = time.monotonic()
    process.send_signal(number)
    follower.thread.join(30)
    until_the_last_event = time.monotonic() - began
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert follower.is_whole
    kind, fields = follower.events[-1]
    assert (kind, fields["run_id"]) == ("server_stopping", run["run_id"])
    assert until_the_last_event < 10
    check_nothing_is_left(folder, temporary)
    until = time.monotonic() + 30
    while left := [child for child in children if Path(f"/proc/{child}").exists()]:
        assert time.monotonic() < until, left
        time.sleep(0.1)
    download.close()
    idle.close()


def test_an_event_stream_of_a_foreign_run_and_a_question(folder: Path, temporary: Path) -> None:
    [file] = (folder / "runs").glob("*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "outcome": "running"}))
    process = start_server(folder)
    address = find_server(folder).address.rstrip("/")
    follower = Follower(address, file.stem)
    answers: list[int] = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.get(f"{address}{API}/search?text=a+ladder", timeout=60).status_code)
    )
    asking.start()
    while not follower.events:
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    follower.thread.join(20)
    assert time.monotonic() - began < 8
    asking.join()
    process.communicate(timeout=60)
    assert (process.returncode, answers) == (0, [200])
    assert [kind for kind, _ in follower.events] == ["progress", "server_stopping"]
    check_nothing_is_left(folder, temporary)


def test_a_second_signal_ends_requests_and_still_cleans_up(folder: Path, temporary: Path) -> None:
    process = start_server(folder)
    address = find_server(folder).address.rstrip("/")
    picture = io.BytesIO()
    Image.new("RGB", (64, 64)).save(picture, "png")
    upload = httpx.post(f"{address}{API}/uploads", content=picture.getvalue(), timeout=60)
    assert upload.status_code == 201
    assert [*temporary.glob("momentseek-uploads-*")]
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        # A body that never arrives holds the first stop.
        head = b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{")
        process.send_signal(signal.SIGTERM)
        while is_listening(host, int(port)):
            time.sleep(0.05)
        assert process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert connection.recv(65_536).split()[1] == b"503"
        _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 9
    assert (process.returncode, "Traceback" in said) == (0, False)
    check_nothing_is_left(folder, temporary)
