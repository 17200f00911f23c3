"""Milvus Lite's gRPC service, which answers momentseek's own questions from the live rows in memory.

Milvus Lite 3.2.2 walks all rows in Python for each question, computes their lengths again, and evaluates filters of
metadata row by row: 0.1 to 8 s for 100,000 rows. The questions that momentseek asks are answered here without that.
All other requests, and collections with content that momentseek does not write, are left to Milvus Lite.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from milvus_lite.adapter.grpc.errors import success_status_kwargs
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.adapter.grpc.translators.records import records_to_fields_data
from milvus_lite.adapter.grpc.translators.result import build_search_result_data
from milvus_lite.adapter.grpc.translators.search import parse_search_request
from milvus_lite.exceptions import MilvusLiteError
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from pipeline.index.milvus.filter_expressions import FIRST_SEGMENTS, filter_in
from pipeline.index.milvus.lite.live_rows import LiveRows
from pipeline.index.milvus.lite.live_views import LiveViews
from pipeline.index.milvus.lite.segment_rows import HIT_FIELDS, ForeignRowsError

if TYPE_CHECKING:
    from milvus_lite.engine.collection import Collection

    from pipeline.index.milvus.lite.engine import CheckedLite

__all__ = ["ExactService"]

_log = logging.getLogger(__name__)

_COUNT = "count(*)"
# What a search of momentseek has beside its vectors, filter and number of hits.
_SEARCH = {
    "metric_type": "COSINE",
    "anns_field": "embedding",
    "output_fields": list(HIT_FIELDS),
    "partition_names": None,
    "group_by_field": None,
    "radius": None,
    "range_filter": None,
    "offset": 0,
    "round_decimal": -1,
    "ranker": None,
    "rerank": None,
    "function_chains": [],
    "has_function_score": False,
    "order_by_fields": None,
    "time_fields": None,
}
# Parameters of a query that change which rows it returns, or in what form.
_QUERY_PARAMETERS = frozenset({"limit", "offset", "iterator", "timezone", "time_fields"})


class ExactService(MilvusServicer):  # type: ignore[misc]
    """The service of an engine.

    Args:
        engine: The engine. No write to it may be in progress during a read (`OrderedRequests`).
    """

    def __init__(self, engine: CheckedLite) -> None:
        super().__init__(engine)
        self._views = LiveViews()

    def Search(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Answer a search."""
        try:
            answer = self._searched(request, context)
        except (MilvusLiteError, ForeignRowsError) as error:
            _log.debug("Milvus Lite answers a search itself: %s", error)
            answer = None
        return super().Search(request, context) if answer is None else answer

    def Query(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Answer a request for rows, or for their number."""
        try:
            answer = self._queried(request, context)
        except (MilvusLiteError, ForeignRowsError) as error:
            _log.debug("Milvus Lite answers a query itself: %s", error)
            answer = None
        return super().Query(request, context) if answer is None else answer

    def _searched(self, request: Any, context: Any) -> Any:
        """Answer a search of momentseek; None for any other."""
        asked = parse_search_request(request)
        where = filter_in(asked["expr"] or "")
        if where is None or asked["top_k"] < 1 or any(asked[name] != value for name, value in _SEARCH.items()):
            return None
        collection = self._get_collection(request, context)
        rows = self._rows(collection)
        queries = np.asarray(asked["query_vectors"], np.float32)
        if rows is None or queries.shape[1] != _dimension(collection) or not np.linalg.norm(queries, axis=1).all():
            return None
        found = build_search_result_data(
            rows.nearest(queries, asked["top_k"], where),
            collection.schema,
            asked["top_k"],
            "key",
            output_fields=list(HIT_FIELDS),
        )
        return milvus_pb2.SearchResults(status=_success(), results=found, collection_name=collection.name)

    def _queried(self, request: Any, context: Any) -> Any:
        """Answer a request for the number of rows, or for keys; None for any other."""
        fields = list(request.output_fields)
        if request.partition_names or _QUERY_PARAMETERS & {each.key for each in request.query_params}:
            return None
        if fields == [_COUNT] and request.expr in ("", FIRST_SEGMENTS):
            where = None
        elif fields != ["key"] or (where := filter_in(request.expr)) is None:
            return None
        collection = self._get_collection(request, context)
        rows = self._rows(collection)
        if rows is None:
            return None
        if where is None:
            found = [_count_field(rows.first_count() if request.expr else rows.count())]
        else:
            keys = [{"key": key} for key in rows.keys(where)]
            found = records_to_fields_data(keys, collection.schema, output_fields=fields)
        return milvus_pb2.QueryResults(
            status=_success(),
            fields_data=found,
            collection_name=collection.name,
            output_fields=fields,
            primary_field_name="" if where is None else "key",
        )

    def _rows(self, collection: Collection) -> LiveRows | None:
        """Return the live rows of a collection; None if it is not loaded, which is an error of Milvus Lite."""
        return self._views.of(collection) if collection.load_state == "loaded" else None


def _dimension(collection: Collection) -> int | None:
    dimensions = [field.dim for field in collection.schema.fields if field.name == "embedding"]
    return dimensions[0] if dimensions else None


def _count_field(count: int) -> Any:
    numbers = schema_pb2.ScalarField(long_data=schema_pb2.LongArray(data=[count]))
    return schema_pb2.FieldData(field_name=_COUNT, type=schema_pb2.DataType.Int64, scalars=numbers)


def _success() -> common_pb2.Status:
    return common_pb2.Status(**success_status_kwargs())
