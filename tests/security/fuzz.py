"""Fuzzing of the parsers of what comes from outside: each gives a value of its stated type, or its stated error.

Run by hand for as long as you like: `python -m tests.security.fuzz --minutes 60`. In the tests, `test_fuzz.py` runs
each target on some fixed documents.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import resource
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from pipeline.config import validate, with_overrides
from pipeline.config_files import load_mapping
from pipeline.encode.architecture_file import read_architecture
from pipeline.errors import ConfigError, MomentseekError, QueryError, SourceError, StoreError
from pipeline.evaluate.label_formats import read_labelled_set
from pipeline.io.file_kinds import problem_of
from pipeline.io.local_files import readable_file
from pipeline.io.media import open_media
from pipeline.io.playlists import playlist_kind
from pipeline.io.settings import Fetching
from pipeline.library.saved_config import read_library_file
from pipeline.run_config import RunConfig
from pipeline.runs.log import RunLog
from pipeline.search.filters.recording_time import TimeOfDay
from pipeline.search.query import Query, read_query
from pipeline.sources.manifests import manifest_rows
from pipeline.store.failure_log import FailureLog
from pipeline.timecode import parse_seconds
from pipeline.types import Source, VideoRecord
from pipeline.types.record_json import record_from
from pipeline.uris import kept_name, local_path, place_of, public_name, suffix_of
from pipeline.video.refusals import why_unopened
from pipeline.video.repair.bitstreams import keyframe_test
from pipeline.video.repair.mp4_edit_list import EditList, read_edit_list
from pipeline.video.repair.padding import content_end

_MOST_SECONDS = 3.0
"""Processor time of one example: the files are of some kilobytes."""

_MOST_KIBIBYTES = 600_000
_FOLDER = Path(tempfile.mkdtemp(prefix="momentseek-fuzz-"))

_PLAIN = [
    "uri",
    "path",
    "strategy",
    "extends",
    "encoder",
    "sampling",
    "fps",
    "true",
    "null",
    "nan",
    "1e999",
    "0x1",
    "-0",
]
_MARKS = ["<<", "1/0", "1e99999999", "*a", "&a", "!!set", "!!int"]
_ODD = ["\ud800", "\udcff", "\0", "\x1b[2J", "%", '"', "'", ",", "\n", "\r", ":", "#EXTM3U", "ID3", "http://[", "::"]
_LONG = ["9" * 30, "9" * 5000, "[" * 200, "{" * 200, "- " * 90, "a: " * 90]
_WORDS = st.sampled_from([*_PLAIN, *_MARKS, *_ODD, *_LONG])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | _WORDS
    | st.sampled_from([2**63, 10**80, -1, 0, 1e308])
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | _WORDS, inner, max_size=4),
)


@st.composite
def _mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A sound document with some of its bytes replaced, cut, repeated or written over by a hostile word."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 0, 1, 2, 4, 16]))
        put = draw(st.binary(max_size=8) | _WORDS.map(lambda word: word.encode("utf-8", "surrogatepass")))
        content[place : place + length] = put * draw(st.sampled_from([1, 1, 1, 2, 50]))
    return bytes(content[: draw(st.sampled_from([len(content)] * 4 + [len(content) // 2]))])


@st.composite
def _changed(draw: st.DrawFn, sound: Any) -> Any:
    """A sound JSON value in which some values are others."""
    value = json.loads(json.dumps(sound))
    for _ in range(draw(st.integers(0, 3))):
        here: Any = value
        while isinstance(here, dict | list) and here:
            key = draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
            if draw(st.booleans()) or not isinstance(here[key], dict | list):
                here[key] = draw(_VALUES)
                break
            here = here[key]
    return value


def _written(name: str, content: bytes) -> Path:
    path = _FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _parquet() -> bytes:
    file = io.BytesIO()
    texts = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int32()), pa.array(["x" * 40, "y"]))
    pq.write_table(pa.table({"uri": ["a.mp4", "b.mp4", "c.mp4"], "n": [1, 2, None], "x": texts}), file)
    return file.getvalue()


def _mp4() -> bytes:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    mdhd = box(b"mdhd", bytes(12) + struct.pack(">II", 1000, 5000))
    elst = box(
        b"elst", struct.pack(">II", 0, 2) + struct.pack(">IiI", 100, -1, 65536) + struct.pack(">IiI", 900, 40, 65536)
    )
    trak = box(b"tkhd", bytes(12) + struct.pack(">I", 1) + bytes(60)) + box(b"edts", elst) + box(b"mdia", mdhd)
    moov = box(b"moov", box(b"mvhd", bytes(12) + struct.pack(">I", 1000) + bytes(84)) + box(b"trak", trak))
    return box(b"ftyp", b"isom\0\0\0\0") + moov + box(b"mdat", bytes(40))


def _manifest(suffix: str) -> Callable[[bytes], None]:
    def check(content: bytes) -> None:
        try:
            for source in islice(manifest_rows(f"m{suffix}", io.BytesIO(content)), 2000):
                assert isinstance(source, Source)
                assert isinstance(source.uri, str)
                assert all(isinstance(value, str | int | float) for value in source.metadata.values())
                assert all(not isinstance(value, float) or math.isfinite(value) for value in source.metadata.values())
        except SourceError as error:
            _check_message(error)

    return check


def _labels(content: bytes) -> None:
    for suffix in (".jsonl", ".json", ".txt"):
        try:
            for query in read_labelled_set(_written(f"labels{suffix}", content)).queries:
                assert all(0 <= start < end < math.inf for start, end in query.windows)
                query.text.encode()
        except ConfigError as error:
            _check_message(error)


def _configuration(content: bytes) -> None:
    try:
        validate(RunConfig, load_mapping(_written("c.yaml", content)))
    except ConfigError as error:
        _check_message(error)


def _override(text: str) -> None:
    try:
        validate(RunConfig, with_overrides({}, [text]))
    except ConfigError as error:
        _check_message(error)


def _library_file(content: bytes) -> None:
    _written("library/library.yaml", content)
    try:
        read_library_file(str(_FOLDER / "library"))
    except (ConfigError, StoreError) as error:
        _check_message(error)


def _failure(content: bytes) -> None:
    _written("library/failures/0123456789abcdef.json", content)
    try:
        for failed in FailureLog(str(_FOLDER / "library")):
            assert isinstance(failed.source.uri + failed.problem + failed.failed_at, str)
    except StoreError as error:
        _check_message(error)


def _run(content: bytes) -> None:
    _written("library/runs/a.json", content)
    try:
        RunLog(str(_FOLDER / "library")).read("a")
    except MomentseekError as error:
        _check_message(error)


def _record(value: Any) -> None:
    try:
        record = record_from(value)
    except (KeyError, TypeError, ValueError):
        return
    assert isinstance(record, VideoRecord)
    assert isinstance(record.last_name, str)
    assert isinstance(record.info.time_base, Fraction)
    assert 0 <= record.duration_seconds < math.inf


def _question(content: bytes) -> None:
    try:
        assert isinstance(read_query(content), Query)
    except QueryError as error:
        _check_message(error)


def _architecture(content: bytes) -> None:
    try:
        model, preprocess, _ = read_architecture(_written("a.json", content), "a.json")
    except ConfigError as error:
        _check_message(error)
    else:
        assert not json.dumps([model, preprocess]).count("trust_remote_code")


def _uri(text: str) -> None:
    for name_of in (public_name, local_path, suffix_of, place_of, kept_name):
        assert isinstance(name_of(text), str)
    try:
        readable_file(f"{_FOLDER}/{text.replace('/', '_')}")
    except MomentseekError as error:
        str(error)


def _time(text: str) -> None:
    for parse in (parse_seconds, TimeOfDay.parse):
        try:
            found = parse(text)
        except ValueError:
            continue
        assert not isinstance(found, float) or 0 <= found < math.inf


def _packet(content: bytes) -> None:
    for codec in ("h264", "hevc", "mpeg2video", "mpeg4", "h263", "vp8", "vp9", "av1", "theora", "svq1", "cfhd"):
        for extradata in (b"", b"\1dd\0\xff\xe1", b"\1" + bytes(22)):
            test = keyframe_test(codec, extradata)
            assert test is None or isinstance(test(content), bool)


def _head(content: bytes) -> None:
    for suffix in (".mp4", ".mjpeg", ""):
        assert isinstance(problem_of(content, suffix), str | None)
    assert isinstance(playlist_kind(content), str | None)
    content_end(io.BytesIO(content))
    with contextlib.suppress(OSError, ValueError, struct.error):
        assert isinstance(read_edit_list(io.BytesIO(content), 1), EditList)
    path = str(_written("video.mp4", content))
    try:
        media = open_media(path, Fetching())
    except MomentseekError as error:
        _check_message(error)
        return
    assert isinstance(why_unopened(media, "a reason"), str)


def _check_message(error: Exception) -> None:
    text = str(error)
    assert text.strip()
    assert len(text) < 6000, text[:300]
    assert "Traceback" not in text
    text.encode()


@dataclass(frozen=True)
class Target:
    """A parser: the documents that it is given, and what is checked of its answer."""

    documents: st.SearchStrategy[Any]
    check: Callable[[Any], None]


_INFO = {"uri": "a", "container": "mp4", "codec": "h264", "width": 64, "height": 48, "rotation_degrees": 0}
_RECORD = {
    "video_id": "abc",
    "names": ["/a.mp4"],
    "status": "done",
    "info": {**_INFO, "time_base": "1/1000", "start_time": "0/1", "average_rate": "25/1", "duration_seconds": 4.0},
    "duration_seconds": 4.0,
    "covered_seconds": 4.0,
    "frame_count": 8,
    "problem": None,
    "metadata": {"camera": "gate", "n": 1},
    "former_names": ["/b.mp4"],
}
_LABEL = {"qid": 1, "query": "a dog", "vid": "park", "duration": 10, "relevant_windows": [[0, 2]]}
_SALIENCY = {**_LABEL, "relevant_clip_ids": [0, 1], "saliency_scores": [[1, 2], [3, 4]]}
_CAPTIONS = {"v_a": {"duration": 9.5, "timestamps": [[0.5, 3]], "sentences": ["A dog."]}}
_FAILED = {"uri": "/a.mp4", "metadata": {}, "problem": "gone", "video_id": None, "failed_at": "2026-11-21T17:00:00Z"}
_MODEL = {
    "model_cfg": {
        "embed_dim": 24,
        "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": [32, 64]},
        "text_cfg": {
            "context_length": 16,
            "width": 16,
            "heads": 2,
            "layers": 1,
            "tokenizer_kwargs": {"clean": "lower"},
        },
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": 0.5, "size": 224},
}
_QUERY = {
    "shows": [{"text": "a dog"}, {"like": "a", "at": 1}],
    "then": [{"shows": "b", "within": 5}],
    "where": {"n": 1},
}
_LIBRARY = b"""format: 1
encoder_description: tiny
encoder_fingerprint: abc
configuration:
  sampling: {strategy: fixed_rate, fps: 2}
  encoder: {model: ViT-B-32, prompts: ['{}']}
  index: {uri: null}
