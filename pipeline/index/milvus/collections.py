"""Milvus collections behind an alias: creates, checks, rebuilds, swaps and drops them."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import MomentIndexError
from pipeline.index.milvus.connection import MilvusConnection
from pipeline.index.milvus.schema import schema
from pipeline.index.protocol import Owner
from pipeline.index.quoted_text import shown
from pipeline.index.settings import Kind
from pipeline.index.validation import mismatch
from pipeline.io.process_identity import has_begun_by
from pipeline.parsing import parse_json

if TYPE_CHECKING:
    from pymilvus import MilvusClient

__all__ = ["FoundCollection", "MilvusCollections", "is_owned"]

_log = logging.getLogger(__name__)

_ENCODER = "momentseek.encoder"
_MODEL = "momentseek.model"
_ALIAS = "momentseek.alias"
_LIBRARY = "momentseek.library"
_PLACE = "momentseek.place"
_BUILDER = "momentseek.builder"
# Error codes for a missing alias: 1600 from a server, 100 from Milvus Lite.
_NO_ALIAS = (100, 1600)
_DRAIN_SECONDS = 2.0
_ABANDONED_SECONDS = 6 * 3600.0
# Collections that this process is filling: (location of Milvus, name).
_building: set[tuple[str, str]] = set()
# The end of the year 9999, in seconds since 1970.
_LAST_TIME = 253_402_300_799.0


@dataclass(frozen=True)
class FoundCollection:
    """The active collection: its own name (not the alias), its dimension, and Milvus's name of its index type."""

    collection: str
    dimension: int
    kind: str


