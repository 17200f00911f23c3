"""Chips and filters of a question, and questions by example, in a real browser."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from page_visitor import PageVisitor, place_of, served, wait_until

from pipeline import Library

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

ANSWERED = "#answers:not([aria-busy]) moment-card, #nothing:not([hidden])"
FOUND = "#answers:not([aria-busy]) moment-card:not(.is-below)"


def asked(page: Page) -> list[dict[str, object]]:
    """Note the questions that a page sends from now on."""
    sent: list[dict[str, object]] = []
    page.on("request", lambda request: request.url.endswith("/search") and sent.append(json.loads(request.post_data)))
    return sent


def address_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(place_of(page)).query)


def test_chips_ask_for_and_not_and_then(visitor: PageVisitor) -> None:
    page = visitor.open()
    sent = asked(page)
    page.fill("#box", "a person")
    for kind, text in (("and", "a ladder"), ("not", "snow"), ("then", "a forklift"), ("not", "smoke")):
        page.click(f"[data-add={kind}]")
        page.keyboard.type(text)
    page.fill(".chip-within input", "20")
    page.keyboard.press("Enter")
    page.wait_for_selector(ANSWERED)
    assert sent[0] == {
        "shows": [{"text": "a person"}, {"text": "a ladder"}],
        "without": [{"text": "snow"}],
        "then": [{"shows": [{"text": "a forklift"}], "without": [{"text": "smoke"}], "within": 20}],
        "top": 24,
        "page": 1,
    }
    other = visitor.open(place_of(page))
    assert other.input_value("#box") == "a person"
    chips = other.locator(".chip input[type=text]")
    assert [chips.nth(number).input_value() for number in range(4)] == ["a ladder", "snow", "a forklift", "smoke"]
    assert other.input_value(".chip-within input") == "20"


def test_a_chip_is_removed_and_the_question_asked_again(visitor: PageVisitor) -> None:
    page = visitor.open("/?q=forklift&not=snow&and=")
    page.wait_for_selector(ANSWERED)
    page.locator(".chip").get_by_role("button", name="Remove").click()
    page.wait_for_url(lambda url: "not" not in url)
    assert address_of(page) == {"q": ["forklift"]}


def test_filters_limit_the_question_and_are_in_its_address(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    sent = asked(page)
    page.click("[data-filters]")
    wait_until(page, "document.querySelectorAll('#known-video option').length === 2")
    options = page.locator("#known-where_name option").evaluate_all("all => all.map((option) => option.value)")
    assert options == ["camera", "recorded_at"]
    page.fill("[name=where_name]", "camera")
    page.fill("[name=where_value]", "<b>dock</b>")
    page.fill("[name=recorded_from]", "2026-11-21")
    page.fill("[name=hours_from]", "21:00")
    page.fill("[name=hours_to]", "23:00")
    page.fill("[name=after]", "2.5")
    page.click("[data-apply]")
    page.wait_for_selector(ANSWERED)
    assert sent[-1] == {
        "shows": [{"text": "forklift"}],
        "top": 24,
        "page": 1,
        "where": {"camera": "<b>dock</b>"},
        "time_of_day": "21:00-23:00",
        "recorded_from": "2026-11-21",
        "after": 2.5,
    }
    assert set(page.locator(".card-name").all_inner_texts()) == {"<img src=x onerror=alert(1)>.mp4"}
    pills = page.locator(".pill")
    assert "camera = <b>dock</b>" in pills.first.inner_text()
    while pills.count():
        pills.first.get_by_role("button", name="Remove").click()
    page.wait_for_url(lambda url: url.endswith("?q=forklift"))


def test_more_like_a_frame_and_not_like_it(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    sent = asked(page)
    moment = page.locator("moment-card").first.evaluate("e => e.moment")
    page.locator("moment-card a").first.click()
    wait_until(page, "document.querySelector('video').readyState >= 2")
    page.evaluate("document.querySelector('video').pause()")
    page.evaluate("at => document.querySelector('video-stage').seek(at)", moment["best_seconds"])
    page.click("text=Not like this frame")
    wait_until(page, "location.search.includes('not=like')")
    page.wait_for_selector(ANSWERED)
    assert sent[-1]["shows"] == [{"text": "forklift"}]
    (without,) = sent[-1]["without"]
    assert without["like"] == moment["video_id"]
    assert without["at"] == pytest.approx(moment["best_seconds"], abs=0.01)

    page.locator("moment-card a").first.click()
    wait_until(page, "document.querySelector('video').readyState >= 2")
    page.click("text=More like this frame")
    wait_until(page, "location.search.startsWith('?q=like')")
    page.wait_for_selector(ANSWERED)
    assert list(sent[-1]["shows"][0]) == ["like", "at"]
    assert page.input_value("#box") == ""
    assert page.locator(".chip img").count() == 1


def test_a_text_that_looks_like_a_frame_stays_a_text(visitor: PageVisitor) -> None:
    page = visitor.open()
    sent = asked(page)
    page.fill("#box", "like:me@12")
    page.keyboard.press("Enter")
    page.wait_for_selector(ANSWERED)
    assert sent[0]["shows"] == [{"text": "like:me@12"}]
    other = visitor.open(place_of(page))
    assert other.input_value("#box") == "like:me@12"


def test_a_number_of_the_metadata_stays_one_in_a_link_and_in_a_saved_search(
    page_folder: Path, chromium: PlaywrightBrowser, tmp_path: Path
) -> None:
    folder = shutil.copytree(page_folder, tmp_path / "library")
    with Library.open(folder) as library:
        assert len(library.set_metadata(["*"], {"floor": 3})) == 2
    with served(Library.open(folder)) as address:
        visitor = PageVisitor(address, chromium.new_context())
        page = visitor.open("/?q=forklift&where=floor%3D3")
        page.wait_for_selector(FOUND)
        page.click("text=Save this search")
        page.get_by_label("Name of the search").fill("third floor")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Saved.")
        with urllib.request.urlopen(f"{address}/api/v1/searches") as answer:
            (saved,) = json.load(answer)["searches"]
        assert saved["query"]["where"] == {"floor": 3}
        other = visitor.open()
        other.click(".saved-name")
        other.wait_for_selector(FOUND)
        none = visitor.open("/?q=forklift&where=floor%3D7")
        none.wait_for_selector("#nothing p:has-text('floor is never 7')")
        visitor.context.close()
        assert visitor.errors == []


def test_half_a_range_of_the_day_reaches_to_its_end(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    sent = asked(page)
    page.click("[data-filters]")
    page.fill("[name=hours_from]", "21:00")
    page.click("[data-apply]")
    page.wait_for_selector(".pill:has-text('21:00-24:00')")
    page.click("[data-filters]")
    assert page.input_value("[name=hours_from]") == "21:00"
    page.fill("[name=hours_from]", "")
    page.fill("[name=hours_to]", "06:00")
    page.click("[data-apply]")
    page.wait_for_selector(".pill:has-text('00:00-06:00')")
    assert [one["time_of_day"] for one in sent if "time_of_day" in one][-1] == "00:00-06:00"


def test_a_filter_that_cannot_be_is_not_left_out_silently(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    page.click("[data-filters]")
    sent = asked(page)
    for name, value in (("where_name", "camera"), ("per_video", "-1")):
        page.fill(f"[name={name}]", value)
        page.click("[data-apply]")
        assert page.is_visible("#filters")
        page.fill(f"[name={name}]", "")
    assert sent == []
    page.click("[data-apply]")
    page.wait_for_selector("#filters", state="hidden")


def test_a_linked_video_is_shown_by_its_name(visitor: PageVisitor) -> None:
    address = visitor.open("/videos").locator(".video-card:has-text('fire-drill')").first.get_attribute("href")
    assert address is not None
    page = visitor.open(f"/?q=forklift&video={address.rsplit('/', 1)[1]}")
    page.wait_for_selector(".pill:has-text('fire-drill.mp4')")
