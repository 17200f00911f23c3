"""The review queue by keys, live runs and failures, in a real browser."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from page_visitor import PageVisitor, place_of, served, wait_until

from pipeline import Library

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# Other tests may be running a Ray cluster on this machine, which batches would join.
IN_PROCESS = ("execution.executor=in_process",)
START_SECONDS = 180
"""Within which the process of a batch has started and indexed a film, on a busy machine."""


@contextmanager
def visited(library: Library, chromium: PlaywrightBrowser, **settings: object) -> Iterator[PageVisitor]:
    """Serve a library and visit it; nothing may have gone wrong in its pages at the end."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    with served(library, **settings) as address:
        visitor = PageVisitor(address, context)
        yield visitor
        context.close()
    assert visitor.errors == []


def asked(visitor: PageVisitor, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{visitor.address}/api/v1{path}", data, {"Content-Type": "application/json"} if data else {}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def status(page: Page) -> str:
    return page.inner_text("#status")


def test_the_review_queue_is_decided_by_keys(worked_folder: Path, chromium: PlaywrightBrowser, tmp_path: Path) -> None:
    folder = shutil.copytree(worked_folder, tmp_path / "library")
    with visited(Library.open(folder, overrides=IN_PROCESS), chromium) as visitor:
        waiting = asked(visitor, "/review")["items"]
        assert len(waiting) >= 2
        page = visitor.open("/review")
        assert page.inner_text("#question") == "Does this show “a person climbing a ladder”?"
        box = page.locator(".review-answers").bounding_box()
        assert box["y"] + box["height"] <= 800, "the answers are in the window, with the picture"
        wait_until(page, "!document.querySelector('video').paused")
        first = page.inner_text("#where")
        page.keyboard.press("j")
        wait_until(page, "where => document.querySelector('#where').textContent !== where", first)
        later = page.inner_text("#where")
        page.keyboard.press("Y")  # as with caps lock
        page.wait_for_selector("#undo:not([hidden])")
        (mark,) = asked(visitor, "/marks")["marks"]
        assert (mark["start_seconds"], mark["verdict"]) == (waiting[1]["start_seconds"], "yes")
        page.keyboard.press("u")
        wait_until(page, "where => document.querySelector('#where').textContent === where", later)
        assert asked(visitor, "/marks")["marks"] == []
        for left in range(len(waiting) - 1, -1, -1):
            page.keyboard.press("n")
            wait_until(
                page,
                "left => Number.parseInt(document.querySelector('#status').textContent) === left || left === 0",
                left,
            )
        wait_until(page, "document.querySelector('#status').textContent === 'Nothing waits for a decision.'")
        assert page.is_hidden("#item")
        assert {one["verdict"] for one in asked(visitor, "/marks")["marks"]} == {"no"}


def test_nothing_moves_by_itself_where_that_is_not_wanted(
    worked_folder: Path, chromium: PlaywrightBrowser, tmp_path: Path
) -> None:
    folder = shutil.copytree(worked_folder, tmp_path / "library")
    with served(Library.open(folder, overrides=IN_PROCESS)) as address:
        context = chromium.new_context(reduced_motion="reduce")
        visitor = PageVisitor(address, context)
        page = visitor.open("/review")
        wait_until(page, "document.querySelector('video').readyState >= 2")
        assert page.evaluate("document.querySelector('video').paused")
        page = visitor.ask("forklift")
        assert page.evaluate("getComputedStyle(document.querySelector('#answers')).transitionProperty") == "none"
        page.locator("moment-card a").first.click()
        wait_until(page, "!document.querySelector('video').paused")  # somebody has asked for that
        linked = visitor.open(place_of(page))
        wait_until(linked, "document.querySelector('video').readyState >= 2")
        assert linked.evaluate("document.querySelector('video').paused")
        context.close()


@pytest.mark.slow
def test_a_run_is_seen_live_and_stopped(
    page_folder: Path, films: Path, chromium: PlaywrightBrowser, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(30):
        content = (films / "fire-drill.mp4").read_bytes()
        # A free box at the end makes other content of the same video.
        (folder / f"{number:02d}.mp4").write_bytes(content + b"\0\0\0\x0cfree" + number.to_bytes(4, "big"))
    library = Library.open(shutil.copytree(page_folder, tmp_path / "library"), overrides=IN_PROCESS)
    with visited(library, chromium, source_folders=(folder,)) as visitor:
        run_id = asked(visitor, "/runs", {"sources": [str(folder)]})["run_id"]
        page = visitor.open("/runs")
        run = page.locator("#runs > li", has_text=run_id)
        assert "running" in run.inner_text()
        bar = page.get_by_role("progressbar", name=f"Progress of the run {run_id}")
        wait_until(page, "document.querySelector('progress').value >= 1", seconds=START_SECONDS)
        assert bar.get_attribute("max") == "30"
        assert "of 30 videos" in run.inner_text()
        run.get_by_role("button", name="Stop").click()
        run.locator("text=interrupted").wait_for()
        assert run.get_by_role("button", name="Stop").is_hidden()
        assert bar.is_hidden()
        assert 1 <= asked(visitor, f"/runs/{run_id}")["counts"]["done"] < 30


@pytest.mark.slow
def test_what_failed_is_shown_with_its_cause_and_tried_again(
    page_folder: Path, films: Path, chromium: PlaywrightBrowser, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    broken = folder / "<b>broken.mp4"
    broken.write_bytes(b"")
    library = Library.open(shutil.copytree(page_folder, tmp_path / "library"), overrides=IN_PROCESS)
    with visited(library, chromium, source_folders=(folder,)) as visitor:
        page = visitor.open("/runs")
        page.get_by_label("Index videos on the server's machine").fill(f"{broken}\n")
        page.get_by_role("button", name="Start").click()
        failure = page.locator("#failures li")
        failure.wait_for(timeout=1000 * START_SECONDS)
        assert str(broken) in failure.inner_text()
        assert "the file is empty" in failure.inner_text()
        assert page.locator("#failures b").count() == 0
        assert "1 failed" in page.locator("#runs > li").first.inner_text()

        shutil.copy(films / "loading-dock.mp4", broken)
        page = visitor.open("/videos")
        assert "Not indexed: 1 video" in page.inner_text("#failures")
        page.get_by_role("button", name=f"Try {broken} again").click()
        page.wait_for_url("**/runs")
        page.wait_for_selector("body.is-ready")
        page.locator("#runs > li", has_text="1 indexed").wait_for(timeout=1000 * START_SECONDS)
        page.wait_for_selector("#failures", state="hidden")
        assert asked(visitor, "/videos")["total"] == 3


def test_a_place_that_may_not_be_read_is_refused_in_words(
    page_folder: Path, chromium: PlaywrightBrowser, tmp_path: Path
) -> None:
    folder = shutil.copytree(page_folder, tmp_path / "library")
    with visited(Library.open(folder, overrides=IN_PROCESS), chromium, source_folders=(tmp_path,)) as visitor:
        page = visitor.open("/runs")
        assert page.is_hidden("#no-folder")
        page.get_by_label("Index videos on the server's machine").fill("/etc")
        page.get_by_role("button", name="Start").click()
        assert "momentseek serve --allow-sources" in page.inner_text("#notes [role=alert]")
        assert page.input_value("#sources") == "/etc"
        visitor.errors[:] = [error for error in visitor.errors if "403" not in error]


def test_without_an_allowed_folder_nothing_is_offered_that_would_be_refused(
    worked_folder: Path, chromium: PlaywrightBrowser, tmp_path: Path
) -> None:
    folder = shutil.copytree(worked_folder, tmp_path / "library")
    with visited(Library.open(folder, overrides=IN_PROCESS), chromium) as visitor:
        page = visitor.open("/runs")
        assert page.is_hidden("#start")
        assert "no folder is allowed" in page.inner_text("#no-folder")
        assert page.inner_text("#no-folder code") == "momentseek serve --allow-sources FOLDER"
        for path in ("/runs", "/videos"):
            page = visitor.open(path)
            assert "broken.mp4" in page.inner_text("#failures")
            assert page.locator("#failures button").count() == 0
