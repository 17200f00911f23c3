"""`momentseek mark` and `momentseek marks`."""

from __future__ import annotations

import json


def ids(momentseek, options) -> dict[str, str]:
    found = momentseek("videos", *options, "--json").objects()
    return {str(one["names"][0]).rpartition("/")[2]: str(one["video_id"]) for one in found}  # type: ignore[index]


def test_marks_are_written_and_listed(momentseek, four):
    assert momentseek("mark", "grey wall", "a.mp4@1", "yard.mp4@0:00.5-2", *four).code == 0
    assert momentseek("mark", "grey wall", "b.mp4@2", "--no", "--note", "a door", "--by", "ann", *four).code == 0
    found = momentseek("marks", *four, "--json").objects()
    known = ids(momentseek, four)
    by_video = {one["video_id"]: (one["start_seconds"], one["end_seconds"], one["verdict"]) for one in found}
    assert by_video == {
        known["a.mp4"]: (1.0, 1.0, "yes"),
        known["yard.mp4"]: (0.5, 2.0, "yes"),
        known["b.mp4"]: (2.0, 2.0, "no"),
    }
    listed = momentseek("marks", "Grey Wall", "--video", "b.mp4", *four)
    assert "a door" in listed.out
    assert "ann" in listed.out
    assert "1 mark: 0 yes, 1 no" in listed.err


def test_an_unknown_video_or_time_marks_nothing(momentseek, four):
    result = momentseek("mark", "x", "a.mp4@1", "yrad.mp4@1", *four)
    assert (result.code, "nearest: yard.mp4" in result.err) == (2, True)
    assert momentseek("mark", "x", "a.mp4@99", *four).err.startswith("error: 'a.mp4' ends at 3.000 s")
    assert "say when, as a.mp4@12" in momentseek("mark", "x", "a.mp4", *four).err
    assert momentseek("marks", *four).out == ""


def test_marks_survive_another_sampling_and_leave_with_their_video(momentseek, four):
    momentseek("mark", "x", "a.mp4@1", "b.mp4@1", *four)
    assert momentseek("index", "rebuild", *four).code == 0
    assert len(momentseek("marks", *four, "--json").objects()) == 2
    assert momentseek("remove", "a.mp4", *four).code == 0
    assert len(momentseek("marks", *four, "--json").objects()) == 1


def test_exported_marks_come_back_by_import(momentseek, four, tmp_path):
    momentseek("mark", "x", "a.mp4@1", "b.mp4@1-2", *four)
    before = momentseek("marks", *four, "--json").out
    file = tmp_path / "marks.jsonl"
    assert momentseek("marks", "--export", file, *four).code == 0
    assert momentseek("marks", "x", "--remove", *four).err == "2 marks removed\n"
    assert momentseek("marks", "--import", file, *four).err == "2 marks imported\n"
    assert momentseek("marks", *four, "--json").out == before


def test_an_import_with_a_mark_of_a_removed_video_changes_nothing(momentseek, four, tmp_path):
    momentseek("mark", "x", "b.mp4@1", "a.mp4@1", *four)
    file = tmp_path / "marks.jsonl"
    momentseek("marks", "--export", file, *four)
    momentseek("remove", "a.mp4", *four)
    momentseek("marks", "x", "--remove", *four)
    result = momentseek("marks", "--import", file, *four)
    assert result.code == 2
    assert "no video" in result.err
    assert "nothing was imported" in result.err
    assert momentseek("marks", *four).out == ""


def test_a_line_that_is_no_mark_is_named(momentseek, four, tmp_path):
    file = tmp_path / "marks.jsonl"
    line = {"video_id": ids(momentseek, four)["a.mp4"], "start_seconds": 1, "end_seconds": 1, "subject": "x"}
    good = json.dumps({**line, "verdict": "yes"})
    for bad in ("{", "[]", json.dumps(line), json.dumps({**line, "verdict": "yes", "colour": "red"})):
        file.write_text(f"{good}\n{bad}\n")
        result = momentseek("marks", "--import", file, *four)
        assert (result.code, "line 2" in result.err) == (2, True)
    assert momentseek("marks", *four).out == ""


def test_options_that_exclude_one_another_are_refused(momentseek, four, tmp_path):
    assert momentseek("marks", "--remove", *four).code == 2
    assert momentseek("marks", "--remove", "--export", tmp_path / "x", "y", *four).code == 2
    assert not (tmp_path / "x").exists()


def test_a_broken_file_is_reported_and_the_others_are_listed(momentseek, four, tmp_path):
    momentseek("mark", "x", "a.mp4@1", "b.mp4@1", *four)
    broken = next((tmp_path / "library" / "marks" / ids(momentseek, four)["a.mp4"]).glob("*.json"))
    broken.write_text("{")
    result = momentseek("marks", *four, "--json")
    assert (result.code, len(result.objects())) == (1, 1)
    assert broken.name in result.err
