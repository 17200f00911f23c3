"""The shots of a video without decoding all of it: a survey of what decodes cheaply, and close looks where it jumps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from pipeline.packets import Packets, Span
from pipeline.sampling.cuts import Cut, CutDetection, adaptive_threshold
from pipeline.sampling.jump_search import Jump, JumpSearch, hides_cut
from pipeline.sampling.packet_sizes import merged, spans_to_survey
from pipeline.sampling.transitions import Transition, TransitionSearch
from pipeline.types import Frame, Skip, VideoInfo

__all__ = ["Footage", "Shots", "find_shots"]

# What a detector needs around a cut.
_FRAMES_BEFORE, _FRAMES_BEHIND = 5, 4
_SECONDS_AROUND = Fraction(1, 5)
# What the survey needs, which sees every second or third frame.
_FRAMES_AROUND_GAP = 9


class Footage(Protocol):
    """A video that can be read more than once."""

    @property
    def info(self) -> VideoInfo:
        """What the container says."""

    @property
    def damage(self) -> tuple[str, ...]:
        """What could not be decoded by the latest call of `frames`, a sentence each."""

    @property
    def end_time(self) -> Fraction:
        """End of the last frame of the latest call of `frames`."""

    @property
    def frames_decoded(self) -> int:
        """Pictures that the latest call of `frames` has decoded."""

    def frames(
        self, *, start: Fraction | None = None, end: Fraction | None = None, skip: Skip = Skip.NOTHING
    ) -> Iterator[Frame]:
        """The frames shown in [start, end), but for what may be skipped."""

    def packets(self) -> Packets | None:
        """All packets, without decoding any; None where that is not to be had."""

    def frames_within(self, spans: Sequence[Span], *, skip: Skip = Skip.NOTHING) -> Iterator[Frame]:
        """The frames whose time lies in one of some spans; only where there are `packets`. It is a call of `frames`."""


@dataclass(frozen=True)
class Shots:
    """Where the shots of a video begin and end.

    Attributes:
        cuts: Time of the first frame of each new shot, increasing.
        end: End of the last shot; the first one begins at 0.
        transitions: Dissolves and fades, in their order. They are no cuts: where a shot begins in one, there is no
            first frame of it.
        damage: What could not be decoded, a sentence each; of frames that were left out nothing is known.
        frames_decoded: Pictures that were decoded for it; those that were decoded twice count twice.
    """

    cuts: tuple[Fraction, ...]
    end: Fraction
    damage: tuple[str, ...]
    frames_decoded: int
    transitions: tuple[Transition, ...] = ()


def find_shots(footage: Footage, settings: CutDetection) -> Shots:
    """Find the cuts that a `CutPass` over every frame finds, and mostly for less than decoding every frame.

    The sizes of packets say in which groups of pictures a cut can be (`packet_sizes`); of the others only the keyframes
    are decoded, and more only where these differ. Where sizes say nothing, and in damaged videos, all groups are
    surveyed. Frames that no other refers to are left out first, and the loop filter with them. Where such pictures
    jump, which only a cut or a flash makes them do, a cut that falls on a keyframe is told from the pictures at hand,
    and for any other all frames around the jump are decoded. Detectors but "adaptive" compare no neighbours, and see
    all frames.

    Raises:
        VideoDecodeError: Not one frame could be decoded.
    """
    if settings.detector != "adaptive":
        return _shots_of_all(footage, settings)
    packets = footage.packets()
    search = _Search(footage, packets, settings.model_copy(update={"min_shot_seconds": 0.0}))
    spans = None if packets is None else spans_to_survey(packets)
    if packets is None or spans is None or not search.survey_parts(packets, spans):
        search.survey_all()
    end, damage = search.end, search.damage
    search.look_closely()
    transitions = search.gradual.finish()
    hard = [cut for cut in sorted(search.cuts) if not any(transition.contains(cut.time) for transition in transitions)]
    cuts = _spaced(hard, Fraction(str(settings.min_shot_seconds)))
    return Shots(cuts, end, damage, search.frames_decoded, transitions)


def _shots_of_all(footage: Footage, settings: CutDetection) -> Shots:
    """By the detector's pass over every frame."""
    one_pass, gradual = settings.begin(), TransitionSearch()
    for frame in footage.frames():
        one_pass.feed(frame)
        if gradual.wants(frame.time):
            gradual.feed(frame.time, frame.glance())
    one_pass.finish()
    transitions = gradual.finish()
    cuts = tuple(cut for cut in one_pass.cuts if not any(transition.contains(cut) for transition in transitions))
    return Shots(cuts, footage.end_time, footage.damage, footage.frames_decoded, transitions)


@dataclass(frozen=True, order=True)
class _Stretch:
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
    def around(cls, jump: Jump, packets: Packets | None) -> _Stretch:
        """As far as the survey's frames around go; further where they are too few for a detector."""
        start, end = jump.around[0].time, jump.around[-1].time
        if packets is not None:
            start = min(start, packets.frames_from(jump.before.time, -_FRAMES_BEFORE))
            end = max(end, packets.frames_from(jump.after.time, _FRAMES_BEHIND))
        # At high rates a flash lasts for more frames.
        start = min(start, max(Fraction(0), jump.before.time - _SECONDS_AROUND))
        end = max(end, jump.after.time + _SECONDS_AROUND)
        return cls(min(start, jump.group_start), start, end, ((jump.before.time, jump.after.time),))

    def with_(self, other: _Stretch) -> _Stretch:
        """The two as one, this being the earlier one."""
        jumps = tuple(sorted({*self.jumps, *other.jumps}))
        return _Stretch(self.group_start, min(self.start, other.start), max(self.end, other.end), jumps)