class MilvusCollections:
    """The collections of one index: NAME_1, NAME_2, ... behind the alias NAME, which is searched.

    A rebuild fills a new collection beside the active one and then switches the alias in one step (alter_alias). The
    next rebuild drops collections that a killed one left. Older versions made a plain collection with the name NAME; it
    is replaced in the same way.

    Args:
        connection: The connection to Milvus.
        name: The alias.
        owner: The owner of the index; collections of another encoder or library are rejected.
        kind: The index type of new collections.
    """

    def __init__(self, connection: MilvusConnection, name: str, owner: Owner, kind: Kind) -> None:
        self._connection = connection
        self._name = name
        self._owner = owner
        self._kind = kind

    def find(self) -> FoundCollection | None:
        """Find, check and load the active collection; None if there is none.

        Raises:
            FingerprintMismatchError: The collection has vectors of another encoder.
            MomentIndexError: The collection belongs to another library or was not made by momentseek, or the request
                failed.
        """
        return self._connection.ask("open", self._find)

    def create(self, dimension: int) -> FoundCollection:
        """Create the first collection, or return one that another client has created in the meantime."""

        def create(client: MilvusClient) -> FoundCollection:
            first = f"{self._name}_1"
            self._make(client, first, dimension, builder="")
            self._point_at(client, first)
            found = self._find(client)
            if found is None:
                raise MomentIndexError(f"the collection {self._name!r} was dropped during its creation; run this again")
            return found

        return self._connection.ask("write to", create)

    def build(self, dimension: int) -> str:
        """Create an empty collection beside the active one and return its name.

        Raises:
            MomentIndexError: Another rebuild is in progress.
        """
        return self._connection.ask("write to", lambda client: self._build(client, dimension))

    def swap(self, new_collection: str) -> None:
        """Make a built collection active, and drop the previous one."""
        before = self._connection.ask("write to", lambda client: self._swap(client, new_collection))
        _building.discard((self._connection.place, new_collection))
        if before is not None:
            if not self._connection.is_exclusive:
                # A search of a collection that is being dropped returns nothing instead of an error.
                time.sleep(_DRAIN_SECONDS)
            self.drop(before)

    def target(self) -> str | None:
        """Look up the collection that the alias refers to; None if there is no alias."""
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
        """Restore the alias of a plain collection whose replacement was interrupted; return whether there was one."""
        renamed = f"{self._name}_0"
        if not client.has_collection(renamed) or not self._is_ours(client.describe_collection(renamed)):
            return False
        self._point_at(client, renamed)
        return True

    def _check(self, description: Mapping[str, Any]) -> Mapping[str, Any]:
        subject = f"the collection {self._name!r} in {self._connection.place!r}"
        fields = {field["name"]: field for field in description["fields"]}
        properties, owner = description.get("properties") or {}, self._owner
        if "embedding" not in fields or _ENCODER not in properties:
            raise MomentIndexError(f"{subject} was not made by momentseek; set index.collection to another name")
        if properties[_ENCODER] != owner.encoder_fingerprint:
            other_encoder = _described(properties[_ENCODER], properties.get(_MODEL, ""))
            raise mismatch(subject, other_encoder, _described(owner.encoder_fingerprint, owner.encoder_description))
        library_id = properties.get(_LIBRARY, "")
        if library_id and owner.library_id and library_id != owner.library_id:
            raise MomentIndexError(
                f"{subject} belongs to the library {_described(library_id, properties.get(_PLACE, ''))}, but this is"
                f" {_described(owner.library_id, owner.library_place)}; set index.collection to another name for this"
                " one, and fill it with: momentseek index rebuild"
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
            # Another client of the server may have created it in the meantime.
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
        new_collection = f"{self._name}_{max(numbers) + 1}"
        builder = json.dumps([socket.gethostname(), os.getpid(), round(time.time(), 3)])
        self._make(client, new_collection, dimension, builder=builder)
        _building.add((self._connection.place, new_collection))
        properties = client.describe_collection(new_collection).get("properties") or {}
        if properties.get(_BUILDER) != builder:
            _building.discard((self._connection.place, new_collection))
            raise _in_progress(new_collection, properties.get(_BUILDER, ""))
        return new_collection

    def _drop_leftover(self, client: MilvusClient, collection: str) -> None:
        if collection == self._target(client):
            return
        description = client.describe_collection(collection)
        if not self._is_ours(description):
            return
        builder = str((description.get("properties") or {}).get(_BUILDER, ""))
        if not builder and self._target(client) is None:
            # Another process may be creating the first collection right now.
            return
        if self._is_being_built(collection, builder):
            raise _in_progress(collection, builder)
        _log.warning("dropping %s, which an interrupted rebuild left", collection)
        client.drop_collection(collection)

    def _is_being_built(self, collection: str, builder: str) -> bool:
        """Whether another process, or another index in this process, may still be filling a collection."""
        if (self._connection.place, collection) in _building:
            return True
        return _may_be_running(builder)

    def _swap(self, client: MilvusClient, new_collection: str) -> str | None:
        before = self._target(client)
        if before == new_collection:
            return None
        if before is not None:
            client.alter_alias(new_collection, self._name)
            return before
        before = f"{self._name}_0"
        if client.has_collection(self._name):
            # A name cannot be both a collection and an alias. If this is interrupted, `_recovered` restores the alias.
            client.alter_collection_properties(self._name, {_ALIAS: self._name})
            client.rename_collection(self._name, before)
        self._point_at(client, new_collection)
        return before if client.has_collection(before) else None

    def _point_at(self, client: MilvusClient, collection: str) -> None:
        from pymilvus.exceptions import MilvusException

        try:
            client.create_alias(collection, self._name)
        except MilvusException:
            # Another client of the server may have created it in the meantime.
            if self._target(client) is None:
                raise

    def _target(self, client: MilvusClient) -> str | None:
        """Return the collection that the alias refers to; None if there is no such alias."""
        from pymilvus.exceptions import MilvusException

        try:
            return str(client.describe_alias(self._name)["collection_name"])
        except MilvusException as error:
            if error.code in _NO_ALIAS:
                return None
            raise

    def _is_ours(self, description: Mapping[str, Any]) -> bool:
        return bool((description.get("properties") or {}).get(_ALIAS) == self._name)


def is_owned(properties: Mapping[str, Any], owner: Owner) -> bool:
    """Whether a collection with these properties has vectors of the owner's encoder, and is of no other library."""
    library_id = properties.get(_LIBRARY, "")
    is_of_other = bool(library_id and owner.library_id and library_id != owner.library_id)
    return properties.get(_ENCODER) == owner.encoder_fingerprint and not is_of_other


def _may_be_running(builder: str) -> bool:
    """Whether the process that builds a collection may still be running."""
    if (builder_process := _builder(builder)) is None:
        return False
    host, process, began = builder_process
    if host != socket.gethostname():
        return time.time() - began < _ABANDONED_SECONDS
    return process != os.getpid() and has_begun_by(process, began)


def _in_progress(collection: str, builder: str) -> MomentIndexError:
    if (builder_process := _builder(builder)) is None:
        return MomentIndexError(f"another process is creating the collection {collection!r}; run this again later")
    host, process, began = builder_process
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(began))
    return MomentIndexError(
        f"process {process} on {shown(host)} has been rebuilding this index since {since} (collection {collection!r});"
        " wait for it, or stop it and run this again"
    )


def _builder(text: str) -> tuple[str, int, float] | None:
    """Parse the host, process and start time of a collection's builder; None if they are not recorded."""
    try:
        host, process, began = parse_json(text)
        if isinstance(host, str) and isinstance(process, int) and 0 <= began <= _LAST_TIME:
            return host, process, float(began)
    except (ValueError, TypeError):
        pass
    return None


def _described(fingerprint: str, description: str) -> str:
    return f"{shown(description)} [{shown(fingerprint)}]" if description else shown(fingerprint)
