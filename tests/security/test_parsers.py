"""Documents that are small and cost much, and documents that are spelled as no program writes them."""

from __future__ import annotations

import io
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from contracts.word_world import video

from pipeline.config import validate, with_overrides
from pipeline.config_files import load_mapping
from pipeline.errors import ConfigError, MomentseekError, QueryError, SourceError
from pipeline.evaluate.label_formats import read_labelled_set
from pipeline.library.saved_config import read_library_file
from pipeline.parsing import ParseError, parse_json, parse_yaml, shown
from pipeline.run_config import RunConfig
from pipeline.search.query import read_query
from pipeline.sources.manifests import manifest_rows
from pipeline.types.record_json import record_from, record_mapping


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """No test may take long, or much memory: both were exhausted by files of some hundred bytes."""
    began = time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000


def _bomb(link: str = "[{}]") -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for under, over in zip("abcdefghij", "bcdefghijk", strict=True):
        lines.append(f"{over}: &{over} {link.format(', '.join([f'*{under}'] * 9))}")
    return "\n".join(lines)


MERGES = _bomb("{{<<: [{}]}}").replace("[x, x, x, x, x, x, x, x, x]", "{x: 1}")

YAML_FAULTS = {
    "aliases": (_bomb(), r"line 6, .*more than 100,000 values"),
    "merge keys": (MERGES, r"line 6, .*more than 100,000 values"),
    "an alias of itself": ("a: 1\nb: &b [*b]", r"line 2, .*within the node that it refers to"),
    "deep lists": ("[" * 100_000, r"line 1, .*nested more than 64 levels"),
    "deep mappings": ("{a: " * 3000, r"line 1, .*nested more than 64 levels"),
    "deep blocks": ("a:\n" + "- " * 3000 + "x", r"line 2, .*nested more than 64 levels"),
    "a huge number": ("a: 1\nb: " + "9" * 5000, r"line 2, .*5,000 digits"),
    "a huge hexadecimal number": ("0x" + "f" * 5000, "5,002 digits"),
    "a key twice": ("a: 1\nb: 2\na: 3", r"line 3, .*'a' is given twice"),
    "binary": ("a: !!binary aGk=", r"line 1, .*tag"),
    "a set": ("!!set {a}", "tag"),
    "an object": ("!!python/object/apply:os.system ['true']", "tag"),
    "a false tag": ("a: !!int x", "'x' is not a valid int"),
    "a control character": ("a: 1\nb: \0", "line 2: special characters"),
    "no UTF-8": (b"a: \xff", "line 1: invalid start byte"),
    "a list as a key": ("? [a]\n: 1", "unhashable"),
    "its size": ("a: " + "x" * 300_000, "more than 262,144 bytes"),
}


@pytest.mark.parametrize("kind", YAML_FAULTS)
def test_yaml_that_costs_or_hides_is_refused_with_its_line(kind: str, tmp_path: Path) -> None:
    content, problem = YAML_FAULTS[kind]
    with pytest.raises(ParseError, match=problem):
        parse_yaml(content)
    raw = content.encode() if isinstance(content, str) else content
    (tmp_path / "c.yaml").write_bytes(raw)
    with pytest.raises(ConfigError, match=r"not valid YAML|more than"):
        load_mapping(tmp_path / "c.yaml")
    (tmp_path / "library.yaml").write_bytes(raw)
    with pytest.raises(MomentseekError, match=r"library\.yaml"):
        read_library_file(str(tmp_path))
    if isinstance(content, str):
        with pytest.raises(ConfigError, match="--set"):
            with_overrides({}, [f"sampling.fps={content}"])


def test_plain_yaml_is_read_as_before() -> None:
    text = "a: &a {x: 1, y: [1.5, yes, null, .inf]}\nb: *a\nc: {<<: *a, x: 2}\nd: 'é'\ne: 0x1F\n"
    a = {"x": 1, "y": [1.5, True, None, float("inf")]}
    assert parse_yaml(text) == {"a": a, "b": a, "c": {**a, "x": 2}, "d": "é", "e": 31}


