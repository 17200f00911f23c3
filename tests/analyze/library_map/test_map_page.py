from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import pytest
from browser import Browser
from PIL import Image

from pipeline.analyze.library_map.page import MapPoint, map_page

HOSTILE = "</script><img src=x onerror=alert(1)>.mp4"


def picture() -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 9), (200, 40, 40)).save(buffer, format="JPEG")
    return base64.b64encode(buffer.getvalue()).decode()


def made_page() -> str:
    points = [
        MapPoint(0.5, 0.5, "gate.mp4", "0:00.000 - 0:04.000", "gate.mp4@2.00", 0, ("truck", "gate"), picture()),
        MapPoint(0.9, 0.9, HOSTILE, "0:04.000 - 0:08.000", f"{HOSTILE}@6.00", 0, ("truck", None)),
        MapPoint(0.1, 0.2, "yard.mp4", "0:00.000 - 0:04.000", "yard.mp4@2.00", -1, (None, "yard")),
    ]
    return map_page(points, ["truck"], ["cluster", "camera"], library="lib<b>", figures={"moment": 3, "video": 2})


def test_names_cannot_end_the_data_and_the_page_loads_nothing() -> None:
    html = made_page()
    assert html.count("</script>") == 2
    assert "lib&lt;b&gt;" in html
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL).group(1))  # type: ignore[union-attr]
    assert data["points"][1][2] == HOSTILE
    assert not re.search(r'(src|href)="(?!data:)', html)


@pytest.mark.browser
def test_the_page_shows_a_picture_on_hover_and_filters(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    path.write_text(made_page(), encoding="utf-8")
    page = browser.open(path)
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#card:not([hidden])")
    assert "gate.mp4" in page.inner_text("#card")
    assert page.evaluate("document.querySelector('#card img').naturalWidth") == 16
    assert "--like gate.mp4@2.00" in page.inner_text("#card")
    page.select_option("#colouring", label="camera")
    assert page.inner_text("#legend").split() == ["gate", "(1)", "yard", "(1)"]
    page.click("#legend button >> nth=1")
    assert page.get_attribute("#legend button >> nth=1", "aria-pressed") == "true"
    page.mouse.move(box["x"] + box["width"] / 2 + 1, box["y"] + box["height"] / 2)
    page.wait_for_selector("#card", state="hidden")
    assert browser.errors == []


@pytest.mark.browser
def test_the_map_can_be_read_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    path.write_text(made_page(), encoding="utf-8")
    page = browser.open(path)
    page.focus("#map")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#card:not([hidden])")
    assert HOSTILE in page.inner_text("#card")
    page.keyboard.press("Escape")
    page.wait_for_selector("#card", state="hidden")
    assert browser.errors == []
