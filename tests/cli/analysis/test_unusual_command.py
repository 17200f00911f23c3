from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_result import Result
from conftest import write_config
from grey_video import write_grey_video
from PIL import Image

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def watched(tiny_model: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A camera of three grey videos, one of which is black for a while, and a short video of another one."""
    from pipeline.cli import main

    folder = tmp_path_factory.mktemp("watched")
    for number, grey in enumerate((120, 122, 124)):
        write_grey_video(folder / f"hall{number}.mp4", seconds=40.0, grey=grey)
    write_grey_video(folder / "dark.mp4", seconds=3.0, grey=2)
    write_grey_video(folder / "yard.mp4", seconds=4.0, grey=60)
    rows = [f"hall{number}.mp4,hall" for number in range(3)] + ["dark.mp4,hall", "yard.mp4,yard"]
    (folder / "films.csv").write_text("\n".join(["uri,camera", *rows, ""]))
    options = ("-c", write_config(folder, tiny_model))
    assert main(["index", str(folder / "films.csv"), *options, "-l", str(folder / "library")]) == 0
    return options


def test_the_moment_that_is_least_like_the_rest_comes_first(momentseek: Run, watched: tuple[str, str]) -> None:
    result = momentseek("unusual", *watched, "--json")
    assert result.code == 0
    first = result.objects()[0]
    assert Path(str(first["uri"])).name == "dark.mp4"
    assert (first["camera"], first["start_seconds"], first["end_seconds"]) == ("hall", 0.0, 3.0)
    assert set(first) == {
        "video_id", "uri", "camera", "start_seconds", "end_seconds", "peak_seconds", "distance", "is_seasonal",
        "copies", "recorded_at",
    }  # fmt: skip


def test_people_get_a_table_and_are_told_what_was_compared(momentseek: Run, watched: tuple[str, str]) -> None:
    result = momentseek("unusual", *watched, "--top", "1")
    assert "0:00.000 - 0:03.000" in result.out
    assert "hall" in result.out
    assert "camera yard: " in result.err
    assert "too few, or too close in time, to say what is usual" in result.err


def test_a_misspelt_entry_for_cameras_is_refused(momentseek: Run, watched: tuple[str, str]) -> None:
    result = momentseek("unusual", *watched, "--camera", "camrea")
    assert (result.code, result.out) == (2, "")
    assert "no video of this library has metadata 'camrea'; did you mean 'camera'?" in result.err


def test_an_empty_library_is_said_to_be_empty(momentseek: Run, four: tuple[str, str]) -> None:
    names = ["a.mp4", "b.mp4", "yard.mp4", "odd*"]
    assert momentseek("remove", *names, "--yes", *four).code == 0
    result = momentseek("unusual", *four)
    assert (result.code, result.out, result.err.strip()) == (0, "", "there is no video to compare")


def test_a_camera_that_is_a_truth_value_is_written_as_it_was_given(momentseek: Run, four: tuple[str, str]) -> None:
    assert momentseek("metadata", "a.mp4", "--set", "camera=true", *four).code == 0
    assert "camera true: " in momentseek("unusual", *four).err


def test_the_sheet_shows_the_frames(momentseek: Run, watched: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    assert momentseek("unusual", *watched, "--top", "1", "--sheet", path).code == 0
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("L"))
    assert pixels.shape[1] > 800
    nowhere = momentseek("unusual", *watched, "--sheet", tmp_path / "no" / "sheet.png")
    assert (nowhere.code, "the sheet cannot be written" in nowhere.err) == (1, True)


def test_some_videos_and_errors(momentseek: Run, watched: tuple[str, str]) -> None:
    assert momentseek("unusual", "yard.mp4", *watched, "--json").out == ""
    assert momentseek("unusual", "nowhere.mp4", *watched).code == 2
    assert momentseek("unusual", *watched, "--top", "0").code == 2
