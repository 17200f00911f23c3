"""Ranges as Safari and Firefox ask for them, of every form of media: a file itself, remuxed, encoded, and clips."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from made_library import add_video
from shots_library import opened
from starlette.testclient import TestClient
from video_factory import make_video, steady

FORMS = {
    "as it is": ("a.mp4", "libx264", "media"),
    "remuxed": ("a.mkv", "libx264", "media"),
    "encoded": ("a.mkv", "mpeg4", "media"),
    "part": ("a.mp4", "libx264", "part.mp4?start=0&end=1"),
    "clip": ("a.mp4", "libx264", "clip"),
}


@pytest.mark.parametrize(("name", "codec", "place"), FORMS.values(), ids=FORMS)
def test_ranges_of_every_form(
    serve: Callable[..., TestClient], tmp_path: Path, name: str, codec: str, place: str
) -> None:
    library = opened(tmp_path / "library")
    made = make_video(tmp_path / name, steady(30), codec=codec, time_base=Fraction(1, 1000))
    video_id = add_video(library, made)
    client = serve(library)
    address = f"/api/v1/moments/{video_id}@0,1/clip.mp4" if place == "clip" else f"/api/v1/videos/{video_id}/{place}"
    whole = client.get(address)
    content, size, tag = whole.content, len(whole.content), whole.headers["etag"]
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    # Safari plays nothing from a server that does not answer this with 206 and exactly two bytes.
    first = client.get(address, headers={"Range": "bytes=0-1"})
    assert (first.status_code, first.content) == (206, content[:2])
    assert (first.headers["content-range"], first.headers["content-length"]) == (f"bytes 0-1/{size}", "2")
    assert first.headers["content-type"] == whole.headers["content-type"] == "video/mp4"
    # Firefox and Chromium ask for all from a byte on, and for the end, where the index may be.
    parts = {
        "bytes=0-": content,
        f"bytes={size // 2}-": content[size // 2 :],
        "bytes=-100": content[-100:],
        f"bytes=-{10 * size}": content,
        f"bytes={size - 1}-{10**17}": content[-1:],
    }
    for header, expected in parts.items():
        found = client.get(address, headers={"Range": header})
        assert (found.status_code, found.content) == (206, expected), header
        start = size - len(expected)
        assert found.headers["content-range"] == f"bytes {start}-{size - 1}/{size}"
    # Several ranges and what is no range are ignored, as the specification allows.
    for header in ("bytes=0-1,5-6", "bytes=5-2", "bytes=a-b", "bytes=-", "items=0-1", "bytes 0-1", "bytes=0x0-1"):
        assert client.get(address, headers={"Range": header}).status_code == 200, header
    for header in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"):
        found = client.get(address, headers={"Range": header})
        assert (found.status_code, found.headers["content-range"]) == (416, f"bytes */{size}"), header
    known = {"Range": "bytes=0-1", "If-Range": tag}
    assert client.get(address, headers=known).status_code == 206
    for other in ('"other"', f"W/{tag}", "Mon, 30 Nov 2026 00:00:00 GMT"):
        changed = client.get(address, headers={**known, "If-Range": other})
        assert (changed.status_code, changed.content) == (200, content)
    head = client.head(address, headers={"Range": "bytes=0-1"})
    assert (head.status_code, head.content, head.headers["content-length"]) == (206, b"", "2")
    assert client.head(address).headers["content-length"] == str(size)
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
