"""The collections behind one name, where answers are lost on the way and others have collections beside ours."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pymilvus import DataType, MilvusClient
from pymilvus.client import grpc_handler
from pymilvus.exceptions import MilvusException

from pipeline.errors import FingerprintMismatchError, MomentIndexError
from pipeline.index import Indexing, Owner
from pipeline.index.milvus.collections import MilvusCollections
from pipeline.index.milvus.connection import MilvusConnection
from pipeline.index.milvus.rows import MilvusRows
from pipeline.index.settings import Flat
from pipeline.testing.index import DIMENSION, random_rows

UNAVAILABLE = 1


class LosingClient:
    """Does what it is asked, and loses the answers of some calls once: the caller cannot know that it was done."""

    def __init__(self, client: MilvusClient) -> None:
        self._client = client
        self.lost: set[str] = set()
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        original = getattr(self._client, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            self.calls.append((name, arguments))
            answer = original(*arguments, **keywords)
            if name in self.lost:
                self.lost.remove(name)
                raise MilvusException(UNAVAILABLE, "service unavailable")
            return answer

        return call if callable(original) else original


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusConnection]:
    """A real Milvus Lite, whose client may lose answers; each test has names of its own."""
    connection = MilvusConnection(Indexing(), tmp_path_factory.mktemp("collections") / "index")
    connection._client = LosingClient(connection._client)
    yield connection
    connection.close()


@pytest.fixture
def client(connection: MilvusConnection) -> LosingClient:
    found = connection._client
    assert isinstance(found, LosingClient)
    found.lost.clear()
    found.calls.clear()
    return found


@pytest.fixture
def name() -> str:
    return f"cam{uuid.uuid4().hex[:8]}"


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """pymilvus looks every half second whether a collection is ready; Lite's is at once."""
    monkeypatch.setattr(
        grpc_handler, "time", SimpleNamespace(**{**vars(time), "sleep": lambda seconds: time.sleep(seconds / 100)})
    )


Opened = Callable[..., MilvusCollections]


@pytest.fixture
def opened(connection: MilvusConnection, name: str) -> Opened:
    def at(called: str = name, encoder: str = "e1", library: str = "ours") -> MilvusCollections:
        return MilvusCollections(connection, called, Owner(encoder, "a model", library, f"/srv/{library}"), Flat())

    return at


@pytest.fixture
def collections(opened: Opened) -> MilvusCollections:
    return opened()


def fill(connection: MilvusConnection, collection: str, rows: int) -> None:
    MilvusRows(connection, collection, "e1").upsert(random_rows(rows))


def count(connection: MilvusConnection, collection: str) -> int:
    return MilvusRows(connection, collection, "e1").count()


def present(client: LosingClient, name: str) -> list[str]:
    return sorted(each for each in client.list_collections() if each.startswith(name))


def strange(client: LosingClient, collection: str, **properties: str) -> None:
    """Make a collection as somebody else would."""
    fields = MilvusClient.create_schema()
    fields.add_field("id", DataType.INT64, is_primary=True)
    fields.add_field("embedding", DataType.FLOAT_VECTOR, dim=4)
    client.create_collection(collection, schema=fields, properties=properties or None)


def built(collections: MilvusCollections, connection: MilvusConnection, rows: int) -> str:
    fresh = collections.build(DIMENSION)
    fill(connection, fresh, rows)
    return fresh


def test_a_new_collection_is_built_beside_and_takes_over(
    collections: MilvusCollections, connection: MilvusConnection, client: LosingClient, name: str
) -> None:
    assert collections.find() is None
    assert collections.target() is None
    found = collections.create(DIMENSION)
    assert (found.collection, found.dimension, found.kind) == (f"{name}_1", DIMENSION, "FLAT")
    fresh = built(collections, connection, 7)
    assert fresh == f"{name}_2"
    assert collections.target() == f"{name}_1"
    collections.swap(fresh)
    assert collections.target() == fresh
    assert present(client, name) == [fresh]
    assert count(connection, name) == 7


