"""`momentseek index`, `videos` and `remove`, what they say and how they end."""

from __future__ import annotations

import re
from pathlib import Path


def test_index_reports_each_video(momentseek, config, make_video, sound_only, tmp_path):
    good, twin = make_video("films/good.mp4"), tmp_path / "films" / "twin.mp4"
    twin.write_bytes(good.read_bytes())  # an encoder with threads does not always write the same
    odd = make_video("films/o\ndd \x1b[31m видео.mp4", grey=10)
    (tmp_path / "films" / "empty.mp4").touch()
    (tmp_path / "films" / "text.mp4").write_text("dear diary")
    sound = sound_only.rename(tmp_path / "films" / "sound.mp4")
    result = momentseek("index", tmp_path / "films", "-c", config, "--json")
    reports = {Path(str(report["uri"])).name: report for report in result.objects()}
    assert {name: report["status"] for name, report in reports.items()} == {
        good.name: "done",
        twin.name: "skipped",
        odd.name: "done",
        "empty.mp4": "failed",
        "text.mp4": "failed",
        sound.name: "failed",
    }
    assert (reports["good.mp4"]["problem"], reports["good.mp4"]["duration_seconds"]) == (None, 3.0)
    assert "same content as" in str(reports["twin.mp4"]["problem"])
    assert result.code == 1
    assert "2 done, 1 skipped, 3 failed: 0:06.000 of video" in result.err


def test_index_prints_a_line_a_video_whatever_its_name(momentseek, config, make_video):
    odd = make_video("o\ndd \x1b[31m.mp4")
    result = momentseek("index", odd, "-c", config)
    [line] = result.out.splitlines()
    assert line.startswith("done    ")
    assert r"o\ndd \x1b[31m.mp4  0:03.000  3 frames" in line
    assert result.code == 0


def test_index_again_skips_and_is_well(momentseek, config, make_video):
    path = make_video()
    momentseek("index", path, "-c", config)
    result = momentseek("index", path, "-c", config)
    assert (result.code, "already indexed" in result.out) == (0, True)


def test_failed_sources_are_listed_and_tried_again(momentseek, config, make_video, tmp_path):
    late = tmp_path / "late.mp4"
    momentseek("index", late, make_video(), "-c", config)
    listed = momentseek("videos", "--failed", "-c", config)
    assert (str(late) in listed.out, "there is no such file" in listed.out) == (True, True)
    assert "1 failed source; retry them with: momentseek index --retry-failed" in listed.err
    make_video("late.mp4", grey=10)
    [report] = momentseek("index", "--retry-failed", "-c", config, "--json").objects()
    assert (report["uri"], report["status"]) == (str(late), "done")
    assert momentseek("videos", "--failed", "-c", config, "--json").objects() == []


def test_what_is_named_now_replaces_what_failed(momentseek, config, make_video, tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("uri,camera\nlate.mp4,gaet\nother.mp4,yard\n")
    momentseek("index", manifest, "-c", config)
    manifest.write_text("uri,camera\nlate.mp4,gate\n")
    make_video("late.mp4", grey=10)
    other = make_video("other.mp4", grey=20)
    again = momentseek("index", "--retry-failed", manifest, other, "-c", config, "--json").objects()
    # What is known of the other one is not forgotten.
    assert {report["uri"]: (report["status"], report["metadata"]) for report in again} == {
        str(tmp_path / "late.mp4"): ("done", {"camera": "gate"}),
        str(other): ("done", {"camera": "yard"}),
    }


def test_index_of_a_missing_path_fails(momentseek, config, tmp_path):
    result = momentseek("index", tmp_path / "none.mp4", "-c", config)
    assert result.code == 1
    assert "none.mp4" in result.out + result.err
    assert "Traceback" not in result.err


def test_index_of_an_empty_path_is_a_usage_error(momentseek, config):
    result = momentseek("index", "", "-c", config)
    assert (result.code, "one of PATHS is empty" in result.err) == (2, True)


def test_a_file_that_looks_like_an_option_is_pointed_out(momentseek, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-dash.mp4").touch()
    result = momentseek("index", "-dash.mp4")
    assert (result.code, "'-dash.mp4' is a file here; write it as './-dash.mp4'" in result.err) == (2, True)


def test_index_of_a_folder_without_videos_says_so(momentseek, config, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a")
    result = momentseek("index", tmp_path / "notes", "-c", config)
    assert result.code == 1
    assert "notes" in result.out + result.err
    assert "Traceback" not in result.err


def test_index_without_a_path_is_a_usage_error(momentseek):
    assert momentseek("index").code == 2


def test_index_says_once_that_weights_are_missing(momentseek, config, make_video):
    result = momentseek("index", make_video(), "-c", config, "--set", "encoder.checkpoint=/none.safetensors")
    assert result.code == 1
    assert result.err.count("/none.safetensors") == 1
    assert "Remedies" in result.err


def test_the_third_way_out_of_missing_weights_works_as_printed(momentseek, make_video, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    video, library = make_video(), tmp_path / "library"
    options = ("-l", library, "--in-process", "--set", "index.backend=memory")
    refused = momentseek("index", video, *options, "--set", f"encoder.cache_dir={tmp_path / 'cache'}")
    assert (refused.code, library.exists()) == (1, False)
    [way] = re.findall(r"comes with momentseek: (--config \S+) ", refused.err)
    assert momentseek("index", video, *options, *way.split()).code == 0


def test_videos_lists_what_is_there(momentseek, config, make_video):
    momentseek("index", make_video(), "-c", config)
    result = momentseek("videos", "-c", config)
    header, line = result.out.splitlines()
    assert header.split() == ["id", "status", "duration", "frames", "names"]
    assert line.split()[1:4] == ["done", "0:03.000", "3"]
    [video] = momentseek("videos", "-c", config, "--json").objects()
    assert (video["width"], video["height"], video["codec"], video["frame_count"]) == (64, 48, "h264", 3)


def test_remove_takes_a_video_out_and_counts(momentseek, config, make_video):
    momentseek("index", make_video("a.mp4"), make_video("b.mp4", grey=10), "-c", config)
    result = momentseek("remove", "a.mp4", "-c", config)
    assert (result.code, " segment, 3 frame embeddings, 3 files; 0 found afterwards" in result.out) == (0, True)
    assert len(momentseek("videos", "-c", config, "--json").objects()) == 1


def test_remove_of_a_wrong_name_removes_nothing(momentseek, config, make_video):
    momentseek("index", make_video("a.mp4"), "-c", config)
    result = momentseek("remove", "a.mp4", "c.mp4", "-c", config)
    assert (result.code, result.out) == (2, "")
    assert len(momentseek("videos", "-c", config, "--json").objects()) == 1
