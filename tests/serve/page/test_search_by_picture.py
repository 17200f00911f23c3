"""Pictures and clips that are dropped, pasted or chosen, in a real browser."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from page_visitor import wait_until
from PIL import Image

from pipeline.video.frame_at import frame_at
from pipeline.video.pyav.decoder import PyAVDecoder

if TYPE_CHECKING:
    from page_visitor import PageVisitor
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

GIVE_FILE = """([data, type, how]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "given", { type }));
  if (how === "drop") {
    document.body.dispatchEvent(new DragEvent("dragenter", { dataTransfer: transfer, bubbles: true }));
    if (!document.body.classList.contains("is-dropping")) throw new Error("nothing shows where to drop it");
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  } else {
    const paste = { clipboardData: transfer, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new ClipboardEvent("paste", paste));
  }
}"""
SECONDS = 12.5


@pytest.fixture(scope="module")
def still(films: Path) -> bytes:
    """A frame of a film of the library, as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(frame_at(PyAVDecoder(), str(films / "fire-drill.mp4"), SECONDS)).save(buffer, format="PNG")
    return buffer.getvalue()


def give(page: Page, content: bytes, media_type: str, how: str) -> None:
    page.evaluate(GIVE_FILE, [base64.b64encode(content).decode(), media_type, how])


def best(page: Page) -> dict[str, object]:
    page.wait_for_selector("#answers:not([aria-busy]) moment-card")
    found: dict[str, object] = page.locator("moment-card").first.evaluate("e => e.moment")
    return found


@pytest.mark.parametrize("how", ["drop", "paste", "choose"])
def test_a_picture_finds_the_moment_that_it_is_taken_from(visitor: PageVisitor, still: bytes, how: str) -> None:
    page = visitor.open()
    if how == "choose":
        page.set_input_files("picture-drop input", {"name": "still.png", "mimeType": "image/png", "buffer": still})
    else:
        give(page, still, "image/png", how)
    found = best(page)
    assert found["uri"].endswith("fire-drill.mp4")
    assert found["start_seconds"] <= SECONDS < found["end_seconds"]
    wait_until(page, "document.querySelector('.chip img').naturalWidth > 0")
    assert not page.locator("body.is-dropping").count()
    page.reload()
    assert best(page)["id"] == found["id"]


def test_a_clip_finds_the_moment_that_it_is_taken_from(visitor: PageVisitor, films: Path) -> None:
    page = visitor.open()
    page.set_input_files("picture-drop input", films / "fire-drill.mp4")
    assert best(page)["uri"].endswith("fire-drill.mp4")
    assert "clip%3Aupload" in page.url


@pytest.mark.parametrize(
    ("content", "media_type", "message"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "drawings (SVG) cannot"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png", ""),
        (b"no picture at all", "image/jpeg", ""),
        (b"text", "text/plain", "Only pictures and clips"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(
    visitor: PageVisitor, content: bytes, media_type: str, message: str
) -> None:
    page = visitor.open()
    give(page, content, media_type, "drop")
    page.wait_for_selector(".drop-message:not(:empty):not(:text('Sending'))")
    shown = page.inner_text(".drop-message")
    assert message in shown
    assert len(shown) > 10
    visitor.errors[:] = [error for error in visitor.errors if "415" not in error and "422" not in error]
