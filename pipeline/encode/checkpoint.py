"""Checks of a weights file before it is loaded: its kind, and the sizes that it claims.

safetensors holds its own header against the file's size. A .pt file is a ZIP archive, whose entries torch stores
uncompressed, so that they are never larger than the file; a pickle in it is read by torch's `weights_only` unpickler.
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

from pipeline.parsing import ParseError, open_file, shown

__all__ = ["check_network_size", "check_weights_file"]

# Of a safetensors file's header: 300 bytes a tensor, of which the largest networks have some thousands.
_MOST_HEADER_BYTES = 16 * 2**20
# Of the pickle that lists a .pt file's tensors.
_MOST_PICKLE_BYTES = 64 * 2**20
_MOST_ENTRIES = 200_000
_NUMPY = (".npz", ".npy")


def check_weights_file(path: Path) -> None:
    """Refuse a file that holds no weights, or whose header claims more data than the file holds.

    Args:
        path: A .safetensors file, or one that torch has written.

    Raises:
        ParseError: It is not a regular file, of another format, or claims more than it holds.
        OSError: It cannot be read.
        Exception: What torch raises for a damaged file.
    """
    with open_file(path) as file:
        if path.suffix == ".safetensors":
            _check_safetensors(file)
        elif path.suffix in _NUMPY:
            raise ParseError("weights of NumPy are not read; convert them to .safetensors")
        else:
            _check_archive(file)
            _check_tensors(path)


def check_network_size(network: str, path: Path) -> None:
    """Refuse a network with more parameters than its checkpoint has bytes, before any memory is allocated.

    Args:
        network: Its name in open_clip's registry.
        path: The checkpoint.

    Raises:
        ParseError: It has.
    """
    import open_clip
    import torch

    # Tensors of the device "meta" have shapes alone.
    with torch.device("meta"), _without_warning_of_random_weights():
        built: Any = open_clip.create_model(network, load_weights=False, pretrained_text=False, device="meta")
    numbers = sum(parameter.numel() for parameter in built.parameters())
    size_bytes = path.stat().st_size
    if numbers > size_bytes:
        raise ParseError(f"the network has {numbers:,} numbers, and the file {size_bytes:,} bytes")


@contextmanager
def _without_warning_of_random_weights() -> Iterator[None]:
    """Leave out open_clip's warning that a network has no weights, where it is only measured."""

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
    if len(head) == 8 and struct.unpack("<Q", head)[0] > min(_MOST_HEADER_BYTES, size_bytes - 8):
        raise ParseError("its header claims to be larger than such a header, or than the file")


def _check_tensors(path: Path) -> None:
    """Refuse tensors that repeat a few numbers endlessly, which open_clip writes out where it resizes one."""
    import torch

    found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    named = found.get("state_dict", found) if isinstance(found, dict) else {}
    for name, tensor in named.items() if isinstance(named, dict) else ():
        if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().nbytes() < tensor.numel() * tensor.itemsize:
            raise ParseError(f"its tensor {shown(name)} claims {tensor.numel():,} numbers, of which it holds fewer")


def _check_archive(file: BinaryIO) -> None:
    size_bytes = os.fstat(file.fileno()).st_size
    if file.read(4) != b"PK\3\4":
        raise ParseError(
            "not a file of tensors alone: neither safetensors nor an archive of torch; save what torch before 1.6 has"
            " written again, as .safetensors"
        )
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError) as error:
        raise ParseError(f"a damaged archive ({error})") from error
    if len(entries) > _MOST_ENTRIES:
        raise ParseError(f"{len(entries):,} entries, more than {_MOST_ENTRIES:,}")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size for entry in entries):
        raise ParseError("a compressed archive, which torch does not write; save the weights again")
    if sum(entry.file_size for entry in entries) > size_bytes:
        raise ParseError("its entries claim more bytes than the file has")
    if any(entry.file_size > _MOST_PICKLE_BYTES for entry in entries if entry.filename.endswith(".pkl")):
        raise ParseError(f"its list of tensors has more than {_MOST_PICKLE_BYTES:,} bytes")
