"""Validation of the files of a Milvus Lite folder before Milvus Lite reads them.

The files may come from others, and Milvus Lite does not check them. The schema can name a service to which rows are
sent with the user's key, the manifest and the write-ahead log can name paths outside the folder, and index files of
other kinds are read by faiss, whose memory is not safe against malicious files.
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

# momentseek's own files have a few kilobytes; a manifest needs 60 bytes per file name.
_MAX_JSON_BYTES = 16 * 2**20
# Larger than any real number of rows, and exact in every JSON parser.
_MAX_COUNT = 2**53
_MAX_DIMENSION = 32_768
# Memory that Milvus Lite needs per row in addition to the vector: keys and times as Python objects, and the table.
_BYTES_BESIDE_VECTOR = 500
_PARTITION = "_default"
# Stands for all partitions in a log of deleted rows.
_ALL_PARTITIONS = "_all"
_VECTOR = "embedding"
_OWN_PROPERTY = "momentseek.encoder"
_MAX_PROPERTIES_BYTES = 65_536
_FILES = {
    "data_files": re.compile(r"data/data_\d{1,18}_\d{1,18}\.parquet"),
    "delta_files": re.compile(r"delta/delta_\d{1,18}_\d{1,18}\.parquet"),
}
_LOG = re.compile(r"wal_(?:data|delta)_(\d+)\.arrow")


@dataclass(frozen=True)
class _DataFile:
    """A file with rows that the manifest names."""

    path: Path
    rows: int


def check_aliases(folder: Path, *, are_own: bool) -> None:
    """Check the collections that the aliases of an index folder refer to.

    Args:
        folder: The index folder.
        are_own: Whether only momentseek wrote the folder. Their collections must then exist, since momentseek never
            drops a collection that has an alias.

    Raises:
        ValueError: The file is invalid, or an alias refers to a path outside the folder or to a missing collection.
        OSError: The file cannot be read.
    """
    path = folder / "aliases.json"
    if not path.exists():
        return
    aliases = _object(path)
    for name in (*aliases, *aliases.values()):
        if not _is_name(name):
            raise ValueError(f"aliases.json names {_quoted(name)}, which is not a valid collection name")
    if are_own:
        for name in aliases.values():
            if not (folder / "collections" / name / "schema.json").exists():
                raise ValueError(f"aliases.json names {_quoted(name)}, which has no schema.json")


def is_of_momentseek(collection: Path) -> bool:
    """Whether momentseek made a collection, according to its schema; False if the schema cannot be read."""
    try:
        properties = _object(collection / "schema.json").get("properties")
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(properties, dict) and _OWN_PROPERTY in properties


def check_collection(collection: Path, fields: Mapping[str, tuple[str, bool]]) -> None:
    """Check all files of a collection that Milvus Lite would read, but not the values of rows and vectors.

    Files that a killed process left and that Milvus Lite must not read are removed.

    Args:
        collection: Folder of the collection.
        fields: By field name, Milvus's name of the type and whether it is the primary key.

    Raises:
        ValueError: momentseek cannot have written one of the files; the message names it.
        OSError: A file cannot be read.
    """
    dimension = _check_schema(_object(collection / "schema.json"), fields)
    manifest_path = collection / "manifest.json"
    flushed = 0
    if manifest_path.exists():
        manifest = _object(manifest_path)
        partition = _check_manifest(manifest)
        flushed = manifest.get("current_seq", 0)
        _check_rows(collection / "partitions" / _PARTITION, partition, fields, dimension)
    elif (collection / "manifest.json.prev").exists():
        raise ValueError("manifest.json is missing")
    _check_logs(collection / "wal", flushed)


def _object(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _MAX_JSON_BYTES:
        raise ValueError(f"{path.name} has more than {_MAX_JSON_BYTES} bytes")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is not JSON ({shown(error)})") from error
    if isinstance(content, dict):
        return content
    raise ValueError(f"{path.name} is not a JSON object")


def _check_schema(schema: Mapping[str, Any], fields: Mapping[str, tuple[str, bool]]) -> int:
    """Check a schema and return the length of its vectors."""
    for name in ("functions", "enable_dynamic_field"):
        if schema.get(name):
            raise ValueError(f"schema.json has {name}, which momentseek does not use")
    schema_fields = schema.get("fields")
    if not isinstance(schema_fields, list) or not all(isinstance(each, dict) for each in schema_fields):
        raise ValueError("schema.json has no list of fields")
    kinds = {str(each.get("name")): (each.get("dtype"), each.get("is_primary")) for each in schema_fields}
    if len(schema_fields) != len(fields) or kinds != fields:
        raise ValueError(f"schema.json has other fields: {_quoted(', '.join(kinds))}")
    for each in schema_fields:
        for name in each.keys() - {"name", "dtype", "is_primary", "max_length", "dim"}:
            if each[name]:
                raise ValueError(
                    f"schema.json has {_quoted(name)} for {_quoted(each['name'])}, which momentseek does not use"
                )
        _check_count("schema.json", "max_length", each.get("max_length") or 0)
    if not _is_count(schema.get("version", 1)):
        raise ValueError("schema.json has no version")
    _check_properties(schema.get("properties", {}))
    [dimension] = [each.get("dim") for each in schema_fields if each["name"] == _VECTOR]
    if not _is_count(dimension) or not 1 <= dimension <= _MAX_DIMENSION:
        raise ValueError(f"schema.json states vectors with {_quoted(dimension)} dimensions")
    return int(dimension)


def _check_properties(properties: object) -> None:
    if not isinstance(properties, dict) or not all(isinstance(value, str) for value in properties.values()):
        raise ValueError("schema.json has properties that are not texts")
    if sum(len(name) + len(value) for name, value in properties.items()) > _MAX_PROPERTIES_BYTES:
        raise ValueError(f"schema.json has more than {_MAX_PROPERTIES_BYTES} bytes of properties")


def _check_manifest(manifest: Mapping[str, Any]) -> Mapping[str, list[str]]:
    """Check a manifest and return its only partition."""
    for name in ("version", "current_seq", "schema_version"):
        _check_count("manifest.json", name, manifest.get(name, 0))
    _check_count("manifest.json", "active_wal_number", manifest.get("active_wal_number") or 0)
    specs = manifest.get("index_specs") or {}
    if not isinstance(specs, dict) or not all(_is_flat(name, spec) for name, spec in specs.items()):
        raise ValueError("manifest.json has an index that is not FLAT")
    partitions = manifest.get("partitions", {})
    if not isinstance(partitions, dict) or not partitions.keys() <= {_PARTITION}:
        raise ValueError("manifest.json has more than the default partition")
    partition = partitions.get(_PARTITION, {})
    if not isinstance(partition, dict):
        raise ValueError("manifest.json has an invalid partition")  # noqa: TRY004 - the error is in the file
    for kind, pattern in _FILES.items():
        files = partition.get(kind, [])
        if not isinstance(files, list) or len({*map(str, files)}) < len(files):
            raise ValueError(f"manifest.json has {kind} that are not a list, or names a file twice")
        for name in files:
            if not isinstance(name, str) or not pattern.fullmatch(name):
                raise ValueError(f"manifest.json names the file {_quoted(name)}")
    return partition


def _is_flat(name: object, spec: object) -> bool:
    if not isinstance(spec, dict):
        return False
    actual = (name, spec.get("field_name"), spec.get("index_type"), spec.get("metric_type"))
    has_parameters = bool(spec.get("build_params") or spec.get("search_params"))
    return actual == (_VECTOR, _VECTOR, "FLAT", "COSINE") and not has_parameters


def _check_rows(partition: Path, files: Mapping[str, list[str]], fields: Collection[str], dimension: int) -> None:
    data = [_data_file(partition / name, fields, dimension) for name in files.get("data_files", [])]
    for name in files.get("delta_files", []):
        _data_file(partition / name, {"key"}, None)
    needed = sum(each.rows for each in data) * (4 * dimension + _BYTES_BESIDE_VECTOR)
    if needed > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        raise ValueError(f"its rows need about {needed / 2**30:.0f} GiB of memory, more than this machine has")
    for each in data:
        sidecar = partition / "indexes" / f"{each.path.stem}.{_VECTOR}.flat.idx"
        if sidecar.exists() and not _remove_if_truncated(sidecar, (each.rows, dimension)):
            _check_vectors(sidecar, (each.rows, dimension))


def _data_file(path: Path, fields: Collection[str], dimension: int | None) -> _DataFile:
    """Check the footer of a Parquet file; the dimension is None if the file must have no vectors."""
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
    return _DataFile(path, rows)


def _remove_if_truncated(path: Path, shape: tuple[int, int]) -> bool:
    """Remove a file of vectors that a killed process did not finish; it is a copy of the rows' vectors.

    Returns:
        Whether the file was an unfinished one, and was removed.
    """
    from numpy.lib import format as npy

    header = BytesIO()
    npy.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    expected, size = header.getvalue(), path.stat().st_size
    if size >= len(expected) + 4 * shape[0] * shape[1]:
        return False
    with path.open("rb") as file:
        if file.read(len(expected)) != expected[:size]:
            return False
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _check_vectors(path: Path, shape: tuple[int, int]) -> None:
    """Check that a NumPy file contains a float32 array of this shape, and no pickle."""
    from numpy.lib import format as npy

    with path.open("rb") as file:
        try:
            version = npy.read_magic(file)
            read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
            header = read(file)
        except (ValueError, KeyError, RecursionError) as error:
            raise ValueError(f"{path.name} is not a NumPy file ({shown(error)})") from error
        size = file.tell() + 4 * shape[0] * shape[1]
        if header[:2] != (shape, False) or header[2].str != "<f4" or path.stat().st_size != size:
            raise ValueError(f"{path.name} does not match the rows of its data file")


def _check_logs(folder: Path, flushed: int) -> None:
    """Check the write-ahead logs that an earlier process left; Milvus Lite writes to the partitions that they name.

    A log whose writes are all in data files is removed: the process was killed before it could remove it. Milvus Lite
    3.2.2 would hold these rows twice, overwrite the data files, and name them twice in its manifest.

    Args:
        folder: The folder of the logs.
        flushed: Sequence number of the last write that is in the data files.
    """
    if not folder.exists():
        return
    for path in folder.iterdir():
        if (numbered := _LOG.fullmatch(path.name)) is None:
            continue
        if len(numbered[1]) > 18:
            raise ValueError(f"{shown(path.name)} has a number that is too large")
        last = _check_log(path)
        if last is not None and last <= flushed:
            path.unlink()


def _check_log(path: Path) -> int | None:
    """Check a log and return the sequence number of its last write; None if it has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    last: int | None = None
    try:
        with pa.OSFile(os.fspath(path), "rb") as source, pa.ipc.open_stream(source) as batches:
            for batch in batches:
                batch.validate(full=True)
                partitions = set(batch.column("_partition").unique().to_pylist())
                largest = pc.max(batch.column("_seq")).as_py() or 0
                if not partitions <= {_PARTITION, _ALL_PARTITIONS} or largest > _MAX_COUNT:
                    raise ValueError(f"{path.name} names the partition or sequence {_quoted([*partitions, largest])}")
                last = max(largest, last or 0)
    except (pa.ArrowInvalid, OSError):
        # The log ends here, where the process was writing when it ended. Milvus Lite stops here, too.
        pass
    except (pa.ArrowException, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is broken ({shown(error)})") from error
    return last


def _check_count(file_name: str, name: str, value: object) -> None:
    if not _is_count(value):
        raise ValueError(f"{file_name} has {name} {_quoted(value)}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT


def _is_name(name: object) -> bool:
    """Whether a collection name stays within the folder; Milvus Lite does not check this for new collections."""
    return (
        isinstance(name, str)
        and name not in ("", ".", "..")
        and not re.search(r"[/\\\x00]", name)
        and len(name.encode(errors="surrogatepass")) <= 255
    )


def _quoted(value: object) -> str:
    return shown(repr(value))