@dataclass(eq=False)
class _Search:
    """The state of a search: what was found so far, and what is to be looked at."""

    footage: Footage
    packets: Packets | None
    settings: CutDetection
    cuts: set[Cut] = field(default_factory=set)
    stretches: list[_Stretch] = field(default_factory=list)
    end: Fraction = Fraction(0)
    damage: tuple[str, ...] = ()
    frames_decoded: int = 0
    gradual: TransitionSearch = field(default_factory=TransitionSearch)

    def survey_all(self) -> None:
        """Look at all groups."""
        self.cuts.clear()
        self.stretches.clear()
        self.gradual = TransitionSearch()
        search = JumpSearch(adaptive_threshold(self.settings))
        for frame in self.footage.frames(skip=Skip.DRAFT):
            self._take(search.feed(frame))
            self.gradual.feed(frame.time, search.glance)
        self._take(search.finish())
        self._note()

    def survey_parts(self, packets: Packets, spans: Sequence[Span]) -> bool:
        """Look at some parts, and into the gaps between them that end with another picture than they began with.

        Returns:
            False if the video is damaged, so that packets do not say what they say of others.
        """
        gaps = self._survey(packets, spans)
        if self.damage or not self.end:
            return False
        end = self.end
        if gaps:
            self._survey(packets, tuple(merged(gaps)))
        self.end = end
        return not self.damage

    def _survey(self, packets: Packets, spans: Sequence[Span]) -> list[Span]:
        """Look at spans.

        Returns:
            The gaps between them whose ends differ, with some frames around.
        """
        gaps: list[Span] = []
        search, number, last = JumpSearch(adaptive_threshold(self.settings)), 0, -1
        for frame in self.footage.frames_within(spans, skip=Skip.DRAFT):
            while frame.time >= spans[number][1]:
                number += 1
            before, glance, group_start = search.latest, search.glance, search.group_start
            self._take(search.feed(frame) if number == last else search.feed_behind_gap(frame))
            if number != last:
                self.gradual.break_off()
            self.gradual.feed(frame.time, search.glance)
            if number != last and before is not None and hides_cut(glance, search.glance):
                start = max(group_start, packets.frames_from(before.time, -_FRAMES_AROUND_GAP))
                gaps.append((start, packets.frames_from(frame.time, _FRAMES_AROUND_GAP)))
            last = number
        self._take(search.finish())
        self._note()
        return gaps

    def look_closely(self) -> None:
        """Decode all frames around the jumps that are not plain."""
        kept: list[_Stretch] = []
        for stretch in sorted(self.stretches):
            # No frame is decoded for two stretches.
            if kept and stretch.group_start <= kept[-1].end:
                kept[-1] = kept[-1].with_(stretch)
            else:
                kept.append(stretch)
        for stretch in kept:
            # The frame at which the stretch ends is needed, too.
            end = stretch.end + self.footage.info.time_base
            for cut in _cuts_among(self.footage.frames(start=stretch.start, end=end), self.settings):
                if any(before < cut.time <= after for before, after in stretch.jumps):
                    self.cuts.add(cut)
            self.frames_decoded += self.footage.frames_decoded

    def _take(self, jumps: Iterable[Jump]) -> None:
        for jump in jumps:
            cut = _plain_cut(jump, self.footage.info.average_rate, self.settings)
            if cut is not None:
                self.cuts.add(cut)
            else:
                self.stretches.append(_Stretch.around(jump, self.packets))

    def _note(self) -> None:
        self.end, self.damage = self.footage.end_time, self.footage.damage
        self.frames_decoded += self.footage.frames_decoded


def _plain_cut(jump: Jump, average_rate: Fraction | None, settings: CutDetection) -> Cut | None:
    """The cut that the pictures at hand show already: at a keyframe, with no frame left out before it."""
    if average_rate is None or not jump.after.is_keyframe:
        return None
    is_next = (jump.after.time - jump.before.time) * average_rate < Fraction(3, 2)
    if not is_next:
        return None
    place = jump.around.index(jump.after)
    nearest = jump.around[max(0, place - _FRAMES_BEFORE) : place + _FRAMES_BEHIND]
    return next((cut for cut in _cuts_among(nearest, settings) if cut.time == jump.after.time), None)


def _cuts_among(frames: Iterable[Frame], settings: CutDetection) -> tuple[Cut, ...]:
    one_pass = settings.begin()
    for frame in frames:
        one_pass.feed(frame)
    one_pass.finish()
    return one_pass.found


def _spaced(cuts: Iterable[Cut], least: Fraction) -> tuple[Fraction, ...]:
    """Without those that come too soon after the one before, or after the beginning."""
    kept: list[Fraction] = []
    for cut in cuts:
        if cut.ends_shot(kept[-1] if kept else Fraction(0), least):
            kept.append(cut.time)
    return tuple(kept)
