"""Lists a stream's packets, and selects those to decode for the frames of given time spans."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.types.packets import Packets, Span
from pipeline.video.probe import Probe, open_stream
from pipeline.video.pyav.gop_plan import Use
from pipeline.video.repair.continuous_clock import ContinuousClock
from pipeline.video.repair.keyframe_flags import FlagCheck, KeyframeFlags

__all__ = ["PacketUses", "listed_packets", "uses_within"]


@dataclass(frozen=True, eq=False)
class PacketUses:
    """The use of each packet of a stream, in decoding order.

    Attributes:
        uses: The use of each packet.
        fresh_starts: Numbers of the keyframes before which packets were left out.
    """

    uses: Sequence[Use]
    fresh_starts: frozenset[int]


def listed_packets(probed: Probe) -> Packets | None:
    """List all packets of a stream without decoding.

    Returns None if the file has no presentation times, cannot be read, or has keyframes that cannot be verified.
    """
    import av

    if probed.order is not None:
        return None
    clock = ContinuousClock(probed, lambda *_: None)
    ticks, sizes, keys = array("q"), array("q"), array("b")
    with open_stream(probed, reads_all=False) as (container, stream):
        flags = KeyframeFlags(stream.codec_context, marks_keyframes=probed.marks_keyframes)
        if flags.check is FlagCheck.NOTHING:
            return None
        try:
            for packet in clock.continuous(container.demux(stream)):
                if packet.size == 0:
                    continue
                if packet.pts is None or packet.is_discard or clock.is_damaged(packet):
                    return None
                flags.remove_false_flag(packet)
                ticks.append(packet.pts)
                sizes.append(packet.size)
                keys.append(packet.is_keyframe)
        except av.FFmpegError:
            return None
    if not ticks:
        return None
    return Packets(
        ticks=np.array(ticks, np.int64),
        sizes=np.array(sizes, np.int64),
        is_keyframe=np.array(keys, bool),
        time_base=probed.info.time_base,
        start_time=probed.info.start_time,
    )


def uses_within(packets: Packets, spans: Iterable[Span]) -> PacketUses:
    """Determine the use of each packet for the frames of given spans.

    Args:
        packets: All packets of a stream; those before the first keyframe form a group.
        spans: The spans in order, not touching each other.
    """
    is_wanted = _is_within(packets, spans)
    uses = [Use.NOTHING] * len(packets)
    fresh_starts = []
    needs_all = False
    complete: set[int] = set()
    for number in range(len(packets.groups) - 1, -1, -1):
        first, behind = packets.groups[number]
        inner = np.arange(first + 1, behind)
        leads = packets.ticks[inner] < packets.ticks[first]
        leading = inner[leads & is_wanted[inner]]
        own = inner[~leads & is_wanted[inner]]
        last = behind - 1 if needs_all else int(max(own, default=first if is_wanted[first] or len(leading) else -1))
        last = max(last, int(max(leading, default=-1)))
        if last == behind - 1:
            complete.add(number)
        for place in range(first, last + 1):
            if is_wanted[place]:
                uses[place] = Use.SHOWN
            elif len(leading) or place == first or not leads[place - first - 1]:
                uses[place] = Use.REFERENCE
        needs_all = bool(len(leading))
        if last >= 0:
            fresh_starts.append(number)
    if _has_used_before_keyframes(packets, uses, is_wanted, needs_all=needs_all):
        complete.add(-1)
    fresh = frozenset(packets.groups[number][0] for number in fresh_starts if number - 1 not in complete)
    return PacketUses(uses, fresh)


def _has_used_before_keyframes(
    packets: Packets, uses: list[Use], is_wanted: npt.NDArray[np.bool_], *, needs_all: bool
) -> bool:
    """Mark the packets before the first keyframe up to the last wanted frame; return whether these are all of them."""
    count = packets.groups[0][0] if packets.groups else len(packets)
    last = count - 1 if needs_all else int(max(np.flatnonzero(is_wanted[:count]), default=-1))
    for place in range(last + 1):
        uses[place] = Use.SHOWN if is_wanted[place] else Use.REFERENCE
    return 0 < count == last + 1


def _is_within(packets: Packets, spans: Iterable[Span]) -> npt.NDArray[np.bool_]:
    limits = [(packets.tick(start), packets.tick(end)) for start, end in spans]
    if not limits:
        return np.zeros(len(packets), bool)
    starts, ends = np.array(limits, np.int64).T
    place = np.searchsorted(starts, packets.ticks, side="right") - 1
    is_before_end: npt.NDArray[np.bool_] = packets.ticks < ends[np.maximum(place, 0)]
    return is_before_end & (place >= 0)
