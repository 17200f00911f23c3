"""`momentseek search --label` and `momentseek videos --label`, on a library of two sample films of which one is
labelled."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from label_library import keep_labels

from pipeline import Library
from pipeline.library.analysis.label_rows import apply_labels

FIXTURE = Path(__file__).parent.parent.parent / "fixtures" / "library-2026-11"
HARBOUR, CONCRETE = "144bec235d5b1cc0", "674050282ba9bc1a"
WALKING = "a person walking"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(FIXTURE, tmp_path_factory.mktemp("labelled") / "library"))
    with Library.open(str(folder)) as library:
        keep_labels(library, {HARBOUR: {"person": [(11.0, 12.84)], "forklift": [(0.0, 4.0)]}})
        apply_labels(library)
    return folder


@pytest.fixture
def asked(momentseek: Any, folder: Path) -> Any:
    def asked(*arguments: object) -> Any:
        return momentseek("search", *arguments, "-l", folder)

    return asked


def rows(result: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.out.splitlines()]


def test_moments_lie_in_a_label_and_videos_without_labels_are_named(asked: Any) -> None:
    result = asked(WALKING, "--label", "person", "--json")
    assert result.code == 0
    [row] = rows(result)
    assert (row["video_id"], row["start_seconds"], row["end_seconds"]) == (HARBOUR, 11.0, 12.84)
    assert (
        "1 video was left out: concrete-evening.mkv: not labelled with the label set 'site': momentseek label site"
        in (result.err)
    )
    without = rows(asked(WALKING, "--not-label", "person", "--min-score", 0, "--json"))
    assert without
    assert all(row["video_id"] == HARBOUR and not 11 <= row["best_seconds"] < 12.84 for row in without)


def test_labels_can_be_repeated_and_asked_by_file(asked: Any, tmp_path: Path) -> None:
    result = asked(WALKING, "--label", "person", "--label", "forklift")
    assert (result.code, result.out) == (0, "")
    assert f'nothing matches "{WALKING}"' in result.err
    query = {"shows": WALKING, "labels": ["person"], "not_labels": ["forklift"]}
    (tmp_path / "one.json").write_text(json.dumps(query))
    (tmp_path / "many.jsonl").write_text(json.dumps(query) + "\n" + json.dumps({**query, "labels": "forklit"}) + "\n")
    [row] = rows(asked("--query", tmp_path / "one.json", "--json"))
    assert row["start_seconds"] == 11.0
    result = asked("--queries", tmp_path / "many.jsonl")
    answer, refused = rows(result)
    assert result.code == 1
    assert answer["moments"][0]["start_seconds"] == 11.0
    assert answer["query"]["labels"] == ["person"]
    assert "did you mean 'forklift'?" in refused["error"]


def test_the_explanation_says_what_labels_left_out(asked: Any) -> None:
    result = asked(WALKING, "--not-label", "person", "--explain")
    assert "Filters: not label 'person' (of the label set 'site')" in result.out
    assert "its best frame is not where the filter allows it" in result.out
    assert "Not searched: 1, 1 of them without labels:" in result.out
    assert "harbour-day.mp4 at 0:12.000: its best frame is not where the filter allows it" in result.err
    whole = json.loads(asked(WALKING, "--label", "person", "--explain", "--json").out)
    assert whole["explanation"]["skipped"][0]["is_unlabelled"] is True
    assert whole["explanation"]["filters"] == "label 'person' (of the label set 'site')"


def test_absences_are_of_labelled_videos(asked: Any) -> None:
    result = asked("--none", "a bicycle", "--label", "forklift", "--json")
    [row] = rows(result)
    assert (row["start_seconds"], row["end_seconds"], row["is_whole"]) == (0.0, 4.0, True)
    assert "1 of 1 video has no sampled frame" in result.err
    assert "1 video was left out: concrete-evening.mkv: not labelled" in result.err


def test_videos_are_selected_by_labels(momentseek: Any, folder: Path) -> None:
    result = momentseek("videos", "--label", "person", "--without-label", "forklift", "-l", folder, "--json")
    assert (result.code, result.out) == (0, "")
    result = momentseek("videos", "--label", "person", "-l", folder, "--json")
    assert [row["video_id"] for row in rows(result)] == [HARBOUR]
    assert "1 video was left out: concrete-evening.mkv: not labelled with the label set 'site'" in result.err
    result = momentseek("videos", "concrete*", "--without-label", "person", "-l", folder)
    assert "0 videos" in result.err
    assert "1 video was left out: concrete-evening.mkv" in result.err
    result = momentseek("videos", "--label", "person", "--failed", "-l", folder)
    assert result.code == 2


def test_labels_that_are_not_there_are_refused(asked: Any, momentseek: Any, folder: Path, tmp_path: Path) -> None:
    result = asked(WALKING, "--label", "persn")
    assert result.code == 2
    assert (
        "the label set 'site' has no label 'persn'; did you mean 'person'? it has: 'person', 'forklift'" in result.err
    )
    result = momentseek("videos", "--without-label", "dust", "-l", folder)
    assert "label 'dust' of the label set 'site' is scored only" in result.err
    plain = shutil.copytree(FIXTURE, tmp_path / "plain")
    for command in (("search", WALKING, "--not-label", "person"), ("videos", "--label", "person")):
        result = momentseek(*command, "-l", plain)
        assert result.code == 2
        assert f"are not labelled yet: momentseek label LABELS.yaml --library {plain} labels them" in result.err
