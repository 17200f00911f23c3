"""Video records as JSON in a library's files; fractions are written exactly, as "num/den"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from pipeline.parsing import parse_json
from pipeline.types.records import Scalar, Status, VideoRecord
from pipeline.types.video import VideoInfo

__all__ = [
    "checked_metadata",
    "checked_text",
    "fraction_from",
    "fraction_text",
    "parsed",
    "record_from",
    "record_mapping",
]

_FRACTIONS = ("time_base", "start_time", "average_rate")
# A container's numerators and denominators have up to 10 digits (32 bits); start times are products of them.
_FRACTION = re.compile(r"-?[0-9]{1,60}/[0-9]{1,60}")
_RECORD_TEXTS, _INFO_TEXTS = ("video_id",), ("uri", "container", "codec")
_RECORD_NUMBERS, _INFO_NUMBERS = ("duration_seconds", "covered_seconds"), ("duration_seconds",)
_RECORD_COUNTS, _INFO_COUNTS = ("frame_count",), ("width", "height", "rotation_degrees")
# Larger counts are invalid, and would overflow in computations.
_MAX_COUNT = 2**53


def parsed(content: bytes | str) -> dict[str, Any]:
    """Parse the JSON object in a library's file.

    Raises:
        ValueError: The content is not a JSON object, or exceeds a limit of `parse_json`.
    """
    found = parse_json(content)
    if not isinstance(found, dict):
        raise ValueError(f"expected a JSON object, got a {type(found).__name__}")  # noqa: TRY004 - callers expect one
    return found


def record_mapping(record: VideoRecord) -> dict[str, Any]:
    """Convert a record to a mapping of JSON values."""
    info = asdict(record.info)
    for name in _FRACTIONS:
        info[name] = None if info[name] is None else fraction_text(info[name])
    fields = {name: getattr(record, name) for name in VideoRecord.__dataclass_fields__}
    # Written only if needed, since earlier versions do not know this field.
    former = {"former_names": list(fields.pop("former_names"))} if record.former_names else {}
    return {
        **fields,
        **former,
        "names": list(record.names),
        "status": record.status.value,
        "info": info,
        "metadata": dict(record.metadata),
    }


def record_from(mapping: Mapping[str, Any]) -> VideoRecord:
    """Read a record from a mapping of JSON values.

    Raises:
        KeyError, TypeError, ValueError: The mapping is not a valid record.
    """
    info = dict(mapping["info"])
    for name in _FRACTIONS:
        info[name] = None if info[name] is None else fraction_from(info[name])
    # The duration that a container states may be unknown; the duration in the record may not.
    _check_fields(info, _INFO_TEXTS, _INFO_NUMBERS, _INFO_COUNTS, may_be_unknown=True)
    _check_fields(mapping, _RECORD_TEXTS, _RECORD_NUMBERS, _RECORD_COUNTS)
    names = {name: tuple(map(checked_text, mapping.get(name, ()))) for name in ("names", "former_names")}
    metadata = {"metadata": checked_metadata(mapping["metadata"])}
    problem = {"problem": None if mapping["problem"] is None else checked_text(mapping["problem"])}
    fields = {**mapping, **names, **metadata, **problem, "status": Status(mapping["status"])}
    return VideoRecord(**{**fields, "info": VideoInfo(**info)})


def checked_text(value: object) -> str:
    """Check that a value is a text.

    Raises:
        TypeError: The value is not a text.
    """
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got a {type(value).__name__}")
    return value


def checked_metadata(value: object) -> dict[str, Scalar]:
    """Check that a value is a video's metadata.

    Raises:
        TypeError: The value is not a mapping from names to JSON scalars.
    """
    if not isinstance(value, dict) or not all(isinstance(one, str | int | float | bool) for one in value.values()):
        raise TypeError("metadata must map names to texts, numbers, true or false")
    return value


def _check_fields(
    fields: Mapping[str, Any],
    texts: tuple[str, ...],
    numbers: tuple[str, ...],
    counts: tuple[str, ...],
    *,
    may_be_unknown: bool = False,
) -> None:
    """Check the types and ranges of fields that were read.

    Raises:
        KeyError, TypeError, ValueError: A field is missing, has another type or is out of range.
    """
    for name in texts:
        checked_text(fields[name])
    for name in counts:
        if not isinstance(fields[name], int) or not 0 <= fields[name] < _MAX_COUNT:
            raise ValueError(f"{name} cannot be {str(fields[name])[:40]}")
    for name in numbers:
        number = fields[name]
        if number is None and may_be_unknown:
            continue
        if not isinstance(number, int | float) or not math.isfinite(number):
            raise ValueError(f"{name} cannot be {str(number)[:40]}")


def fraction_text(value: Fraction) -> str:
    """Format a fraction as "num/den"."""
    return f"{value.numerator}/{value.denominator}"


def fraction_from(text: str) -> Fraction:
    """Parse a fraction from "num/den".

    Raises:
        ValueError: The text is not a fraction.
    """
    if not _FRACTION.fullmatch(text):
        # Not left to Fraction: Fraction("1e999999999") takes minutes.
        raise ValueError(f"not a fraction: {text[:40]!r}")
    numerator, _, denominator = text.partition("/")
    if int(denominator) == 0:
        raise ValueError(f"not a fraction: {text[:40]!r}")
    return Fraction(int(numerator), int(denominator))
