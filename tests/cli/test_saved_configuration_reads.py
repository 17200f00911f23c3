"""The saved configuration of a library, `library.yaml`, is read once a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.store.local_folder import LocalFolder


@contextmanager
def counted_reads() -> Iterator[list[str]]:
    """Count how often a library's file is opened for reading."""
    opened: list[str] = []
    plain = LocalFolder.open

    def counting(folder: LocalFolder, name: str) -> object:
        if name == "library.yaml":
            opened.append(name)
        return plain(folder, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalFolder, "open", counting)
        yield opened


COMMANDS = {
    "failed sources": ("videos", "--failed"),
    "search": ("search", "a person"),
    "many questions": ("search", "--queries", "questions.jsonl"),
    "videos": ("videos",),
    "videos by metadata": ("videos", "--where", "camera=gate"),
    "index": ("index", "new.mp4", "--in-process"),
    "index again": ("index", "yard.mp4", "--in-process"),
    "metadata": ("metadata", "yard.mp4", "--set", "lit=true"),
    "remove": ("remove", "yard.mp4", "--yes"),
    "verify": ("index", "verify"),
    "rebuild": ("index", "rebuild"),
}


@pytest.mark.parametrize("by", ["folder", "configuration"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_reads_the_saved_configuration_once(command, by, four, momentseek, make_video, tmp_path, monkeypatch):
    make_video("new.mp4", grey=222)
    (tmp_path / "questions.jsonl").write_text('"a person"\n{"shows": "a car"}\n')
    monkeypatch.chdir(tmp_path)
    options = ("-l", str(Path("library").absolute())) if by == "folder" else four
    with counted_reads() as opened:
        result = momentseek(*COMMANDS[command], *options)
    assert result.code == 0, result.err
    assert len(opened) == 1
