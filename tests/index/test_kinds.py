from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest
from pymilvus import MilvusClient

from pipeline.config import validate
from pipeline.errors import ConfigError
from pipeline.index import Indexing, MilvusIndex
from pipeline.run_config import load_run_config
from pipeline.testing.index import DIMENSION, random_rows, unit

MOST_UNINDEXED = 1024
"""Rows of a segment below which a server compares each row, whatever the kind."""
KINDS = {
    "flat": ("FLAT", {}, {}),
    "hnsw": ("HNSW", {"M": 16, "efConstruction": 200}, {"ef": 600}),
    "ivf_flat": ("IVF_FLAT", {"nlist": 128}, {"nprobe": 32}),
    "ivf_sq8": ("IVF_SQ8", {"nlist": 128}, {"nprobe": 32}),
    "scann": ("SCANN", {"nlist": 128}, {"nprobe": 32, "reorder_k": 600}),
    "diskann": ("DISKANN", {}, {"search_list": 600}),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_says_what_milvus_is_told(name: str) -> None:
    kind = load_run_config(overrides=[f"index.kind={name.upper()}"]).index.kind
    assert (*kind.described(), kind.effort(600)) == KINDS[name]


def test_another_kind_is_passed_on_by_its_name() -> None:
    said = "index.kind={strategy: other, name: IVF_PQ, build: {m: 4}, search: {nprobe: 8}}"
    kind = load_run_config(overrides=[said]).index.kind
    assert (kind.described(), kind.effort(600)) == (("IVF_PQ", {"m": 4}), {"nprobe": 8})


@pytest.mark.parametrize("override", ["index.m=32", "index.kind.m=32"])
def test_the_old_place_of_the_graphs_parameters_still_holds(override: str) -> None:
    kind = load_run_config(overrides=[override, "index.ef_search=64"]).index.kind
    assert kind.described() == ("HNSW", {"M": 32, "efConstruction": 200})
    assert kind.effort(10) == {"ef": 64}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("index.kind=HNWS", "index.kind.strategy: unknown strategy 'hnws'; did you mean 'hnsw'"),
        ("index.kind.m=1", r"index\.kind\.m: .*greater than or equal to 2"),
        ("index.kind={strategy: ivf_flat, m: 3}", r"index\.kind\.m: unknown setting.*nlist, nprobe"),
        ("index.patience_seconds=-1", "index.patience_seconds"),
    ],
)
def test_a_wrong_setting_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_run_config(overrides=[override])


@pytest.mark.parametrize("name", ["hnsw", "ivf_flat"])
def test_lite_takes_no_kind_that_loses_rows(tmp_path: Path, name: str) -> None:
    settings = load_run_config(overrides=[f"index.kind={name}"]).index
    with pytest.raises(
        ConfigError,
        match=rf"index\.kind: {name.upper()} cannot be used with Milvus Lite, which accepts it but silently loses rows",
    ):
        MilvusIndex(settings, "abc", folder=tmp_path)
    with MilvusIndex(Indexing(), "abc", folder=tmp_path) as index:
        assert index.count() == 0


@pytest.mark.milvus_server
@pytest.mark.parametrize("name", KINDS)
def test_a_server_takes_every_kind_and_finds_the_nearest(milvus_collection: Indexing, name: str) -> None:
    kind = load_run_config(overrides=[f"index.kind={name}"]).index.kind
    with MilvusIndex(milvus_collection.model_copy(update={"kind": kind}), "abc", DIMENSION) as index:
        rows = random_rows(300)
        index.upsert(rows)
        assert index._collections.find().kind == KINDS[name][0]
        assert [hit.key for hit in index.search(rows[7].vector[None], top=1)[0]] == [rows[7].key]
        assert len(index.search(unit(1)[None], top=300)[0]) > 30


# The server of the tests was compiled without DISKANN, and tries to build it for ever.
@pytest.mark.milvus_server
@pytest.mark.parametrize("name", [name for name in KINDS if name != "diskann"])
def test_a_server_builds_every_kind(milvus_collection: Indexing, name: str) -> None:
    settings = milvus_collection.model_copy(
        update={"kind": load_run_config(overrides=[f"index.kind={name}"]).index.kind}
    )
    rows = random_rows(MOST_UNINDEXED + 500)
    with MilvusIndex(settings, "abc", DIMENSION) as index:
        index.upsert(rows)
        wait_until_built(settings, len(rows))
        assert [hit.key for hit in index.search(rows[7].vector[None], top=1)[0]] == [rows[7].key]


def wait_until_built(settings: Indexing, rows: int, longest_seconds: float = 60) -> None:
    """Let the server close the collection's segments, which it then builds an index over."""
    until = time.monotonic() + longest_seconds
    with closing(MilvusClient(settings.uri)) as client:
        collection = client.describe_collection(settings.collection)["collection_name"]
        client.flush(collection)
        while (about := client.describe_index(collection, "embedding"))["indexed_rows"] < rows:
            assert time.monotonic() < until, f"not built after {longest_seconds} s: {about}"
            time.sleep(0.2)


@pytest.mark.parametrize(
    "uri",
    [
        "http://host:19530",
        "https://host/a@b",
        "HTTPS://host",
        "tcp://host",
        "unix:/socket",
        "folder@home",
        "some/folder",
    ],
)
def test_an_address_or_a_folder_is_taken_as_it_is(uri: str) -> None:
    assert Indexing(uri=uri).uri == uri


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("http://user:secret@host:19530", "cannot contain a password"),
        ("https://secret@host/database", "cannot contain a password"),
        ("ftp://host", "begins with http:// or https://"),
        ("s3://bucket/folder", "begins with http:// or https://"),
        ("://host", "begins with http:// or https://"),
    ],
)
def test_an_address_that_cannot_be_used_or_kept_is_refused(uri: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        validate(Indexing, {"uri": uri})


@pytest.mark.parametrize("name", ["auto", *KINDS])
def test_the_defaults_of_a_kind_are_read_back_as_they_are(name: str) -> None:
    index = load_run_config(overrides=[f"index.kind={name}"]).index
    assert type(index.kind)() == index.kind
    assert validate(Indexing, Indexing(kind=type(index.kind)()).model_dump(mode="json")) == index
