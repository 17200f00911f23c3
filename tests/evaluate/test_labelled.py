from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.evaluate import LabelledQuery, read_labelled

GOOD = {"qid": 7803, "query": "A dog runs.", "vid": "park", "relevant_windows": [[3, 7.5], [9, 12]]}


def write(path: Path, *lines: Any) -> Path:
    file = path / "labels.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return file


def test_read_labelled_takes_what_it_needs_of_a_line(tmp_path: Path) -> None:
    other = {**GOOD, "qid": "b", "query": " eine Straße ", "duration": 150, "saliency_scores": [[1, 2, 3]]}
    assert read_labelled(write(tmp_path, GOOD, "", other)) == [
        LabelledQuery(7803, "A dog runs.", "park", ((3.0, 7.5), (9.0, 12.0))),
        LabelledQuery("b", "eine Straße", "park", ((3.0, 7.5), (9.0, 12.0))),
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"qid": None}, "qid, got None"),
        ({"qid": True}, "qid, got True"),
        ({"query": " "}, "query, got ' '"),
        ({"vid": 3}, "vid, got 3"),
        ({"relevant_windows": []}, "at least one"),
        ({"relevant_windows": [[5, 5]]}, r"0 <= start < end, got \[5, 5\]"),
        ({"relevant_windows": [[-1, 5]]}, "0 <= start < end"),
        ({"relevant_windows": [[1, "2"]]}, "0 <= start < end"),
        ({"relevant_windows": [[1, 2, 3]]}, "0 <= start < end"),
        ({"relevant_windows": [[1, float("inf")]]}, "0 <= start < end"),
        ({"relevant_windows": "1-2"}, "at least one"),
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
    with pytest.raises(ConfigError, match="line 2: qid 7803 was there before"):
        read_labelled(write(tmp_path, GOOD, GOOD))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no query; expected lines as"):
        read_labelled(write(tmp_path, ""))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_labelled(tmp_path / "nowhere.jsonl")
