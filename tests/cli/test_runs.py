from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.library import library
from pipeline.timecode import format_seconds


@pytest.fixture
def two_runs(momentseek, config, make_video, tmp_path, monkeypatch) -> Path:
    # Written once: what libx264's threads write of the same pictures differs now and then.
    video = make_video()
    monkeypatch.setenv("MOMENTSEEK_RUN_ID", "first")
    momentseek("index", video, tmp_path / "none.mp4", "-c", config)
    monkeypatch.setenv("MOMENTSEEK_RUN_ID", "second")
    momentseek("index", video, "-c", config)
    return tmp_path / "library"


def test_index_names_the_report_and_how_far_it_came(momentseek, config, make_video, tmp_path, monkeypatch):
    monkeypatch.setenv("MOMENTSEEK_RUN_ID", "first")
    result = momentseek("index", make_video(), "-c", config, "--json")
    page = tmp_path / "library" / "runs" / "first.html"
    assert page.is_file()
    assert f"report: {page}" in result.err
    assert "1/1 videos | 0:00:03 of video" in result.err
    assert len(result.objects()) == 1


def test_index_and_runs_give_one_time_from_when_the_work_began(momentseek, config, make_video, monkeypatch):
    def slow_check(*_: object) -> None:
        time.sleep(0.3)

    monkeypatch.setattr(library, "check_weights", slow_check)
    said = momentseek("index", make_video(), "-c", config).err
    [run] = momentseek("runs", "-c", config, "--json").objects()
    assert f" of video in {format_seconds(run['elapsed_seconds'])} (" in said
    assert run["elapsed_seconds"] >= 0.3
    for phase in ("opening the index", "loading the model"):
        assert said.count(f"0/1 videos | {phase} | 0:00:") == 1


def test_the_report_says_what_the_stages_took(momentseek, config, make_video):
    momentseek("index", make_video(seconds=20.0), "-c", config)
    [report] = momentseek("runs", "show", "-c", config, "--json").objects()
    stages = report["stages"]
    assert all(stages[name] > 0 for name in ("decode", "load", "encode", "store", "index", "reader_slots"))
    assert stages["decode"] < stages["reader_slots"] <= report["elapsed_seconds"]
    assert stages["encode"] + stages["load"] < stages["encoder_slots"]
    assert sum(period["seconds_decoded"] for period in report["periods"]) == pytest.approx(20, abs=1)
    assert report["video_seconds"] == pytest.approx(20)


def test_runs_lists_them_oldest_first(momentseek, two_runs):
    result = momentseek("runs", "--library", two_runs)
    lines = [line.split() for line in result.out.splitlines()]
    assert [line[0] for line in lines] == ["run", "first", "second"]
    assert (lines[1][2], lines[1][4:9]) == ("finished", ["2", "1", "0", "0", "1"])
    assert lines[2][4:9] == ["1", "0", "0", "1", "0"]
    assert result.err == "2 runs\n"


def test_runs_as_json(momentseek, two_runs):
    first, second = momentseek("runs", "--library", two_runs, "--json").objects()
    assert (first["run_id"], first["counts"]["failed"], first["rate"] > 0) == ("first", 1, True)
    assert (second["run_id"], second["rate"]) == ("second", None)


def test_show_tells_one_run(momentseek, two_runs):
    result = momentseek("runs", "show", "first", "--library", two_runs)
    assert "finished" in result.out
    assert "2 named: 1 done, 1 failed" in result.out
    assert "failed    1 x there is no such file; " in result.out
    assert str(two_runs / "runs" / "first.html") in result.out


def test_show_without_an_id_tells_the_latest(momentseek, two_runs):
    assert momentseek("runs", "--library", two_runs, "show").out.startswith("run       second\n")


def test_show_is_json_wherever_that_is_said(momentseek, two_runs):
    [report] = momentseek("runs", "--json", "show", "first", "--library", two_runs).objects()
    assert report["run_id"] == "first"


def test_show_of_a_run_that_is_not_there(momentseek, two_runs):
    result = momentseek("runs", "show", "third", "--library", two_runs)
    assert (result.code, "no run 'third'; the latest is second" in result.err) == (2, True)


def test_a_library_without_runs(momentseek, two_runs):
    for file in (two_runs / "runs").iterdir():
        file.unlink()
    assert momentseek("runs", "--library", two_runs).err == "0 runs\n"
    assert momentseek("runs", "show", "--library", two_runs).code == 2


def test_a_run_is_running_while_its_process_lives_and_lost_once_that_is_killed(
    momentseek, config, make_video, tmp_path
):
    def listed(are_there: Callable[[list[dict]], bool]) -> dict:
        """The one run, as soon as this is so."""
        ends = time.monotonic() + 120
        while not are_there(found := momentseek("runs", "--library", tmp_path / "library", "--json").objects()):
            assert time.monotonic() < ends, found
            time.sleep(0.2)
        [run] = found
        return run

    def outlives_silence(runs: list[dict]) -> bool:
        """Whether it was heard of for longer than a run may be silent: five times its interval."""
        times = [datetime.fromisoformat(run[name]) for run in runs for name in ("started_at", "updated_at")]
        return hangs.exists() and bool(times) and (times[-1] - times[0]).total_seconds() > 2.5

    hangs = tmp_path / "hangs"
    code = (
        "import time; from pathlib import Path; from pipeline.runs import recorder; from pipeline.cli import main;"
        " from pipeline.execution.ledger.ledger import Ledger; recorder._INTERVAL_SECONDS = 0.4;"
        f" Ledger.finish = lambda *_: (Path({str(hangs)!r}).touch(), time.sleep(600));"
        f" main(['index', {str(make_video())!r}, '-c', {config!r}])"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    try:
        while not hangs.exists():
            assert process.poll() is None
            time.sleep(0.1)
        alive = listed(lambda runs: outlives_silence(runs) and runs[0]["outcome"] == "running")
    finally:
        process.kill()
        process.wait()
    [path] = (tmp_path / "library" / "runs").glob("*.json")
    assert json.loads(path.read_text())["outcome"] == "running"
    killed = listed(lambda runs: runs[0]["outcome"] != "running")
    assert (alive["problem"], killed["outcome"]) == (None, "lost")
    assert killed["problem"] == f"ended without a report (last updated at {killed['updated_at']})"
    assert "lost: ended without a report" in momentseek("runs", "show", "--library", tmp_path / "library").out
