"""Validation of values that were read from a library's files.

A library may come from somebody else, and its files may be damaged: a value that parses as JSON or Parquet need not be
a time, a name or a count. Every check raises `ValueError` with the field's name and its value; the caller adds the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.types import FrameEmbeddings, Scalar, VideoRecord

__all__ = [
    "MOST_SECONDS",
    "check_frames",
    "check_record",
    "count_of",
    "fraction_of",
    "metadata_of",
    "name_of",
    "names_of",
    "seconds_of",
    "shown",
    "text_of",
    "video_id_of",
]

MOST_SECONDS = 2.0**50
"""Latest time of a frame: 36 million years. Damaged timestamps reach far, but from 2**53 seconds on, a float can no
longer hold the end of a segment of a few seconds apart from its start."""

_LONGEST_SHOWN = 200
_LONGEST_VIDEO_ID = 128
"""Characters; the index keeps no longer ones."""
_MOST_PIXELS_ACROSS = 2**31
_VIDEO_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Times are ratios of 64-bit numbers; without a limit, "1e999999999" would be computed.
_FRACTION = re.compile(r"-?[0-9]{1,40}/[0-9]{1,40}")


def text_of(field: str, value: object) -> str:
    """A text that can be written as UTF-8 again, undecodable bytes of file names included.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, str):
        raise ValueError(f"{field} is {shown(value)}, no text")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"{field} is {shown(value)}, which is no text") from None
    return value


def name_of(field: str, value: object) -> str:
    """A path or URI.

    Raises:
        ValueError: It is no text, or has a NUL, which no path can.
    """
    name = text_of(field, value)
    if "\0" in name:
        raise ValueError(f"{field} is {shown(name)}, which has a NUL character")
    return name


def names_of(field: str, value: object) -> tuple[str, ...]:
    """Paths or URIs.

    Raises:
        ValueError: It is no list of them.
    """
    if not isinstance(value, list | tuple):
        raise ValueError(f"{field} is {shown(value)}, no list of names")
    return tuple(name_of(field, name) for name in value)


def video_id_of(field: str, value: object) -> str:
    """A video's id, which becomes a part of file names.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, str) or len(value) > _LONGEST_VIDEO_ID or not _VIDEO_ID.fullmatch(value):
        raise ValueError(f"{field} is {shown(value)}, no video's id")
    return value


def seconds_of(field: str, value: object) -> float:
    """A time or duration.

    Raises:
        ValueError: It is no number, negative, not finite, or beyond `MOST_SECONDS`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_SECONDS:
        raise ValueError(f"{field} is {shown(value)}, no time from 0 to {MOST_SECONDS:.0f} seconds")
    return float(value)


def count_of(field: str, value: object, *, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number.

    Raises:
        ValueError: It is none, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{field} is {shown(value)}, no whole number from {least} to {most}")
    return value


def fraction_of(field: str, value: object) -> Fraction:
    """A fraction, written "num/den".

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, str) or not _FRACTION.fullmatch(value) or int(value.partition("/")[2]) == 0:
        raise ValueError(f"{field} is {shown(value)}, no fraction as 1/25")
    return Fraction(value)


def metadata_of(field: str, value: object) -> dict[str, Scalar]:
    """Scalars by name.

    Raises:
        ValueError: It is no mapping, a name is no text, or a value is no text, finite number, true or false.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{field} is {shown(value)}, no mapping")
    for name, each in value.items():
        text_of(f"a name in {field}", name)
        if isinstance(each, str):
            text_of(f"{field}.{name}", each)
        elif not isinstance(each, int | float) or (isinstance(each, float) and not math.isfinite(each)):
            raise ValueError(f"{field}.{shown(name)} is {shown(each)}, no text, finite number, true or false")
    return dict(value)


def check_record(record: VideoRecord) -> VideoRecord:
    """Check the fields of a record that was read.

    Raises:
        ValueError: One is not what it should be.
    """
    info = record.info
    video_id_of("record.video_id", record.video_id)
    names_of("record.names", record.names)
    names_of("record.former_names", record.former_names)
    for name in ("duration_seconds", "covered_seconds"):
        seconds_of(f"record.{name}", getattr(record, name))
    count_of("record.frame_count", record.frame_count)
    if record.problem is not None:
        text_of("record.problem", record.problem)
    metadata_of("record.metadata", record.metadata)
    name_of("record.info.uri", info.uri)
    text_of("record.info.container", info.container)
    text_of("record.info.codec", info.codec)
    for name in ("width", "height"):
        count_of(f"record.info.{name}", getattr(info, name), least=1, most=_MOST_PIXELS_ACROSS)
    # What a container claims may be any number, but nothing else.
    claimed = info.duration_seconds
    if claimed is not None and (isinstance(claimed, bool) or not isinstance(claimed, int | float)):
        raise ValueError(f"record.info.duration_seconds is {shown(claimed)}, no number")
    return record


def check_frames(frames: FrameEmbeddings) -> FrameEmbeddings:
    """Check what `FrameEmbeddings` takes for granted of frames that were decoded: times that a video can have.

    Raises:
        ValueError: A time is negative, not finite, or beyond `MOST_SECONDS`.
    """
    seconds_of("duration_seconds", frames.duration_seconds)
    if frames.step_seconds is not None:
        seconds_of("step_seconds", frames.step_seconds)
    for number in frames.cuts_seconds or ():
        seconds_of("a time of cuts_seconds", number)
    _check_times("time_seconds", frames.times_seconds)
    if frames.seen_until_seconds is not None:
        _check_times("seen_until_seconds", frames.seen_until_seconds)
    if frames.time_base <= 0:
        raise ValueError(f"time_base is {frames.time_base}, not positive")
    return frames


def _check_times(field: str, times: npt.NDArray[np.float64]) -> None:
    wrong = np.flatnonzero(~((times >= 0) & (times <= MOST_SECONDS)))
    if len(wrong):
        seconds_of(f"{field} of frame {wrong[0]}", float(times[wrong[0]]))


def shown(value: object) -> str:
    """Format a value for a message, shortened; of what may be large or deep, its kind alone."""
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…")
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    if value is None or isinstance(value, int | float):
        return repr(value)
    return f"a {type(value).__name__}"
