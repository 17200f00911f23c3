"""Reading from a real S3 server (moto's), and from fsspec's memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fsspec
import pytest
from moto.server import ThreadedMotoServer
from video_factory import Made, make_video, number_of, steady

from pipeline.errors import SourceError, UnsupportedVideoError, VideoNotFoundError, VideoReadError
from pipeline.types import Source
from pipeline.video import Decoding, Fetching, content_id, expand, make_decoder

QUICK = Fetching(timeout_seconds=5, pause_seconds=0.01, tries=2)
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "topsecret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Some six MiB of noise."""
    path = tmp_path_factory.mktemp("large") / "large.mp4"
    return make_video(path, steady(80, 10), size=(640, 480), noise=60, keyframe_every=10)


@pytest.fixture(scope="module")
def s3(large: Made) -> Iterator[Any]:
    """s3fs on a server that has the bucket "films"."""
    import s3fs

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**SETTINGS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        files = s3fs.S3FileSystem(use_listings_cache=False)
        files.mkdir("films")
        for name in ("day/large.mp4", "day/deep/b.mkv", "day/notes.md", "day/.hidden.mp4", "night/c.mp4"):
            files.pipe_file(f"films/{name}", large.path.read_bytes() if "large" in name else b"\0\0")
        yield files
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def uris(*paths: str) -> list[str]:
    return [source.uri for source in expand(paths, QUICK)]


@pytest.mark.parametrize("backend", ["pyav", "decord", "opencv"])
def test_an_object_gives_the_frames_of_the_file(s3: Any, large: Made, backend: str) -> None:
    with make_decoder(Decoding(backend=backend), QUICK).open("s3://films/day/large.mp4") as stream:
        found = [(frame.time, number_of(frame.rgb())) for frame in stream.frames()]
    assert found == list(zip(large.times, large.numbers, strict=True))


def test_an_object_has_the_id_of_the_file(s3: Any, large: Made) -> None:
    assert content_id("s3://films/day/large.mp4", QUICK) == content_id(str(large))


def test_a_folder_stands_for_its_videos(s3: Any) -> None:
    day = ["s3://films/day/deep/b.mkv", "s3://films/day/large.mp4"]
    assert uris("s3://films/day/") == uris("s3://films/day") == day
    assert uris("s3://films") == [*day, "s3://films/night/c.mp4"]


def test_patterns_stand_for_their_matches(s3: Any) -> None:
    assert uris("s3://films/**/*.mp4") == ["s3://films/day/large.mp4", "s3://films/night/c.mp4"]
    assert uris("s3://films/day/.*") == ["s3://films/day/.hidden.mp4"]
    assert uris("s3://films/n*") == ["s3://films/night/c.mp4"]
    assert uris("s3://films/*/?.mp4") == ["s3://films/night/c.mp4"]


def test_what_stands_for_no_video_comes_out_as_it_is(s3: Any) -> None:
    names = [
        "s3://films/none/",
        "s3://films/none*.mp4",
        "s3://films/none.mp4",
        "s3://nobucket/a.mp4",
        "s3://films/notes",
    ]
    assert uris(*names) == names
    for name in names:
        with pytest.raises(VideoNotFoundError, match="no such object"):
            content_id(name, QUICK)


def test_a_folder_that_is_opened_says_so(s3: Any) -> None:
    with pytest.raises(VideoNotFoundError, match="a folder in which"):
        content_id("s3://films/day", QUICK)


def test_manifests_and_lists_name_what_lies_beside_them(s3: Any) -> None:
    s3.pipe_file("films/lists/m.csv", b"uri,camera\n../day/large.mp4,gate\n/here/b.mp4,yard\n")
    assert list(expand(["s3://films/lists/m.csv"], QUICK)) == [
        Source("s3://films/day/large.mp4", {"camera": "gate"}),
        Source("/here/b.mp4", {"camera": "yard"}),
    ]
    s3.pipe_file("films/day/list.txt", b"large.mp4\nhttps://x.org/a.mp4\ndeep/\n../n*/*.mp4\n")
    assert uris("s3://films/day/list.txt") == [
        "s3://films/day/large.mp4",
        "https://x.org/a.mp4",
        "s3://films/day/deep/b.mkv",
        "s3://films/night/c.mp4",
    ]
    with pytest.raises(SourceError, match=r"films/none\.csv: cannot be read: there is no such object"):
        uris("s3://films/none.csv")


def test_what_changes_while_it_is_read_fails(s3: Any, large: Made) -> None:
    s3.pipe_file("films/changing.mp4", large.path.read_bytes())
    with make_decoder(Decoding(), QUICK).open("s3://films/changing.mp4") as stream:
        frames = iter(stream.frames())
        next(frames)
        s3.pipe_file("films/changing.mp4", large.path.read_bytes()[:-1] + b"\1")
        with pytest.raises(VideoReadError, match="changed while it was read"):
            list(frames)


def test_what_goes_while_it_is_read_fails(s3: Any, large: Made) -> None:
    s3.pipe_file("films/going.mp4", large.path.read_bytes())
    with make_decoder(Decoding(), QUICK).open("s3://films/going.mp4") as stream:
        frames = iter(stream.frames())
        next(frames)
        s3.rm_file("films/going.mp4")
        with pytest.raises(VideoNotFoundError, match="no such object"):
            list(frames)


def test_missing_credentials_are_named(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(VideoNotFoundError, match="refused: these credentials may not read it, or there are none"):
            content_id("s3://films/day/large.mp4", QUICK)
        with pytest.raises(SourceError, match="cannot be listed: refused"):
            uris("s3://films/day/")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_store_that_is_not_there_fails_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    for name, value in {**SETTINGS, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(VideoReadError, match=r"cannot be read .*; tried 2 times") as caught:
            content_id("s3://films/day/large.mp4", QUICK)
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
    assert "topsecret" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("Install gcsfs")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(UnsupportedVideoError, match=r"Install gcsfs.*pip install 'momentseek\[gs\]'"):
        content_id("gs://films/a.mp4", QUICK)


def test_any_place_that_fsspec_knows_is_read(large: Made) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/films/a/large.mp4", large.path.read_bytes())
    try:
        assert uris("memory://films") == uris("memory://films/*/*") == ["memory://films/a/large.mp4"]
        assert content_id("memory://films/a/large.mp4", QUICK) == content_id(str(large))
    finally:
        memory.rm("/films", recursive=True)
