"""Where the focus is when the control that had it goes away: never lost, for whoever has no pointer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from page_visitor import PageVisitor, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.browser

ANSWERED = "#answers:not([aria-busy]) moment-card, #nothing:not([hidden])"
LABEL = "document.activeElement.closest('.chip')?.innerText ?? document.activeElement.id"


def put_off(page: Page, container: str, count: int) -> list[str]:
    """Remove all of some chips by keys; return where the focus was after each."""
    places = []
    page.locator(f"{container} .chip button").first.focus()
    for left in range(count - 1, -1, -1):
        page.keyboard.press("Enter")
        wait_until(page, f"left => document.querySelectorAll('{container} .chip').length === left", left)
        page.wait_for_selector(ANSWERED)
        places.append(page.evaluate(LABEL))
    return places


def test_removed_chips_and_filters_pass_the_focus_on(visitor: PageVisitor) -> None:
    page = visitor.open("/?q=forklift&not=snow&not=smoke&pervideo=2&after=1")
    page.wait_for_selector(ANSWERED)
    assert put_off(page, "question-form", 2)[-1] == "box"
    first, last = put_off(page, "filter-panel", 2)
    assert "per video" in first
    assert last == ""
    assert page.evaluate("document.activeElement.matches('[data-filters]')")


def test_show_more_leads_to_the_first_of_what_it_brought(visitor: PageVisitor) -> None:
    page = visitor.open()

    def answer_in_ones(route: Route) -> None:
        question = json.loads(route.request.post_data or "")
        route.continue_(post_data=json.dumps({**question, "top": 1}))

    page.route("**/api/v1/search", answer_in_ones)
    page.fill("#box", "forklift")
    page.keyboard.press("Enter")
    page.wait_for_selector("#more:not([hidden])")
    page.focus("#more")
    page.keyboard.press("Enter")
    wait_until(page, "document.activeElement.matches('li:nth-child(2) a.card')")


def test_selecting_nothing_leads_back_to_the_moment(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.get_by_role("button", name="Select nothing").focus()
    page.keyboard.press("Enter")
    assert page.is_hidden("selection-bar")
    assert page.evaluate("document.activeElement.matches('a.card')")


def test_a_saved_search_and_a_moment_of_a_case_pass_the_focus_on(analyst: PageVisitor) -> None:
    page = analyst.ask("forklift")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.get_by_label("Name of the case").fill("dock")
    page.keyboard.press("Enter")
    page.wait_for_selector("selection-bar a:text('2 moments added')")
    page.click("text=Save this search")
    page.get_by_label("Name of the search").fill("forklifts")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Saved.")
    assert page.evaluate("document.activeElement.innerText") == "Save this search"

    case = analyst.open("/cases/dock")
    for left in (1, 0):
        case.locator(".case-moment").first.get_by_role("button").focus()
        case.keyboard.press("Enter")
        wait_until(case, "left => document.querySelectorAll('.case-moment').length === left", left)
        wait_until(case, "document.activeElement !== document.body")

    start = analyst.open()
    start.once("dialog", lambda dialog: dialog.accept())
    start.get_by_role("button", name="Remove the search").focus()
    start.keyboard.press("Enter")
    start.wait_for_selector(".saved-name", state="detached")
    assert start.evaluate("document.activeElement.id") == "box"


def test_marks_of_a_subject_are_removed_one_after_another_by_keys(analyst: PageVisitor) -> None:
    page = analyst.ask("forklift")
    for number in (0, 1):
        page.locator("moment-card a").nth(number).click()
        page.wait_for_selector(".player-marks:not([hidden])")
        page.keyboard.press("y")
        page.wait_for_selector(".player-marks [aria-pressed=true]:has-text('Right')")
    page = analyst.open("/concepts")
    page.locator(".marks li > button").first.focus()
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelectorAll('.marks li > button').length === 1")
    wait_until(page, "document.querySelector('main').contains(document.activeElement)")
