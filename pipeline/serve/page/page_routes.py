"""Routes of the page and its static files."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import Scope

from pipeline.serve.http.hidden_folders import LIBRARY
from pipeline.serve.page.strings import TEXTS
from pipeline.serve.served_library import Served
from pipeline.serve.settings import API_PREFIX

__all__ = ["add_page"]

_FOLDER = Path(__file__).parent
_STATIC = _FOLDER / "static"
_MODULES = ("api.js", "dom.js", "format.js", "keyboard.js", "notes.js", "question.js", "strings.js")
"""Modules that every page loads; naming them in the document saves a browser from finding them one after another."""
_PLAIN_PAGES = {
    "/videos": ("videos.html", ("videos.css",)),
    "/cases": ("cases.html", ("videos.css",)),
    "/concepts": ("concepts.html", ("videos.css", "views.css")),
    "/runs": ("runs.html", ("videos.css",)),
}
"""The template and the style sheets of the pages whose templates need no variables."""


class _LastingFiles(StaticFiles):
    """Static files at an address that contains their digest, so that browsers need not ask for them again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


class _PageTemplates:
    """Renders the documents of the page with its texts and the addresses of its files.

    Args:
        static: Address of the static files.
    """

    def __init__(self, static: str) -> None:
        self._templates = Jinja2Templates(_FOLDER / "templates")
        environment = self._templates.env
        environment.globals |= {"static": static, "text": TEXTS, "modules": _MODULES}
        macros: Any = environment.get_template("macros.html").make_module()
        environment.globals |= {"icon": macros.icon, "icon_button": macros.icon_button}

    def page(
        self, request: Request, template: str, *sheets: str, status_code: int = 200, **values: object
    ) -> HTMLResponse:
        """Render a document.

        Args:
            request: The request.
            template: Name of its file.
            *sheets: Style sheets beside that of every page.
            status_code: The HTTP status.
            **values: Further variables of the template.
        """
        context = {"sheets": ("base.css", *sheets), **values}
        return self._templates.TemplateResponse(request, template, context, status_code)


def add_page(app: FastAPI) -> None:
    """Add the pages for people, and their static files below "/static/".

    Args:
        app: The application; it has its error handlers already, and a person who opens an address in a browser gets
            their answers as a page.
    """
    address = f"/static/{_digest()}"
    app.mount(address, _LastingFiles(directory=_STATIC), name="static")
    templates = _PageTemplates(address)

    app.include_router(_pages(templates))
    for kind, answer in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, partial(_shown_error, templates, answer))


def _pages(templates: _PageTemplates) -> APIRouter:
    pages = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @pages.get("/")
    def search(request: Request, served: Served) -> HTMLResponse:
        library = served.library
        is_empty = not library.store.video_ids()
        commands = f"{_command(request, served, 'index')} VIDEOS..."
        look = ("player.css", "search.css", "views.css")
        return templates.page(request, "search.html", *look, is_empty=is_empty, commands=commands)

    for path, (template, sheets) in _PLAIN_PAGES.items():
        pages.add_api_route(path, _plain_page(templates, template, sheets))

    @pages.get("/videos/{video_id}")
    def video(request: Request, video_id: str) -> HTMLResponse:
        return templates.page(request, "video.html", "player.css", "videos.css", "views.css", video_id=video_id)

    @pages.get("/cases/{name:path}")
    def case(request: Request, name: str) -> HTMLResponse:
        return templates.page(request, "cases.html", "videos.css", name=name)

    @pages.get("/review")
    def review(request: Request, subject: str = "") -> HTMLResponse:
        return templates.page(request, "review.html", "player.css", "videos.css", "views.css", subject=subject.strip())

    @pages.get("/labels")
    def labels(request: Request, served: Served) -> HTMLResponse:
        return templates.page(
            request, "labels.html", "videos.css", "views.css", commands=f"{_command(request, served, 'label')} vehicles"
        )

    @pages.get("/login")
    def login(
        request: Request, place: Annotated[str, Query(alias="next")] = "/", *, wrong: bool = False
    ) -> HTMLResponse:
        # Only a path of this server: "//other.example" is an address of another.
        path = place if place.startswith("/") and not place.startswith(("//", "/\\")) else "/"
        return templates.page(request, "login.html", "login.css", next=path, is_wrong=wrong)

    return pages


def _plain_page(templates: _PageTemplates, template: str, sheets: tuple[str, ...]) -> Callable[[Request], HTMLResponse]:
    """Make the route of a page whose template needs no variables."""

    def page(request: Request) -> HTMLResponse:
        return templates.page(request, template, *sheets)

    return page


def _command(request: Request, served: Served, name: str) -> str:
    """Write the beginning of a command that works on the library; only administrators see where it is."""
    is_admin = request.scope.get("state", {}).get("role") == "admin"
    place = shlex.quote(served.library.config.library) if is_admin else LIBRARY
    return f"momentseek {name} --library {place}"


async def _shown_error(
    templates: _PageTemplates,
    answer: Callable[[Request, Exception], Response | Awaitable[Response]],
    request: Request,
    error: Exception,
) -> Response:
    """Answer an error as `answer` does, but as a page where a person has opened an address in a browser."""
    answered = answer(request, error)
    response = answered if isinstance(answered, Response) else await answered
    is_document = "text/html" in request.headers.get("accept", "")
    if request.url.path.startswith(f"{API_PREFIX}/") or not is_document or not isinstance(response, JSONResponse):
        return response
    status, detail = response.status_code, json.loads(bytes(response.body))["detail"]
    page = templates.page(request, "error.html", "login.css", status_code=status, status=status, detail=detail)
    if "retry-after" in response.headers:
        page.headers["Retry-After"] = response.headers["retry-after"]
    return page


def _digest() -> str:
    """Digest of all static files, so that each version of momentseek has addresses of its own."""
    digest = hashlib.sha256()
    for path in sorted(_STATIC.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(_STATIC).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
