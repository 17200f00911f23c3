"""Plans which packets of a group of pictures to decode for the frames at a grid's points.

Packets come in decoding order, in groups that start with a keyframe. Within a group, a frame depends only on earlier
packets. Packets after the last wanted frame are therefore left out, and so are earlier packets that no other frame
refers to. Leading pictures (shown before the keyframe that they follow in decoding order) may depend on the previous
group: if one of them is wanted, that group is decoded to its end, otherwise they are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

from pipeline.timecode import grid_time, next_grid_number
from pipeline.types import Grid

__all__ = ["PlannedPacket", "TimedPacket", "Use", "planned"]

# Maximum number of packets held back. Two groups of 1 to 10 s are far below; endless groups are decoded directly.
_MOST_PACKETS = 1500
_MOST_BYTES = 64 * 2**20


class TimedPacket(Protocol):
    """The properties of a packet that planning needs."""

    @property
    def is_keyframe(self) -> bool:
        """Whether it can be decoded without others."""

    @property
    def size(self) -> int:
        """Size in bytes."""


P = TypeVar("P", bound=TimedPacket)


class Use(Enum):
    """The purpose for which a packet is decoded."""

    SHOWN = "its frame is wanted"
    REFERENCE = "others may refer to it"
    NOTHING = "nothing"


@dataclass(frozen=True)
class PlannedPacket(Generic[P]):
    """A packet with its use, and whether decoding restarts at it because packets before it were left out."""

    packet: P
    time: Fraction | None
    use: Use
    is_fresh_start: bool = False


@dataclass(eq=False)
class _GroupPacket(Generic[P]):
    packet: P
    time: Fraction
    use: Use | None = None


@dataclass(eq=False)
class _Group(Generic[P]):
    """A keyframe and the packets that follow it in decoding order, up to the next keyframe."""

    packets: list[_GroupPacket[P]] = field(default_factory=list)
    is_behind_gap: bool = False

    @property
    def leading(self) -> list[_GroupPacket[P]]:
        """Pictures shown before the keyframe."""
        return [each for each in self.packets[1:] if each.time < self.packets[0].time]


def planned(packets: Iterable[tuple[P, Fraction | None]], grid: Grid) -> Iterator[PlannedPacket[P]]:
    """Determine the use of each packet, in unchanged order.

    Args:
        packets: Packets in decoding order with their presentation times. A packet without a time ends the planning.
        grid: The points. Frames before time 0 are never wanted; the first frame shown is always wanted.
    """
    plan: _Plan[P] = _Plan(grid)
    remaining = iter(packets)
    for packet, time in remaining:
        if time is None:
            yield from plan.given_up()
            yield PlannedPacket(packet, time, Use.SHOWN)
            break
        yield from plan.add(_GroupPacket(packet, time))
    yield from plan.rest()
    for packet, time in remaining:
        yield PlannedPacket(packet, time, Use.SHOWN)


class _Plan(Generic[P]):
    """Plans a stream. It holds back one group, and the next one until its leading pictures are known."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._groups: list[_Group[P]] = []
        self._packets = 0
        self._bytes = 0
        self._is_passing_on = True
        self._has_shown = False

    def add(self, timed: _GroupPacket[P]) -> Iterator[PlannedPacket[P]]:
        if timed.packet.is_keyframe:
            self._is_passing_on = False
            if len(self._groups) == 2:
                yield from self._first_planned()
            self._groups.append(_Group())
        if self._is_passing_on:
            # Before the first keyframe, or in a group that is too large to be held back.
            yield self._planned_packet(timed, Use.SHOWN)
            return
        self._groups[-1].packets.append(timed)
        self._packets += 1
        self._bytes += timed.packet.size
        if len(self._groups) == 2 and timed.time > self._groups[1].packets[0].time:
            yield from self._first_planned()
        if self._packets > _MOST_PACKETS or self._bytes > _MOST_BYTES:
            yield from self.given_up()
            self._is_passing_on = True

    def given_up(self) -> Iterator[PlannedPacket[P]]:
        """Yield all packets held back; those not planned yet are decoded completely."""
        for group in self._groups:
            leading = {id(each) for each in group.leading} if group.is_behind_gap else set()
            for number, each in enumerate(group.packets):
                use = each.use or (Use.NOTHING if id(each) in leading else Use.SHOWN)
                yield self._planned_packet(each, use, is_fresh_start=group.is_behind_gap and number == 0)
        self._forget()

    def rest(self) -> Iterator[PlannedPacket[P]]:
        """Yield the packets held back at the end of the stream."""
        while self._groups:
            yield from self._first_planned()

    def _forget(self) -> None:
        self._groups, self._packets, self._bytes = [], 0, 0

    def _planned_packet(self, timed: _GroupPacket[P], use: Use, *, is_fresh_start: bool = False) -> PlannedPacket[P]:
        self._has_shown |= use is Use.SHOWN and timed.time >= 0
        return PlannedPacket(timed.packet, timed.time, use, is_fresh_start)

    def _first_planned(self) -> Iterator[PlannedPacket[P]]:
        group = self._groups.pop(0)
        following = self._groups[0] if self._groups else None
        self._packets -= len(group.packets)
        self._bytes -= sum(each.packet.size for each in group.packets)
        _mark_wanted(self._grid, group, following, is_first=not self._has_shown)
        _mark_equal_times(group, following)
        needs_all = following is not None and any(each.use is Use.SHOWN for each in following.leading)
        last = max((number for number, each in enumerate(group.packets) if each.use is Use.SHOWN), default=-1)
        is_complete = needs_all or last == len(group.packets) - 1
        if following is not None:
            following.is_behind_gap = not is_complete
            for each in following.leading:
                each.use = Use.NOTHING if not needs_all else each.use or Use.REFERENCE
        for number, each in enumerate(group.packets):
            use = each.use or (Use.REFERENCE if needs_all or number < last else Use.NOTHING)
            yield self._planned_packet(each, use, is_fresh_start=group.is_behind_gap and number == 0)


