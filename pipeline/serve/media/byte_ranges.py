"""Answers with a part of a file, as players ask for it: HTTP byte ranges (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import BinaryIO

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pipeline.serve.http.entity_tags import is_known
from pipeline.serve.http.problems import problem_response

__all__ = ["file_response", "requested_range"]

_CHUNK_BYTES = 2**18
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def requested_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Parse a Range header into the first byte and the one after the last.

    A header of another unit, of several ranges or that is malformed is ignored, as the specification allows.

    Args:
        header: The header; None if there is none.
        size_bytes: Size of the file.

    Returns:
        None for the whole file.

    Raises:
        ValueError: No byte of the file is in the range.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        start, end = max(0, size_bytes - int(last)), size_bytes
    else:
        start, end = int(first), size_bytes if not last else min(size_bytes, int(last) + 1)
        if last and int(last) < int(first):
            return None
    if start >= end:
        raise ValueError(f"the file has {size_bytes} bytes")
    return start, end


def file_response(request: Request, file: BinaryIO, size_bytes: int, etag: str, media_type: str) -> Response:
    """Answer with a file, or with the part of it that the request asks for; the file is closed at the end.

    Args:
        request: The request; its Range, If-Range, If-None-Match and method are honoured.
        file: The open file.
        size_bytes: Its size.
        etag: Entity tag of its content, in quotes.
        media_type: Its media type.
    """
    headers = {"Accept-Ranges": "bytes", "ETag": etag, "Cache-Control": "private, no-cache"}
    if is_known(request.headers.get("if-none-match", ""), etag):
        file.close()
        return Response(None, HTTPStatus.NOT_MODIFIED, headers)
    wanted = request.headers.get("range")
    if request.headers.get("if-range", etag) != etag:
        wanted = None
    try:
        part = requested_range(wanted, size_bytes)
    except ValueError as error:
        file.close()
        unsatisfied = {**headers, "Content-Range": f"bytes */{size_bytes}"}
        return problem_response(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "range_not_satisfiable", str(error), headers=unsatisfied
        )
    start, end = part or (0, size_bytes)
    headers["Content-Length"] = str(end - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size_bytes}"
    status = HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT
    if request.method == "HEAD":
        file.close()
        return Response(None, status, headers, media_type)
    return StreamingResponse(_chunks(file, start, end), status, headers, media_type)


async def _chunks(file: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    def read(position: int) -> bytes:
        file.seek(position)
        return file.read(min(_CHUNK_BYTES, end - position))

    try:
        while start < end and (chunk := await anyio.to_thread.run_sync(read, start)):
            start += len(chunk)
            yield chunk
    finally:
        file.close()
