"""Inspection of cut candidates: which frames around them the detector needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pipeline.sampling.shots.detector import Cut, CutDetection
from pipeline.sampling.shots.survey import CutCandidate
from pipeline.types import Frame
from pipeline.types.packets import Packets, Span

__all__ = ["Inspection", "cuts_among", "cuts_at_hand", "without_overlap"]

# Frames that a detector needs before and after a cut.
_FRAMES_BEFORE, _FRAMES_BEHIND = 5, 4
# A flash lasts for more frames at high rates.
_SECONDS_AROUND = Fraction(1, 10)


@dataclass(frozen=True, order=True)
class Inspection:
    """An interval of the video in which all frames are inspected, for cuts between the frames of its candidates.

    Attributes:
        group_start: Time at which decoding starts.
        start: Time of its first frame.
        end: Time of its last frame.
        candidates: Times of the frames before and after each candidate.
    """

    group_start: Fraction
    start: Fraction
    end: Fraction
    candidates: tuple[Span, ...]

    @classmethod
    def around(cls, candidate: CutCandidate, packets: Packets | None) -> Inspection:
        """Make the inspection of a candidate: the frames that a detector needs or, without packets, those surveyed."""
        start = max(Fraction(0), candidate.before.time - _SECONDS_AROUND)
        end = candidate.after.time + _SECONDS_AROUND
        if packets is None:
            start, end = min(start, candidate.around[0].time), max(end, candidate.around[-1].time)
        else:
            start = min(start, packets.frames_from(candidate.before.time, -_FRAMES_BEFORE))
            end = max(end, packets.frames_from(candidate.after.time, _FRAMES_BEHIND))
        return cls(min(start, candidate.group_start), start, end, ((candidate.before.time, candidate.after.time),))

    def with_(self, other: Inspection) -> Inspection:
        """Merge this inspection with a later one."""
        candidates = tuple(sorted({*self.candidates, *other.candidates}))
        return Inspection(self.group_start, min(self.start, other.start), max(self.end, other.end), candidates)


def without_overlap(inspections: Iterable[Inspection]) -> Sequence[Inspection]:
    """Merge the inspections for which the same frames would be decoded; the order is kept."""
    kept: list[Inspection] = []
    for inspection in sorted(inspections):
        if kept and inspection.group_start <= kept[-1].end:
            kept[-1] = kept[-1].with_(inspection)
        else:
            kept.append(inspection)
    return kept


def cuts_at_hand(
    candidate: CutCandidate, packets: Packets | None, average_rate: Fraction | None, settings: CutDetection
) -> Sequence[Cut] | None:
    """Find the cuts of a candidate in the surveyed frames; None if further frames are needed."""
    if packets is not None and _has_all(candidate, packets):
        found = cuts_among(candidate.around, settings)
        return [cut for cut in found if candidate.before.time < cut.time <= candidate.after.time]
    plain = _plain_cut(candidate, average_rate, settings)
    return None if plain is None else [plain]


def cuts_among(frames: Iterable[Frame], settings: CutDetection) -> tuple[Cut, ...]:
    """Find the cuts among frames with a detector that sees no others."""
    one_pass = settings.begin()
    for frame in frames:
        one_pass.feed(frame)
    one_pass.finish()
    return one_pass.found


def _has_all(candidate: CutCandidate, packets: Packets) -> bool:
    """Whether a survey has all frames that a detector needs."""
    needed = Inspection.around(candidate, packets)
    first, last = candidate.around[0].time, candidate.around[-1].time
    is_whole = packets.frames_from(first, len(candidate.around) - 1) == last
    return is_whole and first <= needed.start and (needed.end <= last or packets.frames_from(last, 1) == last)


def _plain_cut(candidate: CutCandidate, average_rate: Fraction | None, settings: CutDetection) -> Cut | None:
    """Return the plain cut at a keyframe without left-out frames before it; None if there is none."""
    if average_rate is None or not candidate.after.is_keyframe:
        return None
    is_next = (candidate.after.time - candidate.before.time) * average_rate < Fraction(3, 2)
    if not is_next:
        return None
    place = candidate.around.index(candidate.after)
    nearest = candidate.around[max(0, place - _FRAMES_BEFORE) : place + _FRAMES_BEHIND]
    return next((cut for cut in cuts_among(nearest, settings) if cut.time == candidate.after.time), None)
