"""A real web server whose faults are chosen: what a test of remote reading talks to."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["WebServer"]


@dataclass
class WebServer:
    """Serves bytes by name on a port of its own. A context manager.

    Attributes:
        files: Content by path, as "/a.mp4".
        takes_ranges: Whether it answers range requests with parts.
        has_tags: Whether its answers have an ETag.
        has_length: Whether its answers have a length.
        statuses: Answered in place of files, first to last; then files again. 200 stands for a file.
        stalls: Requests that get no bytes, of those to come.
        cuts: Requests whose body breaks off half-way, of those to come.
        requests: The Range header of each request so far, or "".
        on_request: Called with the number of requests so far, before each answer.
        redirect: Says where a request is redirected to, in place of files.
        heads: The headers of each request so far.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    takes_ranges: bool = True
    has_tags: bool = True
    has_length: bool = True
    statuses: list[int] = field(default_factory=list)
    stalls: int = 0
    cuts: int = 0
    requests: list[str] = field(default_factory=list)
    on_request: object = None
    redirect: Callable[[], str] | None = None
    heads: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> WebServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer(outer, self)

            def log_message(self, *_: object) -> None:
                pass

        self._stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, name: str, query: str = "") -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}{query}"

    def wait(self) -> None:
        """Hold an answer back until the server stops."""
        self._stopped.wait(20)


def answer(server: WebServer, request: BaseHTTPRequestHandler) -> None:
    wanted = request.headers.get("Range", "")
    server.requests.append(wanted)
    server.heads.append(dict(request.headers))
    if callable(server.on_request):
        server.on_request(len(server.requests))
    if server.redirect is not None:
        request.send_response(302)
        request.send_header("Location", server.redirect())
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    status = server.statuses.pop(0) if server.statuses else 200
    content = server.files.get(request.path.partition("?")[0])
    if content is None:
        status = 404
    if status != 200 or content is None:
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    if server.stalls:
        server.stalls -= 1
        server.wait()
        request.close_connection = True
        return
    # Python computes the hash of a bytes object once, so that a large file is answered as soon as a small one.
    tag = f'"{len(content)}-{hash(content)}"'
    if request.headers.get("If-Match", tag) != tag:
        request.send_response(412)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    send(server, request, content, wanted, tag)


def send(server: WebServer, request: BaseHTTPRequestHandler, content: bytes, wanted: str, tag: str) -> None:
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted)
    body = content
    if match is not None and server.takes_ranges:
        start, end = int(match[1]), min(int(match[2]) + 1, len(content))
        if start >= len(content):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(content)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        body = content[start:end]
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
    else:
        request.send_response(200)
    if server.has_tags:
        request.send_header("ETag", tag)
    if server.has_length:
        request.send_header("Content-Length", str(len(body)))
    else:
        request.send_header("Connection", "close")
        request.close_connection = True
    request.end_headers()
    if server.cuts:
        server.cuts -= 1
        body = body[: len(body) // 2]
        request.close_connection = True
    try:
        for start in range(0, len(body), 2**16):
            request.wfile.write(body[start : start + 2**16])
    except OSError:
        request.close_connection = True  # whoever asked wants no more
