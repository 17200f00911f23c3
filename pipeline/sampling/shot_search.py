"""The shots of a video without decoding all of it: a survey of what decodes cheaply, and close looks where it jumps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.sampling.cuts import CutDetection
from pipeline.types import Frame, Skip, VideoInfo

__all__ = ["Footage", "Shots", "find_shots"]

# A cut changes the points of a glance by so much on average, and by so many times what the steps around it do.
# Measured: on the sample films and the footage of the tests, cuts change them by 12.7 and more and 13 times as much;
# what else changes them by 6 does so 2.8 times as much, but for a single keyframe after coarse pictures (7.3).
_LEAST_JUMP = 6.0
_LEAST_RATIO = 3.0
_STEPS_COMPARED = 3
# The quietest step that a jump is compared with; pictures that stay the same would make anything a jump.
_LEAST_STEP = 0.5
# So many steps of the survey, of a frame or more each, are looked at around a jump: a detector needs four frames before
# a cut and three behind it.
_STEPS_AROUND = 6
_FRAMES_BEFORE, _FRAMES_BEHIND = 5, 4


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


@dataclass(frozen=True)
class Shots:
    """Where the shots of a video begin and end.

    Attributes:
        cuts: Time of the first frame of each new shot, increasing.
        end: End of the last shot; the first one begins at 0.
        damage: What could not be decoded, a sentence each.
        frames_decoded: Pictures that were decoded for it; those that were decoded twice count twice.
    """

    cuts: tuple[Fraction, ...]
    end: Fraction
    damage: tuple[str, ...]
    frames_decoded: int


def find_shots(footage: Footage, settings: CutDetection) -> Shots:
    """Find the cuts that a `CutPass` over every frame finds, and mostly for less than decoding every frame.

    Frames that no other refers to are left out first, and the loop filter with them. Where such pictures jump, which
    only a cut or a flash makes them do, a cut that falls on a keyframe is told from the pictures at hand, and for any
    other all frames around the jump are decoded. Detectors but "adaptive" compare no neighbours, and see all frames.

    Raises:
        VideoDecodeError: Not one frame could be decoded.
    """
    if settings.detector != "adaptive":
        all_cuts = _cuts_among(footage.frames(), settings)
        return Shots(all_cuts, footage.end_time, footage.damage, footage.frames_decoded)
    unspaced = settings.model_copy(update={"min_shot_seconds": 0.0})
    cuts: list[Fraction] = []
    stretches: list[_Stretch] = []
    for jump in _jumps(footage.frames(skip=Skip.DRAFT)):
        if _is_plain_cut(jump, footage.info.average_rate, unspaced):
            cuts.append(jump.after.time)
        elif stretches and jump.group_start <= stretches[-1].end:
            stretches[-1] = stretches[-1].extended(jump)
        else:
            stretches.append(_Stretch.around(jump))
    end, damage, frames_decoded = footage.end_time, footage.damage, footage.frames_decoded
    for stretch in stretches:
        cuts.extend(_cuts_within(footage, stretch, unspaced))
        frames_decoded += footage.frames_decoded
    return Shots(_spaced(sorted(cuts), Fraction(str(settings.min_shot_seconds))), end, damage, frames_decoded)


@dataclass(frozen=True, eq=False)
class _Jump:
    """Two frames of the survey, one after the other, that look different; the frames around; and the last keyframe."""

    before: Frame
    after: Frame
    around: tuple[Frame, ...]
    group_start: Fraction


@dataclass(frozen=True)
class _Stretch:
    """A part of the video in which all frames are to be looked at, for cuts between the frames of its jumps."""

    start: Fraction
    end: Fraction
    jumps: tuple[tuple[Fraction, Fraction], ...]

    @classmethod
    def around(cls, jump: _Jump) -> _Stretch:
        return cls(jump.around[0].time, jump.around[-1].time, ((jump.before.time, jump.after.time),))

    def extended(self, jump: _Jump) -> _Stretch:
        """To a jump whose frames could not be decoded without those of this stretch."""
        return _Stretch(self.start, jump.around[-1].time, (*self.jumps, (jump.before.time, jump.after.time)))


@dataclass(frozen=True, eq=False)
class _Looked:
    """A frame of the survey, and by how much it differs from the one before."""

    frame: Frame
    change: float
    group_start: Fraction


def _jumps(frames: Iterable[Frame]) -> Iterator[_Jump]:
    recent: deque[_Looked] = deque(maxlen=2 * _STEPS_AROUND + 1)
    for looked in _looked_at(frames):
        recent.append(looked)
        if len(recent) == recent.maxlen:
            yield from _jump_at(recent, _STEPS_AROUND)
        elif len(recent) > _STEPS_AROUND:
            yield from _jump_at(recent, len(recent) - 1 - _STEPS_AROUND)
    for number in range(max(0, len(recent) - _STEPS_AROUND), len(recent)):
        yield from _jump_at(recent, number)


def _looked_at(frames: Iterable[Frame]) -> Iterator[_Looked]:
    before: npt.NDArray[np.int16] | None = None
    group_start = Fraction(0)
    for frame in frames:
        glance = frame.glance().astype(np.int16)
        if frame.is_keyframe:
            group_start = frame.time
        yield _Looked(frame, 0.0 if before is None else float(np.abs(glance - before).mean()), group_start)
        before = glance


def _jump_at(recent: deque[_Looked], number: int) -> Iterator[_Jump]:
    if number == 0 or recent[number].change < _LEAST_JUMP:
        return
    nearby = range(max(1, number - _STEPS_COMPARED), min(len(recent), number + _STEPS_COMPARED + 1))
    steps = [recent[other].change for other in nearby if other != number]
    if recent[number].change >= _LEAST_RATIO * max(_LEAST_STEP, float(np.mean(steps)) if steps else 0.0):
        around = tuple(looked.frame for looked in recent)
        yield _Jump(recent[number - 1].frame, recent[number].frame, around, recent[0].group_start)


def _is_plain_cut(jump: _Jump, average_rate: Fraction | None, settings: CutDetection) -> bool:
    """Whether the pictures at hand show a cut already: at a keyframe, with no frame left out before it."""
    if average_rate is None or not jump.after.is_keyframe:
        return False
    is_next = (jump.after.time - jump.before.time) * average_rate < Fraction(3, 2)
    if not is_next:
        return False
    cut = jump.around.index(jump.after)
    nearest = jump.around[max(0, cut - _FRAMES_BEFORE) : cut + _FRAMES_BEHIND]
    return jump.after.time in _cuts_among(nearest, settings)


def _cuts_within(footage: Footage, stretch: _Stretch, settings: CutDetection) -> Iterator[Fraction]:
    # The frame at which the stretch ends is needed, too.
    frames = footage.frames(start=stretch.start, end=stretch.end + footage.info.time_base)
    for cut in _cuts_among(frames, settings):
        if any(before < cut <= after for before, after in stretch.jumps):
            yield cut


def _cuts_among(frames: Iterable[Frame], settings: CutDetection) -> tuple[Fraction, ...]:
    one_pass = settings.begin()
    for frame in frames:
        one_pass.feed(frame)
    one_pass.finish()
    return one_pass.cuts


def _spaced(cuts: Iterable[Fraction], least: Fraction) -> tuple[Fraction, ...]:
    """Without those that come sooner after the one before, or after the beginning."""
    kept: list[Fraction] = []
    for cut in cuts:
        if cut - (kept[-1] if kept else 0) >= least:
            kept.append(cut)
    return tuple(kept)
