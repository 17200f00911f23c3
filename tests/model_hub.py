"""A stand-in for the model hub: answers the requests by which its client finds and downloads a file."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["ModelHub"]

_COMMIT = hashlib.sha1(b"model hub").hexdigest()


@dataclass
class ModelHub:
    """Serves files of repositories on a port of its own, at /OWNER/NAME/resolve/REVISION/FILE. A context manager.

    Attributes:
        files: Content by repository and file, as "timm/model/open_clip_model.safetensors".
        gated: Repositories that ask for an account.
        cuts: Downloads whose body breaks off half-way, of those to come.
        is_broken: Whether downloads end in a server's error.
        requests: Method, file and Range header of each request for a file so far.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    gated: frozenset[str] = frozenset()
    cuts: int = 0
    is_broken: bool = False
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def downloads(self) -> list[tuple[str, str]]:
        """File and Range header of each download so far."""
        return [(name, wanted) for method, name, wanted in self.requests if method == "GET"]

    def __enter__(self) -> ModelHub:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                _answer(hub, self)

            def do_HEAD(self) -> None:
                _answer(hub, self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _answer(hub: ModelHub, request: BaseHTTPRequestHandler) -> None:
    repository, found, rest = request.path.lstrip("/").partition("/resolve/")
    name = f"{repository}/{rest.partition('/')[2]}"
    if not found:
        _refuse(request, 200 if request.path == "/" else 404)
        return
    wanted = request.headers.get("Range", "")
    hub.requests.append((str(request.command), name, wanted))
    if repository in hub.gated:
        _refuse(request, 403, "GatedRepo")
    elif not any(path.startswith(f"{repository}/") for path in hub.files):
        _refuse(request, 404, "RepoNotFound")
    elif name not in hub.files:
        _refuse(request, 404, "EntryNotFound")
    elif hub.is_broken and request.command == "GET":
        _refuse(request, 500)
    else:
        _send(hub, request, hub.files[name], wanted)


def _refuse(request: BaseHTTPRequestHandler, status: int, code: str = "") -> None:
    request.send_response(status)
    if code:
        request.send_header("X-Error-Code", code)
    if code == "EntryNotFound":
        request.send_header("X-Repo-Commit", _COMMIT)
    request.send_header("Content-Length", "0")
    request.end_headers()


def _send(hub: ModelHub, request: BaseHTTPRequestHandler, content: bytes, wanted: str) -> None:
    start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
    request.send_response(206 if wanted else 200)
    if wanted:
        request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    request.send_header("X-Repo-Commit", _COMMIT)
    request.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
    request.send_header("Content-Length", str(len(content) - start))
    request.end_headers()
    if request.command == "HEAD":
        return
    body = memoryview(content)[start:]
    if hub.cuts:
        hub.cuts -= 1
        body = body[: len(body) // 2]
        request.close_connection = True
    try:
        request.wfile.write(body)
    except OSError:
        request.close_connection = True  # the client has gone