@pytest.mark.parametrize("text", ["2024-01-05", "2024-13-45", "2024-01-05 10:00:00", "2001-12-14t21:59:43.10-05:00"])
def test_dates_stay_as_they_are_written(text: str) -> None:
    assert parse_yaml(text) == text


JSON_FAULTS = {
    "depth": ("[" * 100_000, "nested more than 64 levels"),
    "depth of what is whole": ("[" * 65 + "]" * 65, "nested more than 64 levels"),
    "depth of objects": ('{"a":' * 200 + "1" + "}" * 200, "nested more than 64 levels"),
    "a huge number": ("9" * 5000, "5,000 digits"),
    "a number beyond floats": ("-1e999", "beyond the range"),
    "not a number": ('{"a": NaN}', "NaN is not a JSON number"),
    "infinity": ("[-Infinity]", "-Infinity is not a JSON number"),
    "a key twice": ('{"a": 1, "a": 2}', "'a' is given twice"),
    "UTF-16": ("{}".encode("utf-16"), "not UTF-8"),
    "no UTF-8": (b'"\xff"', "not UTF-8"),
    "no JSON": ('{\n"a":}', "line 2 column 5"),
}


@pytest.mark.parametrize("kind", JSON_FAULTS)
def test_json_that_costs_or_hides_is_refused(kind: str) -> None:
    content, problem = JSON_FAULTS[kind]
    with pytest.raises(ParseError, match=problem):
        parse_json(content)
    with pytest.raises(QueryError, match="the question"):
        read_query(content)


def test_json_of_64_levels_and_with_a_byte_order_mark_is_read() -> None:
    assert parse_json("[" * 64 + "]" * 64)
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def rows(name: str, content: bytes) -> int:
    return sum(1 for _ in manifest_rows(name, io.BytesIO(content)))


def parquet(columns: dict[str, object]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="zstd")
    return file.getvalue()


def repeated(text: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([text]))


MANIFEST_FAULTS = {
    "columns": ("m.csv", ",".join(f"c{number}" for number in range(120_000)).encode(), "120,000 columns; the maximum"),
    "columns of one name": ("m.csv", ",".join(["c"] * 400_000).encode(), "400,000 columns; the maximum"),
    "a long line": ("m.csv", b"uri,x\na," + b"9" * 40_000_000, "line 2: more than 1,048,576 characters"),
    "a long header": ("m.csv", b"x" * 40_000_000, "line 1: more than 1,048,576 characters"),
    "an open quote": ("m.csv", b'uri,x\na,1\nb,"c\n' + b"c,2\n" * 2_000_000, r"line 3: not CSV .*quote"),
    "an endless record": ("m.csv", b"uri,x\n" + b'"a\nb",' * 1_000_000, r"line 2: not CSV \(a record of more than"),
    "a long JSON line": ("m.jsonl", b'{"uri":"' + b"a" * 40_000_000, "line 1: more than 1,048,576 characters"),
    "deep JSON": ("m.jsonl", b'{"uri":"a"}\n' + b"[" * 900_000, r"line 2: not JSON \(nested more than 64"),
    "half a pair": ("m.jsonl", b'{"uri":"a","x":"\\ud800"}', "column 'x': .*is not text"),
    "a key twice": ("m.jsonl", b'{"uri":"a","uri":"b"}', "'uri' is given twice"),
    "a repeated text": (
        "m.parquet",
        parquet({"uri": ["a"] * 100_000, "x": repeated("x" * 5_000_000, 100_000)}),
        "column 'x': a text of more than 1,048,576 bytes",
    ),
    "nested columns": ("m.parquet", parquet({"uri": ["a"], "x": [{"a": [1]}]}), "column 'x': has the type"),
    "many columns": ("m.parquet", parquet({f"c{number}": [1] for number in range(2001)}), "2,001 columns"),
}


@pytest.mark.parametrize("kind", MANIFEST_FAULTS)
def test_a_manifest_that_costs_or_hides_is_refused_with_its_place(kind: str) -> None:
    name, content, problem = MANIFEST_FAULTS[kind]
    with pytest.raises(SourceError, match=problem) as caught:
        rows(name, content)
    assert len(str(caught.value)) < 600


