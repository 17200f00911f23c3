"""Validation of records and frames that were read from a library's files.

A library may come from somebody else, or its files may be damaged, so a value of the right type may still be no valid
time, name or count. Every check raises `ValueError` with the field's name and value; the caller adds the file's name.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pipeline.types import FrameEmbeddings, Status, VideoRecord

__all__ = ["MOST_SECONDS", "check_frames", "check_record", "check_seconds", "check_unit_length", "shown"]

MOST_SECONDS = 2.0**50
"""Latest accepted time of a frame: 36 million years. Damaged timestamps can be very large, but from 2**53 seconds on, a
float can no longer distinguish the start and end of a segment of a few seconds."""

_MAX_SHOWN_CHARACTERS = 200
_MAX_SIDE_PIXELS = 2**31
_UNIT_TOLERANCE = 1e-3
_STORED_STATUSES = (Status.DONE, Status.PARTIAL)


def check_record(record: VideoRecord, frame_count: int) -> VideoRecord:
    """Check the fields of a record that was read from a file.

    Args:
        record: The record.
        frame_count: Number of frames in the file.

    Raises:
        ValueError: A field has an invalid value.
        TypeError: A field has the wrong type.
    """
    info = record.info
    if record.status not in _STORED_STATUSES:
        raise ValueError(f"its status is {shown(record.status.value)}, but a stored video is done or partial")
    if record.frame_count != frame_count:
        raise ValueError(f"its record states {shown(record.frame_count)} frames, but the file has {frame_count}")
    for field, names in (("names", record.names), ("former_names", record.former_names), ("info.uri", (info.uri,))):
        for name in names:
            _check_name(field, name)
    for field, text in (("problem", record.problem or ""), ("container", info.container), ("codec", info.codec)):
        _check_text(field, text)
    check_seconds("duration_seconds", record.duration_seconds)
    check_seconds("covered_seconds", record.covered_seconds)
    for field, pixels in (("width", info.width), ("height", info.height)):
        if not isinstance(pixels, int) or not 1 <= pixels <= _MAX_SIDE_PIXELS:
            raise ValueError(f"its {field} is {shown(pixels)}, not a number of pixels")
    for field, value in record.metadata.items():
        _check_text("a name in metadata", field)
        if isinstance(value, str):
            _check_text(f"metadata {field}", value)
        elif not isinstance(value, int | float) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"its metadata {shown(field)} is {shown(value)}, not a text, finite number, true or false")
    return record


def check_frames(frames: FrameEmbeddings) -> FrameEmbeddings:
    """Check that all times are plausible, which `FrameEmbeddings` does not check, as it is usually made by a decoder.

    Raises:
        ValueError: A time is negative, not finite, or later than `MOST_SECONDS`.
        TypeError: A time is not a number.
    """
    if frames.time_base <= 0:
        raise ValueError(f"its time base is {frames.time_base}, not positive")
    check_seconds("duration_seconds", frames.duration_seconds)
    if frames.step_seconds is not None:
        check_seconds("step_seconds", frames.step_seconds)
    for cut in frames.cuts_seconds or ():
        check_seconds("cuts_seconds", cut)
    _check_times("time_seconds", frames.times_seconds)
    if frames.seen_until_seconds is not None:
        _check_times("seen_until_seconds", frames.seen_until_seconds)
    return frames


def check_seconds(field: str, value: object) -> None:
    """Check a time or duration.

    Raises:
        ValueError: It is not a number, negative, not finite, or larger than `MOST_SECONDS`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_SECONDS:
        raise ValueError(f"its {field} is {shown(value)}, not a time from 0 to {MOST_SECONDS:.0f} seconds")


def check_unit_length(vectors: npt.NDArray[np.float32]) -> None:
    """Check that embeddings, float32 (N, D), have unit length.

    Raises:
        ValueError: A row does not have unit length.
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    if not bool(np.all(np.abs(lengths - 1.0) < _UNIT_TOLERANCE)):
        raise ValueError("its vectors are not of unit length")


def shown(value: object) -> str:
    """Format a value for a message: long texts are shortened, and collections are shown by type only."""
    if isinstance(value, str):
        return repr(value if len(value) <= _MAX_SHOWN_CHARACTERS else f"{value[:_MAX_SHOWN_CHARACTERS]}…")
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    if value is None or isinstance(value, int | float):
        return repr(value)
    return f"a {type(value).__name__}"


def _check_text(field: str, value: object) -> None:
    """Check that a text can be encoded as UTF-8; surrogates that stand for bytes of file names are allowed."""
    if not isinstance(value, str):
        raise TypeError(f"its {field} is {shown(value)}, not a text")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"its {field} is {shown(value)}, which is not valid text") from None


def _check_name(field: str, value: object) -> None:
    """Check a path or URI."""
    _check_text(field, value)
    if "\0" in str(value):
        raise ValueError(f"its {field} has {shown(value)}, but names cannot contain a NUL character")


def _check_times(field: str, times: npt.NDArray[np.float64]) -> None:
    wrong = np.flatnonzero(~((times >= 0) & (times <= MOST_SECONDS)))
    if len(wrong):
        check_seconds(f"{field} of frame {wrong[0]}", float(times[wrong[0]]))
