"""A file that is overwritten under its name: nothing is shown of the new content for a moment of the old one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.video import content_id


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library"


@pytest.fixture
def cam(make_video, momentseek, config) -> Path:
    """An indexed dark video."""
    path = make_video("cam.mp4", grey=30)
    assert momentseek("index", path, "-c", config).code == 0
    return path


@pytest.fixture
def ask(momentseek, config):
    def run(*arguments: object):
        return momentseek("search", "a thing", "-c", config, "--min-score", 0, *arguments)

    return run


def overwrite(path: Path, make_video, *, grey: int = 220) -> str:
    """Put another video there; the id of the old one."""
    before = content_id(str(path))
    shutil.move(make_video("new.mp4", grey=grey), path)
    return before


def test_no_clip_and_no_picture_of_another_video(cam, make_video, ask, tmp_path):
    overwrite(cam, make_video)
    result = ask("--clips", tmp_path / "clips", "--sheet", tmp_path / "sheet.png", "--json")
    assert result.code == 1
    assert result.objects()
    assert list((tmp_path / "clips").iterdir()) == []
    assert "no clip of moment 1" in result.err
    assert f"{cam}: it is no longer the video that was indexed" in result.err.replace("'", "")
    assert "index the new one" in result.err
    assert np.asarray(Image.open(tmp_path / "sheet.png").crop((44, 130, 460, 340))).max(axis=2).mean() < 80


def test_a_sheet_warns_of_what_it_could_not_draw(cam, make_video, ask, tmp_path):
    overwrite(cam, make_video)
    result = ask("--sheet", tmp_path / "sheet.png")
    assert (result.code, result.err.count("warning:")) == (0, 1)
    assert "cam.mp4" in result.err


def test_refining_warns_and_the_answer_goes_on(cam, make_video, ask):
    found = ask("--json").objects()
    overwrite(cam, make_video)
    result = ask("--json", "--refine")
    assert [(each["start_seconds"], each["end_seconds"]) for each in result.objects()] == [
        (each["start_seconds"], each["end_seconds"]) for each in found
    ]
    assert result.code == 0


def test_another_name_of_the_same_content_is_used(cam, make_video, momentseek, config, ask, tmp_path):
    copy = tmp_path / "copy.mp4"
    shutil.copy(cam, copy)
    assert momentseek("index", copy, "-c", config).code == 0
    overwrite(copy, make_video)
    result = ask("--clips", tmp_path / "clips", "--sheet", tmp_path / "sheet.png")
    assert (result.code, "warning" in result.err) == (0, False)
    assert len(list((tmp_path / "clips").iterdir())) == 1


def test_indexing_the_path_again_takes_the_name(cam, make_video, momentseek, config, ask, tmp_path):
    old = overwrite(cam, make_video)
    new = content_id(str(cam))
    result = momentseek("index", cam, "-c", config)
    assert f"replaces {old}, which no longer has this name" in result.out
    records = {each["video_id"]: each for each in momentseek("videos", "-c", config, "--json").objects()}
    assert (records[new]["names"], records[new]["former_names"]) == ([str(cam)], [])
    assert (records[old]["names"], records[old]["former_names"]) == ([], [str(cam)])
    assert f"none; was {cam}, now another video" in momentseek("videos", "-c", config).out

    assert {each["video_id"] for each in ask("--json", "--video", "cam.mp4").objects()} == {new}
    moments = ask("--json", "--video", old).objects()
    assert [(each["video_id"], each["is_gone"]) for each in moments] == [(old, True)]
    shown = ask("--video", old, "--clips", tmp_path / "clips", "--sheet", tmp_path / "sheet.png")
    assert "cam.mp4 (gone)" in shown.out
    assert "1 moment of a video whose file is gone" in shown.err
    assert list((tmp_path / "clips").iterdir()) == []

    again = momentseek("index", cam, "-c", config, "--json")
    assert [(each["status"], each["replaced"]) for each in again.objects()] == [("skipped", [])]


def test_a_video_that_comes_back_has_its_name_again(cam, make_video, momentseek, config, tmp_path):
    kept = shutil.copy(cam, tmp_path / "kept")
    old = overwrite(cam, make_video)
    new = content_id(str(cam))
    momentseek("index", cam, "-c", config)
    shutil.copy(kept, cam)
    [report] = momentseek("index", cam, "-c", config, "--json").objects()
    assert (report["status"], report["replaced"]) == ("skipped", [new])
    records = {each["video_id"]: each for each in momentseek("videos", "-c", config, "--json").objects()}
    assert [(records[video]["names"], records[video]["former_names"]) for video in (old, new)] == [
        ([str(cam)], []),
        ([], [str(cam)]),
    ]


def test_a_library_of_an_older_version_gives_the_name_to_the_new_video(cam, make_video, momentseek, config, library):
    overwrite(cam, make_video)
    for folder in library.glob("frames/*/holders"):
        shutil.rmtree(folder)
    [report] = momentseek("index", cam, "-c", config, "--json").objects()
    assert len(report["replaced"]) == 1
    names = [each["names"] for each in momentseek("videos", "-c", config, "--json").objects()]
    assert sorted(names) == [[], [str(cam)]]


def test_new_metadata_and_removal_keep_to_the_names(cam, make_video, momentseek, config, library, tmp_path):
    old = overwrite(cam, make_video)
    new = content_id(str(cam))
    momentseek("index", cam, "-c", config)
    manifest = tmp_path / "all.csv"
    manifest.write_text(f"uri,camera\n{cam},gate\n")
    assert "metadata was replaced" in momentseek("index", manifest, "-c", config).out
    for video_id in (new, old):
        assert momentseek("remove", video_id, "-c", config).code == 0
    left = [path.name for path in library.glob("frames/*/**/*.json")]
    assert left == ["complete.json"]