def test_a_dictionary_of_short_texts_is_read_with_one_object_a_text() -> None:
    content = parquet({"uri": repeated("a.mp4", 50_000), "x": repeated("x" * 1000, 50_000)})
    found = list(manifest_rows("m.parquet", io.BytesIO(content)))
    assert len(found) == 50_000
    assert found[0].metadata["x"] is found[1000].metadata["x"]


def test_records_of_several_lines_and_all_line_ends_are_read() -> None:
    assert rows("m.csv", b'uri,x\n"a\nb",1\n' * 1 + b'"c\r\nd",2\n') == 2
    assert rows("m.csv", b"uri,x\ra,1\rb,2\r") == 2
    assert rows("m.csv", b"uri,x\r\na,1\r\nb,2") == 2


LINE = {"qid": 1, "query": "a dog", "vid": "park", "relevant_windows": [[0, 2]]}
LABEL_FAULTS = {
    "depth": ("l.jsonl", "\n" + "[" * 100_000, "line 2: .*64 levels"),
    "a long line": ("l.txt", "A 0 1##a\n" + "A" * 2_000_000, "line 2: more than 1,048,576 characters"),
    "a list of captions": ("l.json", '{"a": {}, "b": {}}\n[', "is not JSON"),
    "endless clips": (
        "l.jsonl",
        json.dumps({**LINE, "duration": 1e300, "relevant_clip_ids": [0.5], "saliency_scores": [[1]]}),
        "line 1: saliency_scores of a video of 1e\\+300 s",
    ),
    "half a clip": (
        "l.jsonl",
        json.dumps({**LINE, "duration": 9e6, "relevant_clip_ids": [0.5], "saliency_scores": [[1]]}),
        "line 1: expected clips",
    ),
    "half a pair": ("l.jsonl", json.dumps({**LINE, "query": "\ud800"}), "line 1: expected a text as query"),
    "a key twice": ("l.jsonl", '{"qid": 1, "qid": 2}', "line 1: .*given twice"),
}


@pytest.mark.parametrize("kind", LABEL_FAULTS)
def test_a_label_file_that_costs_or_hides_is_refused_with_its_line(kind: str, tmp_path: Path) -> None:
    name, content, problem = LABEL_FAULTS[kind]
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=problem) as caught:
        read_labelled_set(tmp_path / name)
    assert len(str(caught.value)) < 900


def test_a_chain_of_configurations_ends(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml")
    with pytest.raises(ConfigError, match="more than 20 files"):
        load_mapping(tmp_path / "0.yaml")
    with pytest.raises(ConfigError, match="expected name=value"):
        with_overrides({}, [".".join(["a"] * 5000) + "=1"])


def test_what_is_shown_of_a_value_is_short_and_printable() -> None:
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    for value in ("x" * 10_000, "\x1b[31m\n\0", deep, 10**6000, {"a": ["b" * 900] * 900}):
        assert len(shown(value)) <= 200
        assert shown(value).isprintable()


@pytest.mark.parametrize("name", ["duration_seconds", "covered_seconds"])
@pytest.mark.parametrize("value", [None, "4", [4.0], float("nan"), float("inf")])
def test_a_record_without_its_length_is_none(name: str, value: object) -> None:
    record, _ = video("park", "red")
    with pytest.raises((TypeError, ValueError)):
        record_from({**record_mapping(record), name: value})


def test_a_file_may_not_say_how_long_it_is() -> None:
    record, _ = video("park", "red")
    mapping = record_mapping(record)
    mapping["info"]["duration_seconds"] = None
    assert record_from(mapping).info.duration_seconds is None


@pytest.mark.parametrize("encoder", [None, [], "x", 7])
def test_a_library_file_without_an_encoder_is_broken(tmp_path: Path, encoder: object) -> None:
    content = {"format": 1, "encoder_description": "x", "encoder_fingerprint": "0"}
    content["configuration"] = {"encoder": encoder}
    (tmp_path / "library.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(MomentseekError, match=r"library\.yaml"):
        read_library_file(str(tmp_path))


def test_the_name_of_an_unknown_setting_is_shown_in_part() -> None:
    with pytest.raises(MomentseekError) as caught:
        validate(RunConfig, {"encoder": {"9" * 10_000: 1}})
    assert len(str(caught.value)) < 1000
