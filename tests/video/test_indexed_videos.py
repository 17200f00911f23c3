"""Indexed videos are opened only where they still are what was indexed, on disks and in remote places."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from video_factory import make_video, steady
from web_server import WebServer

from pipeline.errors import VideoError, VideoReadError
from pipeline.io.settings import Fetching
from pipeline.video import Decoding, IndexedVideos, content_id, make_decoder

FETCHING = Fetching(tries=1, timeout_seconds=5, allow_private=True)


def videos_of(*names: str) -> IndexedVideos:
    return IndexedVideos(make_decoder(Decoding(), FETCHING), FETCHING, lambda _: names)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    return tuple(make_video(tmp_path / f"{n}.mp4", steady(8), first_number=n, noise=n).path for n in (100, 200))


def test_a_video_is_opened_where_it_is(two: tuple[Path, Path]) -> None:
    videos = videos_of(str(two[0]))
    for _ in range(2):
        with videos.open(content_id(str(two[0]))) as stream:
            assert len(list(stream.frames())) == 8
    assert videos.problems == {}


def test_another_content_is_refused_and_noted(two: tuple[Path, Path]) -> None:
    video_id = content_id(str(two[0]))
    videos = videos_of(str(two[0]))
    with videos.open(video_id):
        pass
    shutil.copy(two[1], two[0])
    with (
        pytest.raises(VideoReadError, match=r"no longer the video that was indexed.*index the new one"),
        videos.open(video_id),
    ):
        pytest.fail("another video was opened")
    assert list(videos.problems) == [video_id]


def test_other_names_are_tried_latest_first(two: tuple[Path, Path], tmp_path: Path) -> None:
    video_id = content_id(str(two[0]))
    copy = shutil.copy(two[0], tmp_path / "copy.mp4")
    videos = videos_of(str(two[0]), str(copy), str(two[1]), str(tmp_path / "none.mp4"))
    assert videos.place(video_id) == str(copy)
    assert videos.place(video_id, str(two[0])) == str(two[0])
    assert videos.problems == {}


def test_the_first_name_says_what_is_wrong(two: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no such file"):
        videos_of(str(two[1])).place(content_id(str(two[0])), str(tmp_path / "none.mp4"))
    with pytest.raises(VideoError, match="location of this video is unknown"):
        videos_of().place("0123")


def test_a_file_that_changes_while_it_is_read_is_noticed(two: tuple[Path, Path]) -> None:
    videos = videos_of(str(two[0]))

    def overwrite_while_reading() -> None:
        with videos.open(content_id(str(two[0]))) as stream:
            next(iter(stream.frames()))
            two[0].write_bytes(two[1].read_bytes() + b"more")

    with pytest.raises(VideoReadError, match="changed"):
        overwrite_while_reading()


def test_a_remote_video_is_checked_too(two: tuple[Path, Path]) -> None:
    video_id = content_id(str(two[0]))
    with WebServer({"/cam.mp4": two[0].read_bytes()}) as server:
        videos = videos_of(server.url("cam.mp4"))
        with videos.open(video_id) as stream:
            assert len(list(stream.frames())) == 8
        server.files["/cam.mp4"] = two[1].read_bytes()
        with pytest.raises(VideoReadError, match="no longer the video that was indexed"), videos.open(video_id):
            pytest.fail("another video was opened")
