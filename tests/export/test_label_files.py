from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.analyze.labels.tracks import LabelInterval, LabelTrack
from pipeline.export.row_files import csv_lines, json_lines, replacing, write_parquet
from pipeline.export.webvtt import webvtt_chapters

COLUMNS = {"name": str, "count": int, "share": float}
ROWS = [
    {"name": 'a, "b"\nc', "count": 1, "share": 0.1},
    {"name": None, "count": None, "share": None},
    {"name": "caf\udce9", "count": 2**60, "share": 1e-300},
]


def test_chapters_are_ordered_and_escaped() -> None:
    tracks = [
        LabelTrack("van <red> & -->\nblue", (LabelInterval(3723.0004, 3723.0005, 3723.0, 0.874),)),
        LabelTrack("person", (LabelInterval(0.0, 2.5, 1.0, 0.5), LabelInterval(360_000.0, 360_001.25, 360_000.5, 1.0))),
        LabelTrack("never", ()),
    ]
    assert webvtt_chapters(tracks) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:02.500\nperson (50 %)\n\n"
        "01:02:03.000 --> 01:02:03.001\nvan &lt;red&gt; &amp; --&gt; blue (87 %)\n\n"
        "100:00:00.000 --> 100:00:01.250\nperson (100 %)\n"
    )
    assert webvtt_chapters([]) == "WEBVTT\n"


def test_rows_come_back_from_each_format() -> None:
    assert [json.loads(line) for line in json_lines(ROWS)] == ROWS
    text = "".join(csv_lines(ROWS, COLUMNS))
    text.encode()
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["name"] for row in found] == ['a, "b"\nc', "", "caf\\udce9"]
    assert float(found[2]["share"]) == 1e-300
    file = io.BytesIO()
    write_parquet(file, iter(ROWS), COLUMNS)
    table = pq.read_table(io.BytesIO(file.getvalue())).to_pylist()
    assert table[:2] == ROWS[:2]
    assert table[2]["name"] == "caf\\udce9"


def test_no_rows_are_a_table_with_columns() -> None:
    file = io.BytesIO()
    write_parquet(file, [], COLUMNS)
    assert pq.read_table(io.BytesIO(file.getvalue())).column_names == list(COLUMNS)
    assert list(csv_lines([], COLUMNS)) == ["name,count,share\r\n"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("before")
    with pytest.raises(ValueError, match="halfway"), replacing(path) as file:
        file.write(b"half")
        raise ValueError("halfway")
    assert (path.read_text(), [each.name for each in tmp_path.iterdir()]) == ("before", ["rows.csv"])
    with replacing(path) as file:
        file.write(b"after")
    assert path.read_text() == "after"
