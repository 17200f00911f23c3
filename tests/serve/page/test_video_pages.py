"""The pages of videos, of an empty library, and the form for a token, in a real browser."""

from __future__ import annotations

import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

import pytest
from page_visitor import PageVisitor, served, wait_until

from pipeline import Library
from pipeline.serve.http.access_tokens import AccessTokens

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser as PlaywrightBrowser

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>.mp4"
FIRE = "fire-drill.mp4"


def test_videos_are_listed_with_pictures_and_found_by_name(visitor: PageVisitor) -> None:
    page = visitor.open("/videos")
    assert page.inner_text("#status") == "2 videos"
    assert sorted(page.locator(".video-name").all_inner_texts()) == [HOSTILE, FIRE]
    assert "camera <b>dock</b>" in page.locator(".video-card", has_text="img src").inner_text()
    wait_until(page, "[...document.querySelectorAll('.video-card img')].every((image) => image.naturalWidth > 0)")
    page.get_by_label("Name of the video").fill("drill")
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelectorAll('.video-card').length === 1")
    assert page.url.endswith("/videos?name=drill")


def test_a_videos_page_plays_it_and_scores_a_text(visitor: PageVisitor) -> None:
    page = visitor.open("/videos")
    page.get_by_role("link", name="fire-drill.mp4").click()
    page.wait_for_selector("body.is-ready video")
    wait_until(page, "document.querySelector('video').readyState >= 2")
    assert page.inner_text("h1") == "fire-drill.mp4"
    assert "office" in page.inner_text("#metadata")
    page.fill("#box", "person climbing a ladder")
    page.keyboard.press("Enter")
    wait_until(page, "/^The highest score is 0.9/.test(document.querySelector('#status').textContent)")
    assert "score" in page.get_by_role("slider", name="Time in the video").get_attribute("aria-valuetext")
    page.click("text=Search in this video")
    page.wait_for_selector("moment-card")
    assert set(page.locator(".card-name").all_inner_texts()) == {"fire-drill.mp4"}


def test_an_unknown_video_is_said_to_be_unknown(visitor: PageVisitor) -> None:
    page = visitor.open("/videos/0123456789abcdef")
    assert "no video with the id '0123456789abcdef'" in page.inner_text("[role=alert]")
    visitor.errors[:] = [error for error in visitor.errors if "404" not in error]


def test_markup_in_an_address_stays_text(visitor: PageVisitor) -> None:
    page = visitor.open('/videos/"><img src=x onerror=alert(1)>')
    assert page.locator("img[src=x]").count() == 0
    page = visitor.open("/?q=<img src=x onerror=alert(1)>&video=<script>alert(1)</script>")
    assert page.locator("img[src=x]").count() == 0
    visitor.errors[:] = [error for error in visitor.errors if not ("404" in error or "422" in error)]


def test_an_empty_library_says_what_to_do(empty_address: str, chromium: PlaywrightBrowser) -> None:
    context = chromium.new_context()
    visitor = PageVisitor(empty_address, context)
    page = visitor.open()
    assert page.inner_text("h1") == "This library is empty"
    assert "momentseek index --library" in page.inner_text("pre")
    assert visitor.open("/videos").inner_text("#status") == "0 videos"
    assert visitor.errors == []
    context.close()


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("/videos?name=x", "/videos?name=x"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil", "/"),
        ('/"><script>', "/&#34;&gt;&lt;script&gt;"),
    ],
)
def test_the_form_for_a_token_leads_back_to_this_server_alone(page_address: str, place: str, expected: str) -> None:
    query = urllib.parse.urlencode({"wrong": 1, "next": place})
    with urllib.request.urlopen(f"{page_address}/login?{query}") as answer:
        page = answer.read().decode()
    assert f'name="next" value="{expected}"' in page
    assert "not known" in page


def test_the_switch_for_light_and_dark_is_remembered(visitor: PageVisitor, tmp_path: Path) -> None:
    page = visitor.open()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark
    assert visitor.open("/videos").evaluate(ground) == dark


def test_a_token_is_refused_and_accepted_and_its_session_ends(
    page_folder: Path, chromium: PlaywrightBrowser, tmp_path: Path
) -> None:
    tokens = AccessTokens(tmp_path / "tokens.json")
    token = tokens.add("anna", "search")
    context = chromium.new_context()
    with served(Library.open(page_folder), tokens=tokens) as address:
        page = context.new_page()
        page.goto(f"{address}/videos?name=drill")
        page.get_by_label("Token").fill("msk_wrong")
        page.get_by_role("button", name="Log in").click()
        page.wait_for_selector("[role=alert]")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_selector(".video-card")
        assert page.url == f"{address}/videos?name=drill"
        wait_until(page, "[...document.querySelectorAll('.video-card img')].every((image) => image.naturalWidth > 0)")
        assert token not in page.content()
        page.goto(f"{address}/login?next=/videos")
        page.wait_for_url(f"{address}/videos")
        page.wait_for_selector("#log-out:not([hidden])")
        assert "anna" in page.inner_text("#log-out")
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{address}/login")
        page.goto(f"{address}/")
        assert "/login" in page.url
        context.close()


def test_the_list_of_videos_has_an_order_that_its_address_keeps(visitor: PageVisitor) -> None:
    page = visitor.open("/videos")
    box = page.get_by_label("Order of the videos")
    for order, names in (
        ("Newest recording first", [HOSTILE, FIRE]),
        ("Oldest recording first", [FIRE, HOSTILE]),
        ("By name", [HOSTILE, FIRE]),
    ):
        box.select_option(label=order)
        wait_until(
            page,
            "(names) => [...document.querySelectorAll('.video-name')].map((one) => one.textContent).join() === names",
            ",".join(names),
        )
    page.get_by_label("Name of the video").fill("fire")
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelectorAll('.video-name').length === 1")
    assert page.url.endswith("/videos?name=fire&order=name")
    again = visitor.open("/videos?order=oldest")
    assert again.get_by_label("Order of the videos").input_value() == "oldest"
    assert again.locator(".video-name").first.inner_text() == FIRE
    assert visitor.open("/videos?order=nothing").get_by_label("Order of the videos").input_value() == "id"
