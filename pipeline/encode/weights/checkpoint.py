"""Checks of a weights file before it is loaded: its format, and the sizes that it claims.

The safetensors library compares a file's header with its size. A .pt file is a ZIP archive whose entries torch stores
uncompressed, so they are never larger than the file; torch's `weights_only` unpickler reads the pickle in it.
"""

from __future__ import annotations

import logging
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.encode.startup.open_clip_import import without_compiler
from pipeline.encode.startup.random_weights import without_random_weights
from pipeline.parsing import ParseError, open_file, parse_json, shown

__all__ = ["check_extent", "check_network_size", "check_weights_file"]

# Header of a safetensors file: 300 bytes per tensor, and the largest networks have a few thousand tensors.
_MAX_HEADER_BYTES = 16 * 2**20
# Size of the pickle that lists the tensors of a .pt file.
_MAX_PICKLE_BYTES = 64 * 2**20
_MAX_ENTRIES = 200_000
_NUMPY_SUFFIXES = (".npz", ".npy")


def check_weights_file(path: Path) -> None:
    """Reject a file that is no weights file, or whose header claims more data than the file contains.

    Args:
        path: A .safetensors file, or a file written by torch.

    Raises:
        ParseError: It is not a regular file, has another format, or claims more data than it contains.
        OSError: It cannot be read.
        Exception: Any exception that torch raises for a damaged file.
    """
    with open_file(path) as file:
        if path.suffix == ".safetensors":
            _check_safetensors(file)
        elif path.suffix in _NUMPY_SUFFIXES:
            raise ParseError("NumPy files cannot be used as weights; convert them to .safetensors")
        else:
            _check_archive(file)
            _check_tensors(path)


def check_extent(path: Path) -> None:
    """Reject a file that goes on after its tensors, before it is read whole: a sparse file can claim any size.

    Args:
        path: A .safetensors file, or a file written by torch.

    Raises:
        ParseError: There is more data than the header describes, or an archive does not end with its table of entries.
        OSError: It cannot be read.
    """
    with open_file(path) as file:
        if path.suffix == ".safetensors":
            _check_safetensors(file)
            _check_end(file)
        elif file.read(4) == b"PK\3\4":
            file.seek(0)
            _check_archive(file)


def check_network_size(network: str, path: Path) -> None:
    """Reject a network with more parameters than its checkpoint has bytes, before any memory is allocated.

    Args:
        network: The network's name in open_clip's registry.
        path: The checkpoint.

    Raises:
        ParseError: The network has more parameters than the checkpoint has bytes.
    """
    import open_clip
    import torch

    # Tensors on the device "meta" have a shape but no data.
    with torch.device("meta"), without_compiler(), without_random_weights(), _without_warning_of_random_weights():
        built: Any = open_clip.create_model(network, load_weights=False, pretrained_text=False, device="meta")
    parameters = sum(parameter.numel() for parameter in built.parameters())
    size_bytes = path.stat().st_size
    if parameters > size_bytes:
        raise ParseError(f"the network has {parameters:,} parameters, but the file has only {size_bytes:,} bytes")


@contextmanager
def _without_warning_of_random_weights() -> Iterator[None]:
    """Suppress open_clip's warning about a network without weights, which does not matter for its size."""

    def is_other(record: logging.LogRecord) -> bool:
        return "initialized randomly" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(is_other)
    try:
        yield
    finally:
        root.removeFilter(is_other)


def _check_safetensors(file: BinaryIO) -> None:
    head = file.read(8)
    size_bytes = os.fstat(file.fileno()).st_size
    if len(head) == 8 and struct.unpack("<Q", head)[0] > min(_MAX_HEADER_BYTES, size_bytes - 8):
        raise ParseError("its header claims to be larger than the file, or than any valid header")


def _check_end(file: BinaryIO) -> None:
    file.seek(0)
    head = file.read(8)
    if len(head) < 8:
        return
    header = parse_json(file.read(struct.unpack("<Q", head)[0]), most_bytes=_MAX_HEADER_BYTES)
    named = header.items() if isinstance(header, dict) else ()
    try:
        ends = [int(one["data_offsets"][1]) for name, one in named if name != "__metadata__"]
    except (IndexError, KeyError, TypeError) as error:
        raise ParseError("its header does not say where its tensors are") from error
    surplus = os.fstat(file.fileno()).st_size - file.tell() - max(ends, default=0)
    if surplus > 0:
        raise ParseError(f"it goes on for {surplus:,} bytes after its tensors")


def _check_tensors(path: Path) -> None:
    """Reject tensors larger than their storage (strides of 0), which would be expanded when open_clip resizes them."""
    import torch

    found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    named = found.get("state_dict", found) if isinstance(found, dict) else {}
    for name, tensor in named.items() if isinstance(named, dict) else ():
        if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().nbytes() < tensor.numel() * tensor.itemsize:
            raise ParseError(f"its tensor {shown(name)} claims {tensor.numel():,} numbers, but contains fewer")


def _check_archive(file: BinaryIO) -> None:
    size_bytes = os.fstat(file.fileno()).st_size
    if file.read(4) != b"PK\3\4":
        raise ParseError(
            "neither a safetensors file nor an archive written by torch; if torch before 1.6 wrote it, save it again as"
            " .safetensors"
        )
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError) as error:
        raise ParseError(f"a damaged archive ({error})") from error
    if len(entries) > _MAX_ENTRIES:
        raise ParseError(f"{len(entries):,} entries, more than {_MAX_ENTRIES:,}")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size for entry in entries):
        raise ParseError("a compressed archive, which torch does not write; save the weights again")
    if sum(entry.file_size for entry in entries) > size_bytes:
        raise ParseError("its entries claim more bytes than the file has")
    if any(entry.file_size > _MAX_PICKLE_BYTES for entry in entries if entry.filename.endswith(".pkl")):
        raise ParseError(f"its list of tensors has more than {_MAX_PICKLE_BYTES:,} bytes")
