"""Checksum of a frames file, stored in its footer.

The checksum is a BLAKE2b hash of all bytes of the file, with zeros in place of the checksum itself. It is stored inside
the file because a separate file could be lost or out of date. It reveals damage and accidental changes, but not
deliberate ones: whoever changes a file on purpose can write a new checksum as well.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import IO, BinaryIO, Literal

__all__ = ["CHECKSUM_KEY", "FileState", "footer_bytes", "mark", "seal", "state_of"]

CHECKSUM_KEY = b"momentseek.blake2b"
"""Key of the Parquet file's metadata."""

FileState = Literal["whole", "changed", "no checksum"]

_HEX_DIGITS = 64
_ZEROS = b"0" * _HEX_DIGITS
_CHUNK_BYTES = 2**20
# A Parquet file ends with its footer, the footer's length in four bytes, and "PAR1".
_TAIL_BYTES = 8


def footer_bytes(end: bytes) -> int:
    """Return the size of a Parquet file's footer, given the file's end: up to and including the final "PAR1"."""
    return int.from_bytes(end[-_TAIL_BYTES:-4], "little") + _TAIL_BYTES


def mark() -> bytes:
    """Make a random placeholder for a checksum; being random, it occurs only once in the file."""
    return secrets.token_hex(_HEX_DIGITS // 2).encode()


def seal(file: IO[bytes], mark: bytes) -> None:
    """Write a finished file's checksum over the placeholder in its footer.

    Args:
        file: The file, open for reading and writing; afterwards its position is at its end.
        mark: The placeholder that `mark` returned.

    Raises:
        ValueError: The placeholder is not in the footer.
        OSError: The file cannot be read or written.
    """
    offset = _footer_offset(file, mark)
    file.seek(offset)
    file.write(_checksum(file, offset))
    file.seek(0, 2)


def state_of(file: BinaryIO, checksum: bytes | None) -> FileState:
    """Compare a file with its checksum.

    Args:
        file: The file, open for reading.
        checksum: The checksum in the file's metadata; None if there is none.

    Raises:
        OSError: The file cannot be read.
    """
    if checksum is None:
        return "no checksum"
    try:
        offset = _footer_offset(file, checksum)
    except ValueError:
        return "changed"
    is_whole = len(checksum) == _HEX_DIGITS and secrets.compare_digest(_checksum(file, offset), checksum)
    return "whole" if is_whole else "changed"


def _footer_offset(file: IO[bytes], text: bytes) -> int:
    """Return the offset in the file at which its footer contains a text.

    Raises:
        ValueError: The footer does not contain the text, or the file is not Parquet.
    """
    size_bytes = file.seek(0, 2)
    if size_bytes < _TAIL_BYTES:
        raise ValueError("the file is too short to be Parquet")
    file.seek(size_bytes - _TAIL_BYTES)
    length_bytes = int.from_bytes(file.read(4), "little")
    start = size_bytes - _TAIL_BYTES - length_bytes
    if start < 0:
        raise ValueError("the footer is longer than the file")
    file.seek(start)
    return start + file.read(length_bytes).index(text)


def _checksum(file: IO[bytes], offset: int) -> bytes:
    """Compute the hexadecimal checksum of a file with a checksum or placeholder at `offset`; restore the position."""
    before = file.tell()
    digest = hashlib.blake2b(digest_size=_HEX_DIGITS // 2)
    file.seek(0)
    remaining = offset
    while remaining and (chunk := file.read(min(remaining, _CHUNK_BYTES))):
        digest.update(chunk)
        remaining -= len(chunk)
    digest.update(_ZEROS)
    file.seek(offset + _HEX_DIGITS)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    file.seek(before)
    return digest.hexdigest().encode()
