"""Attacks of kinds that differ from the usual ones by a detail: none makes the server fail, and none gets anything."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from made_library import add_video
from PIL import Image
from shots_library import opened
from starlette.testclient import TestClient
from video_factory import make_video, steady

from pipeline.library import Library
from pipeline.serve.http.access_tokens import AccessTokens

API = "/api/v1"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return opened(tmp_path / "library")


@pytest.fixture
def video_id(library: Library, tmp_path: Path) -> str:
    return add_video(library, make_video(tmp_path / "a.mp4", steady(20)), {"camera": "gate"})


@pytest.fixture
def client(serve: Callable[..., TestClient], library: Library, video_id: str) -> TestClient:
    return serve(library)


HOSTS = {
    "localhost:1": 200,
    "LOCALHOST": 200,
    "localhost.": 200,
    "127.0.0.1:80": 200,
    "[::1]": 200,
    "[::1]:8737": 200,
    "[::ffff:127.0.0.1]": 200,
    "": 421,
    "localhost.evil.example": 421,
    "evil.example:8737": 421,
    "evil.example#localhost": 421,
    "evil.example?@localhost": 421,
    "localhost@evil.example": 421,
    "evil.example@localhost": 421,
    "localhost/evil.example": 421,
    "localhost, evil.example": 421,
    "0.0.0.0": 421,
    "[::": 421,
    "2130706433": 421,
    "localhost:notaport": 421,
    "localhost:99999999": 421,
    "a" * 5000: 421,
}


@pytest.mark.parametrize(("host", "status"), HOSTS.items())
def test_hosts(client: TestClient, host: str, status: int) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "file://"},
        {"Origin": "http://localhost, http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_origins(client: TestClient, headers: dict[str, str]) -> None:
    assert client.get(f"{API}/videos", headers=headers).status_code == 403
    assert client.post(f"{API}/search", json={"shows": "red"}, headers=headers).status_code == 403


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_methods_are_those_of_the_request(client: TestClient, header: str) -> None:
    client.put(f"{API}/cases/a", json={"moments": []})
    client.get(f"{API}/cases/a?_method=DELETE", headers={header: "DELETE"})
    client.post(f"{API}/cases/a?_method=DELETE", headers={header: "DELETE"})
    assert client.get(f"{API}/cases/a").status_code == 200
    for method in ("TRACE", "CONNECT", "PATCH", "PROPFIND", "OPTIONS"):
        assert client.request(method, f"{API}/cases/a").status_code == 405
    for path, value in (("/api/v1/videos", "/etc/passwd"), ("/healthz", f"{API}/videos")):
        answered = client.get(path, headers={"X-Original-URL": value, "X-Rewrite-URL": value})
        assert answered.json() == client.get(path).json()


NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1",
    "1" * 400,
    "0x10",
    "1_0",
    "",
    "null",
    "١٢",
    "1e-400",
    "9" * 19,
)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers(client: TestClient, video_id: str, number: str) -> None:
    base = f"{API}/videos/{video_id}"
    for path in (
        f"{base}/frames/{number}.jpg",
        f"{base}/frames/1.jpg?width={number}",
        f"{base}/sprite.jpg?start={number}",
        f"{base}/sprite.vtt?tiles={number}",
        f"{base}/sprite.vtt?end={number}&width={number}",
        f"{base}/part.mp4?start=0&end={number}",
        f"{API}/moments/{video_id}@0,{number}/clip.mp4",
        f"{API}/moments/{video_id}@{number},1/clip.mp4",
        f"{API}/videos?limit={number}",
        f"{API}/search?text=red&limit={number}",
        f"{API}/search?text=red&min_score={number}",
        f"{API}/search?text=red&page={number}",
        f"{API}/review/uncertain?subject=red&count={number}",
        f"{API}/marks/{video_id}@{number},{number}?subject=red",
        f"{API}/runs/x/events",
    ):
        response = client.get(path)
        assert response.status_code < 500, (path, response.text)
    response = client.get(f"{API}/runs/x/events", headers={"Last-Event-ID": number.encode("utf-8")})
    assert response.status_code == 404


def bodies() -> dict[str, bytes]:
    deep = b'{"shows":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    return {
        "deep list": deep,
        "deep object": b'{"shows":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        "NaN": b'{"shows": "red", "min_score": NaN}',
        "infinite": b'{"shows": "red", "top": Infinity}',
        "huge number": b'{"shows": "red", "top": ' + b"9" * 100_000 + b"}",
        "huge exponent": b'{"shows": "red", "min_score": 1e999999999}',
        "twice": b'{"shows": "red", "shows": "green"}',
        "not UTF-8": b'{"shows": "\xff\xfe"}',
        "UTF-16": '{"shows": "red"}'.encode("utf-16"),
        "lone surrogate": b'{"shows": "\\ud800"}',
        "NUL": b'{"shows": "re\\u0000d"}',
        "BOM": b'\xef\xbb\xbf{"shows": "red"}',
        "nothing": b"",
        "null": b"null",
        "number": b"1",
        "list": b"[]",
        "gzip": gzip.compress(b'{"shows": "red"}'),
        "bomb": gzip.compress(b"[" * 2**20),
        "form": b"shows=red&top=1",
        "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "prototype": b'{"__proto__": {"shows": "red"}, "constructor": 1}',
        "path": b'{"image": "/etc/passwd"}',
        "traversal": b'{"image": "upload:../../etc/passwd"}',
        "address": b'{"shows": {"image": "http://169.254.169.254/latest"}}',
        "object twice": b'{"where": {"camera": {"$gt": ""}}, "shows": "red"}',
    }


TYPES = ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "a")


BODIES = bodies()


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES)
def test_bodies(client: TestClient, video_id: str, content: bytes) -> None:
    for method, path in (
        ("POST", f"{API}/search"),
        ("POST", f"{API}/videos/{video_id}/curve"),
        ("PUT", f"{API}/cases/a"),
        ("PUT", f"{API}/searches/a"),
        ("PUT", f"{API}/marks/{video_id}@0,1?subject=red"),
        ("POST", f"{API}/runs"),
        ("POST", f"{API}/concepts/a/fit"),
        ("POST", "/login"),
    ):
        for kind in TYPES if len(content) < 1000 else TYPES[:1]:
            for headers in ({}, {"Content-Encoding": "gzip"}):
                response = client.request(method, path, content=content, headers={"Content-Type": kind, **headers})
                assert response.status_code < 500, (method, path, kind, response.text[:300])
                assert "root:" not in response.text
                assert "Traceback" not in response.text


def _png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _text_bomb() -> bytes:
    plain = io.BytesIO()
    Image.new("L", (8, 8)).save(plain, "png")
    content = b"Comment\0\0" + zlib.compress(bytes(100 * 2**20), 1)
    chunk = struct.pack(">I", len(content)) + b"zTXt" + content + struct.pack(">I", zlib.crc32(b"zTXt" + content))
    return plain.getvalue()[:33] + chunk + plain.getvalue()[33:]


def _saved(kind: str, size: tuple[int, int] = (64, 64), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, kind, **options)
    return buffer.getvalue()


def uploads() -> dict[str, bytes]:
    gif = _saved("gif")
    frames = [Image.new("P", (16, 16), number % 250) for number in range(300)]
    many = io.BytesIO()
    frames[0].save(many, "gif", save_all=True, append_images=frames[1:])
    return {
        "PNG of 50,000 x 50,000": _png(50_000, 50_000, zlib.compress(bytes(10_000), 9)),
        "PNG of 2^31": _png(2**31 - 1, 2**31 - 1, b""),
        "PNG without pixels": _png(0, 0, b""),
        "PNG with a text bomb": _text_bomb(),
        "GIF that claims 65,535 x 65,535": gif[:6] + b"\xff\xff\xff\xff" + gif[10:],
        "GIF of 300 pictures": many.getvalue(),
        "WebP that claims 16,383 x 16,383": b"RIFF\x24\x00\x00\x00WEBPVP8L\x18\x00\x00\x00\x2f\xfe\xff\xff\x0f"
        + bytes(19),
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/><script>1</script></svg>',
        "SVG bomb": b'<!DOCTYPE s [<!ENTITY a "' + b"x" * 1000 + b'">]><svg>' + b"&a;" * 100_000 + b"</svg>",
        "JPEG and HTML": _saved("jpeg") + b"<script>alert(1)</script>",
        "GIF and JavaScript": b"GIF89a/*" + bytes(50) + b"*/=1;alert(1)",
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "SDP": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
        "TIFF bomb": _saved("tiff")[:8] + b"\xff" * 100,
        "MP4 of nothing": b"\x00\x00\x00\x18ftypmp42" + bytes(12) + b"\xff\xff\xff\xffmoov",
        "zip": b"PK\x03\x04" + bytes(100),
        "nothing": b"",
    }


UPLOADS = (
    "PNG of 50,000 x 50,000",
    "PNG of 2^31",
    "PNG without pixels",
    "PNG with a text bomb",
    "GIF that claims 65,535 x 65,535",
    "GIF of 300 pictures",
    "WebP that claims 16,383 x 16,383",
    "SVG",
    "SVG bomb",
    "JPEG and HTML",
    "GIF and JavaScript",
    "playlist",
    "concat",
    "SDP",
    "PostScript",
    "TIFF bomb",
    "MP4 of nothing",
    "zip",
    "nothing",
)


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    return uploads()


@pytest.mark.parametrize("name", UPLOADS)
def test_uploads(client: TestClient, files: dict[str, bytes], name: str) -> None:
    assert set(files) == set(UPLOADS)
    response = client.post(f"{API}/uploads", content=files[name])
    assert response.status_code < 500, response.text
    assert "/tmp" not in response.text
    if response.status_code == 201:
        found = client.post(f"{API}/search", json={"image": response.json()["id"]})
        assert found.status_code < 500, found.text
        assert "/tmp" not in found.text
    assert client.get("/healthz").status_code == 200


def test_tokens_in_addresses_bodies_and_cookies(serve, library: Library, tmp_path: Path) -> None:
    tokens = AccessTokens(tmp_path / "tokens.json")
    token = tokens.add("anna", "admin")
    client = serve(library, tokens=tokens)
    for path in (f"token={token}", f"access_token={token}", f"authorization=Bearer%20{token}"):
        refused = client.get(f"{API}/videos?{path}")
        assert (refused.status_code, token in refused.text) == (401, False)
    for headers in (
        {"Authorization": token},
        {"Authorization": f"Basic {token}"},
        {"Authorization": f"Bearer {token}x"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {token.upper()}"},
        {"Authorization": "Bearer \xff\xfe".encode("latin-1")},
        {"Cookie": f"momentseek_session={token}"},
        {"Cookie": "momentseek_session=" + "a" * 10_000},
        {"X-Forwarded-User": "admin", "X-Forwarded-For": "127.0.0.1"},
    ):
        refused = client.get(f"{API}/videos", headers=headers)
        assert (refused.status_code, token in refused.text) == (401, False)
    page = client.get(f"/?token={token}", headers={"Accept": "text/html"}, follow_redirects=False)
    assert (page.status_code, page.headers["location"].startswith("/login?")) == (303, True)
    assert client.get(f"{API}/videos", headers={"Authorization": f"bearer  {token} "}).status_code == 200


NAMES = ('a"b;.mp4', "a\nSet-Cookie: x=1.mp4", "a\r\nX: y.mp4", "ä火 €.mp4", "%0d%0a.mp4", "..mp4", "a;filename=b.mp4")


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_stay_in_their_header(serve, library: Library, tmp_path: Path, name: str) -> None:
    video = add_video(library, make_video(tmp_path / "made.mp4", steady(20)).path.rename(tmp_path / name))
    client = serve(library)
    response = client.get(f"{API}/moments/{video}@0,1/clip.mp4?download=true")
    assert response.status_code == 200
    disposition = response.headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename\*=UTF-8''[A-Za-z0-9._~%-]+", disposition)
    assert "set-cookie" not in response.headers
    assert client.get(f"{API}/videos").status_code == 200


def test_media_behind_links(serve, library: Library, tmp_path: Path) -> None:
    made = make_video(tmp_path / "a.mp4", steady(20)).path
    video = add_video(library, made)
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"secret")
    client = serve(library)
    assert client.get(f"{API}/videos/{video}/media").status_code == 200
    for target in (secret, Path("/etc/passwd"), Path("/dev/zero"), tmp_path, tmp_path / "nothing", made):
        made.unlink()
        made.symlink_to(target)
        for path in ("media", "media?original=true", "frames/0.jpg", "sprite.jpg", "part.mp4?start=0&end=1"):
            response = client.get(f"{API}/videos/{video}/{path}", headers={"Range": "bytes=0-9"})
            assert response.status_code in (404, 409, 422), (target, path, response.text)
            assert str(tmp_path / "library") not in response.text or "problem+json" in response.headers["content-type"]


def test_one_of_many_writers_of_a_version_wins(client: TestClient) -> None:
    tag = client.put(f"{API}/cases/a", json={"moments": []}).headers["etag"]
    statuses: list[int] = []

    def write(number: int) -> None:
        body = {"description": str(number), "moments": []}
        statuses.append(client.put(f"{API}/cases/a", json=body, headers={"If-Match": tag}).status_code)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [412] * 11
    for header in ('W/"1"', "1", '""', '"a", "b"', "*,*", '"\xff"'.encode("latin-1")):
        response = client.put(f"{API}/cases/a", json={"moments": []}, headers={"If-Match": header})
        assert response.status_code in (400, 412)


FILTERS = (
    {"where": {"camera": 'gate" or 1==1 #'}},
    {"where": {"camera) or (1 == 1": "gate"}},
    {"where": {"camera": ["gate"]}},
    {"where": {"camera": {"like": "%"}}},
    {"where": {"camera": 1e308}},
    {"where": {"camera": 10**30}},
    {"videos": ["*"] * 3},
    {"videos": ['" or video_id != "']},
    {"videos": ["[" * 1000]},
    {"videos": ["a" * 4000]},
    {"labels": ['x" in labels or "']},
    {"not_labels": ["%"]},
    {"recorded_after": "' or 1==1"},
    {"shows": {"concept": "../../x"}},
    {"shows": {"like": "../../x@0"}},
    {"then": [{"shows": "green", "within_seconds": 1e308}]},
)


@pytest.mark.parametrize("fields", FILTERS, ids=lambda fields: json.dumps(fields)[:40])
@pytest.mark.parametrize("backend", ["memory", "milvus"])
def test_filters(serve, tmp_path: Path, backend: str, fields: dict[str, object]) -> None:
    library = opened(tmp_path / "library", backend=backend)
    add_video(library, make_video(tmp_path / "a.mp4", steady(20)), {"camera": "gate"})
    tokens = AccessTokens(tmp_path / "tokens.json")
    client = serve(library, tokens=tokens)
    headers = {"Authorization": f"Bearer {tokens.add('anna', 'search')}"}
    response = client.post(f"{API}/search", json={"shows": "red", **fields}, headers=headers)
    assert response.status_code in (200, 404, 422), response.text
    assert str(tmp_path / "library") not in response.text
