"""What `momentseek search` prints, draws and refuses, with a model that knows nothing."""

from __future__ import annotations

import av
import pytest
from PIL import Image


def test_search_prints_moments_best_first(momentseek, config, make_video):
    momentseek("index", make_video("a.mp4"), make_video("b.mp4", grey=10), "-c", config)
    result = momentseek("search", "something", "-c", config, "--top", 2, "--min-score", 0)
    lines = result.out.splitlines()
    assert lines[0].split() == ["#", "video", "from", "to", "best", "score"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2"]
    scores = [float(line.split()[-1]) for line in lines[1:]]
    assert scores == sorted(scores, reverse=True)
    assert result.code == 0


def test_search_prints_json_lines_that_name_one_video(momentseek, config, make_video):
    momentseek("index", make_video("a.mp4"), make_video("b.mp4", grey=10), "-c", config)
    result = momentseek("search", "something", "-c", config, "--video", "b.mp4", "--json", "--min-score", 0)
    assert result.objects()
    for moment in result.objects():
        assert str(moment["uri"]).endswith("b.mp4")
        assert 0 <= moment["start_seconds"] <= moment["best_seconds"] < moment["end_seconds"]


def test_search_that_finds_nothing_says_so_and_is_well(momentseek, config, make_video):
    momentseek("index", make_video(), "-c", config)
    result = momentseek("search", "something", "-c", config, "--set", "search.min_score=0.999")
    assert (result.code, result.out) == (0, "")
    assert 'nothing matches "something"' in result.err


def test_search_draws_a_sheet_and_writes_clips(momentseek, config, make_video, tmp_path):
    momentseek("index", make_video(), "-c", config)
    sheet, clips = tmp_path / "sheet.png", tmp_path / "new" / "clips"
    result = momentseek(
        "search", "it", "-c", config, "-n", 1, "--min-score", 0, "--sheet", sheet, "--clips", clips, "--json"
    )
    [moment] = result.objects()
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
    [clip] = clips.iterdir()
    with av.open(str(clip)) as container:
        length = float(container.streams.video[0].duration * container.streams.video[0].time_base)
    assert length == pytest.approx(moment["end_seconds"] - moment["start_seconds"], abs=1e-3)


def test_search_refuses_a_sheet_that_cannot_be_written(momentseek, config, make_video, tmp_path):
    momentseek("index", make_video(), "-c", config)
    sheet = tmp_path / "none" / "sheet.png"
    result = momentseek("search", "it", "-c", config, "--sheet", sheet)
    assert result.code == 1
    assert f"the sheet cannot be written to '{sheet}' (No such file or directory)" in result.err


def test_search_without_a_library_makes_none(momentseek, tmp_path):
    result = momentseek("search", "x", "--library", tmp_path / "none")
    assert (result.code, "there is no library" in result.err) == (2, True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", [("search", "x"), ("videos",), ("remove", "x")])
def test_a_folder_that_is_no_library_is_refused_and_left_alone(momentseek, tmp_path, command):
    result = momentseek(*command, "--library", tmp_path)
    assert (result.code, "there is no library" in result.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_is_a_file_is_refused(momentseek, tmp_path):
    (tmp_path / "a.mp4").touch()
    result = momentseek("videos", "--library", tmp_path / "a.mp4")
    assert (result.code, "is a file or lies in one; name a folder" in result.err) == (1, True)


def test_a_library_without_a_name_is_refused(momentseek):
    result = momentseek("videos", "--library", "")
    assert (result.code, "library: " in result.err) == (2, True)


def test_search_whose_clips_cannot_be_made_fails(momentseek, config, make_video, tmp_path):
    path = make_video()
    momentseek("index", path, "-c", config)
    path.unlink()
    result = momentseek("search", "it", "-c", config, "-n", 1, "--min-score", 0, "--clips", tmp_path / "clips")
    assert (result.code, "no clip of moment 1" in result.err) == (1, True)


@pytest.mark.parametrize("question", ["", "   "])
def test_search_refuses_an_empty_question(momentseek, config, make_video, question):
    momentseek("index", make_video(), "-c", config)
    result = momentseek("search", question, "-c", config)
    assert (result.code, "empty" in result.err) == (2, True)
