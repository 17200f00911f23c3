"""The packets of a stream, as listed by its container without decoding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["Packets", "Span"]

Span = tuple[Fraction, Fraction]
"""A half-open interval of the playback clock."""


@dataclass(frozen=True, eq=False)
class Packets:
    """All packets of a video stream, in decoding order.

    Attributes:
        ticks: int64 (N,) presentation times.
        sizes: int64 (N,) sizes in bytes.
        is_keyframe: bool (N,) whether the packet can be decoded without others.
        time_base: Seconds per tick.
        start_time: Raw time of the playback clock's zero.
    """

    ticks: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    is_keyframe: npt.NDArray[np.bool_]
    time_base: Fraction
    start_time: Fraction

    def __post_init__(self) -> None:
        if not len(self.ticks) == len(self.sizes) == len(self.is_keyframe):
            raise ValueError(
                f"{len(self.ticks)} times, {len(self.sizes)} sizes, {len(self.is_keyframe)} keyframe flags"
            )
        for array in (self.ticks, self.sizes, self.is_keyframe):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.ticks)

    def __repr__(self) -> str:
        return f"Packets({len(self)}, {int(self.is_keyframe.sum())} keyframes)"

    def time(self, ticks: int) -> Fraction:
        """Convert ticks to seconds on the playback clock."""
        return int(ticks) * self.time_base - self.start_time

    def tick(self, time: Fraction) -> int:
        """Return the first tick at or after a time on the playback clock."""
        return int(-((-(time + self.start_time)) // self.time_base))

    def frames_from(self, time: Fraction, count: int) -> Fraction:
        """Return the time of the frame `count` frames after the one at `time`; before it, if `count` is negative.

        If there are not so many frames, return the time of the first or last one.
        """
        row = int(np.searchsorted(self._shown, self.tick(time))) + count
        return self.time(self._shown[min(max(row, 0), len(self) - 1)])

    @cached_property
    def groups(self) -> tuple[tuple[int, int], ...]:
        """The groups of pictures, as packet numbers [first, after); the first packet of each is a keyframe."""
        keys = [int(key) for key in np.flatnonzero(self.is_keyframe)]
        return tuple(zip(keys, [*keys, len(self)][1:], strict=True))

    @cached_property
    def _shown(self) -> npt.NDArray[np.int64]:
        """Ticks in the order of presentation."""
        return np.sort(self.ticks)
