"""All commands that write to a library's index, on a disk without space."""

from __future__ import annotations

from pathlib import Path

import pytest


def fill(folder: Path) -> Path:
    """Leave no space in a folder's file system."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            return path


LONG = f"note={'x' * 9000}"


@pytest.mark.parametrize("index_alone", [False, True])
@pytest.mark.parametrize(
    "command",
    [
        ("metadata", "a.mp4", "--set", LONG),
        ("remove", "a.mp4"),
        ("index", "rebuild"),
        ("index", "migrate", "elsewhere"),
    ],
    ids=["metadata", "remove", "rebuild", "migrate"],
)
def test_a_full_disk_is_said_and_the_command_goes_on_once_there_is_space(
    momentseek, config, make_video, small_disk, tmp_path, command, index_alone
):
    library = tmp_path / "library" if index_alone else small_disk / "library"
    places = [f"library={library}", *([f"index.uri={small_disk / 'index'}"] if index_alone else [])]
    settings = [word for place in places for word in ("--set", place)]
    assert momentseek("index", make_video(), "-c", config, *settings).code == 0
    command = [str(small_disk / "elsewhere") if word == "elsewhere" else word for word in command]
    filler = fill(small_disk)
    full = momentseek(*command, "-l", library)
    filler.unlink()
    # What needs no further page of the disk goes through.
    if full.code:
        assert (full.code, full.out) == (1, "")
        assert "there is no space left" in full.err
        assert "free some" in full.err
        assert "Retry run out" not in full.err
        again = momentseek(*command, "-l", library)
        assert again.code == 0, again.err
    assert momentseek("index", "verify", "-l", library).code == 0
