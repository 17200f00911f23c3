from __future__ import annotations

import pickle

import pytest

from pipeline.errors import VideoNotFoundError
from pipeline.uris import is_remote, local_path, public_name, suffix_of


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("/a/b?c@d.mp4", "/a/b?c@d.mp4"),
        ("file:///a/b?c.mp4", "file:///a/b?c.mp4"),
        ("https://x.org/a.mp4?X-Amz-Signature=abc&t=1", "https://x.org/a.mp4"),
        ("HTTPS://me:word@x.org:8080/a.mp4#t=5", "HTTPS://x.org:8080/a.mp4"),
        ("https://token@x.org?sig=1", "https://x.org"),
        ("http://x.org/a@b/c.mp4", "http://x.org/a@b/c.mp4"),
        ("s3://bucket/a?b#c.mp4", "s3://bucket/a?b#c.mp4"),
        ("ftp://me:word@x.org/a.mp4", "ftp://x.org/a.mp4"),
        ("abfs://container@account.example/a.mp4", "abfs://container@account.example/a.mp4"),
    ],
)
def test_a_public_name_keeps_no_credentials(uri: str, shown: str) -> None:
    assert public_name(uri) == shown


def test_an_error_keeps_no_credentials() -> None:
    error = VideoNotFoundError("https://x.org/a.mp4?sig=secret", "gone")
    assert "secret" not in f"{error} {error!r} {error.uri} {pickle.loads(pickle.dumps(error))!r}"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("a.mp4", "a.mp4"),
        ("file:///a/b%20c.mp4", "/a/b c.mp4"),
        ("file://localhost/a.mp4", "/a.mp4"),
        ("local:///a.mp4", "/a.mp4"),
        ("s3://bucket/a.mp4", "s3://bucket/a.mp4"),
    ],
)
def test_local_uris_are_paths(uri: str, path: str) -> None:
    assert local_path(uri) == path
    assert is_remote(uri) == uri.startswith("s3")


def test_the_suffix_is_that_of_the_file() -> None:
    assert suffix_of("https://x.org/list.CSV?as=b.mp4") == ".csv"
    assert suffix_of("s3://bucket/a.mp4") == suffix_of("a.MP4") == ".mp4"
    assert suffix_of("folder") == ""


@pytest.mark.parametrize("uri", ["http://[", "http://[::1/a.mp4", "https://a]b/a.mp4", "http://\u2100/a.mp4"])
def test_a_malformed_host_is_no_error_before_the_url_is_opened(uri):
    assert suffix_of(uri) == ""
    assert is_remote(uri)
