from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.evaluate.intervals import LabelledIntervals, PredictedInterval, read_interval_set, read_predictions
from pipeline.evaluate.intervals.interval_files import is_interval_set

LINE = {"video": "park", "label": "forklift", "intervals": [[1, 2.5]]}


def written(folder: Path, text: str, name: str = "set.jsonl") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def lines(*rows: object) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def test_json_lines(tmp_path: Path) -> None:
    full = {**LINE, "label": " a truck ", "intervals": [], "unknown": [[0, 1]], "duration": 9, "note": "no matter"}
    found = read_interval_set(written(tmp_path, f"\ufeff\n{lines(LINE, full)}"))
    assert found.form == "JSON Lines"
    assert found.entries == (
        LabelledIntervals("park", "forklift", ((1.0, 2.5),), line=2),
        LabelledIntervals("park", "a truck", (), ((0.0, 1.0),), 9.0, line=3),
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_as_annotators_export_it(tmp_path: Path, delimiter: str) -> None:
    text = (
        'Label,video,Start,End,annotator,Duration\r\n"fork,lift",park.mp4,1,2.5,ann,0:01:10\r\n\r\n'
        "truck,park.mp4,,,bob,\r\n"
        '"fork,lift",park.mp4,0:01:00,1:02.5,,70\r\n'
    ).replace(",", delimiter)
    found = read_interval_set(written(tmp_path, text, "set.csv"))
    assert found.form == "CSV"
    assert found.entries == (
        LabelledIntervals("park.mp4", f"fork{delimiter}lift", ((1.0, 2.5), (60.0, 62.5)), (), 70.0, line=2),
        LabelledIntervals("park.mp4", "truck", (), (), 70.0, line=4),
    )


def test_an_end_beyond_the_video_is_cut(tmp_path: Path) -> None:
    [entry] = read_interval_set(written(tmp_path, lines({**LINE, "intervals": [[1, 12.2]], "duration": 12}))).entries
    assert entry.intervals == ((1.0, 12.0),)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"intervals": None}, "expected a list of [start, end] as intervals, empty where"),
        ({"intervals": [[2, 1]]}, "expected [start, end] in seconds with 0 <= start < end, got [2, 1]"),
        ({"intervals": [[2, 2]]}, "got [2, 2]"),
        ({"intervals": [[-1, 2]]}, "got [-1, 2]"),
        ({"intervals": [["1", 2]]}, "got ['1', 2]"),
        ({"intervals": [[True, 2]]}, "got [True, 2]"),
        ({"intervals": [1, 2]}, "got 1"),
        ({"unknown": {}}, "as unknown, got {}"),
        ({"unknown": [[3]]}, "got [3]"),
        ({"video": ""}, "as video, got ''"),
        ({"label": 3}, "as label, got 3"),
        ({"label": "\ud800"}, "as label"),
        ({"label": "x" * 1001}, "of up to 1,000 characters as label"),
        ({"duration": 0}, "expected a duration in seconds, more than 0, got 0"),
        ({"duration": 1}, "begins after the video's end at 1 s"),
        ({"video": "park"}, "were on line 1; give all intervals of the two on one line"),
    ],
)
def test_a_faulty_line_is_named(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    path = written(tmp_path, lines(LINE, {**LINE, "video": "gate", **change}))
    with pytest.raises(ConfigError) as raised:
        read_interval_set(path)
    assert str(raised.value).startswith(f"{path}, line 2: ")
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[1]", "expected a JSON object, got [1]"),
        ('{"video": "a"', "line 2"),
        ('{"video": "a", "video": "b"}', "given twice"),
        ('{"video": "a", "label": "b", "intervals": [[0, NaN]]}', "NaN"),
        ('{"video": "a", "label": "b", "intervals": [[0, 1e999]]}', "line 2"),
        ("[" * 100_000, "nested more than 64 levels"),
    ],
)
def test_hostile_json_is_refused(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match="line 2") as raised:
        read_interval_set(written(tmp_path, f"{lines(LINE)}{line}\n"))
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("a,b,1\n", "expected [start, end] in seconds with 0 <= start < end, got [1.0, None]"),
        ("a,b,2,1\n", "got [2.0, 1.0]"),
        ("a,b,x,1\n", "not a time: 'x'"),
        ("a,b,nan,1\n", "not a time: 'nan'"),
        (",b,0,1\n", "as video"),
        ("a,,0,1\n", "as label"),
        ("a,b,0,1,2,3\n", "6 cells under 5 columns; put a cell that holds ',' into quotation marks"),
        ('a,"b,0,1\n', "unexpected end of data"),
        (f"a,{'b' * 200_000},0,1\n", "field larger than field limit"),
        ("a,b,0,1,-3\n", "not a time: '-3'"),
        ("a,b,0,1,9\n", "a duration of 9 s for 'a', which has 8 s on line 2"),
    ],
)
def test_a_faulty_row_is_named(tmp_path: Path, rows: str, problem: str) -> None:
    path = written(tmp_path, f"video,label,start,end,duration\na,c,0,1,8\n{rows}", "set.csv")
    with pytest.raises(ConfigError) as raised:
        read_interval_set(path)
    assert str(raised.value).startswith(f"{path}, line ")
    assert problem in str(raised.value)


