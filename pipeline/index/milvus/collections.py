"""Milvus collections behind an alias: create, check, build a replacement, swap and drop."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import MomentIndexError
from pipeline.index.milvus.connection import MilvusConnection
from pipeline.index.milvus.schema import schema
from pipeline.index.protocol import Owner
from pipeline.index.quoted_text import shown
from pipeline.index.settings import Kind
from pipeline.index.validation import mismatch
from pipeline.parsing import parse_json

if TYPE_CHECKING:
    from pymilvus import MilvusClient

__all__ = ["FoundCollection", "MilvusCollections"]

_log = logging.getLogger(__name__)

_ENCODER = "momentseek.encoder"
_MODEL = "momentseek.model"
_ALIAS = "momentseek.alias"
_LIBRARY = "momentseek.library"
_PLACE = "momentseek.place"
_BUILDER = "momentseek.builder"
# Alias not found: 1600 says a server, 100 Lite.
_NO_ALIAS = (100, 1600)
_DRAIN_SECONDS = 2.0
_FORGOTTEN_SECONDS = 6 * 3600.0
# Collections that this process is filling, with the places that they are in.
_building: set[tuple[str, str]] = set()
# The end of the year 9999, in seconds since 1970.
_LAST_TIME = 253_402_300_799.0


@dataclass(frozen=True)
class FoundCollection:
    """The active collection: its own name, its vectors' length and Milvus's name of its index type."""

    collection: str
    dimension: int
    kind: str


class MilvusCollections:
    """The collections of one index: NAME_1, NAME_2, ... behind an alias, which is what is searched.

    A new one is built beside the one that answers, and takes over in one step (alter_alias); what a killed builder left
    behind is dropped by the next. A plain collection of that name, as older versions made, is taken over like another.

    Args:
        connection: Where they are.
        name: The name that is searched.
        owner: Whose they are: another encoder's or another library's are refused.
        kind: What new ones are built as.
    """

    def __init__(self, connection: MilvusConnection, name: str, owner: Owner, kind: Kind) -> None:
        self._connection = connection
        self._name = name
        self._owner = owner
        self._kind = kind

    def find(self) -> FoundCollection | None:
        """Find, check and load the active collection; None where there is none.

        Raises:
            FingerprintMismatchError: It holds another encoder's vectors.
            MomentIndexError: It is another library's, was not made by momentseek, or Milvus cannot be asked.
        """
        return self._connection.ask("open", self._find)

    def create(self, dimension: int) -> FoundCollection:
        """Create the first collection, or return the one that another client has just created."""

        def create(client: MilvusClient) -> FoundCollection:
            first = f"{self._name}_1"
            self._make(client, first, dimension, builder="")
            self._point_at(client, first)
            found = self._find(client)
            if found is None:
                raise MomentIndexError(f"the collection {self._name!r} vanished as it was made; run this again")
            return found

        return self._connection.ask("write to", create)

    def build(self, dimension: int) -> str:
        """Create an empty collection beside the active one and return its name.

        Raises:
            MomentIndexError: Another rebuild is under way.
        """
        return self._connection.ask("write to", lambda client: self._build(client, dimension))

    def swap(self, fresh: str) -> None:
        """Make a built collection active, and drop the one before."""
        before = self._connection.ask("write to", lambda client: self._swap(client, fresh))
        _building.discard((self._connection.place, fresh))
        if before is not None:
            if not self._connection.is_exclusive:
                # What is being asked of a collection as it is dropped is answered with nothing, and no error.
                time.sleep(_DRAIN_SECONDS)
            self.drop(before)

    def target(self) -> str | None:
        """Look up the active collection by the alias alone; None where there is no alias."""
        return self._connection.ask("read", self._target)

    def drop(self, collection: str) -> None:
        """Drop a collection that is not active."""
        _building.discard((self._connection.place, collection))
        self._connection.ask("write to", lambda client: client.drop_collection(collection))

    def _find(self, client: MilvusClient) -> FoundCollection | None:
        if not client.has_collection(self._name) and not self._recovered(client):
            return None
        description = client.describe_collection(self._name)
        fields = self._check(description)
        client.load_collection(self._name)
        kinds = client.describe_index(self._name, "embedding") or {}
        dimension = int(fields["embedding"]["params"]["dim"])
        return FoundCollection(str(description["collection_name"]), dimension, str(kinds.get("index_type", "")))

    def _recovered(self, client: MilvusClient) -> bool:
        """A plain collection that was being taken over when its rebuild was killed answers again."""
        renamed = f"{self._name}_0"
        if not client.has_collection(renamed) or not self._is_ours(client.describe_collection(renamed)):
            return False
        self._point_at(client, renamed)
        return True

    def _check(self, description: Mapping[str, Any]) -> Mapping[str, Any]:
        place = f"the collection {self._name!r} in {self._connection.place!r}"
        fields = {field["name"]: field for field in description["fields"]}
        properties, owner = description.get("properties") or {}, self._owner
        if "embedding" not in fields or _ENCODER not in properties:
            raise MomentIndexError(f"{place} was not made by momentseek; set index.collection to another name")
        if properties[_ENCODER] != owner.encoder_fingerprint:
            theirs = _named(properties[_ENCODER], properties.get(_MODEL, ""))
            raise mismatch(place, theirs, _named(owner.encoder_fingerprint, owner.encoder_description))
        theirs = properties.get(_LIBRARY, "")
        if theirs and owner.library_id and theirs != owner.library_id:
            raise MomentIndexError(
                f"{place} belongs to the library {_named(theirs, properties.get(_PLACE, ''))}, and this is the library"
                f" {_named(owner.library_id, owner.library_place)}; set index.collection to another name for this one,"
                " and fill it with: momentseek index rebuild"
            )
        return fields

    def _make(self, client: MilvusClient, collection: str, dimension: int, *, builder: str) -> None:
        from pymilvus.exceptions import MilvusException

        owner = self._owner
        properties = {
            _ENCODER: owner.encoder_fingerprint,
            _MODEL: owner.encoder_description,
            _ALIAS: self._name,
            _LIBRARY: owner.library_id,
            _PLACE: owner.library_place,
            _BUILDER: builder,
        }
        kind, parameters = self._kind.described()
        index = client.prepare_index_params()
        index.add_index("embedding", index_type=kind, metric_type="COSINE", params=parameters)
        try:
            if not client.has_collection(collection):
                client.create_collection(
                    collection, schema=schema(dimension), properties=properties, consistency_level="Strong"
                )
        except MilvusException:
            # Another client of the server may have been quicker.
            if not client.has_collection(collection):
                raise
        if not client.list_indexes(collection):
            client.create_index(collection, index)
        client.load_collection(collection)

    def _build(self, client: MilvusClient, dimension: int) -> str:
        numbers = [1]
        for collection in client.list_collections():
            numbered = re.fullmatch(re.escape(self._name) + r"_(\d+)", collection)
            if numbered is None:
                continue
            numbers.append(int(numbered[1]))
            self._drop_leftover(client, collection)
        fresh = f"{self._name}_{max(numbers) + 1}"
        builder = json.dumps([socket.gethostname(), os.getpid(), round(time.time(), 3)])
        self._make(client, fresh, dimension, builder=builder)
        _building.add((self._connection.place, fresh))
        properties = client.describe_collection(fresh).get("properties") or {}
        if properties.get(_BUILDER) != builder:
            _building.discard((self._connection.place, fresh))
            raise _under_way(fresh, properties.get(_BUILDER, ""))
        return fresh

    def _drop_leftover(self, client: MilvusClient, collection: str) -> None:
        if collection == self._target(client):
            return
        description = client.describe_collection(collection)
        if not self._is_ours(description):
            return
        builder = str((description.get("properties") or {}).get(_BUILDER, ""))
        if not builder and self._target(client) is None:
            # A first collection that another writer is making just now.
            return
        if self._is_being_built(collection, builder):
            raise _under_way(collection, builder)
        _log.warning("dropping %s, which a rebuild that ended early left behind", collection)
        client.drop_collection(collection)

    def _is_being_built(self, collection: str, builder: str) -> bool:
        """Whether a process, or another index of this one, may still be filling a collection."""
        if (self._connection.place, collection) in _building:
            return True
        return not self._connection.is_in_folder and _lives(builder)

    def _swap(self, client: MilvusClient, fresh: str) -> str | None:
        before = self._target(client)
        if before == fresh:
            return None
        if before is not None:
            client.alter_alias(fresh, self._name)
            return before
        before = f"{self._name}_0"
        if client.has_collection(self._name):
            # A name cannot be a collection and an alias; between these steps `_recovered` finds the old one.
            client.alter_collection_properties(self._name, {_ALIAS: self._name})
            client.rename_collection(self._name, before)
        self._point_at(client, fresh)
        return before if client.has_collection(before) else None

    def _point_at(self, client: MilvusClient, collection: str) -> None:
        from pymilvus.exceptions import MilvusException

        try:
            client.create_alias(collection, self._name)
        except MilvusException:
            # Another client of the server may have been quicker.
            if self._target(client) is None:
                raise

    def _target(self, client: MilvusClient) -> str | None:
        """The collection that the alias points at; None where there is no such alias."""
        from pymilvus.exceptions import MilvusException

        try:
            return str(client.describe_alias(self._name)["collection_name"])
        except MilvusException as error:
            if error.code in _NO_ALIAS:
                return None
            raise

    def _is_ours(self, description: Mapping[str, Any]) -> bool:
        return bool((description.get("properties") or {}).get(_ALIAS) == self._name)


def _lives(builder: str) -> bool:
    """Whether the process that builds a collection may still be at it."""
    if (known := _builder(builder)) is None:
        return False
    host, process, began = known
    if host != socket.gethostname():
        return time.time() - began < _FORGOTTEN_SECONDS
    return process != os.getpid() and Path(f"/proc/{process}").exists()


def _under_way(collection: str, builder: str) -> MomentIndexError:
    if (known := _builder(builder)) is None:
        return MomentIndexError(f"another process is making the collection {collection!r}; run this again later")
    host, process, began = known
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(began))
    return MomentIndexError(
        f"process {process} on {shown(host)} has been rebuilding this index since {since} (collection {collection!r});"
        " wait for it, or stop it and run this again"
    )


def _builder(text: str) -> tuple[str, int, float] | None:
    """The host and process that build a collection, and since when; None where that is not said."""
    try:
        host, process, began = parse_json(text)
        if isinstance(host, str) and isinstance(process, int) and 0 <= began <= _LAST_TIME:
            return host, process, float(began)
    except (ValueError, TypeError):
        pass
    return None


def _named(fingerprint: str, description: str) -> str:
    return f"{shown(description)} [{shown(fingerprint)}]" if description else shown(fingerprint)
