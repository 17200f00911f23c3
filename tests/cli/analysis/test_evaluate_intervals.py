"""`momentseek evaluate` on labelled intervals, with a tiny model whose weights are random."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_result import Result
from page_reader import read

from pipeline.cli import main

Run = Callable[..., Result]
Options = tuple[str, ...]

# With random weights a score says nothing; what enters at almost nothing is shown all the time.
LABELS = """
defaults: {exit: 0.0000001, min_seconds: 0, merge_gap_seconds: 0}
labels:
  always: {prompts: a grey picture, enter: 0.0000001}
  never: {prompts: a forklift, enter: 0.9999999}
"""
EVIL = "<script>\x1b[31m"


@pytest.fixture(scope="module")
def same_labelled(same_four: Options, tmp_path_factory: pytest.TempPathFactory) -> Options:
    """The options that name a library of four labelled videos of 3 s, which nobody changes."""
    folder = tmp_path_factory.mktemp("scored")
    (folder / "greys.yaml").write_text(LABELS)
    shutil.copytree(Path(same_four[1]).parent / "library", folder / "library")
    options = (*same_four, "-l", str(folder / "library"))
    assert main(["label", str(folder / "greys.yaml"), *options]) == 0
    return options


def written(folder: Path, *rows: dict[str, object], name: str = "set.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def row(video: str, label: str, *intervals: list[float], **more: object) -> dict[str, object]:
    return {"video": video, "label": label, "intervals": list(intervals), **more}


TRUTH = (
    row("a.mp4", "always", [0, 1]),
    row("b.mp4", "always"),
    row("a.mp4", "never", [1, 2]),
    row("b.mp4", "never"),
)


def test_labels_are_scored_and_printed(momentseek: Run, same_labelled: Options, tmp_path: Path) -> None:
    result = momentseek("evaluate", written(tmp_path, *TRUTH, row("a.mp4", EVIL)), *same_labelled)
    assert result.code == 0, result.err
    rows = {line.split()[0]: line.split()[1:] for line in result.out.splitlines() if line.strip()}
    # always: a false alarm in b's 3 s; of the two videos' 6 s.
    assert rows["always"][2:] == ["50.0", "100.0", "600.00", "0.00", "1"]
    assert rows["never"][2:] == ["-", "0.0", "0.00", "-", "1"]
    assert rows["event-recall"][0] == "50.0"
    assert "left out 1 label that nothing predicts" in result.err
    assert "\x1b" not in result.err


def test_all_of_it_as_json(momentseek: Run, same_labelled: Options, tmp_path: Path) -> None:
    [found] = momentseek("evaluate", written(tmp_path, *TRUTH), *same_labelled, "--json").objects()
    assert (found["videos"], found["rule"], found["left_out"]) == (2, "intervals/1", {"videos": [], "labels": []})
    assert found["predicted_by"].endswith("greys.yaml")
    assert [one["video"] for one in found["false_alarms"]] == ["b.mp4"]
    assert [(one["label"], one["start_seconds"]) for one in found["missed"]] == [("never", 1.0)]
    assert found["resampling"]["units"] == 2
    assert len(found["frames"]["bins"]) == 10


def test_a_csv_and_a_report(momentseek: Run, same_labelled: Options, tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text("video,label,start,end\na.mp4,always,0,1\nb.mp4,always,,\na.mp4,never,1,2\n")
    result = momentseek("evaluate", path, *same_labelled, "--report", tmp_path / "page.html")
    assert (result.code, "wrote" in result.err) == (0, True), result.err
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    read(page)
    assert page.count("data:image/jpeg;base64") == 2
    for said in ("The most confident false alarms", "Missed events", "Reliability of the frames", "set.csv"):
        assert said in page


def test_predictions_of_a_file_are_scored(momentseek: Run, same_labelled: Options, tmp_path: Path) -> None:
    listed = momentseek("labels", "--segments", "--json", *same_labelled)
    (tmp_path / "found.jsonl").write_text(listed.out)
    labels = written(tmp_path, *TRUTH)
    [found] = momentseek(
        "evaluate", labels, *same_labelled, "--json", "--predictions", tmp_path / "found.jsonl"
    ).objects()
    assert found["left_out"]["labels"] == ["never"]
    assert found["macro"]["event-recall"] == 100
    assert found["frames"] is None


@pytest.mark.parametrize(
    ("rows", "options", "problem"),
    [
        ([row("a.mp4", "always", [2, 1])], (), "line 1: expected [start, end] in seconds"),
        ([row("none.mp4", "always")], (), "not in the library"),
        ([row("a.mp4", "truck")], (), "share no label"),
        ([row("a.mp4", "always")], ("--label-set", "none"), "no label set 'none'"),
        ([row("a.mp4", "always")], ("--convert", "x.jsonl"), "--convert is for questions"),
        ([row("a.mp4", "always")], ("--people", "0.8", "0.2"), "two increasing scores"),
        ([{"qid": 1, "query": "it", "vid": "a.mp4", "relevant_windows": []}], ("--label-set", "x"), "are questions"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    momentseek: Run, same_labelled: Options, tmp_path: Path, rows: list, options: Options, problem: str
) -> None:
    result = momentseek("evaluate", written(tmp_path, *rows), *same_labelled, *options)
    assert (result.code, problem in result.err) == (2, True), result.err


def test_there_must_be_labels(momentseek: Run, four: Options, tmp_path: Path) -> None:
    result = momentseek("evaluate", written(tmp_path, *TRUTH), *four)
    assert (result.code, "has no labels of its current encoder" in result.err) == (2, True)


@pytest.mark.parametrize("header", ["video,label,start_seconds,end_seconds", "name,label,start,end", "video,label"])
def test_a_table_with_other_columns_is_told_which_it_needs(
    momentseek: Run, same_labelled: Options, tmp_path: Path, header: str
) -> None:
    table = tmp_path / "set.csv"
    table.write_text(f"{header}\nyard.mp4,always,0,3\n")
    result = momentseek("evaluate", table, *same_labelled)
    assert result.code == 2
    assert "a CSV file whose first line has the columns video,label,start,end" in result.err
