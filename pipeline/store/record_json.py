"""A video's record as JSON and back; fractions are written exactly, as "num/den"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from pipeline.types import Status, VideoInfo, VideoRecord

__all__ = ["fraction_from", "fraction_text", "record_from", "record_mapping"]

_FRACTIONS = ("time_base", "start_time", "average_rate")


def record_mapping(record: VideoRecord) -> dict[str, Any]:
    """A record as a mapping of JSON values."""
    info = asdict(record.info)
    for name in _FRACTIONS:
        info[name] = None if info[name] is None else fraction_text(info[name])
    fields = {name: getattr(record, name) for name in VideoRecord.__dataclass_fields__}
    # Seldom there, and unknown to earlier versions.
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
    """A record of such a mapping.

    Raises:
        KeyError, TypeError, ValueError: It is no such mapping.
    """
    info = dict(mapping["info"])
    for name in _FRACTIONS:
        info[name] = None if info[name] is None else fraction_from(info[name])
    names = {name: tuple(mapping.get(name, ())) for name in ("names", "former_names")}
    fields = {**mapping, **names, "status": Status(mapping["status"])}
    return VideoRecord(**{**fields, "info": VideoInfo(**info)})


def fraction_text(value: Fraction) -> str:
    """A fraction as "num/den"."""
    return f"{value.numerator}/{value.denominator}"


def fraction_from(text: str) -> Fraction:
    """The fraction of such a text.

    Raises:
        ValueError: It is none.
    """
    return Fraction(text)
