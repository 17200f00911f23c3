from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_result import Result

Run = Callable[..., Result]
TRUE = {"qid": 1, "query": "it", "vid": "a.mp4", "relevant_windows": [[0, 3]]}
ABSENT = {"qid": 2, "query": "something else", "vid": "b.mp4", "relevant_windows": []}
SALIENT = {**TRUE, "qid": 3, "duration": 3, "relevant_clip_ids": [0], "saliency_scores": [[4, 4, 4]]}


@pytest.fixture
def library(momentseek: Run, config: str, make_video: Callable[..., Path]) -> str:
    momentseek("index", make_video("a.mp4"), make_video("b.mp4", grey=200), "-c", config)
    return config


def labelled(folder: Path, *queries: dict[str, object]) -> Path:
    path = folder / "moments.jsonl"
    path.write_text("\n".join(map(json.dumps, queries)), encoding="utf-8")
    return path


def test_evaluate_prints_metrics_with_intervals(momentseek: Run, library: str, tmp_path: Path) -> None:
    result = momentseek("evaluate", labelled(tmp_path, TRUE), "-c", library)
    header, *rows = result.out.splitlines()
    assert (result.code, header.split()) == (0, ["1", "question", "per", "cent", "from", "to", "of", "questions"])
    assert {"MR-full-mAP", "VR-nDCG@10", "MR-short-mAP"} <= {row.split()[0] for row in rows}
    assert all(len(row.split()) == 5 for row in rows)
    assert "matching rule qvhighlights/1" in result.err


def test_evaluate_as_json(momentseek: Run, library: str, tmp_path: Path) -> None:
    [scores] = momentseek("evaluate", labelled(tmp_path, TRUE, ABSENT), "-c", library, "--json").objects()
    assert (scores["queries"], scores["absent"], scores["rule"]) == (2, 1, "qvhighlights/1")
    assert isinstance(scores["rejection"], dict)
    assert not [name for name in scores["metrics"] if name.startswith("HL") or "long" in name]


def test_evaluate_says_what_a_threshold_is_worth(momentseek: Run, library: str, tmp_path: Path) -> None:
    result = momentseek("evaluate", labelled(tmp_path, TRUE, ABSENT), "-c", library, "--no-ranking")
    assert "of the absent questions are answered with nothing" in result.err
    assert "VR-nDCG" not in result.out


def test_evaluate_takes_a_search_that_finds_nothing(momentseek: Run, library: str, tmp_path: Path) -> None:
    labels = labelled(tmp_path, TRUE, ABSENT)
    result = momentseek("evaluate", labels, "-c", library, "--set", "search.min_score=1.0")
    rows = {row.split()[0]: row.split()[1:] for row in result.out.splitlines()[1:]}
    assert result.code == 0
    assert rows["absent-rejected"] == rows["true-lost"] == ["100.0", "100.0", "100.0", "1"]
    # The ranking is scored all the same.
    assert float(rows["VR-nDCG@10"][0]) > 0


def test_evaluate_scores_highlights_where_they_are_labelled(momentseek: Run, library: str, tmp_path: Path) -> None:
    [scores] = momentseek("evaluate", labelled(tmp_path, SALIENT, ABSENT), "-c", library, "--json").objects()
    assert scores["metrics"]["HL-min-Fair-Hit1"] == 100


def test_evaluate_takes_charades_sta(momentseek: Run, library: str, tmp_path: Path) -> None:
    path = tmp_path / "charades_sta_test.txt"
    path.write_text("a 0.0 3.0##it moves.\nb 1.0 1.0##it stops.\n", encoding="utf-8")
    result = momentseek("evaluate", path, "-c", library)
    assert (result.code, result.out.splitlines()[0].split()[0]) == (0, "1")
    assert "left out 1 moment of Charades-STA that ends before it begins: line 2" in result.err


def test_evaluate_converts_without_a_library(momentseek: Run, tmp_path: Path) -> None:
    path, ours = tmp_path / "val_1.json", tmp_path / "ours.jsonl"
    path.write_text(json.dumps({"v_a": {"duration": 9, "timestamps": [[0, 3]], "sentences": ["It."]}}))
    result = momentseek("evaluate", path, "--convert", ours)
    assert (result.code, "wrote 1 query of ActivityNet Captions" in result.err) == (0, True)
    assert json.loads(ours.read_text()) == {
        "qid": "v_a#0",
        "query": "It.",
        "vid": "v_a",
        "duration": 9.0,
        "relevant_windows": [[0.0, 3.0]],
    }


def test_evaluate_of_an_empty_library_is_an_error(
    momentseek: Run, config: str, sound_only: Path, tmp_path: Path
) -> None:
    momentseek("index", sound_only, "-c", config)
    result = momentseek("evaluate", labelled(tmp_path, ABSENT), "-c", config)
    assert (result.code, result.out) == (2, "")
    assert "has no videos yet" in result.err


def test_evaluate_can_skip_videos_that_are_missing(momentseek: Run, library: str, tmp_path: Path) -> None:
    missing = {**TRUE, "qid": 9, "vid": "c.mp4"}
    labels = labelled(tmp_path, TRUE, missing)
    refused = momentseek("evaluate", labels, "-c", library)
    assert (refused.code, "'c.mp4'" in refused.err, "--skip-missing" in refused.err) == (2, True, True)
    result = momentseek("evaluate", labels, "-c", library, "--skip-missing")
    assert (result.code, result.out.splitlines()[0].split()[:2]) == (0, ["1", "question"])
    assert "left out 1 question about 1 video that the library does not hold" in result.err
    [scores] = momentseek("evaluate", labels, "-c", library, "--skip-missing", "--json").objects()
    assert (scores["queries"], scores["left_out"]) == (1, 1)
    nothing = momentseek("evaluate", labelled(tmp_path, missing), "-c", library, "--skip-missing")
    assert (nothing.code, "not in the library: 1 video of the labelled set" in nothing.err) == (2, True)


def test_evaluate_names_a_broken_line(momentseek: Run, library: str, tmp_path: Path) -> None:
    result = momentseek("evaluate", labelled(tmp_path, TRUE, {**ABSENT, "query": ""}), "-c", library)
    assert (result.code, "moments.jsonl, line 2: expected a text as query" in result.err) == (2, True)


def test_evaluate_writes_a_page_with_pictures(momentseek: Run, library: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = momentseek("evaluate", labelled(tmp_path, TRUE, ABSENT), "-c", library, "--report", page)
    assert (result.code, f"wrote {page}" in result.err) == (0, True)
    assert page.read_text(encoding="utf-8").count("data:image/jpeg;base64,") >= 2


def test_evaluate_says_where_a_page_cannot_be_written(momentseek: Run, library: str, tmp_path: Path) -> None:
    page = tmp_path / "nowhere" / "report.html"
    result = momentseek("evaluate", labelled(tmp_path, TRUE), "-c", library, "--report", page)
    assert (result.code, "the report cannot be written" in result.err) == (1, True)
