from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import VideoNotFoundError
from pipeline.io.folders import content_of
from pipeline.sources import expand
from pipeline.video import Decoding, make_decoder

PATTERNS = ["videos", "videos/**/*.mp4", "videos/**"]


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def uris(*names: str) -> list[str]:
    return [source.uri for source in expand(names)]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of videos, and a disk beside it."""
    make(tmp_path, "videos/b.mp4", "videos/deep/c.mp4", "disk/a.mp4", "disk/sub/d.mp4", "disk/.hidden/e.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes folders of a name unreadable; root, whom these tests may run as, reads every other."""
    scandir, access = os.scandir, os.access

    def close(name: str) -> None:
        def scan(path: Any = ".") -> Any:
            if Path(path).name == name:
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", scan)
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != name and access(path, mode))

    return close


def test_videos_are_sorted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    make(tmp_path, "b.mp4", "a.MKV", "sub/c.webm", ".hidden.mp4", ".folder/d.mp4", "notes.txt", "z.gif", "raw.h264")
    found = [os.path.relpath(path, tmp_path) for path in content_of(str(tmp_path)).videos]
    assert found == ["a.MKV", "b.mp4", "raw.h264", "sub/c.webm", "z.gif"]


@pytest.mark.parametrize("name", PATTERNS)
def test_a_linked_folder_is_followed(tree: Path, name: str) -> None:
    (tree / "videos" / "cam1").symlink_to(tree / "disk")
    assert uris(name) == ["videos/b.mp4", "videos/cam1/a.mp4", "videos/cam1/sub/d.mp4", "videos/deep/c.mp4"]


@pytest.mark.parametrize("name", PATTERNS)
def test_links_in_a_circle_end(tree: Path, name: str) -> None:
    (tree / "videos" / "again").symlink_to("..")
    (tree / "videos" / "deep" / "up").symlink_to("../../videos")
    (tree / "disk" / "back").symlink_to(tree / "videos")
    found = uris(name)
    assert found[-2:] == ["videos/b.mp4", "videos/deep/c.mp4"]
    assert sorted({os.path.realpath(uri) for uri in found}) == [
        str(tree / path) for path in ("disk/a.mp4", "disk/sub/d.mp4", "videos/b.mp4", "videos/deep/c.mp4")
    ]
    assert len(found) == 4


@pytest.mark.parametrize("name", [*PATTERNS, "videos/*"])
def test_a_folder_that_several_links_lead_to_is_read_once(tree: Path, name: str) -> None:
    for link in ("0-first", "second", "third"):
        (tree / "videos" / link).symlink_to(tree / "disk")
    (tree / "videos" / "1-deep").symlink_to(tree / "videos" / "deep")
    assert uris(name) == ["videos/0-first/a.mp4", "videos/0-first/sub/d.mp4", "videos/b.mp4", "videos/deep/c.mp4"]


def test_a_linked_folder_that_is_named_is_read(tree: Path) -> None:
    (tree / "link").symlink_to("disk")
    assert uris("link") == ["link/a.mp4", "link/sub/d.mp4"]
    (tree / "list.txt").write_text("link\nvideos\n")
    assert uris("list.txt") == ["link/a.mp4", "link/sub/d.mp4", "videos/b.mp4", "videos/deep/c.mp4"]


def test_many_links_to_each_other_cost_no_more_than_folders_there_are(tree: Path) -> None:
    for number in range(12):
        make(tree, f"videos/{number}/x.mp4")
        for other in range(12):
            (tree / "videos" / str(number) / f"to-{other}").symlink_to(f"../{other}")
    assert len(uris("videos")) == len(uris("videos/**/*.mp4")) == 14


@pytest.mark.parametrize("name", [*PATTERNS, "videos/*", "videos/*/*.mp4"])
def test_a_folder_that_may_not_be_read_is_named(tree: Path, closed: Callable[[str], None], name: str) -> None:
    make(tree, "videos/locked/f.mp4")
    closed("locked")
    assert "videos/locked" in uris(name)
    with pytest.raises(VideoNotFoundError, match="this user may not read the folder; change its permissions"):
        make_decoder(Decoding()).open("videos/locked")


def test_a_folder_that_is_named_and_may_not_be_read_says_so(tree: Path, closed: Callable[[str], None]) -> None:
    make(tree, "outer/locked/f.mp4")
    closed("locked")
    assert uris("outer/locked") == ["outer/locked"]
    with pytest.raises(VideoNotFoundError, match=r"a folder without readable videos; .*/locked' in it cannot"):
        make_decoder(Decoding()).open("outer")


def test_links_that_lead_nowhere_are_named_unless_they_led_to_something_else(tree: Path) -> None:
    for name, target in (
        ("gone.mp4", "missing.mp4"),
        ("unplugged", "/mnt/no-such-disk"),
        ("loop", "loop"),
        ("latest.log", "missing.log"),
        (".hidden", "missing"),
    ):
        (tree / "videos" / name).symlink_to(target)
    assert uris("videos") == [
        "videos/b.mp4",
        "videos/deep/c.mp4",
        "videos/gone.mp4",
        "videos/loop",
        "videos/unplugged",
    ]
    with pytest.raises(VideoNotFoundError, match="a broken link to '/mnt/no-such-disk'; repair it, or leave it out"):
        make_decoder(Decoding()).open("videos/unplugged")


def test_patterns_match_as_before_where_there_are_no_links(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tree, "videos/odd [1]/x.mp4", "videos/odd [1]/y/x.mp4")
    assert uris("**/x.mp4") == ["videos/odd [1]/x.mp4", "videos/odd [1]/y/x.mp4"]
    assert uris("**/odd*/**/x.mp4") == ["videos/odd [1]/x.mp4", "videos/odd [1]/y/x.mp4"]
    assert uris(f"{tree}/**/c.mp4") == [f"{tree}/videos/deep/c.mp4"]
    assert uris("./**/c.mp4") == ["./videos/deep/c.mp4"]
    assert uris("*/**/none.mp4") == ["*/**/none.mp4"]
    monkeypatch.chdir(tree / "videos")
    assert uris("**") == ["b.mp4", "deep/c.mp4", "odd [1]/x.mp4", "odd [1]/y/x.mp4"]
    assert uris("../videos/d*/**") == ["../videos/deep/c.mp4"]
