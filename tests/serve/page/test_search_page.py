"""Asking, scrubbing and playing in a real browser."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import numpy as np
import numpy.typing as npt
import pytest
from page_visitor import hover, place_of, shown_frame, wait_until

from pipeline.video.frame_at import frame_at
from pipeline.video.pyav.decoder import PyAVDecoder

if TYPE_CHECKING:
    from page_visitor import PageVisitor
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.browser


def difference(shown: npt.NDArray[np.int16], film: Path, seconds: float) -> float:
    """Mean difference of a shown frame from the decoder's nearest to a time, in levels of 255."""
    return float(np.abs(shown - frame_at(PyAVDecoder(), str(film), seconds)).mean())


def pause(page: Page) -> None:
    page.evaluate("document.querySelector('video').pause()")


def playing_id(page: Page) -> str:
    return parse_qs(urlsplit(place_of(page)).query)["play"][0]


def test_a_question_shows_its_moments_with_their_scores(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    cards = page.locator("moment-card")
    found = int(page.inner_text("#status").split()[0])
    assert cards.count() == found > 1
    assert re.fullmatch(
        r".+, 0:[\d.]+ \S 0:[\d.]+, score 0\.\d\d\+?", cards.first.locator("a").get_attribute("aria-label")
    )
    wait_until(page, "document.querySelector('.card-picture').naturalWidth > 0")
    assert page.title().split() == ["forklift", "\N{EN DASH}", "momentseek"]
    assert page.evaluate("performance.getEntriesByName('momentseek-answer').length") == 1


def test_names_and_metadata_are_text(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    assert "<img src=x onerror=alert(1)>.mp4" in page.locator(".card-name").all_inner_texts()
    assert page.locator("img[src=x]").count() == 0


def test_the_pointer_scrubs_through_the_moment(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    stage = page.locator(".card-stage").first
    times = []
    for share, place in ((0.02, "0% 0%"), (0.98, "100% 100%")):
        hover(stage, share)
        page.wait_for_selector(".card-stage.is-scrubbed")
        wait_until(page, "(place) => document.querySelector('.card-sheet').style.backgroundPosition === place", place)
        minutes, seconds = stage.locator(".card-at").inner_text().split(":")
        times.append(60 * int(minutes) + float(seconds))
    moment = stage.evaluate("e => e.closest('moment-card').moment.id.split('@')[1].split(',').map(Number)")
    assert times == pytest.approx(moment, abs=0.2)
    page.mouse.move(1, 1)
    page.wait_for_selector(".card-stage.is-scrubbed", state="detached")


def test_pictures_that_a_busy_server_refused_are_asked_for_again_while_the_pointer_rests(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    page.route("**/sprite*", lambda route: route.fulfill(status=503), times=1)
    hover(page.locator(".card-stage").first, 0.5)
    page.wait_for_selector(".card-stage.is-scrubbed")
    (refused,) = visitor.errors
    assert "503" in refused
    visitor.errors.clear()


def test_a_click_plays_at_the_second_and_frames_are_the_decoders(visitor: PageVisitor, films: Path) -> None:
    page = visitor.ask("person climbing a ladder")
    card = page.locator("moment-card", has_text="fire-drill.mp4").first
    moment = card.evaluate("e => e.moment")
    card.locator("a").click()
    wait_until(page, "document.querySelector('video').readyState >= 2")
    assert page.evaluate("document.querySelector('video').currentTime") >= moment["start_seconds"]
    pause(page)
    rate = Fraction(30000, 1001)
    for seconds in (moment["start_seconds"], moment["best_seconds"]):
        page.evaluate("seconds => document.querySelector('video-stage').seek(seconds)", seconds)
        shown = shown_frame(page)
        differences = [difference(shown, films / "fire-drill.mp4", seconds + float(by / rate)) for by in (-1, 0, 1)]
        assert differences[1] < 4
        assert differences[1] == min(differences)
        assert min(differences[0], differences[2]) > 1.5 * differences[1]


def test_keys_step_by_frames_exactly(visitor: PageVisitor, films: Path) -> None:
    page = visitor.ask("person climbing a ladder")
    page.locator("moment-card", has_text="fire-drill.mp4").first.locator("a").click()
    wait_until(page, "document.querySelector('video').readyState >= 2")
    pause(page)
    start = page.locator("moment-card", has_text="fire-drill.mp4").first.evaluate("e => e.moment.start_seconds")
    page.evaluate("seconds => document.querySelector('video-stage').seek(seconds)", start)
    shown_frame(page)
    rate = Fraction(30000, 1001)
    at = 0
    for key, by in ((".", 1), (".", 1), (",", -1), (",", -1), (",", -1)):
        page.keyboard.press(key)
        wait_until(page, "!document.querySelector('video-stage')._isStepping")
        at += by
        shown = shown_frame(page)
        differences = [
            difference(shown, films / "fire-drill.mp4", start + float((at + near) / rate)) for near in (-1, 0, 1)
        ]
        assert differences[1] == min(differences), (key, at, differences)


def test_a_place_that_is_chosen_before_the_video_has_come_is_kept(visitor: PageVisitor) -> None:
    page = visitor.ask("person climbing a ladder")
    held: list[Route] = []
    page.route("**/media", lambda route: held.append(route), times=1)  # noqa: PLW0108 - Playwright marks the function
    page.locator("moment-card", has_text="fire-drill.mp4").first.locator("a").click()
    wait_until(page, "document.querySelector('video').networkState === 2")
    place = page.evaluate("document.querySelector('moment-player').moment.start_seconds") + 10
    page.evaluate("seconds => document.querySelector('video-stage').seek(seconds)", place)
    (route,) = held
    route.continue_()
    wait_until(page, "document.querySelector('video').readyState >= 2")
    assert page.evaluate("document.querySelector('video').currentTime") >= place


def test_a_moment_that_is_left_and_chosen_again_before_it_plays_is_played_once(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    page.evaluate("""() => {
      const stage = document.querySelector("video-stage");
      const { load } = stage;
      window.loads = 0;
      stage.load = (...given) => { window.loads += 1; load.apply(stage, given); };
    }""")
    held: list[Route] = []
    about_a_video = re.compile(r"/api/v1/videos/[0-9a-f]+$")
    page.route(about_a_video, lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks the function
    page.locator("moment-card a").first.click()
    page.keyboard.press("j")
    page.keyboard.press("k")
    while len(held) < 3:
        page.wait_for_event("request", timeout=1000)
    for route in held:
        route.continue_()
    wait_until(page, "!document.querySelector('video').paused")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("loads") == 1


def test_the_player_shows_the_score_curve_and_seeks_by_it(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    page.locator("moment-card a").first.click()
    timeline = page.get_by_role("slider", name="Time in the video")
    wait_until(page, "/score/.test(document.querySelector('score-timeline').getAttribute('aria-valuetext'))")
    pause(page)
    timeline.locator("canvas").click()
    duration = float(timeline.get_attribute("aria-valuemax"))
    wait_until(page, "half => Math.abs(document.querySelector('video').currentTime - half) < 0.1", duration / 2)
    timeline.press("End")
    wait_until(page, "end => document.querySelector('video').currentTime > end - 0.1", duration)


def test_the_keyboard_alone_asks_plays_and_moves(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("moment-player:not([hidden])")
    wait_until(page, "!document.querySelector('video').paused")
    first = playing_id(page)
    page.keyboard.press("j")
    second = playing_id(page)
    page.keyboard.press("k")
    assert playing_id(page) == first != second
    wait_until(page, "!document.querySelector('video').paused")
    page.keyboard.press(" ")
    wait_until(page, "document.querySelector('video').paused")
    before = page.evaluate("document.querySelector('video').currentTime")
    page.keyboard.press("ArrowRight")
    wait_until(page, "before => Math.abs(document.querySelector('video').currentTime - before - 1) < 0.05", before)
    page.keyboard.press("Escape")
    page.wait_for_selector("moment-player", state="hidden")
    assert page.evaluate("document.activeElement.matches('a.card')")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog[open]", state="detached")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "box"


def test_from_the_box_to_the_playing_second_without_a_pointer(visitor: PageVisitor) -> None:
    page = visitor.open()
    page.keyboard.type("forklift")  # the box has the focus
    page.keyboard.press("Enter")
    page.wait_for_selector("#answers:not([aria-busy]) moment-card")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    moment = page.locator("moment-card").nth(1).evaluate("e => e.moment")
    assert page.evaluate("document.activeElement.closest('moment-card').moment.id") == moment["id"]
    page.keyboard.press("x")
    assert page.inner_text("selection-bar [role=status]").startswith("1 selected")
    page.keyboard.press("Enter")
    wait_until(page, "start => document.querySelector('video').currentTime >= start", moment["start_seconds"])
    wait_until(page, "!document.querySelector('video').paused")
    assert playing_id(page) == moment["id"]
    assert page.evaluate("document.activeElement.matches('.player-name')")
    before = page.inner_text(".player-where[aria-live=polite]")
    page.keyboard.press("K")  # as with caps lock
    wait_until(page, "before => document.querySelector('.player-where').textContent !== before", before)
    page.keyboard.press("/")
    page.keyboard.type("a person")
    page.keyboard.press("Enter")
    wait_until(page, "document.title.startsWith('a person')")


@pytest.mark.parametrize("path", ["/", "/review", "VIDEO"])
def test_every_page_with_keys_lists_them(visitor: PageVisitor, path: str) -> None:
    if path == "VIDEO":
        path = visitor.open("/videos").locator(".video-card").first.get_attribute("href")
    page = visitor.open(path)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    assert "Play or pause" in page.inner_text("dialog")
    page.get_by_role("button", name="Close", exact=True).click()
    page.get_by_role("button", name="Help and keys").click()
    page.wait_for_selector("dialog[open]")


def test_nothing_matches_is_said_plainly_and_a_lower_score_accepts_the_nearest(visitor: PageVisitor) -> None:
    page = visitor.ask("a goldfish")
    assert "Nothing matches “a goldfish”" in page.inner_text("#nothing")
    assert "The model does not know: goldfish" in page.inner_text("#notes")
    page.wait_for_selector("#answers:not([aria-busy])")
    cards = page.locator("moment-card.is-below")
    assert cards.count() == page.locator("moment-card").count() > 0
    assert cards.first.locator("a").get_attribute("aria-label").startswith("Does not match: ")
    page.locator("#min-score").evaluate(
        "e => { e.value = 0; e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')); }"
    )
    page.wait_for_selector("moment-card:not(.is-below)")
    assert "min=0" in place_of(page)
    assert page.is_hidden("#nothing")


def test_a_higher_score_hides_moments_at_once(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    scores = page.evaluate("[...document.querySelectorAll('moment-card')].map((card) => card.moment.score)")
    least = sorted(scores)[len(scores) // 2]
    page.locator("#min-score").evaluate(
        "(e, value) => { e.step = 'any'; e.value = value; e.dispatchEvent(new Event('input')); }", least
    )
    assert page.locator("moment-card:visible").count() == sum(score >= least for score in scores)


def test_a_link_reopens_the_question_and_the_moment_and_back_leads_back(visitor: PageVisitor) -> None:
    page = visitor.ask("forklift")
    page.fill("#box", "person climbing a ladder")
    page.keyboard.press("Enter")
    wait_until(page, "document.title.startsWith('person')")
    page.locator("moment-card a").first.click()
    page.wait_for_selector("moment-player:not([hidden])")
    link = place_of(page)
    name = page.inner_text(".player-where")

    other = visitor.open(link)
    other.wait_for_selector("moment-player:not([hidden])")
    assert other.input_value("#box") == "person climbing a ladder"
    assert other.inner_text(".player-where") == name

    page.go_back()
    page.wait_for_selector("moment-player", state="hidden")
    page.go_back()
    wait_until(page, "document.title.startsWith('forklift')")
    assert page.input_value("#box") == "forklift"


def test_a_question_without_an_answer_says_why(visitor: PageVisitor) -> None:
    page = visitor.open("/?q=forklift&video=nowhere.mp4", ready=".note-bad")
    assert "nowhere.mp4" in page.inner_text("[role=alert]")
    visitor.errors[:] = [error for error in visitor.errors if "422" not in error]


def test_the_texts_of_the_page_are_all_used() -> None:
    """A text that nothing names is dead; one that is missing fails where it is used."""
    from pipeline.serve.page.strings import TEXTS

    folder = Path(__file__).parents[3] / "pipeline" / "serve" / "page"
    source = "\n".join(path.read_text() for path in folder.rglob("*") if path.suffix in (".js", ".html"))
    built = re.compile(r"(chip|pill|status|run|concept|review|videos_order)_|_(one|many|absent)$")
    unused = [name for name in TEXTS if not re.search(rf"\b{name}\b", source) and not built.search(name)]
    assert unused == []
    named = {*re.findall(r'\btext\("(\w+)"', source), *re.findall(r"\btext\.(\w+)", source)}
    assert named - TEXTS.keys() == set()
    assert json.dumps(TEXTS)