def test_a_swap_whose_answer_was_lost_does_not_drop_the_collection_that_answers(
    collections: MilvusCollections, connection: MilvusConnection, client: LosingClient, name: str
) -> None:
    collections.create(DIMENSION)
    fresh = built(collections, connection, 7)
    client.lost.add("alter_alias")
    collections.swap(fresh)
    assert not client.lost
    assert ("drop_collection", (fresh,)) not in client.calls
    assert collections.target() == fresh
    assert count(connection, name) == 7
    # What answered before is left behind, and the next rebuild drops it.
    assert f"{name}_1" in present(client, name)
    collections.swap(built(collections, connection, 9))
    assert present(client, name) == [f"{name}_3"]
    assert count(connection, name) == 9


def test_a_swap_that_was_made_already_changes_nothing(
    collections: MilvusCollections, connection: MilvusConnection, client: LosingClient, name: str
) -> None:
    collections.create(DIMENSION)
    fresh = built(collections, connection, 7)
    collections.swap(fresh)
    collections.swap(fresh)
    assert (collections.target(), count(connection, name)) == (fresh, 7)


@pytest.mark.parametrize("lost", ["create_collection", "create_index", "load_collection", "create_alias"])
def test_a_first_collection_is_made_though_an_answer_was_lost(
    collections: MilvusCollections, client: LosingClient, name: str, lost: str
) -> None:
    client.lost.add(lost)
    assert collections.create(DIMENSION).collection == f"{name}_1"
    assert not client.lost
    assert present(client, name) == [f"{name}_1"]
    assert client.list_indexes(f"{name}_1") == ["embedding"]


@pytest.mark.parametrize("lost", ["create_collection", "create_index", "load_collection", "drop_collection"])
def test_a_rebuild_is_made_though_an_answer_was_lost(
    collections: MilvusCollections, connection: MilvusConnection, client: LosingClient, name: str, lost: str
) -> None:
    collections.create(DIMENSION)
    client.lost.add(lost)
    collections.swap(built(collections, connection, 7))
    assert not client.lost
    assert present(client, name) == [collections.target()]
    assert count(connection, name) == 7


@pytest.mark.parametrize("lost", [None, "alter_collection_properties", "rename_collection", "create_alias"])
def test_a_plain_collection_is_taken_over_though_an_answer_was_lost(
    collections: MilvusCollections, connection: MilvusConnection, client: LosingClient, name: str, lost: str | None
) -> None:
    collections.create(DIMENSION)
    client.drop_alias(name)
    client.rename_collection(f"{name}_1", name)
    fill(connection, name, 5)
    assert collections.find() is not None
    fresh = built(collections, connection, 7)
    client.lost = {lost} if lost else set()
    collections.swap(fresh)
    assert not client.lost
    assert present(client, name) == [fresh]
    assert count(connection, name) == 7


def test_collections_of_others_beside_ours_are_left_alone_and_counted(
    opened: Opened, connection: MilvusConnection, client: LosingClient, name: str
) -> None:
    ours = opened()
    ours.create(DIMENSION)
    others = [f"{name}_7", f"{name}_8", f"{name}_x", f"{name}_9_1", f"{name}7_3", f"{name}12", f"x{name}_4"]
    strange(client, others[0])
    # Another user's library that is searched by a name like one of our collections.
    strange(client, others[1], **{"momentseek.alias": f"{name}_8", "momentseek.encoder": "e1"})
    for other in others[2:]:
        strange(client, other, **{"momentseek.alias": name, "momentseek.encoder": "e1"})
    ours.swap(built(ours, connection, 7))
    assert ours.target() == f"{name}_9"
    assert set(client.list_collections()) >= {*others, f"{name}_9"}
    assert f"{name}_1" not in client.list_collections()


def test_a_collection_that_was_renamed_by_somebody_else_does_not_answer(
    collections: MilvusCollections, client: LosingClient, name: str
) -> None:
    strange(client, f"{name}_0", **{"momentseek.alias": "another"})
    assert collections.find() is None
    assert collections.target() is None


