"""Reading from a real S3 server (moto's), and from fsspec's memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fsspec
import pytest
from contracts.bucket_contract import QUICK, BucketContract, fill, uris
from moto.server import ThreadedMotoServer
from video_factory import Made

from pipeline.errors import SourceError, UnsupportedVideoError, VideoNotFoundError, VideoReadError
from pipeline.video import content_id

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "topsecret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}


class TestS3(BucketContract):
    scheme = "s3"

    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, large: Made) -> Iterator[Any]:
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
            fill(files, large)
            yield files
            s3fs.S3FileSystem.clear_instance_cache()
        server.stop()

    def test_missing_credentials_are_named(self, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        import s3fs

        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        s3fs.S3FileSystem.clear_instance_cache()
        try:
            with pytest.raises(
                VideoNotFoundError, match="access denied: the credentials do not allow reading it, or there are none"
            ):
                content_id("s3://films/day/large.mp4", QUICK)
            with pytest.raises(SourceError, match="cannot be listed: access denied"):
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
