from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import QueryError
from pipeline.search.filters.video_names import VideoNames, match_videos
from pipeline.testing.store import made_record
from pipeline.types import VideoRecord


def named(video_id: str, *names: str) -> VideoRecord:
    from dataclasses import replace

    return replace(made_record(video_id), names=names)


RECORDS = [
    named("v1", "/films/park.mp4", "s3://bucket/copy of park.mp4"),
    named("v2", "gate.mkv"),
    named("v3", "/other/park.mp4"),
    named("v4", "/films/RoripwjYFp8_360.0_510.0.mp4"),
    named("v5", "https://x.org/a.mp4"),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("v2", ("v2",)),
        ("/films/park.mp4", ("v1",)),
        ("s3://bucket/copy of park.mp4", ("v1",)),
        ("copy of park.mp4", ("v1",)),
        ("file:///films/park.mp4", ("v1",)),
        ("https://x.org/a.mp4?sig=secret", ("v5",)),
        ("park.mp4", ("v1", "v3")),
        ("park", ("v1", "v3")),
        ("gate", ("v2",)),
        ("/films/../films/park.mp4", ("v1",)),
        ("RoripwjYFp8_360.0_510.0", ("v4",)),
    ],
)
def test_match_videos(wanted: str, found: tuple[str, ...]) -> None:
    assert match_videos(RECORDS, wanted) == found


def test_a_relative_name_fits_the_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert match_videos(RECORDS, os.fspath(tmp_path / "gate.mkv")) == ("v2",)
    assert match_videos([named("v9", str(tmp_path / "a" / "b.mp4"))], "./a/b.mp4") == ("v9",)


def test_an_id_comes_before_a_file_name() -> None:
    assert match_videos([named("v1", "/x/v2"), named("v2", "/x/y")], "v2") == ("v2",)


def test_an_unknown_name_has_the_nearest() -> None:
    with pytest.raises(QueryError, match=r"no video 'parc\.mp4' in this library; nearest: park\.mp4"):
        match_videos(RECORDS, "parc.mp4")


@pytest.mark.parametrize("wanted", ["", "zzzzzzzzzz", "nosuch.mp4"])
def test_a_name_like_no_other_has_none(wanted: str) -> None:
    with pytest.raises(QueryError, match="it has 5 videos, none with a similar name: momentseek videos lists them"):
        match_videos(RECORDS, wanted)


def test_an_empty_library_says_so() -> None:
    with pytest.raises(QueryError, match="has no videos yet"):
        match_videos([], "park.mp4")


def test_videos_are_listed_again_only_for_a_name_that_is_not_known_or_when_they_may_have_changed() -> None:
    listings = [RECORDS[:2], RECORDS, RECORDS[1:]]
    names = VideoNames()

    def list_records() -> list[VideoRecord]:
        return listings.pop(0)

    assert names.find(["park", "gate.mkv", "v1"], list_records) == ("v1", "v2")
    assert len(listings) == 2
    assert names.find(["v3"], list_records) == ("v3",)
    assert names.find(["v1"], list_records) == ("v1",)
    assert len(listings) == 1
    names.forget()
    assert names.find(["park.mp4"], list_records) == ("v3",)
