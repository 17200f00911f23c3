"""A minimal S3 server with a fixed latency per request, whose buckets are the folders of a local folder.

    python -m benchmarks.slow_s3 FOLDER --latency-ms 20

It answers GetObject (with ranges), HeadObject, PutObject, DeleteObject, DeleteObjects, ListObjectsV2 and ListBuckets,
which is all that a library needs, and checks no credentials: use it on this machine only. Unlike moto's server it takes
little processor time, so that the client's time is measured. It prints its port when it is ready. `GET /-/requests`
returns the number of requests so far, by method.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import re
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

import uvicorn

__all__ = ["SlowS3"]

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

_MOST_KEYS = 1000
_XML = '<?xml version="1.0" encoding="UTF-8"?>'
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class SlowS3:
    """The server as an ASGI application.

    Args:
        root: The folder whose folders are the buckets.
        latency_seconds: How long each request waits before it is answered.
    """

    def __init__(self, root: Path, latency_seconds: float) -> None:
        self._root = root
        self._latency_seconds = latency_seconds
        self._requests: Counter[str] = Counter()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path, method = unquote(scope["path"]).lstrip("/"), scope["method"]
        if path == "-/requests":
            await _send(send, 200, json.dumps(self._requests).encode())
            return
        self._requests[method] += 1
        await asyncio.sleep(self._latency_seconds)
        query = {name: found[0] for name, found in parse_qs(scope["query_string"].decode(), True).items()}
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        file = self._root / path
        if method == "PUT":
            content = await _body(receive, headers)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            await _send(send, 200, b"", {"etag": _etag(file)})
        elif method == "POST":
            for key in re.findall(r"<Key>(.*?)</Key>", (await _body(receive, headers)).decode()):
                (file / key).unlink(missing_ok=True)
            await _send(send, 200, f"{_XML}<DeleteResult/>".encode())
        elif method == "DELETE":
            file.unlink(missing_ok=True)
            await _send(send, 204, b"")
        elif "list-type" in query:
            await _send(send, 200, self._listing(path.rstrip("/"), query))
        else:
            await _send_file(send, file, headers.get("range"), with_content=method == "GET")

    def _listing(self, bucket: str, query: dict[str, str]) -> bytes:
        """One page of ListObjectsV2, whose token is the last key of the page before."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        last = query.get("continuation-token", "")
        entries = sorted(entry for entry in _entries(self._root / bucket, prefix, delimiter) if entry[0] > last)
        page = entries[: min(_MOST_KEYS, int(query.get("max-keys", _MOST_KEYS)))]
        parts = [f"{_XML}<ListBucketResult><Name>{bucket}</Name><KeyCount>{len(page)}</KeyCount>"]
        for key, file in page:
            if file is None:
                parts.append(f"<CommonPrefixes><Prefix>{escape(key)}</Prefix></CommonPrefixes>")
                continue
            status = file.stat()
            changed = f"{formatdate(status.st_mtime, usegmt=True)}"
            parts.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{changed}</LastModified><ETag>{_etag(file)}</ETag>"
                f"<Size>{status.st_size}</Size></Contents>"
            )
        if len(page) < len(entries):
            parts.append(f"<NextContinuationToken>{escape(page[-1][0])}</NextContinuationToken>")
        parts.append(f"<IsTruncated>{str(len(page) < len(entries)).lower()}</IsTruncated></ListBucketResult>")
        return "".join(parts).encode()


def _entries(bucket: Path, prefix: str, delimiter: str) -> Iterator[tuple[str, Path | None]]:
    """Keys with a prefix and their files; None for what the delimiter groups together."""
    above, _, start = prefix.rpartition("/")
    folder = bucket / above
    if not delimiter:
        for file in folder.rglob(f"{start}*"):
            if file.is_file():
                yield file.relative_to(bucket).as_posix(), file
        return
    if folder.is_dir():
        for entry in os.scandir(folder):
            if entry.name.startswith(start):
                key = f"{above}/{entry.name}" if above else entry.name
                yield (f"{key}/", None) if entry.is_dir() else (key, Path(entry.path))


async def _send_file(send: Send, file: Path, wanted: str | None, *, with_content: bool) -> None:
    if not file.is_file():
        body = b"" if not with_content else f"{_XML}<Error><Code>NoSuchKey</Code></Error>".encode()
        await _send(send, 404, body)
        return
    size = file.stat().st_size
    start, end, status = 0, size, 200
    found = None if wanted is None else _RANGE.fullmatch(wanted)
    if found is not None:
        first, last = found.groups()
        start, end = (max(0, size - int(last)), size) if not first else (int(first), int(last or size) + 1)
        end, status = min(end, size), 206
    changed = formatdate(file.stat().st_mtime, usegmt=True)
    headers = {"etag": _etag(file), "last-modified": changed, "content-length": str(end - start)}
    if status == 206:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    content = b""
    if with_content:
        with file.open("rb") as opened:
            opened.seek(start)
            content = opened.read(end - start)
    await _send(send, status, content, headers)


async def _body(receive: Receive, headers: dict[str, str]) -> bytes:
    """The body of a request, without the chunk headers that signed uploads have."""
    parts, is_more = [], True
    while is_more:
        message = await receive()
        parts.append(message.get("body", b""))
        is_more = message.get("more_body", False)
    content = b"".join(parts)
    if "aws-chunked" not in headers.get("content-encoding", ""):
        return content
    found = []
    while content:
        line, _, content = content.partition(b"\r\n")
        length = int(line.partition(b";")[0], 16)
        if not length:
            break
        found.append(content[:length])
        content = content[length + 2 :]
    return b"".join(found)


async def _send(send: Send, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    named = {"content-length": str(len(body)), "content-type": "application/xml", **(headers or {})}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _etag(file: Path) -> str:
    status = file.stat()
    return f'"{hashlib.md5(f"{status.st_ino} {status.st_mtime_ns} {status.st_size}".encode()).hexdigest()}"'  # noqa: S324


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency-ms", type=float, default=20.0)
    given = parser.parse_args()
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    app = SlowS3(given.folder, given.latency_ms / 1000)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    server.run([listening])


if __name__ == "__main__":
    main()
