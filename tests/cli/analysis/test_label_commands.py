"""`momentseek label` and `momentseek labels`, from end to end, with a tiny model whose weights are random."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from command_result import Result
from own_process import start_script

from pipeline.cli import main

Run = Callable[..., Result]
Options = tuple[str, ...]

# With random weights a score says nothing; what enters at almost nothing is shown all the time.
LABELS = """
defaults: {exit: 0.0000001, min_seconds: 0, merge_gap_seconds: 0}
labels:
  always: {prompts: a grey picture, enter: 0.0000001}
  never: {prompts: a forklift, enter: 0.9999999}
  scored: {prompts: rain, mode: score_only}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "greys.yaml"
    path.write_text(LABELS)
    return path


@pytest.fixture(scope="module")
def same_labelled(same_four: Options, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of four labelled videos, which nobody changes."""
    folder = tmp_path_factory.mktemp("labelled") / "library"
    shutil.copytree(Path(same_four[1]).parent / "library", folder)
    assert main(["label", str(file), *same_four, "-l", str(folder)]) == 0
    return folder


@pytest.fixture
def four(same_four: Options, tmp_path: Path) -> Options:
    """The options that name a library of four videos."""
    shutil.copytree(Path(same_four[1]).parent / "library", tmp_path / "library")
    return (*same_four, "-l", str(tmp_path / "library"))


@pytest.fixture
def labelled(same_four: Options, same_labelled: Path, tmp_path: Path) -> Options:
    """The options that name a library of four labelled videos."""
    shutil.copytree(same_labelled, tmp_path / "library")
    return (*same_four, "-l", str(tmp_path / "library"))


def test_label_says_what_it_did_and_does_it_once(momentseek: Run, four: Options, file: Path) -> None:
    first = momentseek("label", file, *four)
    assert (first.code, first.out) == (0, "")
    assert "4 videos labelled: 12 frames, 4 intervals in " in first.err
    again = momentseek("label", file, *four, "--json")
    assert "0 videos labelled, 4 skipped: 0 frames" in again.err
    assert {row["status"] for row in again.objects()} == {"skipped"}
    forced = momentseek("label", file, *four, "--json", "--again")
    assert [(row["status"], row["frames"], row["intervals"]) for row in forced.objects()] == [("done", 3, 1)] * 4


def test_selected_videos_are_labelled_alone(momentseek: Run, four: Options, file: Path) -> None:
    result = momentseek("label", file, "yard.mp4", *four, "--json")
    assert [Path(row["name"]).name for row in result.objects()] == ["yard.mp4"]
    result = momentseek("label", file, "--where", "camera=gate", *four, "--json")
    assert sorted(Path(row["name"]).name for row in result.objects()) == ["a.mp4", "b.mp4"]
    assert "1 video has no labels of the present frames; label by: momentseek label" in momentseek("labels", *four).err


def test_a_video_that_fails_is_named_and_the_exit_code_tells(
    momentseek: Run, labelled: Options, file: Path, tmp_path: Path
) -> None:
    broken, other = sorted(tmp_path.glob("library/frames/*/*.parquet"))[:2]
    broken.write_bytes(b"nothing")
    next(tmp_path.glob(f"library/labels/*/{other.name}")).unlink()
    result = momentseek("label", file, *labelled)
    assert result.code == 1
    assert f"failed  {broken.stem}: " in result.err
    assert "1 video labelled, 2 skipped, 1 failed" in result.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["none.yaml"], "no label file 'none.yaml'; give a path, or one of: "),
        (["vehicle"], "did you mean 'vehicles'?"),
        (["vehicles", "none.mp4"], "none.mp4"),
        (["vehicles", "--executor", "cloud"], "'cloud' is not one of"),
    ],
)
def test_what_cannot_be_labelled_is_refused(
    momentseek: Run, four: Options, arguments: list[str], problem: str, tmp_path: Path
) -> None:
    result = momentseek("label", *arguments, *four)
    assert (result.code, problem in result.err) == (2, True), result.err
    assert not (tmp_path / "library" / "labels").exists()


def test_there_must_be_a_library_and_labels(momentseek: Run, four: Options, file: Path, tmp_path: Path) -> None:
    result = momentseek("label", file, "-l", tmp_path / "none")
    assert result.code == 2
    assert "there is no library" in result.err
    assert not (tmp_path / "none").exists()
    result = momentseek("labels", *four)
    assert result.code == 2
    assert "has no labels of its current encoder; make them with: momentseek label LABELS" in result.err


def test_totals_by_label(momentseek: Run, labelled: Options) -> None:
    result = momentseek("labels", *labelled)
    assert result.out.splitlines() == [
        "label   videos  intervals      time    share",
        "always       4          4  0:12.000  100.0 %",
        "never        0          0  0:00.000    0.0 %",
    ]
    assert result.err == "4 labelled videos\n"
    rows = momentseek("labels", *labelled, "--json").objects()
    assert rows[0] == {"label": "always", "videos": 4, "intervals": 4, "seconds": 12.0, "share": 1.0}


def test_totals_by_video_and_by_metadata(momentseek: Run, labelled: Options) -> None:
    rows = momentseek("labels", "--by", "video", *labelled, "--json").objects()
    assert sorted((Path(row["name"]).name, row["label"], row["seconds"]) for row in rows) == [
        (name, "always", 3.0) for name in ("a.mp4", "b.mp4", "odd[1].mp4", "yard.mp4")
    ]
    rows = momentseek("labels", "--by", "camera", *labelled, "--json").objects()
    assert [(row["camera"], row["videos"], row["seconds"]) for row in rows] == [("gate", 2, 6.0), ("yard", 2, 6.0)]
    rows = momentseek("labels", "--by", "lit", *labelled, "--json").objects()
    assert {row["lit"]: row["videos"] for row in rows} == {"true": 1, "x": 1, None: 2}
    result = momentseek("labels", "--by", "colour", *labelled)
    assert result.code == 2
    assert "no labelled video has metadata 'colour'" in result.err


def test_totals_by_hour_of_day(momentseek: Run, labelled: Options) -> None:
    result = momentseek("labels", "--by", "hour", *labelled)
    assert result.code == 2
    assert "no labelled video has metadata 'recorded_at'" in result.err
    assert momentseek("metadata", "yard.mp4", "--set", "recorded_at=2026-11-20T08:59:58+01:00", *labelled).code == 0
    rows = momentseek("labels", "--by", "hour", *labelled, "--json").objects()
    assert [(row["hour"], row["label"], row["seconds"]) for row in rows] == [(8, "always", 2.0), (9, "always", 1.0)]
    table = momentseek("labels", "--by", "hour", *labelled)
    assert table.out.splitlines()[1].startswith("08:00  always")
    assert "not counted: 3 labelled videos without metadata 'recorded_at'" in table.err
    assert "not counted" not in momentseek("labels", *labelled).err
    [row] = momentseek("labels", "yard.mp4", "--segments", *labelled, "--json").objects()
    assert row["recorded_at"] == "2026-11-20T08:59:58+01:00"


def test_intervals_of_a_label(momentseek: Run, labelled: Options) -> None:
    rows = momentseek("labels", "--label", "always", *labelled, "--json").objects()
    assert [(row["label"], row["start_seconds"], row["end_seconds"]) for row in rows] == [("always", 0.0, 3.0)] * 4
    assert list(rows[0]) == [
        "video_id", "name", "label", "start_seconds", "end_seconds", "duration_seconds", "peak_seconds", "confidence",
        "recorded_at",
    ]  # fmt: skip
    table = momentseek("labels", "--label", "always", "yard.mp4", *labelled)
    assert table.out.splitlines()[0].split() == ["start", "end", "peak", "label", "confidence", "video"]
    assert table.out.splitlines()[1].split()[:2] == ["0:00.000", "0:03.000"]
    assert table.err == "1 interval\n"
    assert momentseek("labels", "--label", "never", *labelled).err == "0 intervals\n"
    assert momentseek("labels", "--segments", "--min-score", 1, *labelled).err == "0 intervals\n"


def test_scores_of_frames(momentseek: Run, labelled: Options) -> None:
    rows = momentseek("labels", "--frames", "--label", "scored", "--min-score", 0, *labelled, "--json").objects()
    assert len(rows) == 12
    assert [row["time_seconds"] for row in rows[:3]] == [0.0, 1.0, 2.0]
    assert all(0 <= row["score"] <= 1 for row in rows)
    everything = momentseek("labels", "--frames", "--min-score", 0, "yard.mp4", *labelled)
    assert everything.err == "9 scores\n"


def test_files_of_each_format_say_the_same(momentseek: Run, labelled: Options, tmp_path: Path) -> None:
    rows = momentseek("labels", "--segments", *labelled, "--json").objects()
    for form in ("json", "csv", "parquet"):
        momentseek("labels", "--segments", *labelled, "--format", form, "-o", tmp_path / f"out.{form}")
    assert [json.loads(line) for line in (tmp_path / "out.json").read_text().splitlines()] == rows
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == rows
    written = (tmp_path / "out.csv").read_bytes().decode()
    of_csv = list(csv.DictReader(io.StringIO(written)))
    assert [row["name"] for row in of_csv] == [row["name"] for row in rows]
    assert [float(row["confidence"]) for row in of_csv] == [row["confidence"] for row in rows]
    assert momentseek("labels", "--segments", *labelled, "--format", "csv").out == written
    assert not list(tmp_path.glob(".out*"))


def test_chapters_of_each_video(momentseek: Run, labelled: Options, tmp_path: Path) -> None:
    result = momentseek("labels", *labelled, "--format", "webvtt", "-o", tmp_path / "chapters")
    assert result.code == 0, result.err
    assert sorted(path.name for path in (tmp_path / "chapters").iterdir()) == sorted(
        ["a.vtt", "b.vtt", "yard.vtt", *(path.name for path in (tmp_path / "chapters").glob("odd*.vtt"))]
    )
    assert (tmp_path / "chapters" / "a.vtt").read_text().startswith("WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nalways (")
    assert (
        momentseek("labels", "a.mp4", *labelled, "--format", "webvtt").out
        == (tmp_path / "chapters" / "a.vtt").read_text()
    )


def test_label_sets_are_listed_and_chosen(momentseek: Run, labelled: Options, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("labels: {thing: {prompts: a thing, enter: 0.9999999}}\n")
    momentseek("label", other, *labelled)
    rows = {Path(row["name"]).stem: row for row in momentseek("labels", "--sets", *labelled, "--json").objects()}
    assert (rows["greys"]["labels"], rows["greys"]["videos"]) == (["always", "never", "scored"], 4)
    assert (rows["other"]["is_current"], rows["greys"]["is_current"]) == (True, False)
    assert momentseek("labels", *labelled, "--json").objects()[0]["label"] == "thing"
    for name in ("greys", "greys.yaml", str(file), rows["greys"]["label_set"]):
        assert momentseek("labels", "--label-set", name, *labelled, "--json").objects()[0]["label"] == "always"
    result = momentseek("labels", "--label-set", "reds", *labelled)
    assert (result.code, "no label set 'reds'; " in result.err) == (2, True)
    assert "last applied" in momentseek("labels", "--sets", *labelled).out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--label", "alwys"], "no label 'alwys'"),
        (["--label", "alwys"], "did you mean 'always'?"),
        (["--label", "scored"], "list scores by --frames"),
        (["--format", "parquet"], "name it by -o"),
        (["--json", "--format", "csv"], "exclude each other"),
        (["--frames", "--by", "hour"], "--by goes with totals"),
        (["--segments", "--by", "hour"], "--by goes with totals; leave out --segments"),
        (["--segments", "--frames"], "exclude each other"),
        (["--segments", "--sets"], "exclude each other"),
        (["--frames", "--format", "webvtt"], "exclude each other"),
        (["--format", "webvtt"], "name a folder by -o"),
        (["-o", "x.txt"], "-o goes with --format"),
        (["--format", "csv", "-o", "/nowhere/x.csv"], "there is no such folder"),
        (["--min-score", "2"], "0<=x<=1"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    momentseek: Run, labelled: Options, arguments: list[str], problem: str
) -> None:
    result = momentseek("labels", *arguments, *labelled)
    assert (result.code, problem in result.err) == (2, True), result.err


def test_broken_labels_are_named_and_the_others_shown(momentseek: Run, labelled: Options, tmp_path: Path) -> None:
    broken = next(tmp_path.glob("library/labels/*/*.parquet"))
    broken.write_bytes(b"nothing")
    result = momentseek("labels", *labelled)
    assert result.code == 1
    assert f"{broken.name}: is broken" in result.err
    assert result.out.splitlines()[1].split()[:2] == ["always", "3"]


def test_videos_are_labelled_as_they_are_indexed(
    momentseek: Run, config: str, file: Path, make_video: Callable[..., Path]
) -> None:
    path = make_video()
    result = momentseek("index", path, "-c", config, "--set", f"analyze.labels={file}")
    assert result.code == 0, result.err
    rows: list[dict[str, Any]] = momentseek("labels", "-c", config, "--segments", "--json").objects()
    assert [row["label"] for row in rows] == ["always"]
    assert momentseek("remove", path, "-c", config).code == 0
    assert momentseek("labels", "-c", config, "--segments", "--json").objects() == []


def test_a_library_that_outgrew_its_calibration_says_so(
    momentseek: Run, config: str, file: Path, make_video: Callable[..., Path]
) -> None:
    momentseek("index", make_video("0.mp4"), "-c", config)
    assert "calibrated on" not in momentseek("label", file, "-c", config).err
    for number in range(1, 4):
        momentseek("index", make_video(f"{number}.mp4", grey=20 * number), "-c", config)
    assert (
        "the labels were calibrated on 1 video, and the library has 4 by now"
        in momentseek("label", file, "-c", config).err
    )
    assert "calibrated on" not in momentseek("label", file, "-c", config, "--again").err


_JOB = """
    import sys
    from jobs.label import main
    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.ray
@pytest.mark.slow
def test_a_job_labels_on_ray_as_in_process(momentseek: Run, labelled: Options, file: Path, tmp_path: Path) -> None:
    before = momentseek("labels", "--frames", "--min-score", 0, *labelled, "--json").out
    for path in tmp_path.glob("library/labels/*/*.parquet"):
        path.unlink()
    process = start_script(_JOB, tmp_path / "job", str(file), *labelled, "--json")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["status"], row["intervals"]) for row in rows] == [("done", 1)] * 4
    assert momentseek("labels", "--frames", "--min-score", 0, *labelled, "--json").out == before
