"""Liveness and readiness probes of the server."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from pipeline.serve.served_library import Served

__all__ = ["routes"]

routes = APIRouter(tags=["health"])


@routes.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the server runs."""
    return {"status": "ok"}


@routes.get("/readyz")
async def readyz(served: Served, response: Response) -> dict[str, str]:
    """Say whether the model and the index are loaded, so that a question is answered at once."""
    if served.is_ready:
        return {"status": "ready"}
    response.status_code = 503
    return {"status": "loading" if served.problem is None else "failed"}


@routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Give out counts and times of requests and questions, for Prometheus."""
    return Response(request.app.state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
