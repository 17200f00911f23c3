"""Marks, cases, saved searches, tables and runs on the page, in a real browser."""

from __future__ import annotations

import csv
import io
import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from page_visitor import PageVisitor, place_of, served, wait_until

from pipeline import Library
from pipeline.library.saved.named_documents import NAME_RULE

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser

pytestmark = pytest.mark.browser

NAME = 'Dock <b>"1"'


@pytest.fixture(scope="module")
def own_address(page_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of a library that these tests may write to."""
    folder = tmp_path_factory.mktemp("written") / "library"
    shutil.copytree(page_folder, folder)
    with served(Library.open(folder)) as address:
        yield address


@pytest.fixture
def writer(own_address: str, chromium: PlaywrightBrowser) -> Iterator[PageVisitor]:
    """A fresh window of it; nothing may have gone wrong in its pages when the test ends."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    visitor = PageVisitor(own_address, context)
    yield visitor
    context.close()
    assert visitor.errors == []


def got(visitor: PageVisitor, path: str) -> Any:
    with urllib.request.urlopen(f"{visitor.address}/api/v1{path}") as answer:
        return json.load(answer)


def put(visitor: PageVisitor, path: str, body: object) -> None:
    headers = {"Content-Type": "application/json"}
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{visitor.address}/api/v1{path}", data, headers, method="PUT")
    urllib.request.urlopen(request).close()


def test_a_result_is_marked_and_the_mark_taken_back_by_keys(writer: PageVisitor) -> None:
    page = writer.ask("forklift")
    moment = page.locator("moment-card").first.evaluate("e => e.moment")
    page.locator("moment-card a").first.click()
    page.wait_for_selector(".player-marks:not([hidden])")
    page.keyboard.press("n")
    page.wait_for_selector(".player-marks [aria-pressed=true]:has-text('Wrong')")
    page.keyboard.press("y")
    page.wait_for_selector(".player-marks [aria-pressed=true]:has-text('Right')")
    (mark,) = got(writer, "/marks?subject=forklift")["marks"]
    assert (mark["id"], mark["verdict"]) == (moment["id"], "yes")

    again = writer.open(place_of(page))
    again.wait_for_selector(".player-marks [aria-pressed=true]:has-text('Right')")
    again.get_by_role("button", name="Right").click()
    wait_until(again, "!document.querySelector('.player-marks [aria-pressed=true]')")
    assert got(writer, "/marks?subject=forklift")["marks"] == []


def test_selected_moments_become_a_case_with_notes(writer: PageVisitor) -> None:
    page = writer.ask("forklift")
    for number in (0, 1):
        page.locator("moment-card").nth(number).hover()
        page.locator(".card-select input").nth(number).check()
    assert "2 selected" in page.inner_text("selection-bar")
    for message in ("2 moments added", "0 moments added"):
        page.get_by_label("Name of the case").fill(NAME)
        page.keyboard.press("Enter")
        page.wait_for_selector(f"selection-bar a:text('{message}')")
    page.click("selection-bar a")
    page.wait_for_selector("body.is-ready .case-moment")
    assert page.inner_text("h1") == NAME
    about = page.get_by_label("What the case is about")
    for box, words in ((page.locator(".case-moment textarea").first, "look at the lights"), (about, "near miss")):
        box.fill(words)
        with page.expect_response(lambda answer: answer.request.method == "PUT"):
            page.keyboard.press("Tab")
    page.reload()
    page.wait_for_selector(".case-moment")
    assert page.locator(".case-moment textarea").first.input_value() == "look at the lights"
    assert page.get_by_label("What the case is about").input_value() == "near miss"
    page.locator(".case-moment").nth(1).get_by_role("button").click()
    wait_until(page, "document.querySelectorAll('.case-moment').length === 1")
    page.locator(".case-moment a").first.click()
    page.wait_for_selector("moment-player:not([hidden])")
    assert page.input_value("#box") == "forklift"


def test_moments_of_two_questions_keep_their_own_in_a_case(writer: PageVisitor) -> None:
    page = writer.ask("forklift")
    page.locator("moment-card").first.hover()
    page.locator(".card-select input").first.check()
    first = page.locator("moment-card").first.evaluate("e => e.moment.id")
    page.fill("#box", "a dog")
    page.keyboard.press("Enter")
    wait_until(page, "document.title.startsWith('a dog')")
    page.wait_for_selector("#answers:not([aria-busy]) moment-card")
    second = page.locator("moment-card").first.evaluate("e => e.moment.id")
    page.locator("moment-card").first.hover()
    page.locator(".card-select input").first.check()
    page.get_by_label("Name of the case").fill("both")
    page.keyboard.press("Enter")
    page.wait_for_selector("selection-bar a:text('2 moments added')")
    moments = got(writer, "/cases/both")["moments"]
    assert [(one["id"], one["question"]) for one in moments] == [(first, "forklift"), (second, "a dog")]


def test_what_is_typed_into_a_case_is_saved_before_the_page_is_left(writer: PageVisitor) -> None:
    page = writer.ask("forklift")
    moment = page.locator("moment-card").first.evaluate("e => e.moment.id")
    put(writer, "/cases/typed", {"moments": [{"id": moment, "question": "forklift"}]})
    page = writer.open("/cases/typed")
    for field in (".case-moment textarea", "#description"):
        page.focus(field)
        page.keyboard.type("look at the lights")
        page.wait_for_selector("#status:has-text('saved')")
        page.keyboard.type(" again")
    case = got(writer, "/cases/typed")
    deadline = time.monotonic() + 60
    while [case["description"], case["moments"][0]["note"]] != ["look at the lights again"] * 2:
        assert time.monotonic() < deadline, case
        page.wait_for_timeout(50)
        case = got(writer, "/cases/typed")
    assert page.evaluate("document.activeElement.id") == "description"


def test_a_case_is_renamed_saved_as_files_and_removed(writer: PageVisitor) -> None:
    page = writer.ask("forklift")
    ids = page.evaluate("[...document.querySelectorAll('moment-card')].slice(0, 2).map((card) => card.moment.id)")
    for name, moments in (("taken", ids[:1]), ("<i>first", ids)):
        put(writer, f"/cases/{quote(name)}", {"moments": [{"id": one, "question": "forklift"} for one in moments]})
    page = writer.open("/cases")
    page.get_by_role("link", name="<i>first").click()
    page.wait_for_selector(".case-moment")
    before = got(writer, f"/cases/{quote('<i>first')}")

    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name of the case").fill("taken")
    page.keyboard.press("Enter")
    page.wait_for_selector("#notes [role=alert]:has-text('exists already')")
    page.get_by_label("New name of the case").fill("second 1/2")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('#new-name').validity.patternMismatch")
    page.get_by_label("New name of the case").fill("second")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cases/second")
    page.wait_for_selector(".case-moment")
    assert got(writer, "/cases/second")["moments"] == before["moments"]
    writer.errors[:] = [error for error in writer.errors if "412" not in error]

    page.locator(".case-moment textarea").first.fill("look")
    page.keyboard.press("Tab")
    page.wait_for_selector("#status:has-text('saved')")
    with page.expect_download() as download:
        page.get_by_role("link", name="Table (CSV)").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [(row["id"], row["note"]) for row in rows] == [(ids[0], "look"), (ids[1], "")]
    clips = []
    page.on("download", lambda clip: clips.append(clip))  # noqa: PLW0108 - Playwright marks the function
    page.get_by_role("button", name="Clips", exact=True).click()
    while len(clips) < 2:
        page.wait_for_event("download")
    assert all(b"ftyp" in clip.path().read_bytes()[:16] for clip in clips)

    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Remove the case").click()
    assert page.url.endswith("/cases/second")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove the case").click()
    page.wait_for_url("**/cases")
    assert "second" not in [one["name"] for one in got(writer, "/cases")["cases"]]


def test_the_link_of_selected_moments_asks_their_question_again(writer: PageVisitor) -> None:
    writer.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = writer.ask("forklift")
    page.locator("moment-card a").first.click()
    page.wait_for_selector("moment-player:not([hidden])")
    page.keyboard.press("x")
    page.locator("selection-bar").get_by_role("button", name="Copy link").click()
    page.wait_for_selector("selection-bar button:has-text('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == f"{writer.address}/?q=forklift"


def test_the_table_of_moments_holds_no_formula(writer: PageVisitor) -> None:
    page = writer.ask("forklift")
    page.locator("moment-card").first.hover()
    page.locator(".card-select input").first.check()
    page.evaluate("() => { document.querySelector('moment-card').moment.uri = '/v/=1+1,\"x\".mp4'; }")
    with page.expect_download() as download:
        page.get_by_role("button", name="Table (CSV)").click()
    (row,) = csv.DictReader(io.StringIO(download.value.path().read_text()))
    assert row["video"] == '\'=1+1,"x".mp4'
    assert float(row["start_seconds"]) < float(row["end_seconds"])


def test_a_search_is_saved_and_asked_again_from_the_start_page(writer: PageVisitor) -> None:
    page = writer.open("/?q=forklift&not=snow&then=a+person&within1=20&pervideo=2")
    page.wait_for_selector("#answers:not([aria-busy]) moment-card, #nothing:not([hidden])")
    page.click("text=Save this search")
    page.get_by_label("Name of the search").fill("<i>forklifts")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Saved.")
    start = writer.open()
    start.click(".saved-name:has-text('<i>forklifts')")
    start.wait_for_url(lambda url: "pervideo=2" in url)
    assert sorted(place_of(start)[2:].split("&")) == sorted(place_of(page)[2:].split("&"))
    start = writer.open()
    start.once("dialog", lambda dialog: dialog.dismiss())
    start.get_by_role("button", name="Remove the search").click()
    assert start.is_visible(".saved-name")
    start.once("dialog", lambda dialog: dialog.accept())
    start.get_by_role("button", name="Remove the search").click()
    start.wait_for_selector(".saved-name", state="detached")
    assert got(writer, "/searches")["searches"] == []


def test_a_saved_search_is_replaced_only_when_that_is_meant(writer: PageVisitor) -> None:
    put(writer, "/searches/gate", {"query": {"shows": "a dog"}, "description": "at night"})
    page = writer.ask("forklift")
    page.click("text=Save this search")
    page.get_by_label("Name of the search").fill("gate")
    for is_meant, text in ((False, "a dog"), (True, "forklift")):
        with page.expect_event("dialog") as asked:
            page.evaluate("document.querySelector('.saved-row form').requestSubmit()")
        dialog = asked.value
        assert "gate" in dialog.message
        if is_meant:
            dialog.accept()
            page.wait_for_selector("text=Saved.")
        else:
            dialog.dismiss()
        saved = got(writer, "/searches/gate")
        assert (saved["query"]["shows"][0]["text"], saved["description"]) == (text, "at night")
    urllib.request.urlopen(urllib.request.Request(f"{writer.address}/api/v1/searches/gate", method="DELETE")).close()
    writer.errors[:] = [error for error in writer.errors if "412" not in error]


def test_runs_and_the_empty_review_queue_are_shown(writer: PageVisitor) -> None:
    page = writer.open("/runs")
    assert page.inner_text("#status") == "1 run"
    assert "finished" in page.inner_text("#runs")
    assert "2 of 2 videos" in page.inner_text("#runs")
    assert writer.open("/review").inner_text("#status") == "Nothing waits for a decision."


def test_what_cannot_be_a_name_is_refused_before_it_becomes_an_address(writer: PageVisitor) -> None:
    """A browser shortens an address that ends with two dots, whose answer would be about another one."""
    page = writer.ask("forklift")
    page.locator("moment-card").first.hover()
    page.locator(".card-select input").first.check()
    page.get_by_role("button", name="Save this search").click()
    for label in ("Name of the case", "Name of the search"):
        box = page.get_by_label(label)
        assert box.get_attribute("title") == f"Up{NAME_RULE[2:]}"
        for name in ("..", " .hidden", "a/b", "a\\b", "list.CSV ", "   "):
            box.fill(name)
            assert not box.evaluate("(box) => box.checkValidity()"), name
        box.fill(" 50% fire & drill.csv.. #?+ ")
        assert box.evaluate("(box) => box.checkValidity()")
        box.press("Enter")
    page.get_by_role("link", name="1 moment added").click()
    page.wait_for_selector("body.is-ready .case-moment")
    assert page.inner_text("h1") == "50% fire & drill.csv.. #?+"
    assert got(writer, "/searches")["searches"][0]["name"] == "50% fire & drill.csv.. #?+"


def test_moments_are_added_to_a_case_whose_name_is_spelt_otherwise(writer: PageVisitor) -> None:
    put(writer, f"/cases/{quote('Straße 1')}", {"description": "as it is", "moments": []})
    page = writer.ask("forklift")
    page.locator("moment-card").first.hover()
    page.locator(".card-select input").first.check()
    page.get_by_label("Name of the case").fill("STRASSE   1")
    page.keyboard.press("Enter")
    page.wait_for_selector("selection-bar a:text('1 moment added')")
    case = got(writer, f"/cases/{quote('Straße 1')}")
    assert (case["description"], len(case["moments"])) == ("as it is", 1)
    # The browser notes that the case could not be made.
    writer.errors[:] = [error for error in writer.errors if "412" not in error]
