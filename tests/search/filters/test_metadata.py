"""Videos chosen by their metadata, and patterns of names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from contracts.word_world import video

from pipeline.errors import QueryError
from pipeline.search.filters.metadata import metadata_hint, metadata_text, with_metadata
from pipeline.search.filters.video_names import is_pattern, match_pattern
from pipeline.types import Scalar, VideoRecord


def records(*metadata: dict[str, Scalar]) -> list[VideoRecord]:
    return [replace(video(f"v{n}", "red")[0], metadata=each) for n, each in enumerate(metadata)]


def test_values_are_compared_with_their_types() -> None:
    some = records({"lit": True}, {"lit": 1}, {"lit": "1"}, {"lit": 1.0}, {})
    assert [r.video_id for r in with_metadata(some, {"lit": True})] == ["v0"]
    assert [r.video_id for r in with_metadata(some, {"lit": 1})] == ["v1", "v3"]
    assert [r.video_id for r in with_metadata(some, {"lit": "1"})] == ["v2"]
    assert metadata_hint(some[:1], {"lit": 1}) == "lit is never 1; it is True"


def test_the_nearest_values_come_first_and_only_some_are_listed() -> None:
    some = records(*({"camera": f"cam{number:02}"} for number in range(30)), {"camera": "gate"})
    hint = metadata_hint(some, {"camera": "gaet"})
    assert hint.startswith("camera is never 'gaet'; it is 'gate', 'cam00', ")
    assert hint.endswith(" and 19 more")


@pytest.mark.parametrize(("name", "near"), [("camra", "'camera'"), ("Camera", "'camera'"), ("flor", "'floor'")])
def test_the_nearest_names_are_suggested(name: str, near: str) -> None:
    with pytest.raises(QueryError, match=f"did you mean {near}"):
        with_metadata(records({"camera": "gate"}, {"floor": 1}), {name: 1})


def test_of_no_video_nothing_is_asked() -> None:
    assert with_metadata([], {"camera": "gate"}) == []


def test_metadata_for_people() -> None:
    assert metadata_text({"camera": "gate", "floor": 1, "lit": True}) == "camera=gate, floor=1, lit=true"


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.mp4", ["a", "b", "d"]),
        ("?.mkv", ["c"]),
        ("[!ab].mp4", ["d"]),
        ("/videos/*.mp4", ["a"]),
        ("/videos/*", ["a"]),
        ("/videos/**", ["a", "b", "c"]),
        ("/videos/**/*.mp4", ["a", "b"]),
        ("**/x/*", ["b", "d"]),
        ("s3://bucket/*/*.mp4", ["d"]),
        ("s3://**/*.mp4", ["d"]),
    ],
)
def test_patterns_stay_within_folders(pattern: str, wanted: list[str]) -> None:
    names = {"a": "/videos/a.mp4", "b": "/videos/x/b.mp4", "c": "/videos/x/y/c.mkv", "d": "s3://bucket/x/d.mp4"}
    some = [replace(video(name, "red")[0], names=(place,)) for name, place in names.items()]
    assert is_pattern(pattern)
    assert list(match_pattern(some, pattern)) == wanted


def test_a_pattern_that_fits_none_is_refused() -> None:
    with pytest.raises(QueryError, match=r"no video of this library matches '\*\.avi'"):
        match_pattern([video("a", "red")[0]], "*.avi")
