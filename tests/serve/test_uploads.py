"""Questions by uploaded pictures and clips: the same answers as by the files, whatever is uploaded."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.export import answer_json
from pipeline.search import as_query
from pipeline.serve.uploads import Uploads
from pipeline.video.frame_at import frame_at
from pipeline.video.pyav.decoder import PyAVDecoder

SEARCH, UPLOADS = "/api/v1/search", "/api/v1/uploads"


def windows(answer: dict) -> list[tuple[str, float, float]]:
    return [(m["video_id"], m["start_seconds"], m["score"]) for m in answer["moments"]]


@pytest.mark.parametrize("kind", ["image", "clip"])
def test_an_uploaded_file_is_searched_by(
    client: TestClient, served_folder: Path, films: Path, tmp_path: Path, kind: str
) -> None:
    path = films / "fire-drill.mp4"
    if kind == "image":
        picture = Image.fromarray(frame_at(PyAVDecoder(), str(path), 10.0))
        path = tmp_path / "picture.png"
        picture.save(path)
    uploaded = client.post(UPLOADS, content=path.read_bytes())
    assert (uploaded.status_code, uploaded.json()["kind"]) == (201, kind)
    name = uploaded.json()["id"]
    term = {kind: name} if kind == "image" else {kind: name, "start": 9, "end": 12}
    answer = client.post(SEARCH, json={"shows": term, "top": 3}, params={"explain": True}).json()
    with Library.open(served_folder) as library:
        expected = answer_json(library.ask(as_query({"shows": {**term, kind: str(path)}, "top": 3})))
    assert windows(answer) == windows(expected)
    assert answer["query"]["shows"] == [term]
    assert "momentseek-uploads" not in client.post(SEARCH, json={"shows": term}, params={"explain": True}).text
    assert client.post("/api/v1/videos/" + answer["moments"][0]["video_id"] + "/curve", json={"shows": term}).json()[
        "steps"
    ]


def png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


HOSTILE = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "html": b"<!doctype html><script>alert(1)</script>",
    "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "huge": png(50_000, 50_000, zlib.compress(b"\0" * 1000)),
    "bomb": png(20_000, 20_000, zlib.compress(b"\0" * 50_000_000, 9)),
    "empty": b"",
    "cut": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(client: TestClient, name: str) -> None:
    response = client.post(UPLOADS, content=HOSTILE[name], headers={"Content-Type": "image/png"})
    assert response.status_code in (415, 422), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert "momentseek-uploads" not in response.text
    assert "root:" not in response.text


@pytest.mark.parametrize("name", ["upload:0", "upload:../../etc/passwd", "/etc/passwd", "http://localhost/a.png"])
def test_only_an_upload_can_be_named(client: TestClient, name: str) -> None:
    for kind in ("image", "clip"):
        response = client.post(SEARCH, json={"shows": "a", "then": [{"shows": [{kind: name}]}]})
        assert response.status_code == 422
        assert "upload" in response.json()["detail"]


def test_old_uploads_are_dropped(tmp_path: Path) -> None:
    uploads = Uploads(most_bytes=250)
    kept = []
    for _ in range(3):
        path = uploads.new_path()
        path.write_bytes(bytes(100))
        kept.append(uploads.keep(path, "image"))
    assert [upload.path.exists() for upload in kept] == [False, True, True]
    folder = kept[0].path.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    uploads.close()
    assert not folder.exists()


def test_an_upload_that_is_too_large(serve, served_folder: Path) -> None:
    client = serve(Library.open(served_folder), upload_bytes=2_000_000)
    buffer = io.BytesIO()
    Image.effect_noise((900, 900), 90).convert("RGB").save(buffer, format="PNG")
    assert client.post(UPLOADS, content=buffer.getvalue()).status_code == 201
    assert client.post(UPLOADS, content=buffer.getvalue() * 3).status_code == 413
