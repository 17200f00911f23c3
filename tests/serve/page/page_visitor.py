"""A server in a thread, and visits of its pages with a real browser."""

from __future__ import annotations

import base64
import io
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline import Library

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Route

__all__ = ["HeldRequests", "PageVisitor", "hover", "place_of", "served", "shown_frame", "wait_until"]


FRAME_OF_VIDEO = """async () => {
  const video = document.querySelector("video");
  const { _rate: rate } = video.closest("video-stage");
  const isThere = () => !video.seeking && video.readyState >= 2;
  const age = () => video.currentTime - video.closest("video-stage")._mediaTime;
  const isShown = () => isThere() && age() > -0.001 && age() < 1.01 / rate;
  const end = performance.now() + 5000;  // of frames that lie farther from each other
  while (!isShown() && !(isThere() && performance.now() > end)) await new Promise((done) => setTimeout(done, 20));
  await new Promise((done) => setTimeout(done, 100));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.toDataURL("image/png");
}"""


@dataclass
class PageVisitor:
    """Opens pages of a server, and notes what goes wrong in them.

    Attributes:
        errors: Messages of the console, uncaught errors, and requests to other servers.
    """

    address: str
    context: BrowserContext
    errors: list[str] = field(default_factory=list)

    def open(self, path: str = "/", *, ready: str = "body.is-ready") -> Page:
        page = self.context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._check(request.url))
        page.goto(self.address + path)
        page.wait_for_selector(ready)
        return page

    def ask(self, text: str) -> Page:
        page = self.open()
        page.fill("#box", text)
        page.keyboard.press("Enter")
        page.wait_for_selector("#answers:not([aria-busy]) moment-card, #nothing:not([hidden])")
        return page

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _check(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.errors.append(f"asked for {url}")


class HeldRequests:
    """Requests of a page that get no answer until they are let go.

    Args:
        page: The page.
        pattern: Glob pattern of their addresses.
    """

    def __init__(self, page: Page, pattern: str) -> None:
        self._page = page
        self._routes: list[Route] = []
        page.route(pattern, self._hold)

    def _hold(self, route: Route) -> None:
        self._routes.append(route)

    def wait(self, count: int) -> None:
        """Wait until so many are held."""
        deadline = time.monotonic() + 60
        while len(self._routes) < count:
            assert time.monotonic() < deadline, f"{len(self._routes)} of {count} requests after 60 s"
            self._page.wait_for_timeout(20)

    @property
    def count(self) -> int:
        return len(self._routes)

    def let_go(self, index: int = 0) -> None:
        """Let one be answered; nothing happens where the page does not wait for it any more."""
        self._routes.pop(index).continue_()


def wait_until(page: Page, expression: str, argument: object = None, *, seconds: float = 60.0) -> None:
    """Wait until an expression is true in a page; Playwright's own wait needs `eval`, which the page forbids."""
    from playwright.sync_api import Error

    deadline = time.monotonic() + seconds
    while True:
        try:
            if page.evaluate(expression, argument):
                return
        except Error as error:
            # Another page takes the place of this one.
            if "context was destroyed" not in error.message:
                raise
        assert time.monotonic() < deadline, f"not so after {seconds:g} s: {expression}"
        page.wait_for_timeout(30)


def place_of(page: Page) -> str:
    """The path and the query of a page's address; `page.url` is told of a change a little later."""
    return str(page.evaluate("location.pathname + location.search"))


def hover(locator: Locator, share: float) -> None:
    """Move the pointer to a share of an element's width, once the element rests and takes the pointer there."""
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    assert box is not None
    locator.hover(position={"x": share * box["width"], "y": box["height"] / 2})


def shown_frame(page: Page) -> npt.NDArray[np.int16]:
    """Read the frame that the player shows, as RGB."""
    data = page.evaluate(FRAME_OF_VIDEO).split(",")[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), dtype=np.int16)


@contextmanager
def served(library: Library, **settings: object) -> Iterator[str]:
    """Serve a library at a free port of this machine; yield the address."""
    import uvicorn

    from pipeline.serve import ServeSettings, create_app

    app = create_app(library, ServeSettings(**settings))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while "loading" in _ready(address) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield address
    finally:
        server.should_exit = True
        thread.join(30)


def _ready(address: str) -> str:
    try:
        with urllib.request.urlopen(f"{address}/readyz") as answer:
            return str(answer.read())
    except urllib.error.HTTPError as error:
        return str(error.read())
