from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from command_result import Result

from jobs import run_experiment

Run = Callable[..., Result]
QUERIES = [
    {"qid": 1, "query": "a dog", "vid": "a", "relevant_windows": [[0, 3]]},
    {"qid": 2, "query": "a red car", "vid": "b", "relevant_windows": [[1, 2]]},
    {"qid": 3, "query": "a lion", "vid": "b", "relevant_windows": []},
]


@pytest.fixture
def plan(config: str, make_video: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_video("clips/a.mp4")
    make_video("clips/b.mp4", grey=200)
    (tmp_path / "moments.jsonl").write_text("\n".join(map(json.dumps, QUERIES)))
    said = {
        "title": "How many frames",
        "base": config,
        "videos": ["clips"],
        "labelled": ["moments.jsonl"],
        "variants": {"one a second": {"sampling.fps": 1}, "five a second": {"sampling.fps": 5}},
        "cost_videos": 0,
    }
    path = tmp_path / "rates.yaml"
    path.write_text(yaml.safe_dump(said, sort_keys=False))
    return path


def test_experiment_prints_a_line_a_variant(momentseek: Run, plan: Path) -> None:
    result = momentseek("experiment", plan)
    header, one, five = result.out.splitlines()
    assert result.code == 0
    assert header.split()[:6] == ["variant", "R1@0.5", "R1@0.7", "mAP", "mIoU", "rejected"]
    assert one.startswith("*  one a second")
    assert one.split()[-4:-2] == ["3600", "-"]
    assert "five a second" in five
    assert "of 2 questions, 'rejected' of 1 absent question" in result.err
    assert "2 videos read" in result.err


def test_experiment_keeps_its_work_beside_the_current_folder(momentseek: Run, plan: Path, tmp_path: Path) -> None:
    result = momentseek("experiment", plan)
    work = tmp_path / "experiments" / "rates"
    assert {path.name for path in work.iterdir()} == {"library", "results", "report.html"}
    assert f"report: {Path('experiments/rates/report.html')}" in result.err
    assert "videos read" not in momentseek("experiment", plan).err


def test_experiment_takes_another_folder_and_writes_the_page_twice(momentseek: Run, plan: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    momentseek("experiment", plan, "--work", tmp_path / "w", "--report", page)
    assert page.read_text() == (tmp_path / "w" / "report.html").read_text()
    assert "How many frames" in page.read_text()
    assert not (tmp_path / "experiments").exists()


def test_experiment_compares_two_variants(momentseek: Run, plan: Path) -> None:
    result = momentseek("experiment", plan, "--compare", "one a second", "five a second")
    assert "from 'one a second' to 'five a second'" in result.out
    [line] = [line for line in result.out.splitlines() if line.startswith("mIoU")]
    assert len(line.split()) == 9
    header = next(line for line in result.out.splitlines() if line.startswith("metric"))
    assert header.split() == ["metric", "before", "after", "difference", "from", "to", "p", "better", "worse"]


def test_experiment_as_json_is_one_object(momentseek: Run, plan: Path) -> None:
    [found] = momentseek("experiment", plan, "--json", "--compare", "one a second", "five a second").objects()
    assert [each["name"] for each in found["variants"]] == ["one a second", "five a second"]
    assert (found["title"], found["embedded"]["videos_read"], found["distinct_frames"]) == ("How many frames", 2, 30)
    assert found["comparison"]["MR-full-mAP"]["queries"] == 2
    assert found["report"].endswith("report.html")


def test_experiment_of_one_variant_leaves_the_whole_page(momentseek: Run, plan: Path, tmp_path: Path) -> None:
    momentseek("experiment", plan)
    page = tmp_path / "experiments" / "rates" / "report.html"
    before = page.read_text()
    result = momentseek("experiment", plan, "--only", "five a second")
    assert (len(result.out.splitlines()), page.read_text() == before) == (2, True)
    assert "report-only.html" in result.err


@pytest.mark.parametrize("option", [["--only", "one a secnod"], ["--compare", "five a second", "one a secnod"]])
def test_experiment_suggests_the_nearest_variant(
    momentseek: Run, plan: Path, tmp_path: Path, option: list[str]
) -> None:
    result = momentseek("experiment", plan, *option)
    assert (result.code, result.out) == (2, "")
    assert "no variant 'one a secnod'; nearest: 'one a second'" in result.err
    assert not (tmp_path / "experiments").exists()


def test_experiment_overrides_the_base(momentseek: Run, plan: Path) -> None:
    result = momentseek("experiment", plan, "--set", "execution.executor=nothing")
    assert (result.code, "execution.executor" in result.err) == (2, True)


def test_experiment_names_a_page_that_cannot_be_written(momentseek: Run, plan: Path, tmp_path: Path) -> None:
    result = momentseek("experiment", plan, "--report", tmp_path / "nowhere" / "page.html")
    assert (result.code, "the report cannot be written" in result.err) == (1, True)
    # What took hours is said all the same.
    assert "five a second" in result.out


@pytest.mark.parametrize("work", ["s3://bucket/x", "file:///x"])
def test_experiment_works_in_no_url(momentseek: Run, plan: Path, tmp_path: Path, work: str) -> None:
    result = momentseek("experiment", plan, "--work", work)
    assert (result.code, f"--work {work}: an experiment needs a local folder" in result.err) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["clips"]


def test_experiment_overrides_neither_library_nor_index(momentseek: Run, plan: Path) -> None:
    result = momentseek("experiment", plan, "--set", "library=elsewhere")
    assert (result.code, "--set library=elsewhere: an experiment stores" in result.err) == (2, True)


def test_experiment_names_a_failed_video(momentseek: Run, plan: Path, tmp_path: Path) -> None:
    (tmp_path / "clips" / "bad.mp4").write_bytes(bytes(range(256)) * 20)
    result = momentseek("experiment", plan)
    assert (result.code, "1 of 3 videos failed" in result.err, "bad.mp4" in result.err) == (1, True, True)


def test_the_job_prints_what_the_command_prints(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_experiment.main([str(plan), "--only", "one a second"]) == 0
    assert "one a second" in capsys.readouterr().out.splitlines()[1]
    assert run_experiment.main([str(plan), "--only", "one a second", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["variants"]) == 1