@pytest.mark.parametrize("text", ["", "video,label\na,b\n", "video,label,start,end\n", "a dog\n", '{"qid": 1}\n'])
def test_what_is_no_set_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="expected lines as"):
        read_interval_set(written(tmp_path, text))


def test_sets_of_questions_are_told_apart() -> None:
    assert is_interval_set(lines(LINE))
    assert is_interval_set("\n\nstart,END,label,video,more\n")
    assert is_interval_set('{"label": "a", "intervals": []}')
    for other in (
        '{"qid": 1, "query": "a label", "vid": "a", "relevant_windows": []}',
        '{"label": {"duration": 9, "timestamps": [], "sentences": []}}',
        "AO8RW 0.0 6.9##video, label, start, end.",
        "{",
        "",
    ):
        assert not is_interval_set(other), other


def test_predictions_of_labels_and_policies(tmp_path: Path) -> None:
    segment = {"video_id": "a1", "name": "a", "label": "truck", "start_seconds": 1, "end_seconds": 3}
    flag = {"kind": "flag", "rule": "no-hat", "video_id": "a1", "uri": "/a.mp4", "start_seconds": 0, "end_seconds": 2}
    rows = lines({**segment, "peak_seconds": 1.5, "confidence": 0.7}, {**flag, "score": 0.9})
    assert read_predictions(written(tmp_path, rows)) == [
        PredictedInterval("a1", "truck", 1, 3, 0.7, 1.5),
        PredictedInterval("a1", "no-hat", 0, 2, 0.9, 1),
    ]
    table = "video;rule;start;end;score\na.mp4;no-hat;0;2;0.9\n"
    assert read_predictions(written(tmp_path, table)) == [PredictedInterval("a.mp4", "no-hat", 0, 2, 0.9, 1)]
    assert read_predictions(written(tmp_path, "")) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"confidence": 1.1}, "expected a confidence from 0 to 1, got 1.1"),
        ({"confidence": None}, "got None"),
        ({"confidence": True}, "got True"),
        ({"start": 3}, "expected [start, end] in seconds"),
        ({"end": "never"}, "expected [start, end] in seconds"),
        ({"peak": 9}, "expected a peak within the interval"),
        ({"kind": "unchecked", "problems": ["gone"]}, "a video that was not checked cannot be scored"),
    ],
)
def test_a_faulty_prediction_is_named(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    row = {"video": "a", "label": "b", "start": 0, "end": 2, "confidence": 0.5}
    path = written(tmp_path, lines(row, {**row, **change}))
    with pytest.raises(ConfigError) as raised:
        read_predictions(path)
    assert str(raised.value).startswith(f"{path}, line 2: ")
    assert problem in str(raised.value)
