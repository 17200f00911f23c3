"""The route that takes pictures and clips to search by."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request

from pipeline.errors import UnsupportedVideoError
from pipeline.io.settings import Fetching
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.served_library import Served
from pipeline.video import read_still
from pipeline.video.pyav.decoder import PyAVDecoder

__all__ = ["routes"]

routes = APIRouter(tags=["search"])

_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}}


@routes.post("/uploads", status_code=HTTPStatus.CREATED, openapi_extra=_BODY)
async def upload(request: Request, served: Served) -> dict[str, Any]:
    """Upload a picture or a clip for an hour; its id stands for a file in a question: `{"image": "upload:…"}`."""
    path = served.uploads.new_path()
    try:
        await _write(request.stream(), path)
        kind = await anyio.to_thread.run_sync(_kind_of, path, limiter=served.pictures.room)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    kept = served.uploads.keep(path, kind)
    return {"id": kept.id, "kind": kept.kind, "size_bytes": kept.size_bytes}


async def _write(chunks: AsyncIterator[bytes], path: Path) -> None:
    async with await anyio.open_file(path, "xb") as file:
        async for chunk in chunks:
            await file.write(chunk)


def _kind_of(path: Path) -> Literal["image", "clip"]:
    """Tell a picture from a clip by decoding it.

    Raises:
        ProblemError: It is neither.
    """
    try:
        if read_still(str(path), Fetching()) is not None:
            return "image"
        with PyAVDecoder().open(str(path)) as stream:
            next(iter(stream.frames()))
    except UnsupportedVideoError as error:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_file", error.problem) from error
    return "clip"
