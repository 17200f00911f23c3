"""Attacks that a browser's user, another page or another machine could try: each is refused, and harms nothing."""

from __future__ import annotations

import hmac
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uvicorn
from made_library import add_video
from shots_library import opened
from starlette.testclient import TestClient
from video_factory import make_video, steady

from pipeline.library import Library
from pipeline.serve import ServeSettings, create_app
from pipeline.serve.graceful_server import GracefulServer
from pipeline.serve.http.access_tokens import AccessTokens

Serve = Callable[..., TestClient]

HTML = "<script>alert(1)</script>"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return opened(tmp_path / "library")


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/static/../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/page_routes.py",
        "/static/..%2fpage_routes.py",
        "/static/%2fetc%2fpasswd",
        "/static/..\\page_routes.py",
        "/static//etc/passwd",
        "/api/v1/videos/%2e%2e/media",
        "/api/v1/videos/..%2f..%2flibrary.yaml/media",
        "/api/v1/videos/%00/media",
        "/api/v1/videos/.%2e%2flibrary/frames/1.jpg",
    ],
)
def test_paths_lead_nowhere(serve: Serve, library: Library, path: str) -> None:
    client = serve(library)
    # The client would resolve dot segments itself.
    response = client.send(client.build_request("GET", f"http://localhost{path}"))
    assert response.status_code in (400, 404), response.text
    assert "root:" not in response.text
    assert "import" not in response.text


def test_raw_dot_segments_are_refused(serve: Serve, library: Library) -> None:
    app = create_app(library)
    server = GracefulServer(uvicorn.Config(app, log_level="critical", lifespan="on"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        answers = [_raw(listener.getsockname(), path) for path in ("/static/../page_routes.py", "/a/%2e%2e/b", "/./")]
        server.should_exit = True
        thread.join()
    assert [answer.split()[1] for answer in answers] == [b"400"] * 3


def _raw(address: tuple[str, int], path: str) -> bytes:
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_files_of_the_library_are_not_served(serve: Serve, library: Library, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir(exist_ok=True)
    (tmp_path / "library" / "secret.mp4").write_bytes(b"secret")
    client = serve(library)
    for name in ("library.yaml", "secret.mp4", "frames", "index"):
        assert client.get(f"/api/v1/videos/{name}/media").status_code == 404


def test_a_video_of_another_library_is_unknown(serve: Serve, library: Library, tmp_path: Path) -> None:
    other = opened(tmp_path / "other")
    video_id = add_video(other, make_video(tmp_path / "a.mp4", steady(20)))
    other.close()
    client = serve(library)
    for path in ("", "/media", "/playback", "/frames/0.jpg", "/sprite.jpg", "/sprite.vtt", "/curve?text=red"):
        response = client.get(f"/api/v1/videos/{video_id}{path}")
        assert (response.status_code, response.json()["code"]) == (404, "unknown_video")
    assert client.get(f"/api/v1/moments/{video_id}@0,1/clip.mp4").status_code == 404


FILTERS = (
    {"camera": '" or 1 == 1 or camera == "'},
    {'camera"] or true or meta["x': "gate"},
    {"camera": "' or video_id like '%"},
    {"camera\n": "gate"},
    {"": "gate"},
    {"camera": "\\"},
)


@pytest.mark.parametrize("backend", ["memory", "milvus"])
def test_filters_are_values_and_never_syntax(serve: Serve, tmp_path: Path, backend: str) -> None:
    library = opened(tmp_path / "library", backend=backend)
    add_video(library, make_video(tmp_path / "a.mp4", steady(20)), {"camera": "gate"})
    client = serve(library)
    assert client.post("/api/v1/search", json={"shows": "red", "where": {"camera": "gate"}}).json()["moments"]
    for where in FILTERS:
        response = client.post("/api/v1/search", json={"shows": "red", "where": where})
        assert response.status_code in (200, 422), response.text
        assert not response.json().get("moments")


def test_names_and_metadata_are_never_markup(serve: Serve, library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    video_id = add_video(library, make_video(folder / 'a"><b>.mp4', steady(20)), {"camera": HTML})
    client = serve(library)
    for path in ("/api/v1/videos", f"/api/v1/videos/{video_id}", "/api/v1/search?text=red", f"/api/v1/videos/{HTML}"):
        response = client.get(path)
        assert response.headers["content-type"].startswith("application/")
        assert response.headers["content-type"].endswith("json")
        assert response.headers["x-content-type-options"] == "nosniff"
    for path in ("/", f"/?q={HTML}", "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"):
        page = client.get(path)
        assert "<script>alert" not in page.text
        assert "onerror=alert" not in page.text
        assert "'unsafe-inline'" not in page.headers["content-security-policy"]


def test_every_token_is_compared_in_constant_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    compare = hmac.compare_digest

    def noted(one: str, other: str) -> bool:
        compared.append(other)
        return compare(one, other)

    tokens = AccessTokens(tmp_path / "tokens.json")
    fresh = [tokens.add(name, "search") for name in ("a", "b", "c")]
    monkeypatch.setattr("pipeline.serve.http.access_tokens.hmac.compare_digest", noted)
    for token, name in ((fresh[0], "a"), (fresh[2], "c"), ("msk_wrong", None)):
        compared.clear()
        found = tokens.find(token)
        assert (None if found is None else found.name) == name
        # All three, whichever is right, and digests rather than tokens.
        assert [len(each) for each in compared] == [64] * 3


def test_a_client_that_sends_nothing_holds_up_nobody(library: Library) -> None:
    app = create_app(library, ServeSettings(body_seconds=0.3))
    server = GracefulServer(uvicorn.Config(app, log_level="critical", lifespan="on"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = listener.getsockname()
        idle = [socket.create_connection(address, timeout=20) for _ in range(50)]
        for connection in idle:
            connection.sendall(b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        began = time.monotonic()
        assert _raw(address, "/healthz").split()[1] == b"200"
        assert time.monotonic() - began < 10
        assert idle[0].recv(65_536).split()[1] == b"408"
        for connection in idle:
            connection.close()
        server.should_exit = True
        thread.join()
