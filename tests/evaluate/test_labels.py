from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.evaluate import ClipSaliency, LabelledQuery, read_labelled, write_labelled

GOOD = {"qid": 7803, "query": "A dog runs.", "vid": "park", "relevant_windows": [[3, 7.5], [9, 12]]}


SALIENT = {"duration": 9, "relevant_clip_ids": [1, 3], "saliency_scores": [[1, 2, 3], [4, 0, 0]]}


def write(path: Path, *lines: Any) -> Path:
    file = path / "labels.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return file


def test_read_labelled_takes_what_it_needs_of_a_line(tmp_path: Path) -> None:
    other = {**GOOD, **SALIENT, "qid": "b", "query": " eine Straße ", "concepts": ["dog", " dog "], "other": 1}
    assert read_labelled(write(tmp_path, GOOD, "", other)) == [
        LabelledQuery(7803, "A dog runs.", "park", ((3.0, 7.5), (9.0, 12.0))),
        LabelledQuery(
            "b",
            "eine Straße",
            "park",
            ((3.0, 7.5), (9.0, 12.0)),
            duration_seconds=9.0,
            concepts=("dog",),
            saliency=ClipSaliency(4, (1, 3), ((1.0, 2.0, 3.0), (4.0, 0.0, 0.0))),
        ),
    ]


def test_saliency_of_clips_that_were_not_labelled_is_zero(tmp_path: Path) -> None:
    [query] = read_labelled(write(tmp_path, {**GOOD, **SALIENT}))
    assert query.saliency is not None
    assert query.saliency.by_clip().tolist() == [[0, 0, 0], [1, 2, 3], [0, 0, 0], [4, 0, 0]]


def test_a_query_without_windows_is_absent(tmp_path: Path) -> None:
    [absent, true] = read_labelled(write(tmp_path, {**GOOD, "qid": 1, "relevant_windows": []}, GOOD))
    assert (absent.is_absent, true.is_absent) == (True, False)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    queries = read_labelled(
        write(tmp_path, {**GOOD, **SALIENT, "concepts": ["dog"]}, {**GOOD, "qid": "ä", "relevant_windows": []})
    )
    write_labelled(queries, tmp_path / "again.jsonl")
    assert read_labelled(tmp_path / "again.jsonl") == queries


def test_a_set_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.*cannot be written"):
        write_labelled([], tmp_path / "nowhere" / "labels.jsonl")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"qid": None}, "qid, got None"),
        ({"qid": True}, "qid, got True"),
        ({"query": " "}, "query, got ' '"),
        ({"vid": 3}, "vid, got 3"),
        ({"relevant_windows": None}, "empty where the video does not show it, got None"),
        ({"relevant_windows": [[5, 5]]}, r"0 <= start < end, got \[5, 5\]"),
        ({"relevant_windows": [[-1, 5]]}, "0 <= start < end"),
        ({"relevant_windows": [[1, "2"]]}, "0 <= start < end"),
        ({"relevant_windows": [[1, 2, 3]]}, "0 <= start < end"),
        ({"relevant_windows": [[1, float("inf")]]}, "Infinity is not a JSON number"),
        ({"relevant_windows": "1-2"}, "expected a list of"),
        ({"duration": 0}, "duration in seconds, more than 0, got 0"),
        ({"concepts": "dog"}, "list of texts as concepts.*'dog'"),
        ({**SALIENT, "duration": None}, "saliency_scores need the video's duration"),
        ({**SALIENT, "relevant_clip_ids": None}, "clips from 0 to 3 as relevant_clip_ids, got None"),
        ({**SALIENT, "relevant_clip_ids": [1, 4]}, "clips from 0 to 3"),
        ({**SALIENT, "saliency_scores": [[1, 2, 3]]}, "scores of each of 2 clips"),
        ({**SALIENT, "saliency_scores": [[1, 2, 3], [5, 1, 1]]}, "0 to 4"),
        ({**SALIENT, "saliency_scores": [[1, 2, 3], [1, 1]]}, "as many saliency_scores"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"labels\.jsonl, line 2: .*{problem}"):
        read_labelled(write(tmp_path, {**GOOD, "qid": 1}, {**GOOD, **change}))


@pytest.mark.parametrize("line", ["{", "[1]", "3"])
def test_a_line_that_is_no_json_object_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match="line 1"):
        read_labelled(write(tmp_path, line))


def test_a_query_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 2: qid 7803 occurs twice"):
        read_labelled(write(tmp_path, GOOD, GOOD))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="contains no query; expected lines as"):
        read_labelled(write(tmp_path, ""))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_labelled(tmp_path / "nowhere.jsonl")
