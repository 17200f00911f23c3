"""The application: routes, checks and error handling put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from pipeline.library import Library
from pipeline.search import Query
from pipeline.serve.api import (
    case_routes,
    health_routes,
    media_routes,
    playback_routes,
    run_routes,
    saved_search_routes,
    search_routes,
    session_routes,
    upload_routes,
    video_routes,
)
from pipeline.serve.api.analysis import concept_routes, label_routes, mark_routes, review_routes
from pipeline.serve.batches.batch_desk import BatchDesk
from pipeline.serve.http.entity_tags import EntityTags
from pipeline.serve.http.hidden_folders import HiddenFolders
from pipeline.serve.http.problems import handle_problems
from pipeline.serve.http.request_guard import RequestGuard
from pipeline.serve.http.request_limits import RequestLimits
from pipeline.serve.http.request_metrics import RequestMetrics, ServerMetrics
from pipeline.serve.page.page_routes import add_page
from pipeline.serve.served_library import ServedLibrary
from pipeline.serve.settings import API_PREFIX, ServeSettings

__all__ = ["create_app"]

_SUBJECTS = (
    search_routes,
    video_routes,
    media_routes,
    playback_routes,
    upload_routes,
    label_routes,
    mark_routes,
    review_routes,
    concept_routes,
    case_routes,
    saved_search_routes,
    run_routes,
)
_DESCRIPTION = "Search hours of video by describing the moment."


def create_app(library: Library, settings: ServeSettings | None = None) -> FastAPI:
    """Make the application that serves a library.

    Args:
        library: The open library; the application closes it when it ends.
        settings: Settings of the server.
    """
    settings = settings or ServeSettings()
    served = ServedLibrary(library, settings)
    batches = BatchDesk(served)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(served.warm_up()), asyncio.create_task(served.watch_removals())]
        yield
        for task in tasks:
            task.cancel()
        await served.copies.stop()
        await asyncio.to_thread(batches.close)
        await asyncio.to_thread(served.close)

    app = FastAPI(
        title="momentseek",
        version=version("momentseek"),
        description=_DESCRIPTION,
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=f"{API_PREFIX}/openapi.json",
        lifespan=lifespan,
    )
    app.state.served, app.state.batches = served, batches

    def begin_stop() -> None:
        served.stop.begin()
        batches.begin_stop()

    app.state.begin_stop = begin_stop
    api = APIRouter(prefix=API_PREFIX)
    for module in _SUBJECTS:
        api.include_router(module.routes)
    app.include_router(api)
    app.include_router(health_routes.routes)
    app.include_router(session_routes.routes)
    handle_problems(app)
    add_page(app)
    app.state.metrics = ServerMetrics(served)
    # What is added last comes first.
    app.add_middleware(HiddenFolders, library=library.config.library)
    app.add_middleware(EntityTags)
    app.add_middleware(RequestLimits, settings=settings)
    app.add_middleware(RequestGuard, settings=settings, sessions=served.sessions)
    app.add_middleware(RequestMetrics, metrics=app.state.metrics)
    app.openapi = lambda: _description(app)  # type: ignore[method-assign]
    return app


def _description(app: FastAPI) -> dict[str, Any]:
    """Describe the API as OpenAPI, with the schema of questions, which are read without FastAPI."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        question = Query.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas |= question.pop("$defs", {})
        schemas["Question"] = question
        app.openapi_schema = schema
    return app.openapi_schema
