"""Where something is absent: asked, shown and opened again on the page, in a real browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from page_visitor import PageVisitor, hover, place_of, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

FIRE = "fire-drill.mp4"
ROWS = "#answers:not([aria-busy]) absence-row"
SECONDS = "document.querySelector('video').currentTime"


def answer_of(visitor: PageVisitor, **question: object) -> dict[str, object]:
    found = visitor.context.request.post(f"{visitor.address}/api/v1/search", data={"none": True, **question})
    return dict(found.json())


def stretches(page: Page) -> list[dict[str, object]]:
    return list(page.eval_on_selector_all(".stretch", "(links) => links.map((link) => link.moment)"))


def test_the_switch_asks_where_it_is_absent_and_the_link_opens_it_again(visitor: PageVisitor) -> None:
    expected = answer_of(visitor, shows="forklift", top=24)
    page = visitor.ask("forklift")
    with page.expect_request("**/search?explain=true") as request:
        page.get_by_role("button", name="where it is absent").click()
    assert json.loads(str(request.value.post_data))["none"] is True
    page.wait_for_selector(ROWS)
    assert parse_qs(urlsplit(place_of(page)).query)["none"] == ["1"]
    assert [one["id"] for one in stretches(page)] == [one["id"] for one in expected["absences"]]
    never = "1 of 2 videos never shows it"
    assert page.inner_text("#status").startswith(f"{never} · {expected['found']} stretch")
    first = page.locator("absence-row").first
    assert first.locator(".absence-name").inner_text() == FIRE
    assert "the whole video" in first.inner_text()
    assert "Only sampled frames" in page.inner_text("#notes")
    assert page.locator("[data-add=then]").is_disabled()

    again = visitor.open(place_of(page))
    again.wait_for_selector(ROWS)
    assert stretches(again) == stretches(page)
    assert again.get_by_role("button", name="where it is absent").get_attribute("aria-pressed") == "true"
    again.get_by_role("button", name="where it is absent").click()
    again.wait_for_selector("#answers:not([aria-busy]) moment-card")
    assert "none" not in place_of(again)
    assert again.locator("absence-row").count() == 0


def test_a_stretch_opens_at_its_nearest_frame_by_keys_alone(visitor: PageVisitor) -> None:
    page = visitor.open("/?q=forklift&none=1")
    page.wait_for_selector(ROWS)
    found = stretches(page)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.moment.id") == found[0]["id"]
    page.keyboard.press("Enter")
    page.wait_for_selector("moment-player:not([hidden])")
    wait_until(page, f"(at) => Math.abs({SECONDS} - at) < 0.01", found[0]["nearest_seconds"])
    assert page.evaluate("document.querySelector('video').paused")
    assert "without it" in page.inner_text(".player-where")
    assert page.locator(".player-why").is_hidden()
    page.keyboard.press("j")
    page.wait_for_selector(".absence-text .stretch[aria-current]")
    assert page.evaluate("document.querySelector('.stretch[aria-current]').moment.id") == found[1]["id"]
    linked = visitor.open(place_of(page))
    linked.wait_for_selector("moment-player:not([hidden])")
    wait_until(linked, f"(at) => Math.abs({SECONDS} - at) < 0.01", found[1]["nearest_seconds"])
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.moment.id") == found[1]["id"]


def test_the_bar_shows_the_stretches_to_scale_and_opens_any_second(visitor: PageVisitor) -> None:
    page = visitor.open("/?q=forklift&none=1")
    row = page.locator("absence-row").last
    row.scroll_into_view_if_needed()
    row.locator("svg polyline").wait_for(state="attached")
    own = row.evaluate("(row) => row.moments")
    video = visitor.context.request.get(f"{visitor.address}/api/v1/videos/{own[0]['video_id']}").json()
    drawn = row.locator(".bar-without").evaluate_all(
        "(all) => all.map((one) => [+one.getAttribute('x'), +one.getAttribute('width')])"
    )
    for one, (x, width) in zip(own, drawn, strict=True):
        assert x == pytest.approx(1000 * one["start_seconds"] / video["duration_seconds"], abs=0.1)
        long = one["end_seconds"] - one["start_seconds"]
        assert width == pytest.approx(max(2, 1000 * long / video["duration_seconds"]), abs=0.2)
    hover(row.locator(".absence-bar"), 0.5)
    row.locator(".absence-at", has_text="·").wait_for()
    page.mouse.down()
    page.mouse.up()
    wait_until(page, f"(at) => Math.abs({SECONDS} - at) < 0.1", video["duration_seconds"] / 2)


def test_what_every_frame_shows_is_absent_nowhere(visitor: PageVisitor) -> None:
    page = visitor.open("/?q=forklift&none=1&min=0")
    page.wait_for_selector("#nothing:not([hidden])")
    assert page.inner_text("#nothing h2") == "Nothing is without “forklift”"
    assert "Every sampled frame of the 2 videos scores 0.00 or more" in page.inner_text("#nothing")
    page = visitor.open("/?q=forklift&none=1&hours=03:00-03:01")
    page.wait_for_selector("#nothing:not([hidden])")
    assert page.inner_text("#nothing h2") == "No video was searched"


def test_an_absence_has_no_later_step_and_is_saved_with_the_question(visitor: PageVisitor) -> None:
    page = visitor.open("/?q=forklift&then=a+person")
    assert page.get_by_role("button", name="where it is absent").is_disabled()
    page = visitor.open("/?q=forklift&none=1&pervideo=2")
    page.wait_for_selector("[role=alert]")
    assert "per_video" in page.inner_text("[role=alert]")
    visitor.errors[:] = [error for error in visitor.errors if "422" not in error]


def test_a_mark_on_a_stretch_is_about_its_nearest_frame(analyst: PageVisitor) -> None:
    """The stretch as a whole is not marked: a person has looked at one frame of it."""
    page = analyst.open("/?q=forklift&none=1")
    page.wait_for_selector(ROWS)
    first, second = stretches(page)[:2]
    page.locator(".stretch").first.click()
    page.get_by_role("group", name="Does the nearest frame show it?").wait_for()
    page.keyboard.press("n")
    page.wait_for_selector(".player-marks [aria-pressed=true]:has-text('It is not shown')")
    marks = analyst.context.request.get(f"{analyst.address}/api/v1/marks?subject=forklift").json()["marks"]
    at = first["nearest_seconds"]
    (mark,) = marks
    assert (mark["video_id"], mark["start_seconds"], mark["end_seconds"]) == (first["video_id"], at, at)
    assert mark["verdict"] == "no"
    page.keyboard.press("j")
    wait_until(page, "(id) => document.querySelector('moment-player').moment.id === id", second["id"])
    wait_until(page, "!document.querySelector('.player-marks [aria-pressed=true]')")
    page.keyboard.press("k")
    page.wait_for_selector(".player-marks [aria-pressed=true]:has-text('It is not shown')")
    page.get_by_role("button", name="It is not shown").click()
    wait_until(page, "!document.querySelector('.player-marks [aria-pressed=true]')")
    assert analyst.context.request.get(f"{analyst.address}/api/v1/marks").json()["marks"] == []
    # Of a moment, the words are those of a result again.
    page.get_by_role("button", name="where it is absent").click()
    page.wait_for_selector("#answers:not([aria-busy]) moment-card")
    page.locator("moment-card a").first.click()
    page.get_by_role("group", name="Is this result right?").get_by_role("button", name="Right").wait_for()
