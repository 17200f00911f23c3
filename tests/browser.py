"""A real browser for tests of pages: Chromium, without a network."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

__all__ = ["Browser", "chromium_path"]

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium_path() -> str | None:
    """The system's Chromium; None where there is none."""
    return shutil.which("chromium")


class Browser:
    """Opens pages in one window and collects what goes wrong in them.

    Attributes:
        errors: What pages wrote to the console, their uncaught errors, and requests beyond their own files.
    """

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self.errors: list[str] = []

    def open(self, path: Path) -> Page:
        page = self._context.new_page()
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._check(request.url))
        page.goto(path.as_uri())
        return page

    def _check(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.errors.append(f"asked for {url}")
