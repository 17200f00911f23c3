"""A collection of a test's own on the real server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from pipeline.index import Indexing


@pytest.fixture
def milvus_collection(milvus_server_uri: str) -> Iterator[Indexing]:
    """Settings that name a collection which nobody else uses; it is dropped when the test ends."""
    settings = Indexing(uri=milvus_server_uri, collection=f"test_{uuid.uuid4().hex}", patience_seconds=60)
    yield settings
    drop_all(settings)


def drop_all(settings: Indexing) -> None:
    """Drop a collection, its alias and all that was built beside it."""
    from pymilvus import MilvusClient

    client = MilvusClient(settings.uri)
    client.drop_alias(settings.collection)
    for name in client.list_collections():
        if name.startswith(str(settings.collection)):
            client.drop_collection(name)
    client.close()
