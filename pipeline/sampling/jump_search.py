"""Where the pictures of a survey jump, which only a cut or a flash makes them do."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.types import Frame

__all__ = ["LEAST_JUMP", "Jump", "JumpSearch"]

# A cut changes the points of a glance by so much on average, and by so many times what the steps around it do.
# Measured: on the sample films and the footage of the tests, cuts change them by 12.7 and more and 13 times as much;
# what else changes them by 6 does so 2.8 times as much, but for a single keyframe after coarse pictures (7.3).
LEAST_JUMP = 6.0
_LEAST_RATIO = 3.0
_STEPS_COMPARED = 3
# The quietest step that a jump is compared with; pictures that stay the same would make anything a jump.
_LEAST_STEP = 0.5
# So many steps of the survey, of a frame or more each, are looked at around a jump: a detector needs four frames before
# a cut and three behind it.
_STEPS_AROUND = 6


@dataclass(frozen=True, eq=False)
class Jump:
    """Two frames of the survey, one after the other, that look different; the frames around; and the last keyframe.

    Attributes:
        before: The last one that looks as before.
        after: The next one.
        around: These two, and some to either side.
        group_start: Time of the last keyframe at or before the first one around.
    """

    before: Frame
    after: Frame
    around: tuple[Frame, ...]
    group_start: Fraction


@dataclass(frozen=True, eq=False)
class _Looked:
    """A frame of the survey, and by how much it differs from the one before."""

    frame: Frame
    change: float
    group_start: Fraction


class JumpSearch:
    """Is fed with the frames of a survey, and tells of its jumps a few frames later.

    Attributes:
        change: By how much the latest frame differs from the one before it, across a gap as well.
        latest: The latest frame.
        group_start: Time of its keyframe.
    """

    def __init__(self) -> None:
        self.change = 0.0
        self.latest: Frame | None = None
        self.group_start = Fraction(0)
        self._glance: npt.NDArray[np.int16] | None = None
        self._recent: deque[_Looked] = deque(maxlen=2 * _STEPS_AROUND + 1)

    def feed(self, frame: Frame) -> Iterator[Jump]:
        """Take the next frame."""
        change = self._look_at(frame)
        self._recent.append(_Looked(frame, change, self.group_start))
        if len(self._recent) == self._recent.maxlen:
            yield from self._jump_at(_STEPS_AROUND)
        elif len(self._recent) > _STEPS_AROUND:
            yield from self._jump_at(len(self._recent) - 1 - _STEPS_AROUND)

    def feed_behind_gap(self, frame: Frame) -> Iterator[Jump]:
        """Take a frame before which others were left out: it begins anew."""
        yield from self.finish()
        self._look_at(frame)
        self._recent.append(_Looked(frame, 0.0, self.group_start))

    def finish(self) -> Iterator[Jump]:
        """The jumps that were still to be told of; what comes next begins anew."""
        for number in range(max(0, len(self._recent) - _STEPS_AROUND), len(self._recent)):
            yield from self._jump_at(number)
        self._recent.clear()

    def _look_at(self, frame: Frame) -> float:
        glance = frame.glance().astype(np.int16)
        self.change = 0.0 if self._glance is None else float(np.abs(glance - self._glance).mean())
        self._glance, self.latest = glance, frame
        if frame.is_keyframe:
            self.group_start = frame.time
        return self.change

    def _jump_at(self, number: int) -> Iterator[Jump]:
        recent = self._recent
        if number == 0 or recent[number].change < LEAST_JUMP:
            return
        nearby = range(max(1, number - _STEPS_COMPARED), min(len(recent), number + _STEPS_COMPARED + 1))
        steps = [recent[other].change for other in nearby if other != number]
        if recent[number].change >= _LEAST_RATIO * max(_LEAST_STEP, float(np.mean(steps)) if steps else 0.0):
            around = tuple(looked.frame for looked in recent)
            yield Jump(recent[number - 1].frame, recent[number].frame, around, recent[0].group_start)
