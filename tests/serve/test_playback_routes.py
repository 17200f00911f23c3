"""Videos that browsers cannot play are played as copies, in parts if they are long; moments are clips."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from made_library import add_video
from shots_library import opened
from starlette.testclient import TestClient
from video_factory import Made, make_video, number_of, steady

from pipeline.errors import VideoReadError
from pipeline.export.clips import export_clip
from pipeline.export.web_copy import whole_video
from pipeline.library import Library
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.media.media_copies import Make, MediaCopies
from pipeline.video.pyav.decoder import PyAVDecoder

COARSE = Fraction(1, 1000)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return opened(tmp_path / "library")


def shown(content: bytes, folder: Path) -> list[tuple[float, int]]:
    path = folder / "received.mp4"
    path.write_bytes(content)
    with PyAVDecoder().open(str(path)) as stream:
        return [(round(float(frame.time), 2), number_of(frame.rgb())) for frame in stream.frames()]


@pytest.fixture
def hevc(tmp_path: Path) -> Made:
    return make_video(tmp_path / "a.mkv", steady(30), codec="libx265", time_base=COARSE)


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [("a.mp4", "libx264", "as_is"), ("a.mkv", "libx264", "remuxed"), ("a.mkv", "libx265", "encoded")],
)
def test_media_is_what_a_browser_plays(
    serve: Callable[..., TestClient], library: Library, tmp_path: Path, name: str, codec: str, form: str
) -> None:
    made = make_video(tmp_path / name, steady(30), codec=codec, time_base=COARSE)
    base = f"/api/v1/videos/{add_video(library, made)}"
    client = serve(library)
    told = client.get(f"{base}/playback").json()
    assert (told["form"], told["needs_part"], told["is_ready"]) == (form, False, form == "as_is")
    response = client.get(f"{base}/media")
    assert (response.status_code, response.headers["content-type"]) == (200, "video/mp4")
    assert shown(response.content, tmp_path) == [(number / 10, number + 1) for number in range(30)]
    assert client.get(f"{base}/playback").json()["is_ready"]
    part = client.get(f"{base}/media", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, response.content[10:20])
    original = client.get(f"{base}/media", params={"original": True})
    assert original.content == made.path.read_bytes()


def test_a_long_video_is_played_in_parts(
    serve: Callable[..., TestClient], library: Library, tmp_path: Path, hevc: Made
) -> None:
    base = f"/api/v1/videos/{add_video(library, hevc)}"
    client = serve(library, whole_seconds=2.0, part_seconds=1.0)
    assert client.get(f"{base}/playback").json()["needs_part"]
    refused = client.get(f"{base}/media")
    assert (refused.status_code, refused.json()["code"]) == (409, "needs_part")
    response = client.get(f"{base}/part.mp4", params={"start": 1.0, "end": 1.5})
    assert shown(response.content, tmp_path) == [(number / 10, number + 11) for number in range(5)]
    for start, end in ((0, 2), (2, 1), (5, 6), (0, "nan"), (-1, 1)):
        assert client.get(f"{base}/part.mp4", params={"start": start, "end": end}).status_code == 422


def test_a_moment_is_a_clip(serve: Callable[..., TestClient], library: Library, tmp_path: Path) -> None:
    made = make_video(tmp_path / 'a "b"\n<c>.mp4', steady(30), time_base=COARSE)
    video_id = add_video(library, made)
    client = serve(library)
    url = f"/api/v1/moments/{video_id}@0.5,1.25/clip.mp4"
    response = client.get(url, params={"download": True})
    assert [number for _, number in shown(response.content, tmp_path)] == list(range(6, 14))
    named = response.headers["content-disposition"]
    assert named.startswith("attachment; filename*=UTF-8''01-a_b_c-0.500-1.250.mp4")
    assert client.get(url, headers={"If-None-Match": response.headers["etag"]}).status_code == 304
    for wrong in ("x", f"{video_id}@1,0.5", f"{video_id}@1,inf", f"{video_id}@1", "nowhere@0,1", f"{video_id}@1e999,2"):
        assert client.get(f"/api/v1/moments/{wrong}/clip.mp4").status_code == 404


def test_a_changed_file_is_not_copied(serve: Callable[..., TestClient], library: Library, hevc: Made) -> None:
    base = f"/api/v1/videos/{add_video(library, hevc)}"
    hevc.path.write_bytes(hevc.path.read_bytes() + b"x")
    client = serve(library)
    for path in ("media", "playback", "part.mp4?start=0&end=1"):
        response = client.get(f"{base}/{path}")
        assert (response.status_code, response.headers["content-type"]) == (409, "application/problem+json")


def test_copies_are_made_once_and_kept_within_a_limit() -> None:
    made: list[str] = []

    def writing(name: str) -> Make:
        def write(path: Path, _check: object) -> None:
            made.append(name)
            path.write_bytes(bytes(100))

        return write

    async def ask() -> None:
        copies = MediaCopies(most_bytes=250, most_seconds=20)
        paths = await asyncio.gather(*(copies.file("a", writing("a")) for _ in range(5)))
        assert len(set(paths)) == 1
        await copies.file("b", writing("b"))
        await copies.file("a", writing("a"))
        await copies.file("c", writing("c"))
        assert [copies.has(name) for name in "abc"] == [True, False, True]
        folder = paths[0].parent
        assert (len(list(folder.iterdir())), folder.stat().st_mode & 0o777) == (2, 0o700)
        copies.close()
        assert not folder.exists()

    asyncio.run(ask())
    assert made == ["a", "b", "c"]


def test_a_copy_that_takes_long_is_there_later() -> None:
    async def ask() -> None:
        copies, release = MediaCopies(most_bytes=250, most_seconds=0.1), threading.Event()

        def write(path: Path, _check: object) -> None:
            release.wait(20)
            path.write_bytes(b"x")

        with pytest.raises(ProblemError) as problem:
            await copies.file("a", write)
        assert (problem.value.status, problem.value.code, problem.value.retry_seconds) == (503, "preparing", 5)
        release.set()
        while not copies.has("a"):
            await asyncio.sleep(0.01)
        assert (await copies.file("a", write)).read_bytes() == b"x"
        copies.close()

    asyncio.run(ask())


def test_a_copy_that_fails_is_tried_again() -> None:
    async def ask() -> None:
        copies = MediaCopies(most_bytes=250, most_seconds=20)

        def fail(path: Path, _check: object) -> None:
            path.write_bytes(b"half")
            raise VideoReadError("a.mp4", "gone")

        for _ in range(2):
            with pytest.raises(VideoReadError):
                await copies.file("a", fail)
        await copies.file("a", lambda path, _check: path.write_bytes(b"x") and None)
        copies.close()

    asyncio.run(ask())


def test_a_stop_ends_conversions_and_leaves_no_file(library: Library, tmp_path: Path) -> None:
    video_id = add_video(library, make_video(tmp_path / "a.mp4", steady(30)))
    folder = tmp_path / "copies"
    folder.mkdir()

    async def ask() -> None:
        copies = MediaCopies(most_bytes=2**20, most_seconds=20, folder=str(folder))
        begun, release = threading.Event(), threading.Event()

        def write(path: Path, check: Callable[[], None]) -> None:
            def check_later() -> None:
                begun.set()
                release.wait(20)
                check()

            export_clip(library.indexed_videos, whole_video(video_id, 3.0), path, check=check_later)

        asking = [asyncio.create_task(copies.file(key, write)) for key in "ab"]
        while not begun.is_set():
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(copies.stop())
        await asyncio.sleep(0.05)
        release.set()
        await stopping
        for problem in await asyncio.gather(*asking, return_exceptions=True):
            assert isinstance(problem, ProblemError)
            assert problem.status == 503
        assert not [each for each in folder.rglob("*") if each.is_file()]
        copies.close()

    asyncio.run(ask())
    assert not [*folder.iterdir()]
