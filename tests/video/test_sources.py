from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.video import expand


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
