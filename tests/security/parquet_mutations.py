"""Parquet files of frame embeddings whose columns and metadata say what no sampling does."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from value_mutations import mutated

__all__ = ["COLUMN_KINDS", "mutate_columns", "mutate_details", "set_detail", "with_column"]

_KEY = b"momentseek"
_HUGE = (1e308, 1e300, -1.0, -1e308, float("nan"), float("inf"), -float("inf"), 1e18, 2.0**53)


def mutate_details(path: Path, rng: random.Random, names: tuple[str, ...], kind: str) -> str | None:
    """Replace one value of the JSON in a file's metadata; how, or None where there is none."""
    table = pq.read_table(path)
    if _KEY not in (table.schema.metadata or {}):
        return None
    found = mutated(json.loads(table.schema.metadata[_KEY]), rng, names, kind)
    if found is None:
        return None
    content, how = found
    pq.write_table(table.replace_schema_metadata({_KEY: json.dumps(content).encode()}), path)
    return how


def mutate_columns(path: Path, rng: random.Random) -> str:
    """Rewrite a file with other columns; how."""
    table = pq.read_table(path)
    name = rng.choice(list(COLUMN_KINDS))
    changed = COLUMN_KINDS[name](table, rng)
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), path)
    return name


def _times(table: pa.Table, rng: random.Random) -> pa.Table:
    """Times that are huge, negative, no numbers, or out of order."""
    name = rng.choice([each for each in table.column_names if "seconds" in each] or [table.column_names[0]])
    values = np.array(table[name].to_pylist(), np.float64)
    kind = rng.randrange(4)
    if kind == 0 and len(values):
        values[rng.randrange(len(values))] = rng.choice(_HUGE)
    elif kind == 1:
        values = values[::-1].copy()
    elif kind == 2 and len(values):
        values[-1] = rng.choice(_HUGE)
    else:
        values[:] = 0.0
    return _replaced(table, name, pa.array(values))


def _ticks(table: pa.Table, rng: random.Random) -> pa.Table:
    values = np.array(table["pts"].to_pylist(), np.int64)
    if len(values):
        values[rng.choice((0, -1))] = rng.choice((2**63 - 1, -(2**63), 0, -1))
    return _replaced(table, "pts", pa.array(values))


def _vectors(table: pa.Table, rng: random.Random) -> pa.Table:
    """Vectors that are no unit vectors."""
    values = np.array(table["embedding"].to_pylist(), np.float32)
    row = rng.randrange(max(1, len(values)))
    with np.errstate(over="ignore"):
        values[row : row + 1] = rng.choice((np.nan, np.inf, 0.0, 1e38, -1e-30))
    return _replaced(table, "embedding", _lists(values))


def _vector_size(table: pa.Table, rng: random.Random) -> pa.Table:
    size = rng.choice((1, 2, 3, 512, 4096))
    values = np.zeros((len(table), size), np.float32)
    values[:, 0] = 1
    return _replaced(table, "embedding", _lists(values))


def _vector_type(table: pa.Table, rng: random.Random) -> pa.Table:
    values = table["embedding"].to_pylist()
    kinds = (pa.list_(pa.float32()), pa.list_(pa.float64(), len(values[0]) if values else 1), pa.list_(pa.float16()))
    if rng.random() < 0.3:
        return _replaced(table, "embedding", pa.array([str(each) for each in values]))
    return _replaced(table, "embedding", pa.array(values, rng.choice(kinds)))


def _nulls(table: pa.Table, rng: random.Random) -> pa.Table:
    name = rng.choice(table.column_names)
    values = table[name].to_pylist()
    if values:
        values[rng.randrange(len(values))] = None
    return _replaced(table, name, pa.array(values, table.schema.field(name).type))


def _other_type(table: pa.Table, rng: random.Random) -> pa.Table:
    name = rng.choice([each for each in table.column_names if each != "embedding"])
    values = table[name].to_pylist()
    made: Callable[[Any], Any] = rng.choice((str, lambda value: [value], lambda value: {"a": value}, lambda _: b"\xff"))
    return _replaced(table, name, pa.array([made(value) for value in values]))


def _missing(table: pa.Table, rng: random.Random) -> pa.Table:
    return table.drop_columns([rng.choice(table.column_names)])


def _more(table: pa.Table, rng: random.Random) -> pa.Table:
    name = rng.choice(("seen_until_seconds", "extra", "pts"))
    values = [float(rng.choice((-1.0, 1e308, float("nan")))) for _ in range(len(table))]
    return table.append_column(name, pa.array(values))


def _no_rows(table: pa.Table, rng: random.Random) -> pa.Table:
    return table.slice(0, 0)


def _more_rows(table: pa.Table, rng: random.Random) -> pa.Table:
    return pa.concat_tables([table] * rng.choice((2, 1000)))


def _replaced(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    number = table.column_names.index(name)
    return table.set_column(number, pa.field(name, column.type), column)


def _lists(values: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


COLUMN_KINDS: dict[str, Callable[[pa.Table, random.Random], pa.Table]] = {
    "times": _times,
    "ticks": _ticks,
    "vectors": _vectors,
    "vector size": _vector_size,
    "vector type": _vector_type,
    "nulls": _nulls,
    "column type": _other_type,
    "column missing": _missing,
    "column more": _more,
    "no rows": _no_rows,
    "more rows": _more_rows,
}
"""By name, what rewrites a table."""


def set_detail(path: Path, place: str, value: object) -> None:
    """Put a value into the JSON of a file, at a dotted place."""
    table = pq.read_table(path)
    details = json.loads(table.schema.metadata[_KEY])
    *parents, last = place.split(".")
    inside: Any = details
    for name in parents:
        inside = inside[name]
    inside[last] = value
    pq.write_table(table.replace_schema_metadata({_KEY: json.dumps(details).encode()}), path)


def with_column(name: str, values: Any, kind: pa.DataType | None = None) -> Callable[[pa.Table], pa.Table]:
    """A change of a table: a column gets other values."""
    made = pa.array(values, kind)
    return lambda table: table.set_column(table.column_names.index(name), pa.field(name, made.type), made)
