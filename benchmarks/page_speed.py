"""Measure the page in a real browser: from Enter to the first answer, and from a click to the first frame.

    momentseek serve --library LIBRARY &
    python -m benchmarks.page_speed http://localhost:8737 [--runs 15] [--to page_speed.json]

LIBRARY contains the sample films. The browser runs on the same machine as the server, and both are warm: one question
is asked, and one moment played, before the first figure is taken. Every text is new to the server.

- "answer": from Enter until the cards of the answer are in the document and laid out (the page's own marks);
- "request": the part of it that the server and the connection take;
- "frame": from a click on a card until the browser shows the moment's first frame.
"""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.printed_result import print_result, result_parser

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["measure"]

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
_ANSWERED = "performance.getEntriesByName('momentseek-answer').length"
_FIGURES = """() => {
  const answer = performance.getEntriesByName("momentseek-answer").at(-1).duration;
  const sent = performance.getEntriesByType("resource").filter((entry) => entry.name.endsWith("/search"));
  return [answer, sent.at(-1).duration];
}"""
_FIRST_FRAME = """() => new Promise((resolve) => {
  const began = performance.now();
  const video = document.querySelector("video");
  document.querySelector("moment-card a").click();
  video.requestVideoFrameCallback(() => resolve(performance.now() - began));
})"""


def _ask(page: Page, text: str) -> tuple[float, float]:
    page.evaluate("performance.clearMeasures()")
    page.fill("#box", text)
    page.keyboard.press("Enter")
    while not page.evaluate(_ANSWERED):
        page.wait_for_timeout(5)
    answer, request = page.evaluate(_FIGURES)
    # Pictures of this answer must not slow the next one.
    page.wait_for_load_state("networkidle")
    return answer, request


def _play(page: Page) -> float:
    milliseconds: float = page.evaluate(_FIRST_FRAME)
    page.keyboard.press("Escape")
    return milliseconds


def measure(address: str, runs: int) -> dict[str, list[float]]:
    """Ask and play several times; return milliseconds by name."""
    from playwright.sync_api import sync_playwright

    figures: dict[str, list[float]] = {"answer": [], "request": [], "frame": []}
    stamp = f"{time.time():.0f}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.wait_for_selector("body.is-ready")
        _ask(page, "forklift")
        _play(page)
        for number in range(runs):
            # The demo's model ignores words that it does not know, so the answer is the same.
            answer, request = _ask(page, f"forklift {stamp}x{number}")
            figures["answer"].append(answer)
            figures["request"].append(request)
            figures["frame"].append(_play(page))
        browser.close()
    return figures


def main() -> None:
    """Measure, print and save the figures."""
    parser = result_parser(__doc__)
    parser.add_argument("address")
    parser.add_argument("--runs", type=int, default=15)
    given = parser.parse_args()
    found = measure(given.address, given.runs)
    figures = {
        "runs": given.runs,
        "medians_milliseconds": {name: round(median(values), 1) for name, values in found.items()},
        "minima_milliseconds": {name: round(min(values), 1) for name, values in found.items()},
    }
    print_result(figures, given.to)


if __name__ == "__main__":
    main()
