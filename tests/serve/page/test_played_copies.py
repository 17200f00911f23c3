"""Frames of videos that browsers play as copies: remuxed (MKV) or encoded again (HEVC, AVI); they are the decoder's."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from made_library import add_video
from page_visitor import PageVisitor, served, shown_frame, wait_until
from shots_library import opened
from video_factory import make_video, number_of, steady

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser

pytestmark = pytest.mark.browser

RATE = 10
FILES = {
    "remuxed.mkv": ("libx264", Fraction(1, 1000)),
    "hevc.mp4": ("libx265", Fraction(1, 12800)),
    "old.avi": ("mpeg4", Fraction(1, RATE)),
}
LATE_FRAMES = """
const { prototype } = HTMLVideoElement;
const { requestVideoFrameCallback: request } = prototype;
prototype.requestVideoFrameCallback = function (call) {
  return request.call(this, (now, frame) => setTimeout(() => call(now, frame), 400));
};
"""
"""A browser that tells of frames as late as one on a busy machine does."""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a server of videos whose frames show their number, and the videos' ids by name."""
    folder = tmp_path_factory.mktemp("copied")
    library = opened(folder / "library")
    ids = {
        name: add_video(library, make_video(folder / name, steady(40, RATE), codec=codec, time_base=base))
        for name, (codec, base) in FILES.items()
    }
    with served(library) as address:
        yield address, ids


@pytest.mark.parametrize("name", FILES)
def test_a_copy_shows_the_frame_that_was_asked_for(
    copied: tuple[str, dict[str, str]], chromium: PlaywrightBrowser, name: str
) -> None:
    address, ids = copied
    context = chromium.new_context()
    visitor = PageVisitor(address, context)
    page = visitor.open(f"/videos/{ids[name]}?t=1.7")
    wait_until(page, "document.querySelector('video').readyState >= 2")

    def shown() -> int:
        return number_of(shown_frame(page).astype("uint8"))

    assert shown() == 18  # the first frame, at 0 s, has the number 1
    for seconds, number in ((0.0, 1), (3.9, 40), (2.45, 25)):
        page.evaluate("seconds => document.querySelector('video-stage').seek(seconds)", seconds)
        assert shown() == number
    page.keyboard.press(".")
    wait_until(page, "!document.querySelector('video-stage')._isStepping")
    assert shown() == 26
    context.close()
    assert visitor.errors == []


def test_a_step_goes_on_by_one_frame_where_frames_show_late(
    copied: tuple[str, dict[str, str]], chromium: PlaywrightBrowser
) -> None:
    address, ids = copied
    context = chromium.new_context()
    context.add_init_script(LATE_FRAMES)
    visitor = PageVisitor(address, context)
    page = visitor.open(f"/videos/{ids['hevc.mp4']}?t=1.7")
    wait_until(page, "document.querySelector('video').readyState >= 2")
    number = number_of(shown_frame(page).astype("uint8"))
    for key, by in ((".", 1), (".", 1), (",", -1), (",", -1), (",", -1)):
        page.keyboard.press(key)
        wait_until(page, "!document.querySelector('video-stage')._isStepping")
        number += by
        assert number_of(shown_frame(page).astype("uint8")) == number
    context.close()
    assert visitor.errors == []
