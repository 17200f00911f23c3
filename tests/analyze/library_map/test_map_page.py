from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Literal

import pytest
from browser import Browser
from PIL import Image

from pipeline.analyze.library_map.page import NO_LABEL, MapPoint, map_page

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
    page.locator("#map").hover()
    page.wait_for_selector("#card:not([hidden])")
    assert "gate.mp4" in page.inner_text("#card")
    assert page.evaluate("document.querySelector('#card img').naturalWidth") == 16
    assert "--like gate.mp4@2.00" in page.inner_text("#card")
    page.select_option("#colouring", label="camera")
    assert page.inner_text("#legend").split() == ["gate", "(1)", "yard", "(1)"]
    page.click("#legend button >> nth=1")
    assert page.get_attribute("#legend button >> nth=1", "aria-pressed") == "true"
    page.mouse.move(1, 1)
    page.locator("#map").hover()
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


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_moments_without_a_label_are_grey_below_the_others_and_last_in_the_legend(
    browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    values = [("day", "truck"), ("day", NO_LABEL), ("night", NO_LABEL), (None, None), ("day", NO_LABEL)]
    points = [
        MapPoint(0.1 + 0.2 * n, 0.5, f"{n}.mp4", "0:00.000 - 0:04.000", f"{n}.mp4@2.00", -1, (None, *each))
        for n, each in enumerate(values)
    ]
    # One point that shows nothing lies on one that shows a truck.
    points.append(MapPoint(0.1, 0.5, "5.mp4", "0:00.000 - 0:04.000", "5.mp4@2.00", -1, (None, "day", NO_LABEL)))
    path = tmp_path / "map.html"
    colourings = ["cluster", "label: light", "label"]
    path.write_text(map_page(points, [], colourings, library="l", figures={"moment": 6}), encoding="utf-8")
    page = browser.open(path)
    page.emulate_media(color_scheme=scheme)
    page.select_option("#colouring", label="label: light")
    assert page.inner_text("#legend").split() == ["day", "(4)", "night", "(1)"]
    page.select_option("#colouring", label="label")
    assert page.inner_text("#legend").split() == ["truck", "(1)", "none", "(4)"]
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    centres = """numbers => {
        const canvas = document.getElementById("map"), ratio = devicePixelRatio || 1;
        const all = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return numbers.map(n => {
            const [x, y] = place(points[n]).map(at => Math.round(at * ratio)), first = 4 * (y * canvas.width + x);
            return [...all.slice(first, first + 3)];
        });
    }"""
    truck, none, unlabelled = page.evaluate(centres, [0, 1, 3])
    assert max(none) - min(none) < 40 < max(truck) - min(truck)
    assert none == unlabelled
    page.click("#legend button >> nth=1")
    page.focus("#map")
    page.keyboard.press("ArrowRight")
    assert "label: none" in page.inner_text("#card")
    assert browser.errors == []
