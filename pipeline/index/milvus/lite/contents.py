"""Validation of the files of a Milvus Lite folder before Milvus Lite reads them.

The files may come from others, and Milvus Lite believes them. The schema can name a service that rows are sent to with
the user's key, the manifest and the write-ahead log can name paths elsewhere, and an index file of another kind is read
by faiss, which does not guard its memory against made-up files.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from pipeline.index.quoted_text import shown

__all__ = ["check_aliases", "check_collection", "is_of_momentseek"]

# Momentseek's own are some kilobytes; a manifest names a file in 60 bytes.
_MOST_JSON_BYTES = 16 * 2**20
# Far beyond any number of rows ever written, and exact in every reader of JSON.
_MOST_COUNT = 2**53
_MOST_DIMENSION = 32_768
# What Milvus Lite needs for a row beside its vector: keys and times as Python objects, and the table.
_BYTES_BESIDE_VECTOR = 500
_PARTITION = "_default"
# In a log of deleted rows, those of every partition.
_ALL_PARTITIONS = "_all"
_VECTOR = "embedding"
_OWN_PROPERTY = "momentseek.encoder"
_MOST_PROPERTIES_BYTES = 65_536
_FILES = {
    "data_files": re.compile(r"data/data_\d{1,18}_\d{1,18}\.parquet"),
    "delta_files": re.compile(r"delta/delta_\d{1,18}_\d{1,18}\.parquet"),
}
_LOG = re.compile(r"wal_(?:data|delta)_(\d+)\.arrow")


@dataclass(frozen=True)
class _Data:
    """A file of rows that the manifest names."""

    path: Path
    rows: int


def check_aliases(folder: Path, *, are_own: bool) -> None:
    """Check which collections the aliases of an index folder lead to.

    Args:
        folder: The index folder.
        are_own: Whether momentseek alone made them; it drops no collection that has an alias.

    Raises:
        ValueError: They are no aliases, or one leads out of the folder or, if they are our own, to nothing.
        OSError: They cannot be read.
    """
    path = folder / "aliases.json"
    if not path.exists():
        return
    aliases = _object(path)
    for name in (*aliases, *aliases.values()):
        if not _is_name(name):
            raise ValueError(f"aliases.json names {_quoted(name)}, which is no name of a collection")
    if are_own:
        for name in aliases.values():
            if not (folder / "collections" / name / "schema.json").exists():
                raise ValueError(f"aliases.json names {_quoted(name)}, which has no schema.json")


def is_of_momentseek(collection: Path) -> bool:
    """Whether a collection's schema says that momentseek made it; False where it cannot be read."""
    try:
        properties = _object(collection / "schema.json").get("properties")
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(properties, dict) and _OWN_PROPERTY in properties


def check_collection(collection: Path, fields: Mapping[str, tuple[str, bool]]) -> None:
    """Check all files of a collection that Milvus Lite would read; vectors and rows are not checked.

    Args:
        collection: Its folder.
        fields: What each field of a row must be: Milvus's name of its type, and whether it is the key.

    Raises:
        ValueError: One of them is not as momentseek has them written; the message names it.
        OSError: One of them cannot be read.
    """
    dimension = _check_schema(_object(collection / "schema.json"), fields)
    manifest_path = collection / "manifest.json"
    if manifest_path.exists():
        partition = _check_manifest(_object(manifest_path))
        _check_rows(collection / "partitions" / _PARTITION, partition, fields, dimension)
    elif (collection / "manifest.json.prev").exists():
        raise ValueError("manifest.json is missing")
    _check_logs(collection / "wal")


