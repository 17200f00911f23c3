"""Quick hands and a slow server: answers out of order, keys pressed twice, going back while an answer is under way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from page_visitor import HeldRequests, PageVisitor, served, wait_until

from pipeline import Library

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.browser

SEARCH = "**/api/v1/search*"
ANSWERED = "#answers:not([aria-busy]) moment-card"


def ask_slowly(page: Page, text: str) -> HeldRequests:
    """Ask, and hold the question back."""
    held = HeldRequests(page, SEARCH)
    page.fill("#box", text)
    page.keyboard.press("Enter")
    held.wait(1)
    return held


def settled(page: Page) -> None:
    """Wait until the page waits for no answer, and has seen whatever came before."""
    wait_until(page, "!document.body.classList.contains('is-answering')")
    page.evaluate("fetch('/api/v1/session').then((answer) => answer.json())")


def test_going_back_while_an_answer_is_under_way_shows_what_was_there(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    count = page.locator("moment-card").count()
    held = ask_slowly(page, "a person")
    page.go_back()
    settled(page)
    held.let_go()
    settled(page)
    assert (page.title().split()[0], page.input_value("#box")) == ("forklift", "forklift")
    assert page.locator("moment-card").count() == count
    # Their pictures were let go of for the question that nobody waits for any more.
    wait_until(page, "[...document.querySelectorAll('.card-picture')].every((one) => one.hasAttribute('src'))")


def test_going_back_to_the_start_while_an_answer_is_under_way_stays_there(visitor: PageVisitor) -> None:
    page = visitor.open()
    held = ask_slowly(page, "forklift")
    sign = "getComputedStyle(document.querySelector('.bar'), '::after').animationName"
    assert page.evaluate(sign) == "asking"
    page.go_back()
    settled(page)
    assert page.evaluate(sign) == "none"
    held.let_go()
    settled(page)
    assert page.is_visible("#welcome")
    assert page.locator("moment-card").count() == 0
    assert page.evaluate("location.pathname + location.search") == "/"


def test_a_question_asked_twice_is_one_step_back(visitor: PageVisitor) -> None:
    page = visitor.open()
    held = ask_slowly(page, "forklift")
    page.keyboard.press("Enter")
    held.wait(2)
    held.let_go()
    held.let_go()
    page.wait_for_selector(ANSWERED)
    page.go_back()
    wait_until(page, "document.title === 'momentseek'")


def test_the_minimum_score_by_keys_is_not_a_step_back_each(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    steps = page.evaluate("history.length")
    page.focus("#min-score")
    for least in ("0.49", "0.48", "0.47"):
        page.keyboard.press("ArrowLeft")
        page.wait_for_url(f"**min={least}")
    assert page.evaluate("history.length") == steps
    assert page.evaluate("document.activeElement.id") == "min-score"


def test_the_player_leaves_no_steps_behind(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    steps = page.evaluate("history.length")
    for number in (0, 1, 0):
        page.locator("moment-card a").nth(number).click()
        page.wait_for_selector("moment-player:not([hidden])")
        page.keyboard.press("Escape")
        page.wait_for_selector("moment-player", state="hidden")
        assert "play=" not in page.evaluate("location.search")
    assert page.evaluate("history.length") == steps + 1
    page.locator("moment-card a").first.click()
    page.wait_for_selector("moment-player:not([hidden])")
    page.go_back()
    page.wait_for_selector("moment-player", state="hidden")
    assert page.input_value("#box") == "forklift"
    page.go_back()
    wait_until(page, "document.title === 'momentseek'")


def test_answers_stay_when_more_of_them_cannot_be_had(visitor: PageVisitor) -> None:
    page = visitor.open()
    lost = {2}

    def answer_in_ones(route: Route) -> None:
        question = json.loads(route.request.post_data or "")
        if question["page"] in lost:
            route.abort()
        else:
            route.continue_(post_data=json.dumps({**question, "top": 1}))

    page.route(SEARCH, answer_in_ones)
    page.fill("#box", "forklift")
    page.keyboard.press("Enter")
    page.wait_for_selector(ANSWERED)
    page.click("#more")
    page.wait_for_selector("#notes [role=alert]")
    assert page.locator("moment-card").count() == 1
    assert page.is_visible("#more")
    lost.clear()
    page.click("#more")
    wait_until(page, "document.querySelectorAll('moment-card').length === 2")
    assert page.locator("#notes [role=alert]").count() == 0
    visitor.errors[:] = [error for error in visitor.errors if "ERR_FAILED" not in error]


def test_the_next_moment_is_offered_while_there_are_more_than_are_shown(visitor: PageVisitor) -> None:
    page = visitor.open()

    def answer_in_ones(route: Route) -> None:
        question = json.loads(route.request.post_data or "")
        route.continue_(post_data=json.dumps({**question, "top": 1}))

    page.route(SEARCH, answer_in_ones)
    page.fill("#box", "forklift")
    page.keyboard.press("Enter")
    page.wait_for_selector(ANSWERED)
    count = int(page.inner_text("#status").split()[0])
    assert count > 1
    page.locator("moment-card a").first.click()
    following = page.get_by_role("button", name="Next moment")
    for number in range(2, count + 1):
        following.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(f".player-where:has-text('{number} of {count}')")
    assert following.is_disabled()
    assert page.evaluate("document.activeElement.title") == "Previous moment (k)"


def test_going_back_from_a_question_that_failed_asks_the_earlier_one_again(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    page.route(SEARCH, lambda route: route.abort(), times=1)
    page.fill("#box", "a person")
    page.keyboard.press("Enter")
    page.wait_for_selector("#notes [role=alert]")
    page.go_back()
    page.wait_for_selector(ANSWERED)
    assert page.input_value("#box") == "forklift"
    visitor.errors[:] = [error for error in visitor.errors if "ERR_FAILED" not in error]


def test_a_video_shows_the_scores_of_the_text_that_was_asked_last(visitor: PageVisitor) -> None:
    address = visitor.open("/videos").locator(".video-card").first.get_attribute("href")
    assert address is not None
    page = visitor.open(address)
    held = HeldRequests(page, "**/curve*")
    for number, text in enumerate(("a goldfish", "forklift"), start=1):
        page.fill("#box", text)
        page.keyboard.press("Enter")
        held.wait(number)
    held.let_go(1)
    page.wait_for_selector("#status:has-text('highest')")
    said = page.inner_text("#status")
    held.let_go()
    settled(page)
    assert page.inner_text("#status") == said
    page.fill("#box", "")
    page.keyboard.press("Enter")
    wait_until(page, "!/score/.test(document.querySelector('score-timeline').getAttribute('aria-valuetext'))")
    assert page.inner_text("#status") == ""


def test_the_list_of_videos_is_that_of_the_name_sought_last(visitor: PageVisitor) -> None:
    page = visitor.open("/videos")
    held = HeldRequests(page, "**/api/v1/videos?*")
    for number, name in enumerate(("fire", "alert"), start=1):
        page.fill("#video-name", name)
        page.keyboard.press("Enter")
        held.wait(number)
    held.let_go(1)
    page.wait_for_selector(".video-card:has-text('onerror')")
    wait_until(page, "document.querySelectorAll('.video-card').length === 1")
    held.let_go()
    settled(page)
    assert "alert" in page.inner_text(".video-card")


def test_an_answer_to_the_review_queue_is_about_the_moment_that_is_shown(
    worked_folder: Path, chromium: PlaywrightBrowser, tmp_path: Path
) -> None:
    folder = shutil.copytree(worked_folder, tmp_path / "library")
    with served(Library.open(folder)) as address:
        visitor = PageVisitor(address, chromium.new_context())
        page = visitor.open("/review")
        waiting = int(page.inner_text("#status").split()[0])
        first = page.inner_text("#where")
        held = HeldRequests(page, "**/api/v1/review/*")
        for key in ("y", "y", "j", "n"):
            page.keyboard.press(key)
        held.wait(1)
        settled(page)
        assert held.count == 1
        held.let_go()
        wait_until(page, "left => Number.parseInt(document.querySelector('#status').textContent) === left", waiting - 1)
        second = page.inner_text("#where")
        assert second != first
        for key in ("u", "u"):
            page.keyboard.press(key)
        held.wait(1)
        settled(page)
        assert held.count == 1
        held.let_go()
        wait_until(page, "where => document.querySelector('#where').textContent === where", first)
        assert int(page.inner_text("#status").split()[0]) == waiting
        page.keyboard.press("j")
        wait_until(page, "where => document.querySelector('#where').textContent === where", second)
        visitor.context.close()
        assert visitor.errors == []
