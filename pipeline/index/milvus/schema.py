"""The schema of a Milvus collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymilvus import CollectionSchema

__all__ = ["FIELDS", "schema"]

FIELDS = {
    "key": ("varchar", True),
    "video_id": ("varchar", False),
    "start_seconds": ("double", False),
    "end_seconds": ("double", False),
    "ordinal": ("int64", False),
    "model": ("varchar", False),
    "metadata": ("json", False),
    "embedding": ("float_vector", False),
}
"""By field name, Milvus's name of the type and whether the field is the primary key."""


def schema(dimension: int) -> CollectionSchema:
    """Build the collection schema for vectors of this dimension."""
    from pymilvus import DataType, MilvusClient

    fields = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    fields.add_field("key", DataType.VARCHAR, is_primary=True, max_length=256)
    fields.add_field("video_id", DataType.VARCHAR, max_length=128)
    fields.add_field("start_seconds", DataType.DOUBLE)
    fields.add_field("end_seconds", DataType.DOUBLE)
    fields.add_field("ordinal", DataType.INT64)
    fields.add_field("model", DataType.VARCHAR, max_length=64)
    fields.add_field("metadata", DataType.JSON)
    fields.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
    return fields
