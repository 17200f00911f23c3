from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.sources import Listed, expand, read_listings
from pipeline.types import Source


def uris(*paths: str) -> list[str]:
    return [source.uri for source in expand(paths)]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.mp4", "folder/b.mkv", "folder/deep/c.webm", "folder/.hidden.mp4", "folder/notes.md", "odd [1].mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_stand_for_themselves_in_their_order(tree: Path) -> None:
    assert uris("odd [1].mp4", "a.mp4", "folder/notes.md") == ["odd [1].mp4", "a.mp4", "folder/notes.md"]


def test_a_folder_stands_for_its_videos(tree: Path) -> None:
    assert uris("folder") == ["folder/b.mkv", "folder/deep/c.webm"]


def test_a_file_comes_once(tree: Path) -> None:
    assert uris("folder/b.mkv", "folder", str(tree / "folder" / "b.mkv")) == ["folder/b.mkv", "folder/deep/c.webm"]


def test_what_stands_for_no_video_comes_out_as_it_is(tree: Path) -> None:
    assert uris("missing.mp4", "empty", "none*.mp4") == ["missing.mp4", "empty", "none*.mp4"]


def test_patterns_stand_for_their_matches(tree: Path) -> None:
    assert uris("folder/*.mkv") == ["folder/b.mkv"]
    assert uris("**/*.webm") == ["folder/deep/c.webm"]
    assert uris("f*") == ["folder/b.mkv", "folder/deep/c.webm"]


def test_a_file_whose_name_is_a_pattern_is_that_file(tree: Path) -> None:
    assert uris("odd [1].mp4") == ["odd [1].mp4"]


def test_a_list_names_paths_relative_to_its_folder(tree: Path) -> None:
    (tree / "folder" / "list.txt").write_bytes(
        "\ufeff# videos\r\nb.mkv\r\n\r\n  deep\n../a.mp4\nmissing é.mp4\n".encode()
    )
    assert uris("folder/list.txt") == [
        "folder/b.mkv",
        "folder/deep/c.webm",
        "folder/../a.mp4",
        "folder/missing é.mp4",
    ]


def test_a_list_may_name_files_that_are_not_utf8(tree: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    (tree / "list.txt").write_bytes(b"caf\xe9.mp4\n")
    assert uris("list.txt") == [name]


def test_an_empty_list_comes_out_as_it_is(tree: Path) -> None:
    (tree / "list.txt").write_text("# nothing\n")
    assert uris("list.txt", "") == ["list.txt"]


@pytest.mark.parametrize(
    "name", ["with space.mp4", "it's.mp4", 'quo"te.mp4', "new\nline.mp4", "-dash.mp4", "видео.mp4"]
)
def test_any_name_works(tree: Path, name: str) -> None:
    (tree / "empty" / name).touch()
    assert uris(f"empty/{name}") == uris("empty") == [f"empty/{name}"]


def test_read_listings_leaves_names_that_another_machine_opens_out(tree: Path) -> None:
    names = ["folder", "./folder", "none*.mp4", "file:///c%20d.mp4", "s3://bucket/m.csv", "far.csv", "far.txt"]
    assert list(read_listings(names)) == [
        f"{tree}/folder",
        f"{tree}/none*.mp4",
        "/c d.mp4",
        "s3://bucket/m.csv",
        f"{tree}/far.csv",
        f"{tree}/far.txt",
    ]


def test_read_listings_reads_a_list_as_expand_does_and_opens_nothing_out(tree: Path) -> None:
    (tree / "folder" / " b.mp4").touch()
    (tree / "folder" / "list.txt").write_bytes(
        b"# films\r\n b.mp4\r\n  far [1].mp4 \r\n\n../a.mp4\ns3://bucket/*.mp4\ncaf\xe9.mp4\nother.csv\n"
    )
    found = [
        f"{tree}/folder/ b.mp4",
        f"{tree}/folder/far [1].mp4",
        f"{tree}/a.mp4",
        "s3://bucket/*.mp4",
        f"{tree}/folder/caf\udce9.mp4",
        f"{tree}/folder/other.csv",
    ]
    assert list(read_listings(["folder/list.txt"])) == [Listed(tuple(map(Source, found)), are_videos=False)]


def test_read_listings_reads_manifests_with_what_they_say(tree: Path) -> None:
    (tree / "folder" / "m.csv").write_text("path,camera,take\nx [1].mp4,gate,3\nhttps://x.org/b.mp4,,4\n")
    rows = (
        Source(f"{tree}/folder/x [1].mp4", {"camera": "gate", "take": 3}),
        Source("https://x.org/b.mp4", {"take": 4}),
    )
    assert list(read_listings(["a.mp4", "folder/m.csv"])) == [f"{tree}/a.mp4", Listed(rows, are_videos=True)]


def test_read_listings_refuses_a_broken_manifest(tree: Path) -> None:
    (tree / "m.jsonl").write_text('{"uri": "a.mp4"}\n{"name": "b.mp4"}\n')
    with pytest.raises(SourceError, match=r"m\.jsonl, line 2: no column names the video"):
        list(read_listings(["m.jsonl"]))


def test_a_list_that_names_nothing_stays_a_name(tree: Path) -> None:
    (tree / "empty.txt").write_text("# nothing\n")
    assert list(read_listings(["empty.txt"])) == [f"{tree}/empty.txt"]
    assert uris("empty.txt") == ["empty.txt"]