def _object(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _MOST_JSON_BYTES:
        raise ValueError(f"{path.name} has more than {_MOST_JSON_BYTES} bytes")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is no JSON ({shown(error)})") from error
    if isinstance(content, dict):
        return content
    raise ValueError(f"{path.name} is no JSON object")


def _check_schema(schema: Mapping[str, Any], fields: Mapping[str, tuple[str, bool]]) -> int:
    """Returns the length of the vectors."""
    for name in ("functions", "enable_dynamic_field"):
        if schema.get(name):
            raise ValueError(f"schema.json has {name}, which momentseek does not use")
    given = schema.get("fields")
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise ValueError("schema.json has no list of fields")
    kinds = {str(each.get("name")): (each.get("dtype"), each.get("is_primary")) for each in given}
    if len(given) != len(fields) or kinds != fields:
        raise ValueError(f"schema.json has other fields: {_quoted(', '.join(kinds))}")
    for each in given:
        for name in each.keys() - {"name", "dtype", "is_primary", "max_length", "dim"}:
            if each[name]:
                raise ValueError(
                    f"schema.json gives {_quoted(each['name'])} {_quoted(name)}, which momentseek does not"
                )
        _check_count("schema.json", "max_length", each.get("max_length") or 0)
    if not _is_count(schema.get("version", 1)):
        raise ValueError("schema.json has no version")
    _check_properties(schema.get("properties", {}))
    [dimension] = [each.get("dim") for each in given if each["name"] == _VECTOR]
    if not _is_count(dimension) or not 1 <= dimension <= _MOST_DIMENSION:
        raise ValueError(f"schema.json says vectors of {_quoted(dimension)} numbers")
    return int(dimension)


def _check_properties(properties: object) -> None:
    if not isinstance(properties, dict) or not all(isinstance(value, str) for value in properties.values()):
        raise ValueError("schema.json has properties that are no texts")
    if sum(len(name) + len(value) for name, value in properties.items()) > _MOST_PROPERTIES_BYTES:
        raise ValueError(f"schema.json has more than {_MOST_PROPERTIES_BYTES} bytes of properties")


def _check_manifest(manifest: Mapping[str, Any]) -> Mapping[str, list[str]]:
    """Returns the one partition."""
    for name in ("version", "current_seq", "schema_version"):
        _check_count("manifest.json", name, manifest.get(name, 0))
    _check_count("manifest.json", "active_wal_number", manifest.get("active_wal_number") or 0)
    specs = manifest.get("index_specs") or {}
    if not isinstance(specs, dict) or not all(_is_flat(name, spec) for name, spec in specs.items()):
        raise ValueError("manifest.json has an index of another kind than FLAT")
    partitions = manifest.get("partitions", {})
    if not isinstance(partitions, dict) or not partitions.keys() <= {_PARTITION}:
        raise ValueError("manifest.json has other partitions than one")
    partition = partitions.get(_PARTITION, {})
    if not isinstance(partition, dict):
        raise ValueError("manifest.json has a partition that is none")  # noqa: TRY004 - it is what a file says
    for kind, pattern in _FILES.items():
        files = partition.get(kind, [])
        if not isinstance(files, list) or len({*map(str, files)}) < len(files):
            raise ValueError(f"manifest.json has {kind} that are no list, or names a file twice")
        for name in files:
            if not isinstance(name, str) or not pattern.fullmatch(name):
                raise ValueError(f"manifest.json names the file {_quoted(name)}")
    return partition


def _is_flat(name: object, spec: object) -> bool:
    if not isinstance(spec, dict):
        return False
    told = (name, spec.get("field_name"), spec.get("index_type"), spec.get("metric_type"))
    return (
        told == (_VECTOR, _VECTOR, "FLAT", "COSINE") and not spec.get("build_params") and not spec.get("search_params")
    )


def _check_rows(partition: Path, files: Mapping[str, list[str]], fields: Collection[str], dimension: int) -> None:
    data = [_data_file(partition / name, fields, dimension) for name in files.get("data_files", [])]
    for name in files.get("delta_files", []):
        _data_file(partition / name, {"key"}, None)
    needed = sum(each.rows for each in data) * (4 * dimension + _BYTES_BESIDE_VECTOR)
    if needed > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        raise ValueError(f"its rows need some {needed / 2**30:.0f} GiB of memory, more than this machine has")
    for each in data:
        sidecar = partition / "indexes" / f"{each.path.stem}.{_VECTOR}.flat.idx"
        if sidecar.exists() and not _removed_as_torn(sidecar, (each.rows, dimension)):
            _check_vectors(sidecar, (each.rows, dimension))


def _data_file(path: Path, fields: Collection[str], dimension: int | None) -> _Data:
    """Look at a Parquet file's footer; without a dimension, it has no vectors."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise ValueError(f"{path.name} is missing")
    try:
        with path.open("rb") as file, pq.ParquetFile(file) as parquet:
            columns = {field.name: field.type for field in parquet.schema_arrow}
            rows = parquet.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path.name} is broken ({shown(error)})") from error
    vector = columns.get(_VECTOR, pa.null())
    fits = dimension is None or (
        pa.types.is_fixed_size_list(vector) and (vector.value_type, vector.list_size) == (pa.float32(), dimension)
    )
    fits &= set(fields) <= columns.keys()
    if not fits or (columns.get("_seq"), columns.get("key")) != (pa.uint64(), pa.string()):
        raise ValueError(f"{path.name} has other columns than its schema")
    return _Data(path, rows)


def _removed_as_torn(path: Path, shape: tuple[int, int]) -> bool:
    """Remove a file of vectors that a killed process has only begun to write: Milvus Lite makes it anew from the rows.

    Returns:
        Whether it was the beginning of the right file, and is removed.
    """
    from numpy.lib import format as npy

    header = BytesIO()
    npy.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    right, size = header.getvalue(), path.stat().st_size
    if size >= len(right) + 4 * shape[0] * shape[1]:
        return False
    with path.open("rb") as file:
        if file.read(len(right)) != right[:size]:
            return False
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _check_vectors(path: Path, shape: tuple[int, int]) -> None:
    """Check that a NumPy file holds exactly that many float32, and no pickle."""
    from numpy.lib import format as npy

    with path.open("rb") as file:
        try:
            version = npy.read_magic(file)
            read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
            header = read(file)
        except (ValueError, KeyError, RecursionError) as error:
            raise ValueError(f"{path.name} is no NumPy file ({shown(error)})") from error
        size = file.tell() + 4 * shape[0] * shape[1]
        if header[:2] != (shape, False) or header[2].str != "<f4" or path.stat().st_size != size:
            raise ValueError(f"{path.name} does not fit the rows that it is of")


def _check_logs(folder: Path) -> None:
    """Check the write-ahead logs that an ended process left: Milvus Lite writes to the partitions that they name."""
    if not folder.exists():
        return
    for path in folder.iterdir():
        if (numbered := _LOG.fullmatch(path.name)) is None:
            continue
        if len(numbered[1]) > 18:
            raise ValueError(f"{shown(path.name)} has a number that is too large")
        _check_log(path)


def _check_log(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        with pa.OSFile(os.fspath(path), "rb") as source, pa.ipc.open_stream(source) as batches:
            for batch in batches:
                batch.validate(full=True)
                places = set(batch.column("_partition").unique().to_pylist())
                largest = pc.max(batch.column("_seq")).as_py() or 0
                if not places <= {_PARTITION, _ALL_PARTITIONS} or largest > _MOST_COUNT:
                    raise ValueError(f"{path.name} names the partition or sequence {_quoted([*places, largest])}")
    except (pa.ArrowInvalid, OSError):
        # What was being written when the process ended; Milvus Lite stops there, too.
        return
    except (pa.ArrowException, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is broken ({shown(error)})") from error


def _check_count(place: str, name: str, value: object) -> None:
    if not _is_count(value):
        raise ValueError(f"{place} has {name} {_quoted(value)}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_COUNT


def _is_name(name: object) -> bool:
    """Whether it stays in its folder; Milvus Lite lets these through for new collections."""
    return (
        isinstance(name, str)
        and name not in ("", ".", "..")
        and not re.search(r"[/\\\x00]", name)
        and len(name.encode(errors="surrogatepass")) <= 255
    )


def _quoted(value: object) -> str:
    return shown(repr(value))
