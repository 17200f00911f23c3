"""What a person sees where something is wrong: unknown places, a lost server, an expired session, no right to write."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from page_visitor import PageVisitor, served, wait_until

from pipeline import Library
from pipeline.serve.http.access_tokens import AccessTokens

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser

pytestmark = pytest.mark.browser


def forget(visitor: PageVisitor, *statuses: str) -> None:
    """A browser writes each refused request to its console."""
    visitor.errors[:] = [error for error in visitor.errors if not any(status in error for status in statuses)]


@pytest.mark.parametrize("path", ["/nowhere", "/videos/a/b", "/<img src=x onerror=alert(1)>"])
def test_an_unknown_address_gets_a_page(visitor: PageVisitor, path: str) -> None:
    page = visitor.open(path, ready="main")
    assert page.inner_text("h1") == "There is no such page"
    assert page.locator("img[src=x]").count() == 0
    page.get_by_role("link", name="Go to the search").click()
    page.wait_for_selector("#box")
    forget(visitor, "404")


@pytest.mark.parametrize(
    ("path", "accept"), [("/nowhere", "*/*"), ("/api/v1/nowhere", "text/html"), ("/api/v1/videos/0", "text/html")]
)
def test_programs_get_problem_details(page_address: str, path: str, accept: str) -> None:
    request = urllib.request.Request(page_address + path, headers={"Accept": accept})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as answer:
        assert (answer.code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_an_unknown_case_and_an_unknown_video_offer_nothing_to_do(visitor: PageVisitor) -> None:
    page = visitor.open("/cases/none")
    assert page.inner_text("#notes [role=alert]") == "The library has no case named 'none'"
    assert page.get_by_role("button", name="Remove the case").is_hidden()
    assert page.get_by_label("What the case is about").is_hidden()
    page = visitor.open("/videos/0123456789abcdef")
    assert page.is_hidden("video-stage")
    assert page.is_hidden("aside")
    forget(visitor, "404")


@pytest.mark.parametrize("path", ["/", "/videos", "/cases", "/review", "/runs"])
def test_a_server_that_does_not_answer_is_said_not_to(visitor: PageVisitor, path: str) -> None:
    page = visitor.context.new_page()
    page.route("**/api/v1/**", lambda route: route.abort())
    page.goto(visitor.address + path)
    page.wait_for_selector("body.is-ready")
    if path == "/":
        page.fill("#box", "forklift")
        page.keyboard.press("Enter")
    assert "Is momentseek serve still running?" in page.locator("#notes [role=alert]").inner_text()


def test_a_session_that_has_ended_leads_to_the_form_and_back(
    page_folder: Path, chromium: PlaywrightBrowser, tmp_path: Path
) -> None:
    tokens = AccessTokens(tmp_path / "tokens.json")
    token = tokens.add("anna", "search")
    with served(Library.open(page_folder), tokens=tokens) as address:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{address}/")
        page.get_by_label("Token").fill(token)
        page.keyboard.press("Enter")
        page.wait_for_selector("body.is-ready #box")
        context.clear_cookies()
        page.fill("#box", "forklift")
        page.keyboard.press("Enter")
        page.wait_for_url("**/login?next=*")
        page.get_by_label("Token").fill(token)
        page.keyboard.press("Enter")
        page.wait_for_selector("moment-card")
        assert page.input_value("#box") == "forklift"
        context.close()


def test_who_may_only_search_is_offered_nothing_to_write(
    page_folder: Path, chromium: PlaywrightBrowser, tmp_path: Path
) -> None:
    tokens = AccessTokens(tmp_path / "tokens.json")
    token = tokens.add("anna", "search")
    with served(Library.open(page_folder), tokens=tokens) as address:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{address}/?q=forklift")
        page.get_by_label("Token").fill(token)
        page.keyboard.press("Enter")
        page.wait_for_selector("moment-card")
        wait_until(page, "document.body.classList.contains('is-reader')")
        page.locator("moment-card a").first.click()
        wait_until(page, "document.querySelector('video').readyState >= 1")
        for name in ("Right", "Wrong", "Save this search"):
            assert page.get_by_role("button", name=name).is_hidden()
        page.goto(f"{address}/runs")
        page.wait_for_selector("body.is-ready")
        assert page.is_hidden("#start")
        context.close()


def test_a_video_that_was_lost_with_the_server_plays_when_it_is_back(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    page.route("**/media", lambda route: route.abort())
    page.route("**/playback", lambda route: route.abort())
    page.locator("moment-card a").first.click()
    page.wait_for_selector(".stage-problem:has-text('Is momentseek serve still running?')")
    moment = page.locator("moment-card").first.evaluate("e => e.moment")
    page.unroute("**/media")
    page.unroute("**/playback")
    page.keyboard.press(" ")
    wait_until(page, "start => document.querySelector('video').currentTime >= start", moment["start_seconds"])
    wait_until(page, "!document.querySelector('video').paused")
    assert page.is_hidden(".stage-problem")
    forget(visitor, "ERR_FAILED")


def test_the_theme_is_that_of_the_other_window(visitor: PageVisitor) -> None:
    page, other = visitor.open(), visitor.open("/videos")
    page.get_by_role("button", name="Light or dark").click()
    chosen = page.evaluate("document.documentElement.dataset.theme")
    wait_until(other, "theme => document.documentElement.dataset.theme === theme", chosen)
    page.get_by_role("button", name="Light or dark").click()
    wait_until(other, "theme => document.documentElement.dataset.theme !== theme", chosen)


def test_an_error_of_what_is_far_down_the_page_is_seen(visitor: PageVisitor) -> None:
    page = visitor.open("/videos")
    page.set_viewport_size({"width": 500, "height": 300})
    page.evaluate("document.querySelector('#more').hidden = false")
    page.route("**/api/v1/videos?*", lambda route: route.abort())
    page.click("#more")
    page.wait_for_selector("#notes [role=alert]")
    wait_until(page, "document.querySelector('#notes').getBoundingClientRect().top >= 0")
    forget(visitor, "ERR_FAILED")
