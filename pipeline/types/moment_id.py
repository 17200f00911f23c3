"""Ids of moments, by which programs name what a search has found."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from pipeline.errors import UnknownMomentError
from pipeline.parsing import shown
from pipeline.types.moments import Moment

__all__ = ["MomentId"]

_ID = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,199})@([0-9][0-9e.+-]{0,30}),([0-9][0-9e.+-]{0,30})")


class MomentId(NamedTuple):
    """The id of a moment: its video, and its start and end in seconds, as "144bec235d5b1cc0@12.84,17.36".

    It contains no path, and remains valid as long as the video is in the library.
    """

    video_id: str
    start_seconds: float
    end_seconds: float

    def __str__(self) -> str:
        return f"{self.video_id}@{self.start_seconds!r},{self.end_seconds!r}"

    @classmethod
    def of(cls, moment: Moment) -> MomentId:
        """Return the id of a moment."""
        return cls(moment.video_id, moment.start_seconds, moment.end_seconds)

    @classmethod
    def parse(cls, text: str) -> MomentId:
        """Parse an id.

        Raises:
            UnknownMomentError: It is not an id of a moment.
        """
        found = _ID.fullmatch(text.strip())
        try:
            start, end = (float(found[2]), float(found[3])) if found else (0.0, 0.0)
        except ValueError:
            start = end = 0.0
        if found is None or not 0 <= start < end < math.inf:
            raise UnknownMomentError(
                f"{shown(text)} is not the id of a moment; an id is VIDEO@START,END in seconds, as a search returns it,"
                " such as 144bec235d5b1cc0@12.84,17.36"
            )
        return cls(found[1], start, end)
