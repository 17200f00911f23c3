from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from PIL import Image

HEAVY = ("torch", "open_clip", "ray", "pymilvus", "av", "cv2", "decord", "numpy", "pydantic", "rich", "PIL", "pyarrow")


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, timeout=60, check=True)


def test_help_loads_nothing_heavy_and_is_quick():
    code = (
        "import sys; from pipeline.cli import main; main(['--help']);"
        f" print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    python(code)
    times = []
    for _ in range(3):
        started = time.monotonic()
        result = python(code)
        times.append(time.monotonic() - started)
    assert result.stderr.strip() == "[]"
    assert "Commands:" in result.stdout
    assert min(times) < 0.3


def test_help_shows_its_examples_a_line_each(momentseek):
    assert "\n  momentseek index videos/  " in momentseek("--help").out


@pytest.mark.parametrize(
    "command", ["index", "search", "videos", "remove", "submit", "jobs", "evaluate", "cuts", "config", "doctor"]
)
def test_help_of_each_command(momentseek, command):
    result = momentseek(command, "--help")
    assert (result.code, "Usage: momentseek" in result.out) == (0, True)


def test_version(momentseek):
    assert momentseek("--version").out.startswith("momentseek 0.")


def test_a_misspelt_command_gets_the_nearest(momentseek):
    result = momentseek("serch", "x")
    assert (result.code, "did you mean 'search'?" in result.err) == (2, True)


def test_a_misspelt_option_gets_the_nearest(momentseek):
    result = momentseek("search", "--librry", "x", "y")
    assert (result.code, "--library" in result.err) == (2, True)


def test_a_misspelt_setting_gets_the_nearest(momentseek):
    result = momentseek("config", "check", "--set", "sampling.fsp=2")
    assert (result.code, result.out) == (2, "")
    assert "did you mean 'fps'" in result.err
    assert "Traceback" not in result.err


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
    assert "1 failed source; try again by: momentseek index --retry-failed" in listed.err
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
    assert result.code in (1, 2)
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
    assert result.code in (1, 2)
    assert "notes" in result.out + result.err
    assert "Traceback" not in result.err


def test_index_without_a_path_is_a_usage_error(momentseek):
    assert momentseek("index").code == 2


def test_index_says_once_that_weights_are_missing(momentseek, config, make_video):
    result = momentseek("index", make_video(), "-c", config, "--set", "encoder.checkpoint=/none.safetensors")
    assert result.code == 1
    assert result.err.count("/none.safetensors") == 1
    assert "Ways out" in result.err


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
    result = momentseek("search", "it", "-c", config, "--sheet", tmp_path / "none" / "sheet.png")
    assert (result.code, "cannot be written" in result.err) == (1, True)


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
    assert (result.code, " segments, 3 frame embeddings, 1 files; 0 found afterwards" in result.out) == (0, True)
    assert len(momentseek("videos", "-c", config, "--json").objects()) == 1


def test_remove_of_a_wrong_name_removes_nothing(momentseek, config, make_video):
    momentseek("index", make_video("a.mp4"), "-c", config)
    result = momentseek("remove", "a.mp4", "c.mp4", "-c", config)
    assert (result.code, result.out) == (2, "")
    assert len(momentseek("videos", "-c", config, "--json").objects()) == 1


def test_config_show_can_be_used_again(momentseek, tmp_path):
    shown = momentseek("config", "show", "--set", "sampling.fps=2").out
    (tmp_path / "again.yaml").write_text(shown)
    assert momentseek("config", "show", "-c", tmp_path / "again.yaml").out == shown
    assert yaml.safe_load(shown)["sampling"]["fps"] == 2


def test_config_schema_is_json(momentseek):
    assert "properties" in json.loads(momentseek("config", "schema").out)


def test_config_check_says_what_is_wrong(momentseek, tmp_path):
    (tmp_path / "bad.yaml").write_text("encoder: {modle: x}\n")
    result = momentseek("config", "check", "-c", tmp_path / "bad.yaml")
    assert (result.code, "did you mean 'model'" in result.err) == (2, True)
    assert momentseek("config", "check").code == 0


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("encoder.model=ViT-B32", "encoder.model: unknown model 'ViT-B32'; did you mean 'ViT-B-32'?"),
        ("encoder.pretrained=laion2b", "encoder.pretrained: ViT-B-32 has no weights named 'laion2b'; did you mean"),
    ],
)
def test_config_check_refuses_a_model_that_nobody_knows(momentseek, setting, said):
    result = momentseek("config", "check", "--set", setting)
    assert (result.code, result.out, said in result.err) == (2, "", True)


