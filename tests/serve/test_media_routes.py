"""Frames, sprite sheets and byte ranges, compared with the files themselves."""

from __future__ import annotations

import io
import os
import re
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.run_config import load_run_config
from pipeline.video.frame_at import frame_at
from pipeline.video.pyav.decoder import PyAVDecoder


def read(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.float32)


@pytest.mark.parametrize("seconds", ["0", "3.2", "8.6086", "12.48"])
def test_a_frame_is_the_decoders(client: TestClient, video_ids: dict[str, str], films: Path, seconds: str) -> None:
    response = client.get(f"/api/v1/videos/{video_ids['fire-drill.mp4']}/frames/{seconds}.jpg")
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    expected = frame_at(PyAVDecoder(), str(films / "fire-drill.mp4"), float(seconds)).astype(np.float32)
    # JPEG loses a little; a neighbouring shot differs by far more.
    assert np.abs(read(response.content) - expected).mean() < 4


def test_a_frame_is_scaled_and_cached(client: TestClient, video_ids: dict[str, str]) -> None:
    url = f"/api/v1/videos/{video_ids['fire-drill.mp4']}/frames/3.jpg?width=160"
    response = client.get(url)
    assert read(response.content).shape[:2] == (90, 160)
    again = client.get(url, headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(url.replace("160", "8000")).status_code == 200


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "1e300", "x", "9999"])
def test_a_time_without_a_frame_is_a_problem(client: TestClient, video_ids: dict[str, str], seconds: str) -> None:
    response = client.get(f"/api/v1/videos/{video_ids['fire-drill.mp4']}/frames/{seconds}.jpg")
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")


def test_cues_name_the_tiles_of_the_sheet(client: TestClient, video_ids: dict[str, str]) -> None:
    base = f"/api/v1/videos/{video_ids['fire-drill.mp4']}"
    cues = client.get(f"{base}/sprite.vtt?tiles=12&width=96").text
    tiles = re.findall(r"(\S+) --> \S+\n(sprite\.jpg\S*)#xywh=(\d+),(\d+),(\d+),(\d+)", cues)
    assert cues.startswith("WEBVTT\n\n")
    assert len(tiles) == 12
    sheet = read(client.get(f"{base}/{tiles[0][1]}").content)
    assert sheet.shape == (2 * 54, 960, 3)
    for _, _, left, top, width, height in tiles:
        tile = sheet[int(top) : int(top) + int(height), int(left) : int(left) + int(width)]
        assert tile.std() > 5
    assert client.get(f"{base}/sprite.jpg?start=5&end=4").status_code == 422


@pytest.mark.parametrize("name", ["fire-drill.mp4", "warehouse-shift.mp4"])
@pytest.mark.parametrize(("start", "end"), [(3.1, 5.3), (7.52, 12.04), (20.021, 24.167), (0, 26)])
def test_a_tile_shows_a_frame_of_its_part(
    client: TestClient, video_ids: dict[str, str], films: Path, name: str, start: float, end: float
) -> None:
    """In a part without keyframes, tiles showed the last keyframe before it."""
    tiles = 8
    answer = client.get(f"/api/v1/videos/{video_ids[name]}/sprite.jpg?tiles={tiles}&width=160&start={start}&end={end}")
    sheet = read(answer.content)
    step = (end - start) / tiles
    height = sheet.shape[0]
    with PyAVDecoder().open(str(films / name)) as stream:
        for tile in range(tiles):
            part = sheet[:, tile * 160 : (tile + 1) * 160]
            interval = (Fraction(start + tile * step), Fraction(start + (tile + 1) * step))
            frames = stream.frames(start=interval[0], end=interval[1])
            least = min(np.abs(part - frame.rgb(160, height).astype(np.float32)).mean() for frame in frames)
            assert least < 10, tile  # scaling and JPEG; another shot differs by 30 and more


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-1", 0, 2),  # what Safari asks first
        ("bytes=0-", 0, None),
        ("bytes=100-199", 100, 200),
        ("bytes=-50", -50, None),
        ("bytes=5-99999999999", 5, None),
    ],
)
def test_ranges(
    client: TestClient, video_ids: dict[str, str], films: Path, header: str, start: int, end: int | None
) -> None:
    content = (films / "fire-drill.mp4").read_bytes()
    url = f"/api/v1/videos/{video_ids['fire-drill.mp4']}/media"
    response = client.get(url, headers={"Range": header})
    first, last = start % len(content), (end or len(content)) - 1
    assert response.status_code == 206
    assert response.content == content[start:end]
    assert response.headers["content-range"] == f"bytes {first}-{last}/{len(content)}"
    assert response.headers["content-length"] == str(last - first + 1)
    assert (response.headers["accept-ranges"], response.headers["content-type"]) == ("bytes", "video/mp4")


def test_a_whole_file_and_its_head(client: TestClient, video_ids: dict[str, str], films: Path) -> None:
    content = (films / "fire-drill.mp4").read_bytes()
    url = f"/api/v1/videos/{video_ids['fire-drill.mp4']}/media"
    whole = client.get(url)
    assert (whole.status_code, whole.content) == (200, content)
    head = client.head(url)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(content)), b"")
    for header in ("bytes=2-1", "lines=1-2", "bytes=0-1,5-6", "bytes=-", "nonsense"):
        assert client.get(url, headers={"Range": header}).status_code == 200
    assert client.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200
    assert client.get(url, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("header", ["bytes=99999999-", "bytes=-0"])
def test_a_range_beyond_the_end(client: TestClient, video_ids: dict[str, str], films: Path, header: str) -> None:
    size = (films / "fire-drill.mp4").stat().st_size
    response = client.get(f"/api/v1/videos/{video_ids['fire-drill.mp4']}/media", headers={"Range": header})
    assert (response.status_code, response.headers["content-range"]) == (416, f"bytes */{size}")


def test_a_link_that_leads_elsewhere_is_not_followed(serve, films: Path, tmp_path: Path) -> None:
    video, secret = tmp_path / "a.mp4", tmp_path / "secret"
    shutil.copy(films / "fire-drill.mp4", video)
    secret.write_bytes(os.urandom(video.stat().st_size))
    settings = [f"library={tmp_path / 'library'}", "execution.executor=in_process", "index.backend=memory"]
    with Library.open(load_run_config("demo", settings)) as library:
        [report] = library.index([video])
    client = serve(Library.open(tmp_path / "library"))
    url = f"/api/v1/videos/{report.video_id}/media"
    assert client.get(url).status_code == 200
    video.unlink()
    video.symlink_to(secret)
    for path in (url, f"/api/v1/videos/{report.video_id}/frames/1.jpg"):
        response = client.get(path)
        assert response.status_code in (404, 409, 422)
        assert response.headers["content-type"] == "application/problem+json"
