"""Why a result: the page shows the terms, similarities and scores that the API explains, for each kind of question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from page_visitor import PageVisitor, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

MISSING = "\N{EN DASH}"


def explained(page: Page) -> list[list[str]]:
    """Open the first result and its explanation; return the cells of the table."""
    page.wait_for_selector("#answers:not([aria-busy]) moment-card")
    page.locator("moment-card a").first.click()
    page.get_by_text("Why this result").click()
    page.wait_for_selector(".player-why table")
    rows = page.locator(".player-why tbody tr").all()
    return [row.locator("th, td").all_inner_texts() for row in rows]


def terms_of(visitor: PageVisitor, question: dict[str, Any]) -> list[dict[str, Any]]:
    answer = visitor.context.request.post(f"{visitor.address}/api/v1/search?explain=true", data=question).json()
    return list(answer["explanation"]["terms"])


@pytest.mark.parametrize(
    ("address", "question"),
    [
        ("/?q=forklift", {"shows": "forklift"}),
        ("/?q=a+person&and=boxes&not=snow", {"shows": ["a person", "boxes"], "without": "snow"}),
        ("/?q=forklift&then=a+person", {"shows": "forklift", "then": [{"shows": "a person"}]}),
    ],
)
def test_each_thing_of_a_question_is_explained(visitor: PageVisitor, address: str, question: dict[str, Any]) -> None:
    terms = terms_of(visitor, question)
    rows = explained(visitor.open(address + "&min=0.1"))
    assert [row[0] for row in rows] == [term["term"] for term in terms]
    assert [row[2] for row in rows] == [f"{term['level']:.3f}" for term in terms]
    assert all(-1 <= float(row[1]) <= 1 for row in rows if row[1] != MISSING)
    assert any(row[1] != MISSING for row in rows)


def test_a_frame_is_explained(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    page.locator("moment-card a").first.click()
    wait_until(page, "document.querySelector('video').readyState >= 2")
    page.click("text=More like this frame")
    page.wait_for_url("**q=like*")
    page.wait_for_selector("moment-player", state="hidden")
    assert len(explained(page)) == 1


def test_the_next_moment_is_explained_anew(visitor: PageVisitor) -> None:
    page = visitor.open("/?q=forklift")
    explained(page)
    shown = "document.querySelector('.player-why > div').dataset.moment"
    playing = "document.querySelector('moment-player').moment.id"
    first = page.evaluate(shown)
    assert first == page.evaluate(playing)
    page.keyboard.press("j")
    wait_until(page, "!document.querySelector('.player-why').open")
    page.get_by_text("Why this result").click()
    wait_until(page, f"(first) => {shown} !== first && {shown} === {playing}", first)


def test_the_seek_bar_tells_the_labels_of_the_moment(analyst: PageVisitor) -> None:
    page = analyst.open("/?q=a+car&label=vehicle")
    page.wait_for_selector("#answers:not([aria-busy]) moment-card")
    page.locator("moment-card a").first.click()
    bar = "document.querySelector('moment-player score-timeline')"
    wait_until(page, f"{bar}.getAttribute('aria-valuetext').includes('vehicle')")
    page.locator("moment-player canvas").hover(position={"x": 5, "y": 10})
    page.wait_for_selector(".timeline-bubble.is-shown")