def test_config_check_takes_a_model_of_ones_own_and_looks_at_no_file(momentseek):
    own = ("encoder.model=mine", "encoder.architecture=/none.json", "encoder.checkpoint=/none.safetensors")
    assert momentseek("config", "check", *(word for setting in own for word in ("--set", setting))).code == 0


def test_doctor_finds_all_well_with_a_model(momentseek, config, tmp_path):
    result = momentseek("doctor", "-c", config, "--json")
    states = {str(finding["what"]): finding["state"] for finding in result.objects()}
    assert "broken" not in states.values()
    assert {"python", "packages", "processor", "model", "library", "ray", "disk", "decoder pyav"} <= set(states)
    assert result.code == 0
    assert not (tmp_path / "library").exists()


def test_doctor_names_the_way_out_where_weights_are_missing(momentseek, config):
    result = momentseek("doctor", "-c", config, "--set", "encoder.checkpoint=/none.safetensors")
    assert result.code == 1
    assert "broken  model" in result.out
    assert "Ways out" in result.out


def test_a_reader_that_leaves_early_brings_no_complaint():
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    code = "import sys; from pipeline.cli import main; sys.exit(main(['config', 'schema']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, b"")


def test_debug_shows_the_traceback(momentseek, monkeypatch):
    monkeypatch.setenv("MOMENTSEEK_DEBUG", "1")
    with pytest.raises(Exception, match="fsp"):
        momentseek("config", "check", "--set", "sampling.fsp=2")


def test_an_unexpected_error_is_one_line(momentseek, monkeypatch):
    def broken(*_arguments):
        raise TypeError("oops")

    monkeypatch.setattr("pipeline.run_config.load_run_config", broken)
    result = momentseek("config", "check")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "unexpected TypeError: oops" in result.err


def make_two_shots(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(40):
            picture = np.full((48, 64, 3), (200, 40, 40) if number < 25 else (20, 60, 220), np.uint8)
            picture[:, number : number + 8] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_cuts_lists_shots(momentseek, tmp_path):
    result = momentseek("cuts", make_two_shots(tmp_path / "two.mp4"))
    assert result.code == 0
    assert [line.split() for line in result.out.splitlines()] == [
        ["video", "shot", "from", "to"],
        ["two.mp4", "1", "0:00.000", "0:02.500"],
        ["two.mp4", "2", "0:02.500", "0:04.000"],
    ]


def test_cuts_of_several_videos_stand_under_one_header(momentseek, tmp_path):
    for name in ("two.mp4", "a longer name.mp4"):
        make_two_shots(tmp_path / name)
    lines = momentseek("cuts", tmp_path).out.splitlines()
    assert [line.split()[0] for line in lines] == ["video", "a", "a", "two.mp4", "two.mp4"]
    assert len({len(line) for line in lines}) == 1


def test_cuts_goes_on_after_a_file_that_is_no_video(momentseek, tmp_path):
    (tmp_path / "text.mp4").write_text("dear diary")
    path = make_two_shots(tmp_path / "two.mp4")
    result = momentseek("cuts", "--json", tmp_path)
    assert result.objects() == [{"uri": str(path), "cuts_seconds": [2.5], "duration_seconds": 4.0}]
    assert (result.code, "text.mp4" in result.err) == (1, True)


def test_cuts_names_a_misspelt_setting(momentseek, tmp_path):
    result = momentseek("cuts", "--set", "treshold=3", make_two_shots(tmp_path / "two.mp4"))
    assert (result.code, "did you mean 'threshold'" in result.err) == (2, True)
