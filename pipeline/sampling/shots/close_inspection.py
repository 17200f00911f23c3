"""Where a survey jumps: all frames around are looked at by the detector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pipeline.sampling.shots.detector import Cut, CutDetection
from pipeline.sampling.shots.survey import Jump
from pipeline.types import Frame
from pipeline.types.packets import Packets, Span

__all__ = ["Stretch", "cuts_among", "cuts_at_hand", "without_overlap"]

# What a detector needs around a cut.
_FRAMES_BEFORE, _FRAMES_BEHIND = 5, 4
# At high rates a flash lasts for more frames.
_SECONDS_AROUND = Fraction(1, 10)


@dataclass(frozen=True, order=True)
class Stretch:
    """A part of the video in which all frames are to be looked at, for cuts between the frames of its jumps.

    Attributes:
        group_start: Where decoding begins for it.
        start: Time of its first frame.
        end: Time of its last frame.
        jumps: Times of the frames before and after each.
    """

    group_start: Fraction
    start: Fraction
    end: Fraction
    jumps: tuple[Span, ...]

    @classmethod
    def around(cls, jump: Jump, packets: Packets | None) -> Stretch:
        """What a detector needs; without packets, as far as the survey's frames around go."""
        start = max(Fraction(0), jump.before.time - _SECONDS_AROUND)
        end = jump.after.time + _SECONDS_AROUND
        if packets is None:
            start, end = min(start, jump.around[0].time), max(end, jump.around[-1].time)
        else:
            start = min(start, packets.frames_from(jump.before.time, -_FRAMES_BEFORE))
            end = max(end, packets.frames_from(jump.after.time, _FRAMES_BEHIND))
        return cls(min(start, jump.group_start), start, end, ((jump.before.time, jump.after.time),))

    def with_(self, other: Stretch) -> Stretch:
        """The two as one, this being the earlier one."""
        jumps = tuple(sorted({*self.jumps, *other.jumps}))
        return Stretch(self.group_start, min(self.start, other.start), max(self.end, other.end), jumps)


def without_overlap(stretches: Iterable[Stretch]) -> Sequence[Stretch]:
    """Stretches in their order, those as one for which the same frames would be decoded."""
    kept: list[Stretch] = []
    for stretch in sorted(stretches):
        if kept and stretch.group_start <= kept[-1].end:
            kept[-1] = kept[-1].with_(stretch)
        else:
            kept.append(stretch)
    return kept


def cuts_at_hand(
    jump: Jump, packets: Packets | None, average_rate: Fraction | None, settings: CutDetection
) -> Sequence[Cut] | None:
    """The cuts in a jump that the pictures of the survey show already; None where others are needed to tell."""
    if packets is not None and _has_all(jump, packets):
        found = cuts_among(jump.around, settings)
        return [cut for cut in found if jump.before.time < cut.time <= jump.after.time]
    plain = _plain_cut(jump, average_rate, settings)
    return None if plain is None else [plain]


def cuts_among(frames: Iterable[Frame], settings: CutDetection) -> tuple[Cut, ...]:
    """What a detector finds that sees these frames and no others."""
    one_pass = settings.begin()
    for frame in frames:
        one_pass.feed(frame)
    one_pass.finish()
    return one_pass.found


def _has_all(jump: Jump, packets: Packets) -> bool:
    """Whether a survey has left out none of the frames that a detector needs."""
    needed = Stretch.around(jump, packets)
    first, last = jump.around[0].time, jump.around[-1].time
    is_whole = packets.frames_from(first, len(jump.around) - 1) == last
    return is_whole and first <= needed.start and (needed.end <= last or packets.frames_from(last, 1) == last)


def _plain_cut(jump: Jump, average_rate: Fraction | None, settings: CutDetection) -> Cut | None:
    """The cut at a keyframe with no frame left out before it."""
    if average_rate is None or not jump.after.is_keyframe:
        return None
    is_next = (jump.after.time - jump.before.time) * average_rate < Fraction(3, 2)
    if not is_next:
        return None
    place = jump.around.index(jump.after)
    nearest = jump.around[max(0, place - _FRAMES_BEFORE) : place + _FRAMES_BEHIND]
    return next((cut for cut in cuts_among(nearest, settings) if cut.time == jump.after.time), None)
