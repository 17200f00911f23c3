"""Reading from a real web server, well and ill."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from contracts.decoder_contract import CASES
from video_catalogue import MILLISECOND
from video_factory import Made, make_video, number_of, steady
from web_server import WebServer

from pipeline.errors import UnsupportedVideoError, VideoError, VideoNotFoundError, VideoReadError
from pipeline.io.media import open_media
from pipeline.io.settings import Fetching
from pipeline.types import Frame
from pipeline.video import Decoding, VideoDecoder, content_id, make_decoder

MIB = 2**20
PATIENT = Fetching(timeout_seconds=60, pause_seconds=0.01, cache_bytes=8 * MIB, allow_private=True)
QUICK = PATIENT.model_copy(update={"timeout_seconds": 1.0})
"""For servers that send nothing."""


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def pyav() -> VideoDecoder:
    return make_decoder(Decoding(), PATIENT)


def seen(frames: Iterator[Frame]) -> list[tuple[object, int]]:
    return [(frame.time, number_of(frame.rgb())) for frame in frames]


def truth(made: Made) -> list[tuple[object, int]]:
    return list(zip(made.times, made.numbers, strict=True))


def open_files(folder: Path) -> list[str]:
    """What this process holds open in a folder, files without a name among it."""
    gc.collect()
    held = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # another thread has closed it since, or it is the listing's own
            held.append(link.readlink())
    return [str(path) for path in held if path.is_relative_to(folder)]


@pytest.mark.parametrize("takes_ranges", [True, False])
@pytest.mark.parametrize("has_length", [True, False])
@pytest.mark.parametrize("backend", ["pyav", "decord", "opencv"])
def test_every_decoder_reads_a_url(
    backend: str, server: WebServer, long_video: Made, tmp_path: Path, takes_ranges: bool, has_length: bool
) -> None:
    fetching = PATIENT.model_copy(update={"spool_folder": str(tmp_path)})
    decoder = make_decoder(Decoding(backend=backend), fetching)
    server.files["/long.mkv"] = long_video.path.read_bytes()
    server.takes_ranges, server.has_length = takes_ranges, has_length
    with decoder.open(server.url("long.mkv", "?sig=secret")) as stream:
        assert seen(stream.frames()) == truth(long_video)
        assert (stream.damage, stream.end_time) == ((), long_video.end)
        assert stream.info.uri == server.url("long.mkv")
        assert seen(stream.frames(start=long_video.times[100]))[0] == truth(long_video)[100]
        assert bool(open_files(tmp_path)) == (backend != "pyav" or not takes_ranges)
    assert open_files(tmp_path) == list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", CASES)
def test_a_url_gives_the_frames_of_the_file(
    pyav: VideoDecoder, server: WebServer, video: Callable[[str], Made], case: str
) -> None:
    made = video(case)
    server.files[f"/{case}"] = made.path.read_bytes()
    with pyav.open(server.url(case)) as remote, pyav.open(str(made)) as local:
        pairs = zip(remote.frames(), local.frames(), strict=True)
        assert all(one.time == other.time and np.array_equal(one.rgb(), other.rgb()) for one, other in pairs)
        assert replace(remote.info, uri="") == replace(local.info, uri="")
        assert (remote.damage, remote.covered_seconds) == (local.damage, local.covered_seconds)


@pytest.mark.parametrize("takes_ranges", [True, False])
@pytest.mark.parametrize("size_bytes", [1, 4096, 3 * MIB, 3 * MIB + 1, 9 * MIB + 5])
def test_an_id_is_that_of_the_file(tmp_path: Path, server: WebServer, size_bytes: int, takes_ranges: bool) -> None:
    content = b"\0" + np.random.default_rng(size_bytes).bytes(size_bytes - 1)
    (tmp_path / "a.mp4").write_bytes(content)
    server.files["/a.mp4"] = content
    server.takes_ranges = takes_ranges
    assert content_id(server.url("a.mp4"), PATIENT) == content_id(str(tmp_path / "a.mp4"))


def test_an_id_reads_a_fraction(server: WebServer) -> None:
    server.files["/a.mp4"] = bytes(64 * MIB)
    content_id(server.url("a.mp4"), PATIENT)
    assert sum(size_of(wanted) for wanted in server.requests) < 6 * MIB


def size_of(wanted: str) -> int:
    start, _, end = wanted.removeprefix("bytes=").partition("-")
    return int(end) - int(start) + 1


def test_what_is_kept_is_bounded(server: WebServer) -> None:
    server.files["/a.mp4"] = bytes(20 * MIB)
    with closing(open_media(server.url("a.mp4"), PATIENT)) as media, media.open() as file:
        file.read(7 * MIB)
        file.seek(0)
        asked = len(server.requests)
        file.read(7 * MIB)
        assert len(server.requests) == asked
        file.read()
        file.seek(0)
        asked = len(server.requests)
        file.read(1)
        assert len(server.requests) == asked + 1


def test_a_moment_costs_a_fraction_of_the_video(pyav: VideoDecoder, server: WebServer, large: Made) -> None:
    content = server.files["/large.mp4"] = large.path.read_bytes()
    assert len(content) > 8 * MIB
    with pyav.open(server.url("large.mp4")) as stream:
        frame = next(iter(stream.frames(start=large.times[60])))
    assert number_of(frame.rgb()) == large.numbers[60]
    assert sum(map(size_of, server.requests)) < len(content) / 2


def test_reading_straight_on_takes_few_requests(pyav: VideoDecoder, server: WebServer, large: Made) -> None:
    content = server.files["/large.mp4"] = large.path.read_bytes()
    with pyav.open(server.url("large.mp4")) as stream:
        assert seen(stream.frames()) == truth(large)
    assert len(server.requests) < 15
    assert sum(map(size_of, server.requests)) < len(content) * 1.3


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("empty.mp4", b"", "the file is empty"),
        ("page.mp4", b"<!doctype html><title>Log in</title>", "a text file"),
        ("list.mp4", b"ffconcat version 1.0\nfile '/etc/hostname'\n", "a text file"),
        ("list.mp4", b"ffconcat version 1.0\nfile '/etc/hostname'\n#\0\xff\n", "not a video file"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:3,\nhttp://127.0.0.1/x.ts\n#EXT-X-ENDLIST\n#\0\xff\n", "not a video file"),
        ("picture.mp4", b"\xff\xd8\xff\xe0rest", "a still image"),
        ("noise.mp4", np.random.default_rng(1).bytes(20_000), "not a video file"),
    ],
)
@pytest.mark.parametrize("takes_ranges", [True, False])
def test_what_is_no_video_is_refused(
    pyav: VideoDecoder, server: WebServer, name: str, content: bytes, problem: str, takes_ranges: bool
) -> None:
    server.files[f"/{name}"] = content
    server.takes_ranges = takes_ranges
    with pytest.raises(UnsupportedVideoError, match=problem):
        pyav.open(server.url(name))


@pytest.mark.parametrize(
    ("status", "problem"),
    [(404, "no such file"), (410, "no such file"), (403, "denies access .*credentials"), (401, "credentials")],
)
def test_what_is_not_given_out_is_not_asked_for_again(
    pyav: VideoDecoder, server: WebServer, status: int, problem: str
) -> None:
    server.files["/a.mp4"] = b"\0"
    server.statuses = [status] * 9
    with pytest.raises(VideoNotFoundError, match=problem) as caught:
        pyav.open(server.url("a.mp4", "?sig=secret"))
    assert len(server.requests) == 1
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("takes_ranges", [True, False])
@pytest.mark.parametrize("fault", ["status", "stall", "cut"])
def test_faults_that_pass_cost_a_try(
    pyav: VideoDecoder, server: WebServer, long_video: Made, fault: str, takes_ranges: bool
) -> None:
    server.files["/long.mkv"] = long_video.path.read_bytes()
    server.takes_ranges = takes_ranges

    def disturb(count: int) -> None:
        if count in (2, 4):
            server.statuses = [503] if fault == "status" else []
            server.stalls, server.cuts = int(fault == "stall"), int(fault == "cut")

    server.on_request = disturb
    decoder = make_decoder(Decoding(), QUICK) if fault == "stall" else pyav
    with decoder.open(server.url("long.mkv")) as stream:
        assert seen(stream.frames()) == truth(long_video)
        assert stream.damage == ()


@pytest.mark.parametrize("healthy", [0, 3])
@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("status", "its server responds with 500 Internal Server Error; tried 3 times"),
        ("stall", "its server sent nothing for 1 s; tried 3 times"),
        ("cut", "the connection was lost .*tried 3 times"),
    ],
)
def test_faults_that_stay_fail_with_their_cause(
    pyav: VideoDecoder, server: WebServer, large: Made, fault: str, problem: str, healthy: int
) -> None:
    server.files["/large.mp4"] = large.path.read_bytes()

    def disturb(count: int) -> None:
        if count == healthy + 1:
            server.statuses = [500] * 99 if fault == "status" else []
            server.stalls, server.cuts = 99 * (fault == "stall"), 99 * (fault == "cut")

    server.on_request = disturb
    decoder = make_decoder(Decoding(), QUICK) if fault == "stall" else pyav
    with pytest.raises(VideoReadError, match=problem), decoder.open(server.url("large.mp4")) as stream:
        list(stream.frames())
    assert len(server.requests) == healthy + QUICK.tries


@pytest.mark.slow
@pytest.mark.parametrize("name", ["large.mp4", "large.mkv", "large.ts", "large.avi", "large.mpg"])
def test_faults_that_stay_fail_a_part_of_a_video_too(
    pyav: VideoDecoder, server: WebServer, tmp_path: Path, name: str
) -> None:
    codec = {"avi": "mpeg4", "mpg": "mpeg2video"}.get(name[-3:], "libx264")
    options = {} if codec == "libx264" else {"b": "30M", "qmax": "4"}
    made = make_video(
        tmp_path / name,
        steady(100, 25),
        codec=codec,
        options=options,
        size=(640, 480),
        noise=60,
        keyframe_every=10,
        time_base=MILLISECOND if name.endswith("mkv") else Fraction(1, 25),
    )
    server.files[f"/{name}"] = made.path.read_bytes()
    with pyav.open(server.url(name)) as stream:
        frames = iter(stream.frames(start=made.times[30], end=made.times[90]))
        next(frames)
        server.statuses = [500] * 99
        with pytest.raises(VideoReadError, match="its server responds with 500"):
            list(frames)


@pytest.mark.parametrize("has_tags", [True, False])
@pytest.mark.parametrize("takes_ranges", [True, False])
def test_what_changes_while_it_is_read_fails(
    pyav: VideoDecoder, server: WebServer, large: Made, has_tags: bool, takes_ranges: bool
) -> None:
    content = large.path.read_bytes()
    server.files["/large.mp4"] = content
    server.has_tags, server.takes_ranges = has_tags, takes_ranges

    def change(count: int) -> None:
        if count == 3:
            server.files["/large.mp4"] = content + b"\0" * 100

    server.on_request = change
    with pytest.raises(VideoReadError, match="changed while it was read"), pyav.open(server.url("large.mp4")) as stream:
        list(stream.frames())


def test_what_goes_while_it_is_read_fails(pyav: VideoDecoder, server: WebServer, large: Made) -> None:
    server.files["/large.mp4"] = large.path.read_bytes()
    server.on_request = lambda count: server.files.clear() if count == 4 else None
    with pytest.raises(VideoNotFoundError, match="no such file"), pyav.open(server.url("large.mp4")) as stream:
        list(stream.frames())


def test_a_server_that_is_not_there_is_said_so(pyav: VideoDecoder) -> None:
    with pytest.raises(VideoReadError, match=r"its server cannot be reached.*tried 3 times"):
        pyav.open("http://127.0.0.1:9/a.mp4")


@pytest.mark.parametrize("uri", ["http://", "http:///a.mp4", "nosuch://a/b.mp4"])
def test_what_is_no_place_is_said_so(pyav: VideoDecoder, uri: str) -> None:
    with pytest.raises(VideoError, match="check"):
        pyav.open(uri)


def test_a_copy_is_bounded_and_goes(server: WebServer, large: Made, tmp_path: Path) -> None:
    content = server.files["/large.mp4"] = large.path.read_bytes()
    server.takes_ranges = False
    fetching = PATIENT.model_copy(update={"spool_bytes": len(content) - 1, "spool_folder": str(tmp_path)})
    with pytest.raises(VideoReadError, match=r"more than fetching\.spool_bytes allows"):
        make_decoder(Decoding(), fetching).open(server.url("large.mp4"))
    assert len(server.requests) == 1
    server.has_length = False
    with pytest.raises(VideoReadError, match=r"more than fetching\.spool_bytes allows"):
        make_decoder(Decoding(), fetching).open(server.url("large.mp4"))
    assert open_files(tmp_path) == list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_copy_is_named(server: WebServer, large: Made, tmp_path: Path) -> None:
    server.files["/large.mp4"] = large.path.read_bytes()
    fetching = PATIENT.model_copy(update={"spool_folder": str(tmp_path / "none")})
    with pytest.raises(VideoReadError, match=r"cannot be written to .* \(No such file or directory\); set fetching"):
        make_decoder(Decoding(backend="opencv"), fetching).open(server.url("large.mp4"))


def test_a_file_that_changes_while_it_is_read_fails(pyav: VideoDecoder, large: Made, tmp_path: Path) -> None:
    path = tmp_path / "growing.mp4"
    path.write_bytes(large.path.read_bytes())
    with pyav.open(str(path)) as stream:
        frames = iter(stream.frames())
        next(frames)
        with path.open("ab") as file:
            file.write(b"\0" * 100)
        with pytest.raises(VideoReadError, match="changed while it was read; run it again"):
            list(frames)


def test_a_file_that_goes_while_it_is_read_fails(pyav: VideoDecoder, large: Made, tmp_path: Path) -> None:
    path = tmp_path / "going.mp4"
    path.write_bytes(large.path.read_bytes())
    with pyav.open(str(path)) as stream:
        frames = iter(stream.frames())
        next(frames)
        path.unlink()
        with pytest.raises(VideoNotFoundError, match="removed while it was read"):
            list(frames)
