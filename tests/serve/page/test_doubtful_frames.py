"""The review queue's doubtful frames: uncertain ones, and likely and unlikely ones that nobody has marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from page_visitor import PageVisitor, place_of, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.browser

LADDER = "a person climbing a ladder"
SECONDS = "document.querySelector('video').currentTime"


def got(visitor: PageVisitor, path: str) -> Any:
    return visitor.context.request.get(f"{visitor.address}/api/v1{path}").json()


def score_of(page: Page) -> float:
    return float(page.inner_text("#where").split(" · ")[-1].rstrip("+"))


def test_doubtful_frames_are_decided_by_keys_and_become_marks(analyst: PageVisitor) -> None:
    expected = got(analyst, f"/review/uncertain?subject={quote(LADDER)}")["items"]
    page = analyst.open("/review")
    assert page.get_by_role("link", name="Flagged by rules").get_attribute("aria-current") == "true"
    assert page.locator("#kinds").is_hidden()
    page.get_by_label("or doubtful frames of").fill(LADDER)
    page.keyboard.press("Enter")
    page.wait_for_url("**/review?subject=*")
    page.wait_for_selector("body.is-ready #item:not([hidden])")
    assert page.inner_text("#status") == f"{len(expected)} moments wait for a decision"
    wait_until(page, f"(at) => Math.abs({SECONDS} - at) < 0.01", expected[0]["start_seconds"])
    assert page.evaluate("document.querySelector('video').paused")
    assert score_of(page) == pytest.approx(expected[0]["score"], abs=0.01)
    wait_until(page, "document.querySelector('score-timeline').getAttribute('aria-valuetext').includes('score')")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("n")
    page.wait_for_selector(f"#status:text-is('{len(expected) - 1} moments wait for a decision')")
    (mark,) = got(analyst, f"/marks?subject={quote(LADDER)}")["marks"]
    assert (mark["id"], mark["verdict"]) == (expected[0]["moment_id"], "no")
    page.keyboard.press("u")
    page.wait_for_selector(f"#status:text-is('{len(expected)} moments wait for a decision')")
    assert got(analyst, "/marks")["total"] == 0


@pytest.mark.parametrize(
    ("kind", "least", "most"), [("likely", 0.8, 1.0), ("unlikely", 0.0, 0.2), ("uncertain", 0.2, 0.8)]
)
def test_a_kind_of_doubtful_frames_is_chosen_and_the_link_keeps_it(
    visitor: PageVisitor, kind: str, least: float, most: float
) -> None:
    page = visitor.open(f"/review?subject={quote(LADDER)}")
    page.get_by_role("radio", name="all").focus()
    presses = ["uncertain", "likely", "unlikely"].index(kind) + 1
    for _ in range(presses):
        page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**kind={kind}")
    page = visitor.open(place_of(page))
    page.wait_for_selector("#item:not([hidden]), #status:text-is('Nothing waits for a decision.')")
    waiting = page.inner_text("#status")
    if waiting.startswith("Nothing"):
        assert kind == "uncertain"
        return
    for _ in range(min(3, int(waiting.split()[0]))):
        assert least <= score_of(page) <= most
        assert page.inner_text("#where").split(" · ")[2].split(",")[0] == kind
        before = page.inner_text("#where")
        page.keyboard.press("j")
        wait_until(page, "(before) => document.querySelector('#where').innerText !== before", before)


def test_an_answer_for_a_kind_that_is_no_longer_chosen_is_not_shown(visitor: PageVisitor) -> None:
    page = visitor.open(f"/review?subject={quote(LADDER)}")
    held: list[Route] = []
    unlikely = "**/review/uncertain?*most=0.2"
    page.route(unlikely, lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks the function
    for kind in ("unlikely", "likely"):
        with page.expect_request("**/review/uncertain?*"):
            page.locator(f"#kinds input[value={kind}]").check(force=True)
    page.wait_for_selector("#where:text('likely')")
    shown = page.inner_text("#where")
    (route,) = held
    with page.expect_response(unlikely):
        route.continue_()
    page.wait_for_load_state("networkidle")
    assert page.inner_text("#where") == shown


def test_after_the_last_frame_further_ones_are_offered(analyst: PageVisitor) -> None:
    page = analyst.open(f"/review?subject={quote(LADDER)}")
    page.wait_for_selector("#item:not([hidden])")
    left = int(page.inner_text("#status").split()[0])
    for number in range(left, 0, -1):
        wait_until(page, "(n) => document.querySelector('#status').innerText.startsWith(n)", str(number))
        page.keyboard.press("n")
    page.wait_for_selector("#more:not([hidden])")
    assert got(analyst, "/marks")["total"] == left
    page.click("#more")
    page.wait_for_selector("#item:not([hidden]), #status:text-is('Nothing waits for a decision.')")


def test_an_unknown_concept_is_said_to_be_unknown(analyst: PageVisitor) -> None:
    page = analyst.open("/review?subject=concept:nothing")
    assert "nothing" in page.inner_text("[role=alert]")
    assert page.locator("#item").is_hidden()
    analyst.errors[:] = [error for error in analyst.errors if "422" not in error and "404" not in error]


def test_the_range_of_what_is_uncertain_is_checked(analyst: PageVisitor) -> None:
    found = got(analyst, f"/review/uncertain?subject={quote(LADDER)}&least=0.9&most=0.1")
    assert (found["status"], found["code"]) == (422, "query")
    likely = got(analyst, f"/review/uncertain?subject={quote(LADDER)}&least=0.8&most=0.99&count=3")["items"]
    assert likely[0]["reason"] == "uncertain"
    assert 0.8 <= likely[0]["score"] <= 0.99