def test_the_next_rebuild_drops_what_one_that_ended_early_left(
    collections: MilvusCollections, connection: MilvusConnection, client: LosingClient, name: str
) -> None:
    collections.create(DIMENSION)
    collections._connection.ask("write to", lambda c: collections._make(c, f"{name}_5", DIMENSION, builder="nobody"))
    fresh = built(collections, connection, 7)
    assert fresh == f"{name}_6"
    assert present(client, name) == [f"{name}_1", fresh]


def test_what_a_rebuild_left_is_dropped_where_none_answers_yet(
    collections: MilvusCollections, client: LosingClient, name: str
) -> None:
    collections._connection.ask("write to", lambda c: collections._make(c, f"{name}_5", DIMENSION, builder="nobody"))
    fresh = collections.build(DIMENSION)
    assert present(client, name) == [fresh]
    collections.drop(fresh)


def test_a_first_collection_that_is_just_being_made_is_left_to_its_maker(
    collections: MilvusCollections, client: LosingClient, name: str
) -> None:
    collections._connection.ask("write to", lambda c: collections._make(c, f"{name}_1", DIMENSION, builder=""))
    fresh = collections.build(DIMENSION)
    assert present(client, name) == [f"{name}_1", fresh]
    collections.drop(fresh)
    # Without a builder and beside one that answers, it is a leftover.
    collections._connection.ask("write to", lambda c: collections._point_at(c, f"{name}_1"))
    collections._connection.ask("write to", lambda c: collections._make(c, f"{name}_3", DIMENSION, builder=""))
    fresh = collections.build(DIMENSION)
    assert present(client, name) == [f"{name}_1", fresh]
    collections.drop(fresh)


def test_two_rebuilds_at_once_are_refused_until_the_first_is_over(
    collections: MilvusCollections, opened: Opened, connection: MilvusConnection, client: LosingClient, name: str
) -> None:
    collections.create(DIMENSION)
    fresh = collections.build(DIMENSION)
    said = rf"process {os.getpid()} on .* has been rebuilding this index since .*'{fresh}'"
    with pytest.raises(MomentIndexError, match=said):
        opened().build(DIMENSION)
    assert present(client, name) == [f"{name}_1", fresh]
    collections.drop(fresh)
    assert opened().build(DIMENSION) == fresh
    opened().swap(fresh)
    assert opened().build(DIMENSION) == f"{name}_3"
    collections.drop(f"{name}_3")


