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

# Frames around a gap that the survey needs, which decodes every second or third frame.
_FRAMES_AROUND_GAP = 9


class Footage(Protocol):
    """A video that can be read more than once."""

    @property
    def info(self) -> VideoInfo:
        """Properties of the best video stream."""

    @property
    def damage(self) -> tuple[str, ...]:
        """Descriptions of the damage found by the latest call of `frames`."""

    @property
    def end_time(self) -> Fraction:
        """End of the last frame of the latest call of `frames`."""

    @property
    def frames_decoded(self) -> int:
        """Number of pictures decoded by the latest call of `frames`."""

    def frames(
        self, *, start: Fraction | None = None, end: Fraction | None = None, skip: Skip = Skip.NOTHING
    ) -> Iterator[Frame]:
        """Iterate over the frames shown in [start, end), except skipped ones."""

    def packets(self) -> Packets | None:
        """List all packets, without decoding any; None if that is not supported."""

    def frames_within(self, spans: Sequence[Span], *, skip: Skip = Skip.NOTHING) -> Iterator[Frame]:
        """Iterate over the frames whose times are in the spans; requires `packets`. It counts as a call of `frames`."""


@dataclass(frozen=True)
class ShotList:
    """The shots of a video: cuts, transitions and the end.

    Attributes:
        cuts: Time of the first frame of each new shot, increasing.
        end: End of the last shot; the first one starts at 0.
        transitions: Dissolves and fades, in order. They do not count as cuts: a shot that starts in one has no first
            frame.
        damage: Descriptions of damage. Damage of frames that were not decoded is unknown.
        frames_decoded: Number of decoded pictures; those decoded twice count twice.
    """

    cuts: tuple[Fraction, ...]
    end: Fraction
    damage: tuple[str, ...]
    frames_decoded: int
    transitions: tuple[Transition, ...] = ()

    @property
    def boundaries(self) -> tuple[Fraction, ...]:
        """Start of each shot except the first, increasing: a cut, or the boundary of a transition."""
        gradual = (transition.boundary_seconds for transition in self.transitions)
        return tuple(sorted({*self.cuts, *(time for time in gradual if 0 < time < self.end)}))


def find_shots(footage: Footage, settings: CutDetection) -> ShotList:
    """Find the cuts that a `CutPass` over every frame finds, usually without decoding every frame.

    Packet sizes show which groups of pictures may contain a cut (`packet_sizes`). Of the other groups only the
    keyframes are decoded, and more only if these differ. If sizes are not usable, and in damaged videos, all groups are
    surveyed. The survey leaves out frames that no other refers to, and the loop filter. Where the surveyed pictures
    change abruptly, which only a cut or a flash does, the detector decides: on the surveyed pictures if none was left
    out around the change or if it is at a keyframe, otherwise on all frames around it, which are decoded for that.
    Detectors other than "adaptive" compare no neighbours and process all frames.

    Raises:
        VideoDecodeError: No frame could be decoded.
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
    """Find the shots by a pass of the detector over every frame."""
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
    """The state of a search: the cuts found so far, and the candidates to inspect."""

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
        """Survey all groups."""
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
        """Survey some spans, and those gaps between them whose ends show different pictures.

        Returns:
            False if the video is damaged, which makes packet sizes unusable.
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
        """Survey spans.

        Returns:
            The gaps between them whose ends differ, with some frames around them.
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
        """Decode all frames around the candidates that the surveyed frames cannot decide."""
        candidates = [candidate for inspection in self.inspections for candidate in inspection.candidates]
        for frames in self._inspected_frames():
            cuts = cuts_among(frames, self.settings)
            self.cuts.update(cut for cut in cuts if any(before < cut.time <= after for before, after in candidates))

    def _inspected_frames(self) -> Iterator[Iterable[Frame]]:
        """Yield the frames of each inspection; no frame is decoded twice."""
        # The frame at the end of an inspection is included.
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
    """Drop cuts too soon after the previous one or after the start."""
    kept: list[Fraction] = []
    for cut in cuts:
        if cut.ends_shot(kept[-1] if kept else Fraction(0), least):
            kept.append(cut.time)
    return tuple(kept)
