from __future__ import annotations

import datetime
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import SourceError
from pipeline.sources import expand
from pipeline.sources.manifests import manifest_rows
from pipeline.types import Source


def rows(name: str, content: bytes | str) -> list[Source]:
    return list(manifest_rows(name, io.BytesIO(content.encode() if isinstance(content, str) else content)))


def parquet(columns: dict[str, object]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


EXPECTED = [Source("a.mp4", {"camera": "gate", "take": 3, "night": True}), Source("s3://b/c.mkv", {"score": 0.5})]


def test_csv_values_are_what_they_read_as() -> None:
    text = '\ufeffcamera,uri,take,night,score\r\n"gate",a.mp4,3,TRUE,\r\n\r\n,s3://b/c.mkv,,,0.5\r\n'
    assert rows("m.csv", text) == EXPECTED
    assert all(type(row.metadata.get("take", 0)) is int for row in rows("m.csv", text))


@pytest.mark.parametrize("text", ["007", "1e5", "+1", "1_000", "0x1F", "nan", "1.", ".5", "12345678901234567890"])
def test_csv_text_that_is_no_plain_number_stays_text(text: str) -> None:
    assert rows("m.csv", f"uri,x\na,{text}\n") == [Source("a", {"x": text})]


def test_json_lines_keep_their_types() -> None:
    lines = [
        {"uri": "a.mp4", "camera": "gate", "take": 3, "night": True, "score": None},
        {"uri": "s3://b/c.mkv", "camera": "", "score": 0.5},
    ]
    text = "\n".join(map(json.dumps, lines)) + "\n\n"
    assert rows("m.jsonl", text) == EXPECTED
    assert rows("m.jsonl", '{"uri": "a", "x": "3"}') == [Source("a", {"x": "3"})]


def test_parquet_keeps_its_types_and_leaves_out_what_says_nothing() -> None:
    columns = {
        "uri": ["a.mp4", "s3://b/c.mkv"],
        "camera": ["gate", None],
        "take": pa.array([3, None], pa.int16()),
        "night": [True, None],
        "score": [float("nan"), 0.5],
    }
    assert rows("m.parquet", parquet(columns)) == EXPECTED
    day = datetime.date(2026, 11, 21)
    assert rows("m.parquet", parquet({"uri": ["a"], "day": [day]})) == [Source("a", {"day": "2026-11-21"})]


@pytest.mark.parametrize("column", ["uri", "path", "video", "url"])
def test_any_of_four_columns_names_the_video(column: str) -> None:
    assert rows("m.csv", f"{column},x\na.mp4,1\n") == [Source("a.mp4", {"x": 1})]


def test_the_first_of_the_four_columns_names_it_and_the_others_are_metadata() -> None:
    assert rows("m.csv", "url,path\nhttp://x/1,12\n") == [Source("12", {"url": "http://x/1"})]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("m.csv", "", "m.csv: empty; the first line"),
        ("m.csv", "file,x\na,1\n", "no column names the video; call one of them uri .*: 'file', 'x'"),
        ("m.csv", "uri,x,x\na,1,2\n", "two columns are named 'x'"),
        ("m.csv", "uri,x\na.mp4,1\nb.mp4,1,2\n", "m.csv, line 3: 3 values, but the header has 2"),
        ("m.csv", "uri,x\na.mp4,1\n  ,2\n", "m.csv, line 3: 'uri' is '  ', but must name a video"),
        ("m.csv", 'uri,x\na.mp4,"1\n', "m.csv, line 2: not CSV"),
        ("m.csv", "uri,GPS (lat)\na.mp4,\nb.mp4,1\n", r"m.csv, line 3: metadata 'GPS \(lat\)': a name consists of"),
        ("m.csv", b"uri\ncaf\xe9.mp4\n", "m.csv: not UTF-8"),
        ("m.jsonl", '{"uri": "a"}\n{"uri": \n', "m.jsonl, line 2: not JSON"),
        ("m.jsonl", '"a.mp4"\n', "m.jsonl, line 1: expected an object"),
        ("m.jsonl", '{"uri": "a"}\n{"uri": 5}\n', "m.jsonl, line 2: 'uri' is 5"),
        ("m.jsonl", '{"uri": "a", "tags": ["x"]}\n', r"m.jsonl, line 1, column 'tags': \"\['x'\]\" is not text"),
        ("m.jsonl", '{"uri": "a", "n": 9223372036854775808}\n', "column 'n': '9223372036854775808' is not"),
        ("m.jsonl", '{"name": "a"}\n', "m.jsonl, line 1: no column names the video.*: 'name'"),
        ("m.parquet", b"PAR1 is not this", "m.parquet: not a readable Parquet file"),
        ("m.parquet", parquet({"uri": ["a", None]}), "m.parquet, row 2: 'uri' is None"),
        ("m.parquet", parquet({"uri": ["a"], "box": [[1, 2]]}), "m.parquet, column 'box': has the type"),
        ("m.parquet", parquet({"uri": ["a"], "inf": [float("inf")]}), "m.parquet, row 1, column 'inf': 'inf' is not"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(name: str, content: bytes | str, problem: str) -> None:
    with pytest.raises(SourceError, match=problem):
        rows(name, content)


@pytest.mark.parametrize("suffix", ["csv", "CSV", "jsonl", "parquet"])
def test_a_manifest_is_expanded_beside_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    (tmp_path / "in").mkdir()
    named = ["a.mp4", "/videos/b.mp4", "https://x.org/c.mp4?sig=1", "file:///videos/d%20e.mp4"]
    content = {
        "csv": "uri,n\n" + "".join(f"{name},1\n" for name in named),
        "jsonl": "".join(json.dumps({"uri": name, "n": 1}) + "\n" for name in named),
        "parquet": parquet({"uri": named, "n": [1] * 4}),
    }[suffix.lower()]
    (tmp_path / "in" / f"m.{suffix}").write_bytes(content.encode() if isinstance(content, str) else content)
    monkeypatch.chdir(tmp_path)
    places = ["in/a.mp4", "/videos/b.mp4", "https://x.org/c.mp4?sig=1", "/videos/d e.mp4"]
    assert list(expand([f"in/m.{suffix}"])) == [Source(place, {"n": 1}) for place in places]


def test_what_a_manifest_says_of_a_video_is_not_lost_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "m.csv").write_text("uri,n\na.mp4,1\n")
    sources = list(expand([str(tmp_path), str(tmp_path / "m.csv")]))
    assert sources == [Source(str(tmp_path / "a.mp4")), Source(str(tmp_path / "a.mp4"), {"n": 1})]


def test_a_manifest_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("uri,n\n")
    with pytest.raises(SourceError, match="lists no video"):
        list(expand([str(tmp_path / "m.csv")]))


def test_rows_are_read_as_they_are_asked_for() -> None:
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:
            line = b'{"uri": "a.mp4"}\n'
            buffer[: len(line)] = line
            return len(line)

    found = manifest_rows("m.jsonl", io.BufferedReader(Endless()))
    assert [next(found).uri for _ in range(1000)] == ["a.mp4"] * 1000


@pytest.mark.parametrize(("name", "text"), [("m.csv", "uri,x\na,1\nb\n"), ("m.jsonl", '{"uri": "a"}\nb\n')])
def test_a_manifest_is_closed_where_it_fails_or_is_left(name: str, text: str) -> None:
    file = io.BytesIO(text.encode())
    with pytest.raises(SourceError) as caught:
        list(manifest_rows(name, file))
    assert (file.closed, "line" in str(caught.value)) == (True, True)
    left = io.BytesIO(text.encode())
    found = manifest_rows(name, left)
    next(found)
    found.close()
    assert left.closed
