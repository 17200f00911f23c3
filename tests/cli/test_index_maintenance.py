from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def lite(config, tmp_path):
    """The options that name a library with its index in Milvus Lite."""
    return "-c", config, "--set", "index.backend=milvus"


def test_rebuild_and_verify(momentseek, lite, make_video):
    momentseek("index", make_video("a.mp4"), make_video("b.mp4", grey=10), *lite)
    result = momentseek("index", "verify", *lite)
    assert (result.code, result.out) == (0, "")
    assert "2 videos" in result.err
    assert "no differences" in result.err
    result = momentseek("index", "rebuild", *lite)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("2 videos, ")
    [rebuilt] = momentseek("index", "rebuild", "--json", *lite).objects()
    assert (rebuilt["videos"], sorted(rebuilt)) == (2, ["elapsed_seconds", "segments", "videos"])


def test_verify_names_what_differs_and_rebuild_puts_it_right(momentseek, lite, make_video):
    from pipeline.library import Library
    from pipeline.run_config import load_run_config

    path = make_video("a.mp4")
    momentseek("index", path, *lite)
    with Library.open(load_run_config(lite[1], [lite[3]])) as library:
        [video_id] = library.moment_index().videos()
        library.moment_index().delete_video(video_id)
    result = momentseek("index", "verify", *lite)
    assert result.code == 1
    assert f"{video_id} ({path})" in result.out
    assert "  missing " in result.out
    assert "1 video differs; repair the index with: momentseek index rebuild" in result.err
    [difference] = momentseek("index", "verify", "--json", *lite).objects()
    assert difference["video_id"] == video_id
    momentseek("index", "rebuild", *lite)
    assert momentseek("index", "verify", *lite).code == 0


def test_a_folder_called_rebuild_is_indexed_by_a_path(momentseek, config, make_video, tmp_path, monkeypatch):
    make_video("rebuild/a.mp4")
    monkeypatch.chdir(tmp_path)
    result = momentseek("index", "./rebuild", "-c", config)
    assert (result.code, result.out.startswith("done")) == (0, True)
    result = momentseek("index", "rebuild", "rebuild", "-c", config)
    assert (result.code, "takes no paths; to index a folder of that name, write ./rebuild" in result.err) == (2, True)
    result = momentseek("index", "-c", config, "rebuild")
    assert (result.code, "put 'rebuild' before all options" in result.err) == (2, True)


@pytest.mark.parametrize("word", ["rebuild", "verify"])
def test_maintenance_of_no_library_makes_none(momentseek, tmp_path, word):
    result = momentseek("index", word, "--library", tmp_path / "none")
    assert (result.code, "there is no library" in result.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_remove_gives_a_receipt(momentseek, lite, make_video, tmp_path):
    path = make_video("a.mp4")
    momentseek("index", path, make_video("b.mp4", grey=10), *lite)
    [receipt] = momentseek("remove", "a.mp4", "--json", *lite).objects()
    assert receipt["names"] == [str(path)]
    assert (receipt["frames"], receipt["files"], receipt["segments"] > 0) == (3, 3, True)
    assert (receipt["remaining_segments"], receipt["remaining_files"]) == (0, 0)
    found = [file for file in Path(tmp_path / "library").rglob("*") if str(receipt["video_id"]) in file.name]
    assert found == []
    assert json.loads(momentseek("videos", "--json", *lite).out)["names"] == [str(tmp_path / "b.mp4")]
    assert "0 found afterwards" in momentseek("remove", "b.mp4", *lite).out
