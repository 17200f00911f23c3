"""Reading from a Google Cloud Storage server: an emulator of it, asked by gcsfs as the real one is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import fsspec
import numpy as np
import pytest
from contracts.store_contract import made_frames, made_record
from gcp_storage_emulator.server import create_server
from video_factory import Made, make_video, number_of, steady

from pipeline.errors import SourceError, VideoNotFoundError, VideoReadError
from pipeline.store import ParquetStore
from pipeline.types import Source
from pipeline.video import Decoding, Fetching, content_id, expand, make_decoder

# Read when gcsfs is imported: else it asks first, and for a minute, by gRPC what kind of bucket this is.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
QUICK = Fetching(timeout_seconds=5, pause_seconds=0.01, tries=2)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Some six MiB of noise."""
    path = tmp_path_factory.mktemp("large") / "large.mp4"
    return make_video(path, steady(80, 10), size=(640, 480), noise=60, keyframe_every=10)


@pytest.fixture(scope="module")
def gs(large: Made) -> Iterator[Any]:
    """gcsfs on a server that has the bucket "films"."""
    import gcsfs

    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="films")
    server.start()
    port = server._api._httpd.server_port
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        gcsfs.GCSFileSystem.clear_instance_cache()
        files = fsspec.filesystem("gs", use_listings_cache=False)
        for name in ("day/large.mp4", "day/deep/b.mkv", "day/notes.md", "night/c.mp4"):
            files.pipe_file(f"films/{name}", large.path.read_bytes() if "large" in name else b"\0\0")
        yield files
        gcsfs.GCSFileSystem.clear_instance_cache()
    server.stop()


def uris(*paths: str) -> list[str]:
    return [source.uri for source in expand(paths, QUICK)]


@pytest.mark.parametrize("backend", ["pyav", "opencv"])
def test_an_object_gives_the_frames_of_the_file(gs: Any, large: Made, backend: str) -> None:
    with make_decoder(Decoding(backend=backend), QUICK).open("gs://films/day/large.mp4") as stream:
        found = [(frame.time, number_of(frame.rgb())) for frame in stream.frames()]
    assert found == list(zip(large.times, large.numbers, strict=True))


def test_an_object_has_the_id_of_the_file(gs: Any, large: Made) -> None:
    assert content_id("gs://films/day/large.mp4", QUICK) == content_id(str(large))


def test_folders_and_patterns_stand_for_their_videos(gs: Any) -> None:
    day = ["gs://films/day/deep/b.mkv", "gs://films/day/large.mp4"]
    assert uris("gs://films/day/") == uris("gs://films/day") == day
    assert uris("gs://films") == [*day, "gs://films/night/c.mp4"]
    assert uris("gs://films/**/*.mp4") == ["gs://films/day/large.mp4", "gs://films/night/c.mp4"]


def test_a_manifest_names_what_lies_beside_it(gs: Any) -> None:
    gs.pipe_file("films/lists/m.csv", b"uri,camera\n../day/large.mp4,gate\n")
    assert list(expand(["gs://films/lists/m.csv"], QUICK)) == [Source("gs://films/day/large.mp4", {"camera": "gate"})]
    with pytest.raises(SourceError, match=r"films/none\.csv: cannot be read: there is no such object"):
        uris("gs://films/none.csv")


@pytest.mark.parametrize("name", ["gs://films/none.mp4", "gs://nobucket/a.mp4"])
def test_what_is_not_there_is_said(gs: Any, name: str) -> None:
    assert uris(name) == [name]
    with pytest.raises(VideoNotFoundError, match="no such object"):
        content_id(name, QUICK)


def test_what_changes_while_it_is_read_fails(gs: Any, large: Made) -> None:
    gs.pipe_file("films/changing.mp4", large.path.read_bytes())
    with make_decoder(Decoding(), QUICK).open("gs://films/changing.mp4") as stream:
        frames = iter(stream.frames())
        next(frames)
        gs.pipe_file("films/changing.mp4", large.path.read_bytes()[:-1] + b"\1")
        with pytest.raises(VideoReadError, match="changed while it was read"):
            list(frames)


def test_what_goes_while_it_is_read_fails(gs: Any, large: Made) -> None:
    gs.pipe_file("films/going.mp4", large.path.read_bytes())
    with make_decoder(Decoding(), QUICK).open("gs://films/going.mp4") as stream:
        frames = iter(stream.frames())
        next(frames)
        gs.rm_file("films/going.mp4")
        with pytest.raises(VideoNotFoundError, match="no such object"):
            list(frames)


def test_a_library_may_lie_there(gs: Any) -> None:
    store, frames = ParquetStore("gs://films/library", "sampling", "encoder"), made_frames()
    store.write(made_record(), frames)
    [record] = store.records()
    np.testing.assert_array_equal(store.read(record.video_id).vectors, frames.vectors)
    assert store.delete(record.video_id)
    assert list(store.records()) == []