def _mark_wanted(grid: Grid, group: _Group[P], following: _Group[P] | None, *, is_first: bool) -> None:
    """Mark one frame per point as shown, among the group's own frames and the leading ones of the next group."""
    ahead = [] if following is None else following.leading
    # Leading pictures already decided belong to the previous group; a keyframe may already be wanted for its points.
    own = [each for number, each in enumerate(group.packets) if each.use is None or number == 0]
    shown = sorted((each for each in (*own, *ahead) if each.time >= 0), key=lambda each: each.time)
    if not shown:
        return
    if is_first:
        shown[0].use = Use.SHOWN
    if following is None:
        # The sampler decides whether a point is within the time on screen of the last frame; it needs the frame before.
        last_times = sorted({each.time for each in shown})[-2:]
        for each in shown:
            if each.time in last_times:
                each.use = Use.SHOWN
    key = None if following is None else following.packets[0]
    ends = [*(each.time for each in shown[1:]), shown[-1].time if key is None else key.time]
    on_screen = [
        (point, each)
        for each, end in zip(shown, ends, strict=True)
        for point in _first_and_last_point(grid.rate, each.time, end)
    ]
    if not grid.tolerance:
        for _, each in on_screen:
            each.use = Use.SHOWN
        return
    for each, end in zip(shown, ends, strict=True):
        if _first_and_last_point(grid.rate, each.time + grid.tolerance, end - grid.tolerance):
            # There is no other frame near the point.
            each.use = Use.SHOWN
    # The following keyframe is free, since it is decoded as the first frame of its group.
    candidates = shown if key is None or key.time < 0 else [*shown, key]
    depth = {id(each): number for number, each in enumerate((*group.packets, *ahead))}
    _mark_within_tolerance(grid.tolerance, on_screen, candidates, depth)


def _mark_equal_times(group: _Group[P], following: _Group[P] | None) -> None:
    """Mark all pictures with the same time as a shown one; the decoder returns one of them first, unknown which."""
    each_own = [*group.packets, *(following.leading if following is not None else [])]
    shown = {each.time for each in each_own if each.use is Use.SHOWN}
    if following is not None:
        shown.add(following.packets[0].time)
    for each in each_own:
        if each.time in shown and each.use is not Use.NOTHING:
            each.use = Use.SHOWN


def _first_and_last_point(rate: Fraction, start: Fraction, end: Fraction) -> set[Fraction]:
    """Return the first and last point in [start, end), without listing the others: the interval may last for years."""
    first, after = next_grid_number(start, rate), next_grid_number(end, rate)
    return {grid_time(first, rate), grid_time(after - 1, rate)} if first < after else set()


def _mark_within_tolerance(
    tolerance: Fraction,
    on_screen: Iterable[tuple[Fraction, _GroupPacket[P]]],
    candidates: Iterable[_GroupPacket[P]],
    depth: dict[int, int],
) -> None:
    """Mark the nearest frame to each point, of frames that cost no more decoding than the most expensive required."""
    choices = [
        (point, each, [other for other in candidates if abs(other.time - point) <= tolerance])
        for point, each in on_screen
    ]
    costliest = max((min(depth.get(id(e), -1) for e in near or [each]) for _, each, near in choices), default=-1)
    for point, each, near in choices:
        affordable = [other for other in near if depth.get(id(other), -1) <= costliest]
        nearest = min(affordable, key=lambda other: abs(other.time - point), default=each)
        nearest.use = Use.SHOWN
