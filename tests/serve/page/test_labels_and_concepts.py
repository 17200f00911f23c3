"""Labels over time, and concepts with the marks that feed them, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from page_visitor import PageVisitor, place_of, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

FIRE = "fire-drill.mp4"
SECONDS = "document.querySelector('video').currentTime"
LADDER = "a person climbing a ladder"


def got(visitor: PageVisitor, path: str) -> Any:
    return visitor.context.request.get(f"{visitor.address}/api/v1{path}").json()


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(place_of(page)).query)


def mark_frames(visitor: PageVisitor, subject: str) -> None:
    """Mark the best frames of moments as showing a ladder, or as not showing it, as their scores say."""
    request = visitor.context.request
    question = {"shows": LADDER, "top": 30, "min_score": 0}
    for moment in request.post(f"{visitor.address}/api/v1/search", data=question).json()["moments"]:
        point = f"{moment['video_id']}@{moment['best_seconds']!r},{moment['best_seconds']!r}"
        verdict = "yes" if moment["score"] > 0.5 else "no"
        request.put(f"{visitor.address}/api/v1/marks/{point}?subject={quote(subject)}", data={"verdict": verdict})
    for item in got(visitor, f"/review/uncertain?subject={quote(subject)}&count=20")["items"]:
        request.put(f"{visitor.address}/api/v1/review/{item['id']}", data={"verdict": "no"})


def test_labels_are_listed_with_their_time_and_lead_to_videos_and_questions(analyst: PageVisitor) -> None:
    found = got(analyst, "/labels?totals=true")["totals"]
    totals = sorted((one for one in found if one["intervals"]), key=lambda one: -one["seconds"])
    page = analyst.open("/labels")
    names = page.locator("#labels summary .label-name").all_inner_texts()
    assert names == [one["label"] for one in totals]
    unseen = {one["label"] for one in found} - set(names)
    assert page.inner_text("#unseen summary") == f"{len(unseen)} labels that no video shows"
    assert "1 video is not labelled" in page.inner_text("#notes")
    assert "label set vehicles" in page.inner_text(".head")
    page.locator("#labels summary").first.press("Enter")
    row = page.locator(".label-video").first
    assert row.locator(".label-name").inner_text() == FIRE
    bar = row.locator(".interval-bar").bounding_box()
    (video,) = [one for one in got(analyst, "/videos")["videos"] if one["name"].endswith(FIRE)]
    tracks = got(analyst, f"/videos/{video['video_id']}/labels")["labels"]
    (intervals,) = [track["intervals"] for track in tracks if track["label"] == names[0]]
    assert bar is not None
    for one, box in zip(intervals, [each.bounding_box() for each in row.locator(".interval").all()], strict=True):
        assert box is not None
        start = bar["x"] + bar["width"] * one["start_seconds"] / video["duration_seconds"]
        assert box["x"] == pytest.approx(start, abs=1)
    row.locator(".interval").last.press("Enter")
    page.wait_for_selector("body.is-ready video")
    wait_until(page, f"(at) => Math.abs({SECONDS} - at) < 0.01", intervals[-1]["start_seconds"])

    page = analyst.open("/labels")
    page.get_by_role("link", name=f"Search for {names[0]}", exact=True).click()
    page.wait_for_selector("moment-card, #nothing:not([hidden])")
    assert query_of(page) == {"q": [names[0]], "label": [names[0]]}


def test_a_video_shows_its_labels_in_rows_that_keys_move_in(analyst: PageVisitor) -> None:
    (video,) = [one for one in got(analyst, "/videos")["videos"] if one["name"].endswith(FIRE)]
    tracks = [one for one in got(analyst, f"/videos/{video['video_id']}/labels")["labels"] if one["intervals"]]
    page = analyst.open(f"/videos/{video['video_id']}")
    page.wait_for_selector("label-timeline:not([hidden])")
    assert page.locator(".label-rows .label-name").all_inner_texts() == [one["label"] for one in tracks]
    assert page.locator(".label-rows .interval[tabindex='0']").count() == 1
    page.locator(".label-rows .interval").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    last = tracks[-1]["intervals"][-1]
    wait_until(page, f"(at) => Math.abs({SECONDS} - at) < 0.01", last["start_seconds"])
    page.wait_for_selector(".label-rows .is-on:last-child .interval[aria-current]")
    label = str(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert label.startswith(f"{tracks[-1]['label']}, ")
    assert f"confidence {last['confidence']:.2f}" in label
    other = next(one for one in got(analyst, "/videos")["videos"] if not one["name"].endswith(FIRE))
    page = analyst.open(f"/videos/{other['video_id']}")
    assert page.locator("label-timeline").is_hidden()


def test_pages_without_labels_and_concepts_say_how_to_get_some(visitor: PageVisitor) -> None:
    page = visitor.open("/labels")
    assert "momentseek label --library" in page.inner_text("#empty pre")
    assert page.locator("#labels").is_hidden()
    page = visitor.open("/concepts")
    assert "There is no concept yet" in page.inner_text("#empty")
    page = visitor.open("/")
    assert page.locator("[data-concepts]").is_hidden()


def test_marks_become_a_concept_that_is_asked_for_refitted_and_removed(analyst: PageVisitor) -> None:
    mark_frames(analyst, "Climbing <b>people")
    page = analyst.open("/concepts")
    subject = page.locator("#subjects .concept")
    assert subject.locator("h3").inner_text() == "Climbing <b>people"
    subject.get_by_role("button", name="Show all marks").click()
    assert subject.locator(".verdict").count() == got(analyst, "/marks")["total"]
    assert subject.get_by_label("Name of the concept").input_value() == "climbing-b-people"
    subject.get_by_label("Name of the concept").fill("climbing")
    subject.get_by_label("Text to start from").fill(LADDER)
    page.keyboard.press("Enter")
    concept = page.locator("#concepts .concept")
    concept.wait_for()
    assert concept.locator("h2").inner_text() == "climbing"
    assert page.locator("#subjects").is_hidden()
    fitted = got(analyst, "/concepts/climbing")
    assert (fitted["subject"], fitted["text"]) == ("Climbing <b>people", LADDER)
    assert "up to date" in concept.inner_text()
    assert f"{fitted['recall']:.2f}" in concept.inner_text()

    before = got(analyst, "/marks")["total"]
    wrong = concept.locator(".marks li:has(.verdict-no)").first
    wrong.hover()
    wrong.get_by_role("button", name="Remove the mark Wrong").click()
    page.wait_for_selector("#concepts .badge-partial:text('marks changed')")
    assert got(analyst, "/marks")["total"] == before - 1
    concept.get_by_role("button", name="Fit again").click()
    page.wait_for_selector("#concepts .badge-done:text('up to date')")

    concept.get_by_role("link", name="Search by it").click()
    page.wait_for_selector("#answers:not([aria-busy]) moment-card, #nothing:not([hidden])")
    assert query_of(page)["q"] == ["concept:climbing"]
    assert page.input_value("#box") == ""
    assert page.inner_text(".chip-concept .chip-value") == "climbing"

    page = analyst.open("/concepts")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove the concept climbing").click()
    page.locator("#concepts .concept").wait_for(state="detached")
    assert got(analyst, "/concepts")["concepts"] == []
    assert got(analyst, "/marks")["total"] == before - 1


def test_a_concept_is_chosen_beside_the_box_and_marks_of_its_results_are_of_its_subject(analyst: PageVisitor) -> None:
    mark_frames(analyst, "climbing people")
    fit = f"{analyst.address}/api/v1/concepts/climbing/fit"
    assert analyst.context.request.post(fit, data={"subject": "climbing people", "text": LADDER}).ok
    page = analyst.open()
    opener = page.get_by_role("button", name="concepts")
    opener.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "climbing"
    page.keyboard.press("Enter")
    page.wait_for_selector("#answers:not([aria-busy]) moment-card")
    assert query_of(page)["q"] == ["concept:climbing"]
    moment = page.locator("moment-card").first.evaluate("card => card.moment")
    page.locator("moment-card a").first.click()
    page.wait_for_selector(".player-marks:not([hidden])")
    page.keyboard.press("y")
    page.wait_for_selector(".player-marks [aria-pressed=true]:has-text('Right')")
    marks = got(analyst, "/marks?subject=climbing%20people&limit=1000")["marks"]
    assert moment["id"] in [one["id"] for one in marks]
    page.fill("#box", "a person")
    page.press("#box", "Enter")
    page.wait_for_url(lambda url: "q=a+person" in url)
    assert query_of(page)["and"] == ["concept:climbing"]


def test_too_few_marks_are_said_to_be_too_few(analyst: PageVisitor) -> None:
    (video, *_) = got(analyst, "/videos")["videos"]
    mark = f"{analyst.address}/api/v1/marks/{video['video_id']}@1.0,1.0?subject=snow"
    analyst.context.request.put(mark, data={"verdict": "yes"})
    page = analyst.open("/concepts")
    page.get_by_role("button", name="Make a concept").click()
    page.wait_for_selector("[role=alert]:has-text('3 more no')")
    assert page.locator("#subjects .concept").count() == 1
    analyst.errors[:] = [error for error in analyst.errors if "422" not in error]
