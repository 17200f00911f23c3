"""axe-core finds nothing on absences, labels, concepts and doubtful frames, and none is wider than its window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from page_visitor import PageVisitor, served
from test_accessibility import violations

from pipeline import Library
from pipeline.analyze.marks.mark import Mark, Verdict
from pipeline.library.analysis.marks import write_marks

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser

pytestmark = pytest.mark.browser

SUBJECTS = {"forklift": (Verdict.YES, Verdict.NO), 'hi-vis <b>vest"': (Verdict.YES,)}
WIDE = "document.documentElement.scrollWidth > innerWidth"


@pytest.fixture(scope="module")
def viewed_address(analysed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the analysed library, with a concept and with marks of a subject without one."""
    folder = Path(shutil.copytree(analysed_folder, tmp_path_factory.mktemp("viewed") / "library"))
    with Library.open(folder) as library:
        for record in library.select().records:
            for number in range(4):
                for subject, verdicts in SUBJECTS.items():
                    verdict = verdicts[number % len(verdicts)]
                    write_marks(library, [Mark(record.video_id, 7.0 * number, 7.0 * number, subject, verdict)])
    with served(Library.open(folder)) as address:
        yield address


@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1440, 900), ("dark", 360, 740)])
def test_axe_finds_nothing_in_the_views(
    viewed_address: str, chromium: PlaywrightBrowser, scheme: str, width: int, height: int
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        bypass_csp=True,  # axe is injected as an inline script
    )
    visitor = PageVisitor(viewed_address, context)
    assert context.request.post(f"{viewed_address}/api/v1/concepts/forklift/fit", data={}).ok
    found, wide = {}, {}
    page = visitor.open("/?q=concept:forklift&none=1&min=0.3")
    page.wait_for_selector("absence-row svg, #nothing:not([hidden])", state="attached")
    page.click("[data-concepts]")
    found["absences"], wide["absences"] = violations(page), page.evaluate(WIDE)
    page = visitor.open("/labels")
    page.locator("#labels summary").first.click()
    page.wait_for_selector(".label-video")
    page.click("#unseen summary")
    found["labels"], wide["labels"] = violations(page), page.evaluate(WIDE)
    page.locator(".label-video .label-name").first.click()
    page.wait_for_selector("label-timeline:not([hidden])")
    found["labels of a video"], wide["labels of a video"] = violations(page), page.evaluate(WIDE)
    page = visitor.open("/concepts")
    page.wait_for_selector("#subjects .concept")
    assert page.inner_text("#subjects h3") == 'hi-vis <b>vest"'
    found["concepts"], wide["concepts"] = violations(page), page.evaluate(WIDE)
    page = visitor.open("/review?subject=a+forklift")
    page.wait_for_selector("#item:not([hidden])")
    found["doubtful frames"], wide["doubtful frames"] = violations(page), page.evaluate(WIDE)
    context.close()
    assert {name: each for name, each in found.items() if each} == {}
    assert not any(wide.values()), wide
