"""A video's record as JSON and back; fractions are written exactly, as "num/den"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from types import NoneType
from typing import Any

from pipeline.parsing import shown
from pipeline.types import Status, VideoInfo, VideoRecord

__all__ = ["fraction_from", "fraction_text", "record_from", "record_mapping"]

_FRACTIONS = ("time_base", "start_time", "average_rate")
_FRACTION = re.compile(r"(-?[0-9]{1,100})/([0-9]{1,100})")
# Three hundred years: beyond the clocks of all containers in use.
_MOST_SECONDS = 1e10
_NUMBER = (int, float)
_NUMBER_OR_NONE = (int, float, NoneType)
_INFO_KINDS: Mapping[str, tuple[type, ...]] = {
    "uri": (str,),
    "container": (str,),
    "codec": (str,),
    "width": (int,),
    "height": (int,),
    "rotation_degrees": (int,),
    "duration_seconds": _NUMBER_OR_NONE,
}
_RECORD_KINDS: Mapping[str, tuple[type, ...]] = {
    "video_id": (str,),
    "names": (list, tuple),
    "former_names": (list, tuple),
    "status": (str,),
    "duration_seconds": _NUMBER,
    "covered_seconds": _NUMBER,
    "frame_count": (int,),
    "problem": (str, NoneType),
    "metadata": (dict,),
}


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
    if not isinstance(mapping, Mapping) or not isinstance(mapping["info"], Mapping):
        raise TypeError(f"a record is an object with an info, got {shown(mapping)}")
    info = dict(mapping["info"])
    for name in _FRACTIONS:
        info[name] = None if info[name] is None else fraction_from(info[name])
    _check(info, _INFO_KINDS)
    _check(mapping, _RECORD_KINDS)
    names = {name: tuple(mapping.get(name, ())) for name in ("names", "former_names")}
    if not all(isinstance(name, str) for name in (*names["names"], *names["former_names"])):
        raise TypeError(f"the names of a video are texts, got {shown(names)}")
    metadata = mapping.get("metadata", {})
    if not all(isinstance(value, str | int | float) for value in metadata.values()):
        raise TypeError(f"metadata are texts, numbers, true or false, got {shown(metadata)}")
    fields = {**mapping, **names, "status": Status(mapping["status"])}
    return VideoRecord(**{**fields, "info": VideoInfo(**info)})


def _check(mapping: Mapping[str, Any], kinds: Mapping[str, tuple[type, ...]]) -> None:
    for name, value in mapping.items():
        if isinstance(value, bool) or not isinstance(value, kinds.get(name, (object,))):
            raise TypeError(f"{shown(name)} is {shown(value)}, a {type(value).__name__}")
        is_seconds = kinds.get(name) in (_NUMBER, _NUMBER_OR_NONE)
        if is_seconds and isinstance(value, int | float) and not 0 <= value < _MOST_SECONDS:
            raise ValueError(f"{name} is {shown(value)}, out of range")


def fraction_text(value: Fraction) -> str:
    """A fraction as "num/den"."""
    return f"{value.numerator}/{value.denominator}"


def fraction_from(text: str) -> Fraction:
    """The fraction of such a text.

    Raises:
        ValueError: It is none.
    """
    # Fraction itself also takes "1e999999999", and writes it out.
    match = _FRACTION.fullmatch(text) if isinstance(text, str) else None
    if match is None or not int(match[2]):
        raise ValueError(f"expected a fraction as 1/25, got {shown(text)}")
    return Fraction(int(match[1]), int(match[2]))
