from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.evaluate import LabelledQuery, read_labelled, read_labelled_set, write_labelled

CHARADES = "AO8RW 0.0 6.9##a person opens a door.\n\n3MSZA 24.3 30.4##person turns on a light.\n"
CAPTIONS: dict[str, Any] = {
    "v_a": {"duration": 82.7, "timestamps": [[0.8, 19.9], [17, 90.0]], "sentences": [" A man runs.", "He stops."]},
    "v_b": {"duration": 5, "timestamps": [[0, 5]], "sentences": ["A dog."]},
}


def written(folder: Path, text: str, name: str = "labels.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["charades_sta_test.txt", "labels", "labels.csv"])
def test_charades_sta_is_read(tmp_path: Path, name: str) -> None:
    found = read_labelled_set(written(tmp_path, CHARADES, name))
    assert found.form == "Charades-STA"
    assert found.queries == (
        LabelledQuery(1, "a person opens a door.", "AO8RW", ((0.0, 6.9),)),
        LabelledQuery(3, "person turns on a light.", "3MSZA", ((24.3, 30.4),)),
    )


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["val_1.json", "labels"])
def test_activitynet_captions_are_read(tmp_path: Path, name: str, indent: int | None) -> None:
    found = read_labelled_set(written(tmp_path, json.dumps(CAPTIONS, indent=indent), name))
    assert found.form == "ActivityNet Captions"
    assert found.queries == (
        LabelledQuery("v_a#0", "A man runs.", "v_a", ((0.8, 19.9),), 82.7),
        # What lies beyond the video's end is cut off.
        LabelledQuery("v_a#1", "He stops.", "v_a", ((17.0, 82.7),), 82.7),
        LabelledQuery("v_b#0", "A dog.", "v_b", ((0.0, 5.0),), 5.0),
    )


@pytest.mark.parametrize("name", ["labels.jsonl", "labels.json", "labels"])
def test_our_form_is_known_by_any_name(tmp_path: Path, name: str) -> None:
    line = '{"qid": 1, "query": "a dog", "vid": "park", "relevant_windows": [[3, 7.5]]}'
    assert read_labelled_set(written(tmp_path, line, name)).form == "QVHighlights"


def test_moments_that_end_before_they_begin_are_left_out_and_said(tmp_path: Path) -> None:
    charades = read_labelled_set(written(tmp_path, CHARADES + "X 9.0 8.0##a door.\nX 8.0 8.0##a door.\n"))
    assert (len(charades.queries), charades.left_out) == (2, ("line 4", "line 5"))
    captions = {"v_c": {"duration": 5, "timestamps": [[4, 1], [6, 7]], "sentences": ["A.", "B."]}, **CAPTIONS}
    assert read_labelled_set(written(tmp_path, json.dumps(captions), "a.json")).left_out == ("v_c 0", "v_c 1")


@pytest.mark.parametrize("text", [CHARADES, json.dumps(CAPTIONS)])
def test_what_is_imported_can_be_written_in_our_form(tmp_path: Path, text: str) -> None:
    queries = read_labelled(written(tmp_path, text))
    write_labelled(queries, tmp_path / "ours.jsonl")
    assert read_labelled(tmp_path / "ours.jsonl") == queries


def test_a_text_may_hold_what_ends_a_line_elsewhere(tmp_path: Path) -> None:
    """U+2028 and its like are raw in JSON."""
    queries = [LabelledQuery(number, f"a{end}b", "v", ((0, 1),)) for number, end in enumerate("\u2028\u2029\x85\x0b\r")]
    write_labelled(queries, tmp_path / "ours.jsonl")
    assert read_labelled(tmp_path / "ours.jsonl") == queries
    charades = written(tmp_path, "A 0 1##a\u2028b\r\nB 0 1##c\r\n")
    assert [query.text for query in read_labelled(charades)] == ["a\u2028b", "c"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("AO8RW 0.0 6.9 a person", "expected VIDEO START END##sentence, got 'AO8RW 0.0 6.9 a person'"),
        ("AO8RW 0.0 6.9##  ", "expected VIDEO START END##sentence"),
        ("AO8RW 6.9##a person", "expected VIDEO START END##sentence"),
        ("AO8RW 0.0 end##a person", "START and END in seconds, 0 or more, got '0.0' and 'end'"),
        ("AO8RW -1 3##a person", "0 or more, got '-1' and '3'"),
        ("AO8RW 0 nan##a person", "got '0' and 'nan'"),
    ],
)
def test_a_wrong_line_of_charades_sta_is_named(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"labels\.txt, line 4: .*{problem}"):
        read_labelled(written(tmp_path, CHARADES + line))


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, "duration in seconds, more than 0, got None"),
        ({"duration": 5, "timestamps": [[0, 1]], "sentences": []}, "as many timestamps as sentences"),
        ({"duration": 5, "timestamps": [[0]], "sentences": ["A."]}, r"\[start, end\] in seconds as timestamp 0"),
        ({"duration": 5, "timestamps": [[0, "x"]], "sentences": ["A."]}, r"timestamp 0, got \[0, 'x'\]"),
        ({"duration": 5, "timestamps": [[0, 1]], "sentences": [" "]}, "text as sentence 0"),
    ],
)
def test_a_wrong_video_of_activitynet_captions_is_named(tmp_path: Path, entry: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"a\.json, video 'v_x': .*{problem}"):
        read_labelled(written(tmp_path, json.dumps({**CAPTIONS, "v_x": entry}), "a.json"))


def test_a_broken_json_file_says_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.json: is not JSON: .*line 2 column"):
        read_labelled(written(tmp_path, '{\n"v_a": }', "a.json"))


@pytest.mark.parametrize(("text", "name"), [("[1, 2]", "a.json"), ("", "a.txt"), ("\n", "a.jsonl")])
def test_a_file_of_no_known_form_says_what_is_known(tmp_path: Path, text: str, name: str) -> None:
    with pytest.raises(ConfigError, match=r"expected .*QVHighlights.*Charades-STA.*ActivityNet Captions"):
        read_labelled(written(tmp_path, text, name))
