"""Argument checks that all indexes share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.errors import FingerprintMismatchError, MomentIndexError, QueryError
from pipeline.index.protocol import Filter
from pipeline.types import IndexedSegment, Scalar, name_problem

__all__ = ["check_metadata", "check_query", "check_rows", "mismatch"]


def check_rows(rows: Sequence[IndexedSegment], dimension: int | None) -> int | None:
    """Check that all rows have the same dimension and return it; without rows, return `dimension`.

    Raises:
        FingerprintMismatchError: A vector has another length than those of the index.
        MomentIndexError: Two rows have the same key, or a metadata entry is invalid.
    """
    seen: set[str] = set()
    for row in rows:
        dimension = dimension or len(row.vector)
        if len(row.vector) != dimension:
            raise FingerprintMismatchError(
                f"{row.key}: a vector has {len(row.vector)} dimensions, but those of the index have {dimension};"
                " the index was made for another encoder"
            )
        if row.key in seen:
            raise MomentIndexError(f"{row.key}: two rows of one batch have this key")
        seen.add(row.key)
        check_metadata(row.metadata)
    return dimension


def check_metadata(metadata: Mapping[str, Scalar]) -> None:
    """Reject metadata that filters do not support.

    Raises:
        MomentIndexError: A name has other characters than letters, digits, spaces and _ . : / -, or a value is not a
            string, a finite number within 64 bits, true or false.
    """
    for name, value in metadata.items():
        if (problem := name_problem(name)) is not None:
            raise MomentIndexError(problem)
        # The comparison is also false for infinity and NaN.
        if not (isinstance(value, str) or (isinstance(value, int | float) and abs(value) < 2**63)):
            # Python raises an error when it formats an integer with thousands of digits.
            shown = f"an integer of {value.bit_length()} bits" if isinstance(value, int) else repr(value)
            raise MomentIndexError(
                f"metadata {name!r}: {shown} is not a string, a finite number within 64 bits, true or false"
            )


def check_query(vectors: npt.NDArray[np.float32], *, top: int, where: Filter | None, dimension: int | None) -> None:
    """Reject invalid query vectors, filters, and values of `top`.

    Raises:
        ValueError: `top` is below 1, or `vectors` is not (Q, D) of unit length.
        FingerprintMismatchError: The vectors have another length than those of the index.
        QueryError: The filter has metadata that no row can have.
    """
    try:
        check_metadata(where.metadata if where is not None else {})
    except MomentIndexError as error:
        raise QueryError(f"invalid filter: {error}") from error
    if top < 1:
        raise ValueError(f"a search returns at least 1 hit, got top={top}")
    if vectors.ndim != 2:
        raise ValueError(f"expected query vectors (Q, D), got shape {vectors.shape}")
    if dimension is not None and vectors.shape[1] != dimension:
        raise FingerprintMismatchError(
            f"the query vector has {vectors.shape[1]} dimensions, but those of the index have {dimension}: the index"
            " was made for another encoder"
        )
    lengths = np.linalg.norm(vectors, axis=1)
    if not bool(np.all(np.abs(lengths - 1.0) < 1e-3)):
        raise ValueError(f"a query vector does not have unit length: lengths {lengths.tolist()[:5]}")


def mismatch(place: str, index_encoder: str, encoder: str) -> FingerprintMismatchError:
    """Make the error for an index of another encoder, which names both encoders and the remedies."""
    return FingerprintMismatchError(
        f"{place} has vectors of encoder {index_encoder}, but this is encoder {encoder}; their vectors cannot be"
        " compared. Use the encoder that the index was made with, or another library or index.collection for this one"
    )
