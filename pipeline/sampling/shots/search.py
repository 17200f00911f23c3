"""The search for shots: a survey of frames that decode cheaply, and inspection around its cut candidates."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from typing import Protocol

from pipeline.sampling.shots.close_inspection import Inspection, cuts_among, cuts_at_hand, without_overlap
from pipeline.sampling.shots.detector import Cut, CutDetection, adaptive_threshold
from pipeline.sampling.shots.packet_sizes import merged, spans_to_survey
from pipeline.sampling.shots.survey import CutCandidate, CutCandidateSearch, hides_cut
from pipeline.sampling.shots.transitions import Transition, TransitionSearch
from pipeline.types import Frame, Skip, VideoInfo
from pipeline.types.packets import Packets, Span

__all__ = ["Footage", "ShotList", "find_shots"]

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
class ShotList:
    """The shots of a video: cuts, transitions and the end.

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

    @property
    def boundaries(self) -> tuple[Fraction, ...]:
        """Where each shot but the first begins, increasing: at a cut, or at the boundary of a transition."""
        gradual = (transition.boundary_seconds for transition in self.transitions)
        return tuple(sorted({*self.cuts, *(time for time in gradual if 0 < time < self.end)}))


def find_shots(footage: Footage, settings: CutDetection) -> ShotList:
    """Find the cuts that a `CutPass` over every frame finds, and mostly for less than decoding every frame.

    The sizes of packets say in which groups of pictures a cut can be (`packet_sizes`); of the others only the keyframes
    are decoded, and more only where these show different things. Where sizes say nothing, and in damaged videos, all
    groups are surveyed. Frames that no other refers to are left out first, and the loop filter with them. Where such
    pictures change abruptly, as only a cut or a flash makes them, the detector decides: on the pictures at hand, if
    none was left out around the change or if it falls on a keyframe, and else on all frames around, which are decoded
    for it. Detectors but "adaptive" compare no neighbours, and see all frames.

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
    search.inspect()
    transitions = search.gradual.finish()
    hard = [cut for cut in sorted(search.cuts) if not any(transition.contains(cut.time) for transition in transitions)]
    cuts = _spaced(hard, Fraction(str(settings.min_shot_seconds)))
    return ShotList(cuts, end, damage, search.frames_decoded, transitions)


def _shots_of_all(footage: Footage, settings: CutDetection) -> ShotList:
    """By the detector's pass over every frame."""
    one_pass, gradual = settings.begin(), TransitionSearch()
    for frame in footage.frames():
        one_pass.feed(frame)
        if gradual.wants(frame.time):
            gradual.feed(frame.time, frame.thumbnail())
    one_pass.finish()
    transitions = gradual.finish()
    cuts = tuple(cut for cut in one_pass.cuts if not any(transition.contains(cut) for transition in transitions))
    return ShotList(cuts, footage.end_time, footage.damage, footage.frames_decoded, transitions)


@dataclass(eq=False)
class _Search:
    """The state of a search: what was found so far, and what is to be looked at."""

    footage: Footage
    packets: Packets | None
    settings: CutDetection
    cuts: set[Cut] = field(default_factory=set)
    inspections: list[Inspection] = field(default_factory=list)
    end: Fraction = Fraction(0)
    damage: tuple[str, ...] = ()
    frames_decoded: int = 0
    gradual: TransitionSearch = field(default_factory=TransitionSearch)

    def survey_all(self) -> None:
        """Look at all groups."""
        self.cuts.clear()
        self.inspections.clear()
        self.gradual = TransitionSearch()
        search = CutCandidateSearch(adaptive_threshold(self.settings))
        for frame in self.footage.frames(skip=Skip.DRAFT):
            self._take(search.feed(frame))
            self.gradual.feed(frame.time, search.thumbnail)
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
        search, number, last = CutCandidateSearch(adaptive_threshold(self.settings)), 0, -1
        for frame in self.footage.frames_within(spans, skip=Skip.DRAFT):
            while frame.time >= spans[number][1]:
                number += 1
            before, thumbnail, group_start = search.latest, search.thumbnail, search.group_start
            self._take(search.feed(frame) if number == last else search.feed_after_gap(frame))
            if number != last:
                self.gradual.break_off()
            self.gradual.feed(frame.time, search.thumbnail)
            if number != last and before is not None and hides_cut(thumbnail, search.thumbnail):
                start = max(group_start, packets.frames_from(before.time, -_FRAMES_AROUND_GAP))
                gaps.append((start, packets.frames_from(frame.time, _FRAMES_AROUND_GAP)))
            last = number
        self._take(search.finish())
        self._note()
        return gaps

    def inspect(self) -> None:
        """Decode all frames around the candidates of which the survey's frames do not say enough."""
        candidates = [candidate for inspection in self.inspections for candidate in inspection.candidates]
        for frames in self._inspected_frames():
            cuts = cuts_among(frames, self.settings)
            self.cuts.update(cut for cut in cuts if any(before < cut.time <= after for before, after in candidates))

    def _inspected_frames(self) -> Iterator[Iterable[Frame]]:
        """The frames of each part that is to be looked at, none of them decoded twice."""
        # The frame at which an inspection ends is needed, too.
        tick = self.footage.info.time_base
        if self.packets is None or self.damage:
            for inspection in without_overlap(self.inspections):
                yield self.footage.frames(start=inspection.start, end=inspection.end + tick)
                self.frames_decoded += self.footage.frames_decoded
        elif self.inspections:
            spans = tuple(merged((inspection.start, inspection.end + tick) for inspection in self.inspections))
            ends = [end for _, end in spans]
            for _, frames in groupby(self.footage.frames_within(spans), lambda frame: bisect(ends, frame.time)):
                yield frames
            self.frames_decoded += self.footage.frames_decoded

    def _take(self, candidates: Iterable[CutCandidate]) -> None:
        for candidate in candidates:
            cuts = cuts_at_hand(candidate, self.packets, self.footage.info.average_rate, self.settings)
            if cuts is None:
                self.inspections.append(Inspection.around(candidate, self.packets))
            else:
                self.cuts.update(cuts)

    def _note(self) -> None:
        self.end, self.damage = self.footage.end_time, self.footage.damage
        self.frames_decoded += self.footage.frames_decoded


def _spaced(cuts: Iterable[Cut], least: Fraction) -> tuple[Fraction, ...]:
    """Drop cuts that come too soon after the previous one or after the beginning."""
    kept: list[Fraction] = []
    for cut in cuts:
        if cut.ends_shot(kept[-1] if kept else Fraction(0), least):
            kept.append(cut.time)
    return tuple(kept)
