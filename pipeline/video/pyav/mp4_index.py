"""Reads the index of an MP4 or MOV file, and plans seeks past groups of pictures without a wanted frame.

This requires an index of every packet in the container, which MP4 and MOV files have.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.timecode import grid_time, next_grid_number
from pipeline.types import Grid
from pipeline.video.probe import Probe

if TYPE_CHECKING:
    from av.video.stream import VideoStream

__all__ = ["IndexedKeyframe", "SeekPlan", "seek_plan_of"]

# Skipping less than this is not faster than reading it, since the operating system reads ahead.
_LEAST_BYTES = 2**20
# Keyframes are listed by decoding time, a few frames before their presentation time.
_MARGIN_SECONDS = 1


@dataclass(frozen=True)
class IndexedKeyframe:
    """The start of a group of pictures: decoding time in ticks and file position in bytes."""

    dts: int
    position: int


class SeekPlan:
    """The keyframes to seek to, past groups of pictures without a wanted frame.

    Args:
        keyframes: All keyframes of the stream, in order.
        grid: The points at which frames are wanted.
        time_base: Seconds per tick.
        start_time: Raw time of the playback clock's zero.
    """

    def __init__(
        self, keyframes: Sequence[IndexedKeyframe], grid: Grid, *, time_base: Fraction, start_time: Fraction
    ) -> None:
        self._keyframes = keyframes
        self._ticks = [keyframe.dts for keyframe in keyframes]
        self._grid = grid
        self._time_base = time_base
        self._start_time = start_time

    def beyond(self, dts: int) -> IndexedKeyframe | None:
        """Return the keyframe to seek to from the one at `dts`; None to continue reading.

        A group is read if a point is in or near it, and so are the groups before and after it, because pictures may
        refer across a keyframe. The first two and the last two groups are always read.
        """
        here = bisect_right(self._ticks, dts) - 1
        if here < 0 or self._ticks[here] != dts:
            return None
        there = here
        while there < len(self._keyframes) and not self._is_read(there):
            there += 1
        if there == here or there == len(self._keyframes):
            return None
        target = self._keyframes[there]
        return target if target.position - self._keyframes[here].position >= _LEAST_BYTES else None

    def _is_read(self, number: int) -> bool:
        last = len(self._keyframes) - 1
        if number < 2 or number >= last - 1:
            return True
        margin = _MARGIN_SECONDS + self._grid.tolerance
        start, end = self._time(number - 1) - margin, self._time(number + 2) + margin
        return grid_time(next_grid_number(start, self._grid.rate), self._grid.rate) < end

    def _time(self, number: int) -> Fraction:
        return self._ticks[number] * self._time_base - self._start_time


def seek_plan_of(probed: Probe, stream: VideoStream, grid: Grid) -> SeekPlan | None:
    """Plan the seeks in a file; None if its index does not list all packets."""
    if "mp4" not in probed.info.container or probed.reads_all or not stream.frames:
        return None
    if 1 / grid.rate <= 2 * (_MARGIN_SECONDS + grid.tolerance):
        # Every group is near a point, so there is no need to search a long index.
        return None
    entries = stream.index_entries
    if len(entries) != stream.frames:
        return None
    keyframes = [IndexedKeyframe(entry.timestamp, entry.pos) for entry in entries if entry.is_keyframe]
    is_in_order = all(one.dts < other.dts and one.position < other.position for one, other in pairwise(keyframes))
    if not is_in_order:
        return None
    return SeekPlan(keyframes, grid, time_base=probed.info.time_base, start_time=probed.info.start_time)
