"""Finds the intervals of a video in which cuts are possible, by packet sizes alone.

A cut within a group of pictures makes one packet nearly as large as a keyframe, because the previous picture cannot be
used for prediction. The same holds for the change back from a picture that is simple enough for a small packet. The
remaining cuts change the picture between a group's keyframe and the next one, so that these two differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from pipeline.types.packets import Packets, Span

__all__ = ["merged", "spans_to_survey"]

# Measured on films of 11 encoders with cuts within groups. The packets of cuts have at least 0.2 times the size of the
# smaller keyframe around, and those below half of it stand out from the packets around.
_LARGE_SHARE = 0.5
_LEAST_SHARE = 0.2
_LEAST_OUTLYING = 2.0
_PACKETS_AROUND = 8
# A detector needs three frames after a cut, and the survey decodes every second or third frame.
_FRAMES_BEHIND = 9


def spans_to_survey(packets: Packets) -> tuple[Span, ...] | None:
    """Find the spans in which cuts are possible, and the keyframes of all others; None if packet sizes are not usable.

    A cut between the last frame of one span and the first of the next is only possible if these two differ.
    """
    if not _tell(packets):
        return None
    longest = max(behind - first for first, behind in packets.groups)
    groups = range(len(packets.groups))
    return tuple(merged(_of_group(packets, number, longest) for number in groups))


def merged(spans: Iterable[Span]) -> Iterator[Span]:
    """Merge spans that touch or overlap; the order is kept."""
    held: Span | None = None
    for span in sorted(spans):
        if held is not None and span[0] <= held[1]:
            held = held[0], max(held[1], span[1])
            continue
        if held is not None:
            yield held
        held = span
    if held is not None:
        yield held


def _tell(packets: Packets) -> bool:
    groups = packets.groups
    if len(groups) < 2 or groups[0][0] != 0 or packets.time(packets.ticks.min()) < 0:
        return False
    # If every second picture is a keyframe, nothing can be left out.
    return len(packets) > 2 * len(groups)


def _of_group(packets: Packets, number: int, longest: int) -> Span:
    first, behind = packets.groups[number]
    start = packets.time(packets.ticks[first])
    if number + 1 == len(packets.groups):
        # No keyframe shows the end of the group.
        return start, packets.time(packets.ticks[first:].max() + 1)
    if behind - first < longest:
        # Encoders usually end a group early because of a cut.
        return start, packets.frames_from(packets.time(packets.ticks[behind]), _FRAMES_BEHIND)
    suspect = _last_suspect(packets, first, behind)
    if suspect is None:
        return start, start + packets.time_base
    reach = packets.time(packets.ticks[first : suspect + 1].max())
    return start, packets.frames_from(reach, _FRAMES_BEHIND)


def _last_suspect(packets: Packets, first: int, behind: int) -> int | None:
    """Return the last packet of a group that is large enough for a new picture."""
    keyframe = max(1, min(packets.sizes[first], packets.sizes[behind]))
    shares = packets.sizes[first + 1 : behind] / keyframe
    for place in np.flatnonzero(shares >= _LEAST_SHARE)[::-1]:
        around = shares[max(0, place - _PACKETS_AROUND) : place + _PACKETS_AROUND + 1]
        if shares[place] >= min(_LARGE_SHARE, _LEAST_OUTLYING * float(np.quantile(around, 0.75))):
            return first + 1 + int(place)
    return None
