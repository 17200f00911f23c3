"""Checksums of a library's frames files: any change of a file is found, and honest files pass."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from contracts.word_world import WordModel, video

from pipeline.errors import StoreError
from pipeline.library import Library
from pipeline.store import ParquetStore
from pipeline.store.checksum import CHECKSUM_KEY
from pipeline.testing.store import made_frames, made_record


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ParquetStore:
    return ParquetStore(str(tmp_path) if request.param == "disk" else f"memory://{tmp_path.name}", "s1", "e1")


def file_of(store: ParquetStore, video_id: str) -> Path:
    return Path(store._folder.root) / f"{video_id}.parquet"


@pytest.mark.parametrize("count", [0, 1, 5, 9000])
def test_what_is_written_is_whole(store: ParquetStore, count: int) -> None:
    store.write(made_record(count=count), made_frames(count=count))
    assert store.file_state("v1") == "whole"
    store.write(made_record(count=count), store.read("v1"))
    assert store.file_state("v1") == "whole"


def test_a_name_that_looks_like_a_checksum_does_not_confuse_it(store: ParquetStore) -> None:
    names = ("0" * 64, "momentseek.blake2b" + "0" * 64, "PAR1")
    store.write(replace(made_record(), names=names, metadata={"x": "0" * 64}), made_frames())
    assert store.file_state("v1") == "whole"


def test_every_byte_counts(tmp_path: Path) -> None:
    store = ParquetStore(str(tmp_path), "s1", "e1")
    store.write(made_record(), made_frames())
    file = file_of(store, "v1")
    whole = file.read_bytes()
    for place in random.Random(7).sample(range(len(whole)), 150):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        file.write_bytes(content)
        assert store.file_state("v1") == "changed", place
    for content in (whole[:-1], whole[:100], whole + b"\0", b"", whole[:200] + whole[190:]):
        file.write_bytes(content)
        assert store.file_state("v1") == "changed"
    file.write_bytes(whole)
    assert store.file_state("v1") == "whole"


def test_a_file_of_an_older_version_has_none(tmp_path: Path) -> None:
    store = ParquetStore(str(tmp_path), "s1", "e1")
    store.write(made_record(), made_frames())
    _without_checksum(file_of(store, "v1"))
    assert store.file_state("v1") == "no checksum"
    assert store.record("v1") == made_record()


def _without_checksum(file: Path) -> None:
    table = pq.read_table(file)
    metadata = dict(table.schema.metadata or {})
    metadata.pop(CHECKSUM_KEY, None)
    details = json.loads(metadata[b"momentseek"])
    del details["checksum"]
    metadata[b"momentseek"] = json.dumps(details).encode()
    pq.write_table(table.replace_schema_metadata(metadata), file, write_page_checksum=True)


def test_a_file_that_lost_its_checksum_has_changed(tmp_path: Path) -> None:
    store = ParquetStore(str(tmp_path), "s1", "e1")
    store.write(made_record(), made_frames())
    file = file_of(store, "v1")
    file.write_bytes(file.read_bytes().replace(CHECKSUM_KEY, b"momentseek.blake2x"))
    assert store.file_state("v1") == "changed"


def test_a_video_that_is_not_there_has_no_state(store: ParquetStore) -> None:
    for video_id in ("v1", "../v1"):
        with pytest.raises(StoreError, match="no such video"):
            store.file_state(video_id)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(
        str(tmp_path / "library"), overrides=("index.kind.strategy=flat",), encoder=WordModel()
    ) as opened:
        for name in ("park", "gate", "yard"):
            record, frames = video(name, "red", "green")
            opened.store.write(record, frames)
        opened.rebuild_index()
        yield opened


def test_verify_names_files_that_changed_or_are_missing_and_counts_those_without(library: Library) -> None:
    assert library.verify_index().differences == ()
    files = {name: file_of(library.store, name) for name in ("park", "gate", "yard")}
    content = bytearray(files["park"].read_bytes())
    content[40] ^= 1
    files["park"].write_bytes(content)
    files["gate"].unlink()
    _without_checksum(files["yard"])
    found = library.verify_index()
    states = {difference.video_id: difference.file for difference in found.differences}
    assert (states, found.videos, found.without_checksum) == ({"park": "changed", "gate": "missing"}, 2, 1)
    [park] = [difference for difference in found.differences if difference.video_id == "park"]
    assert park.names
    assert not park.missing


def test_a_file_that_is_no_parquet_any_more_does_not_end_the_verification(library: Library) -> None:
    file_of(library.store, "gate").write_bytes(b"nothing")
    [difference] = library.verify_index().differences
    assert (difference.video_id, difference.file) == ("gate", "changed")


def test_the_command_says_which_file_changed_and_exits_with_1(
    library: Library, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.cli import main
    from pipeline.library import library as library_module

    content = bytearray(file_of(library.store, "park").read_bytes())
    content[40] ^= 1
    file_of(library.store, "park").write_bytes(content)
    _without_checksum(file_of(library.store, "yard"))
    library.close()
    monkeypatch.setattr(library_module, "make_encoder", lambda _: WordModel())
    assert main(["index", "verify", "-l", library.config.library]) == 1
    said = capsys.readouterr()
    assert "park (" in said.out
    assert "file changed" in said.out
    assert "1 video differs; remove the videos whose files changed and index them again" in said.err
    assert "1 file has no checksum" in said.err
    assert main(["index", "verify", "--json", "-l", library.config.library]) == 1
    [line] = capsys.readouterr().out.splitlines()
    assert {name: json.loads(line)[name] for name in ("video_id", "file")} == {"video_id": "park", "file": "changed"}
