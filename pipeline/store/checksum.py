"""Checksum of a frames file, stored in its footer.

It is a BLAKE2b of all bytes of the file, with zeros in place of the checksum itself. It appears and moves together with
the file; a second file could be lost or out of date. It reveals damage and careless changes. Whoever changes a file on
purpose can write a new checksum as well.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import IO, BinaryIO, Literal

__all__ = ["CHECKSUM_KEY", "FileState", "mark", "seal", "state_of"]

CHECKSUM_KEY = b"momentseek.blake2b"
"""Key of the Parquet file's metadata."""

FileState = Literal["whole", "changed", "no checksum"]

_HEX_DIGITS = 64
_ZEROS = b"0" * _HEX_DIGITS
_PIECE_BYTES = 2**20
# A Parquet file ends with its footer, the footer's length in four bytes, and "PAR1".
_TAIL_BYTES = 8


def mark() -> bytes:
    """Make a random placeholder for a checksum, which occurs in the file once."""
    return secrets.token_hex(_HEX_DIGITS // 2).encode()


def seal(file: IO[bytes], mark: bytes) -> None:
    """Write a finished file's checksum over the placeholder in its footer.

    Args:
        file: Open for reading and writing; its position is at its end afterwards.
        mark: As of `mark`.

    Raises:
        ValueError: The mark is not in the footer.
        OSError: The file cannot be read or written.
    """
    place = _place_of(file, mark)
    file.seek(place)
    file.write(_checksum(file, place))
    file.seek(0, 2)


def state_of(file: BinaryIO, checksum: bytes | None) -> FileState:
    """Compare a file with its checksum.

    Args:
        file: Open for reading.
        checksum: As its metadata have it; None where they have none.

    Raises:
        OSError: The file cannot be read.
    """
    if checksum is None:
        return "no checksum"
    try:
        place = _place_of(file, checksum)
    except ValueError:
        return "changed"
    is_whole = len(checksum) == _HEX_DIGITS and secrets.compare_digest(_checksum(file, place), checksum)
    return "whole" if is_whole else "changed"


def _place_of(file: IO[bytes], text: bytes) -> int:
    """Where in a file the one text of that kind is in its footer.

    Raises:
        ValueError: It is not there, or the file is no Parquet.
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


def _checksum(file: IO[bytes], place: int) -> bytes:
    """The checksum in hexadecimal, of a file that holds it, or a mark, at `place`; the position is kept."""
    before = file.tell()
    digest = hashlib.blake2b(digest_size=_HEX_DIGITS // 2)
    file.seek(0)
    left = place
    while left and (piece := file.read(min(left, _PIECE_BYTES))):
        digest.update(piece)
        left -= len(piece)
    digest.update(_ZEROS)
    file.seek(place + _HEX_DIGITS)
    while piece := file.read(_PIECE_BYTES):
        digest.update(piece)
    file.seek(before)
    return digest.hexdigest().encode()