def test_one_that_another_was_quicker_to_make_is_not_built_by_both(
    collections: MilvusCollections, client: LosingClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    collections.create(DIMENSION)
    make, theirs = collections._make, json.dumps(["elsewhere", 17, 1_700_000_000.0])

    def make_after_another(*arguments: Any, builder: str, **keywords: Any) -> None:
        make(*arguments, builder=theirs, **keywords)
        make(*arguments, builder=builder, **keywords)

    monkeypatch.setattr(collections, "_make", make_after_another)
    for _ in range(2):
        with pytest.raises(MomentIndexError, match="process 17 on elsewhere has been rebuilding this index since 2023"):
            collections.build(DIMENSION)
        client.drop_collection(f"{name}_2")


HOUR = 3600.0
DEAD = 2**22 + 1
HERE = socket.gethostname()
PROCESSES: dict[str, Callable[[], int]] = {"this": os.getpid, "another": os.getppid, "dead": lambda: DEAD}


@pytest.mark.parametrize(
    ("host", "process", "hours", "lives"),
    [
        (HERE, "another", 0.0, True),
        # A process that has got the number of one of years ago.
        (HERE, "another", 100_000.0, False),
        (HERE, "this", 1.0, False),
        (HERE, "dead", 0.0, False),
        ("elsewhere", "dead", 5.9, True),
        ("elsewhere", "dead", 6.1, False),
    ],
)
def test_what_a_living_process_builds_is_not_dropped(
    collections: MilvusCollections,
    client: LosingClient,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    process: str,
    hours: float,
    lives: bool,
) -> None:
    number = PROCESSES[process]()
    collections.create(DIMENSION)
    builder = json.dumps([host, number, time.time() - hours * HOUR])
    collections._connection.ask("write to", lambda c: collections._make(c, f"{name}_2", DIMENSION, builder=builder))
    if lives:
        with pytest.raises(MomentIndexError, match=f"process {number} on {host}"):
            collections.build(DIMENSION)
        assert present(client, name) == [f"{name}_1", f"{name}_2"]
        return
    fresh = collections.build(DIMENSION)
    assert present(client, name) == [f"{name}_1", fresh]
    collections.drop(fresh)


@pytest.mark.parametrize(
    "builder", ["nobody", "[]", '["elsewhere", "17", 1]', '["elsewhere", 17, -1]', "", "[1, 2, 3]"]
)
def test_a_builder_that_says_nothing_is_not_waited_for(
    collections: MilvusCollections,
    client: LosingClient,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    builder: str,
) -> None:
    collections.create(DIMENSION)
    collections._connection.ask("write to", lambda c: collections._make(c, f"{name}_2", DIMENSION, builder=builder))
    fresh = collections.build(DIMENSION)
    assert present(client, name) == [f"{name}_1", fresh]
    collections.drop(fresh)


def test_another_library_or_encoder_is_refused_and_both_are_named(opened: Opened, client: LosingClient) -> None:
    opened(library="theirs").create(DIMENSION)
    with pytest.raises(MomentIndexError, match=r"belongs to the library /srv/theirs \[theirs\].* /srv/ours \[ours\]"):
        opened().find()
    with pytest.raises(FingerprintMismatchError, match=r"a model \[e1\].*a model \[e2\]"):
        opened(encoder="e2", library="theirs").find()
    # Who does not say which library it is, takes what is there.
    assert opened(library="").find() is not None


def test_one_that_names_no_library_is_anybodys(opened: Opened) -> None:
    opened(library="").create(DIMENSION)
    assert opened().find() is not None


def test_a_collection_that_was_not_made_by_momentseek_is_refused(
    collections: MilvusCollections, client: LosingClient, name: str
) -> None:
    strange(client, name)
    with pytest.raises(MomentIndexError, match=r"was not made by momentseek; set index\.collection"):
        collections.find()


def test_where_a_search_may_be_under_way_the_old_collection_goes_a_little_later(
    collections: MilvusCollections,
    connection: MilvusConnection,
    client: LosingClient,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[tuple[float, list[str]]] = []
    monkeypatch.setattr(
        "pipeline.index.milvus.collections.time",
        SimpleNamespace(time=time.time, sleep=lambda seconds: waits.append((seconds, present(client, name)))),
    )
    collections.create(DIMENSION)
    collections.swap(built(collections, connection, 3))
    assert waits == []
    monkeypatch.setattr(MilvusConnection, "is_exclusive", property(lambda _: False))
    collections.swap(built(collections, connection, 3))
    assert waits == [(2.0, [f"{name}_2", f"{name}_3"])]
    assert present(client, name) == [f"{name}_3"]


def test_where_the_index_is_away_for_the_alias_it_is_not_taken_for_missing(
    collections: MilvusCollections, client: LosingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    collections.create(DIMENSION)

    def fail(*_: object, **__: object) -> None:
        raise MilvusException(65535, "something else")

    monkeypatch.setattr(client._client, "describe_alias", fail)
    with pytest.raises(MomentIndexError, match="something else"):
        collections.target()


def test_a_folder_has_its_own_names(tmp_path: Path) -> None:
    """What this process builds in one place is nobody's business in another."""
    for place in ("a", "b"):
        connection = MilvusConnection(Indexing(), tmp_path / place)
        collections = MilvusCollections(connection, "segments", Owner("e1"), Flat())
        assert collections.build(DIMENSION) == "segments_2"
        connection.close()
