"""axe-core finds nothing on any page, in light and dark, on a wide screen and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from page_visitor import PageVisitor, served, wait_until

from pipeline import Library

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

SCHEMES = [("light", 1440, 900), ("dark", 1440, 900), ("light", 360, 740), ("dark", 360, 740)]


def violations(page: Page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    results = Axe().run(page).response
    return [
        f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for one in results["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(("scheme", "width", "height"), SCHEMES)
def test_axe_finds_nothing(
    page_address: str, chromium: PlaywrightBrowser, scheme: str, width: int, height: int
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        bypass_csp=True,  # axe is injected as an inline script
    )
    visitor = PageVisitor(page_address, context)
    found = {}
    page = visitor.open()
    found["start"] = violations(page)
    page.fill("#box", "forklift")
    page.click("[data-add=not]")
    page.keyboard.type("snow")
    page.click("[data-filters]")
    found["filters"] = violations(page)
    page.keyboard.press("Escape")
    page.press("#box", "Enter")
    page.wait_for_selector("#answers:not([aria-busy]) moment-card")
    found["answers"] = violations(page)
    page.locator("moment-card a").first.click()
    page.wait_for_selector("moment-player:not([hidden])")
    page.click("text=Why this result")
    page.wait_for_selector(".player-why table")
    found["player"] = violations(page)
    assert page.evaluate("document.querySelector('main').inert") == (width < 1080), "what the player covers"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    found["help"] = violations(page)
    page = visitor.open("/?q=a+goldfish")
    page.wait_for_selector("#nothing:not([hidden])")
    found["nothing"] = violations(page)
    page = visitor.open("/videos")
    found["videos"] = violations(page)
    page.locator(".video-card").first.click()
    page.wait_for_url("**/videos/*")
    page.wait_for_selector("h1:not(:empty)")
    found["video"] = violations(page)
    # A visitor without a session stays at the form.
    page.route("**/api/v1/session", lambda route: route.fulfill(status=401))
    page.goto(f"{page_address}/login?wrong=1")
    found["login"] = violations(page)
    context.close()
    assert {name: each for name, each in found.items() if each} == {}


@pytest.fixture(scope="module")
def worked_address(worked_folder: Path) -> Iterator[str]:
    """The address of a server of the library that people have worked on; these tests only look at it."""
    with served(Library.open(worked_folder)) as address:
        yield address


@pytest.mark.parametrize(("scheme", "width", "height"), SCHEMES)
def test_axe_finds_nothing_where_people_work(
    worked_address: str, chromium: PlaywrightBrowser, scheme: str, width: int, height: int
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True
    )
    visitor = PageVisitor(worked_address, context)
    wide = "document.documentElement.scrollWidth > innerWidth"
    found: dict[str, list[str]] = {}

    def look(name: str, page: Page) -> None:
        found[name] = [*violations(page), *(["wider than the window"] if page.evaluate(wide) else [])]

    page = visitor.open("/cases")
    look("cases", page)
    page.get_by_role("link", name="Near <i>misses").click()
    page.wait_for_selector(".case-moment")
    page.get_by_role("button", name="Rename").click()
    look("case", page)
    page = visitor.open("/review")
    page.wait_for_selector("#item:not([hidden])")
    look("review", page)
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    look("keys of the review", page)
    page = visitor.open("/runs")
    page.wait_for_selector("#failures:not([hidden])")
    look("runs", page)
    page = visitor.open("/videos")
    page.wait_for_selector("#failures:not([hidden])")
    look("failures", page)
    page = visitor.open("/nowhere", ready="main")
    look("unknown page", page)
    page = visitor.ask("forklift")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.click("text=Save this search")
    look("selection", page)
    context.close()
    assert {name: each for name, each in found.items() if each} == {}
    assert [error for error in visitor.errors if "404" not in error] == []


@pytest.mark.parametrize("width", [360, 768, 1440, 3840])
def test_no_page_is_wider_than_its_window(page_address: str, chromium: PlaywrightBrowser, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900})
    visitor = PageVisitor(page_address, context)
    wide = "document.documentElement.scrollWidth > innerWidth"
    page = visitor.ask("forklift")
    page.click("[data-filters]")
    assert not page.evaluate(wide)
    page.locator("moment-card a").first.click()
    wait_until(page, "document.querySelector('video').readyState >= 1")
    assert not page.evaluate(wide)
    for path in ("/videos", "/videos/" + page.locator("moment-card").first.evaluate("e => e.moment.video_id")):
        assert not visitor.open(path).evaluate(wide)
    context.close()