"""
_SETTINGS = b"sampling: &a {strategy: fixed_rate, fps: 2}\nencoder:\n  model: ViT-B-32\nsearch: {background: [a, b]}\n"


def _json(*sound: Any) -> st.SearchStrategy[bytes]:
    """Documents that are JSON of wrong values, and documents that are hardly JSON."""
    changed = st.one_of([_changed(each) for each in sound])
    return (changed | _VALUES).map(_dumped) | _mutated([_dumped(each) for each in sound])


TARGETS: dict[str, Target] = {
    "CSV manifests": Target(_mutated([b'uri,n,x\na.mp4,1,"b\nc"\nb.mp4,2.5,true\n']), _manifest(".csv")),
    "JSON Lines manifests": Target(_json({"uri": "a.mp4", "n": 1, "x": [1]}), _manifest(".jsonl")),
    "Parquet manifests": Target(_mutated([_parquet()]), _manifest(".parquet")),
    "label files": Target(_json(_LABEL, _SALIENCY, _CAPTIONS) | _mutated([b"A 0.0 6.9##a dog runs.\n"]), _labels),
    "configurations": Target(_mutated([_SETTINGS, _LIBRARY]) | _VALUES.map(_dumped), _configuration),
    "overrides": Target(
        st.builds(
            "{}={}".format,
            st.sampled_from(["sampling.fps", "encoder.prompts", "search", "a.b", "", "index.uri", "."]) | st.text(),
            st.text() | _WORDS | _VALUES.map(json.dumps),
        ),
        _override,
    ),
    "library.yaml": Target(_mutated([_LIBRARY]) | _VALUES.map(_dumped), _library_file),
    "failures": Target(_json(_FAILED), _failure),
    "run reports": Target(_json({"run_id": "a", "started_at": "2026-11-21T17:00:00Z", "videos": []}), _run),
    "records": Target(_changed(_RECORD) | _VALUES, _record),
    "questions": Target(_json(_QUERY), _question),
    "architecture files": Target(_json(_MODEL), _architecture),
    "URIs": Target(
        st.text(alphabet="abc:/?#[]@%.*\\\0\udcff\ud800 é", max_size=30)
        | st.builds(
            "{}://{}".format, st.sampled_from(["http", "file", "s3", "local", "zip", "a+b", "HTTP"]), st.text()
        ),
        _uri,
    ),
    "times": Target(st.text(alphabet="0123456789:.- ", max_size=20) | st.text() | _WORDS, _time),
    "packets": Target(st.binary(max_size=300) | st.binary(max_size=40).map(lambda end: b"\0\0\1" + end), _packet),
    "heads of videos": Target(_mutated([_mp4(), b"#EXTM3U\n", b"ID3\3\0\0\0\0\0\5", bytes(5000)]) | st.binary(), _head),
}


def run(name: str, examples: int, *, number: int | None = None) -> None:
    """Run a target.

    Args:
        name: Its key.
        examples: How many documents it is given.
        number: Seed; None for the same documents each time.
    """
    target = TARGETS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=number is None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.documents)
    def check(document: Any) -> None:
        began = time.process_time()
        target.check(document)
        assert time.process_time() - began < _MOST_SECONDS, "too slow"

    (check if number is None else seed(number)(check))()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < _MOST_KIBIBYTES


def main() -> int:
    """Run all targets in turn, with other documents each time, until the time is over; 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--examples", type=int, default=2000, help="documents of a target in one turn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=sorted(TARGETS), action="append")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.minutes * 60
    number, failed, documents = arguments.seed, set(), 0
    while time.monotonic() < end:
        for name in arguments.target or TARGETS:
            if name in failed or time.monotonic() >= end:
                continue
            try:
                run(name, arguments.examples, number=number)
            except Exception as error:  # noqa: BLE001 - each kind of failure is what is looked for
                failed.add(name)
                notes = "\n  ".join(getattr(error, "__notes__", ()))
                sys.stdout.write(f"FAILED {name} (seed {number}): {type(error).__name__}: {error}\n  {notes}\n")
            documents += arguments.examples
            sys.stdout.write(f"{name}, seed {number}: done; {documents:,} documents\n")
            sys.stdout.flush()
        number += 1
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
