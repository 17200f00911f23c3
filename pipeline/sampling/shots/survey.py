"""Cut candidates: consecutive surveyed frames that differ so much that a cut or a flash lies between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import numpy as np
import numpy.typing as npt

from pipeline.sampling.shots.similarity import unlikeness
from pipeline.sampling.thumbnails import mean_change
from pipeline.types import Frame

__all__ = ["CutCandidate", "CutCandidateSearch", "hides_cut"]

_Thumbnail = npt.NDArray[np.uint8]

# Minimum mean change of a thumbnail's points over left-out frames at which a cut is searched for in them.
_LEAST_GAP = 2.5
# The same between consecutive surveyed frames; cuts between two dark pictures hardly reach more.
_LEAST_STEP = 1.0
_STEPS_COMPARED = 3
# Maximum distance of the steps that indicate how much the picture moves at a candidate.
_COMPARED_SECONDS = 0.6
# The survey decodes every second or third frame. If the picture moves steadily, a step of three frames into a new shot
# changes (ratio + 2) / 3 times as much as the steps around it; the frame of the cut changes `ratio` times as much.
_FRAMES_A_STEP = 3
# Changes that are plain to a detector reach this; see `detector`.
_PLAIN_CHANGE = 6.0
_PLAIN_RATIO = 2.0
_PLAIN_UNLIKENESS = 0.3
_OTHER_COLOURS = 15.0
_BLANK_DEVIATION = 5.0
# Minimum `unlikeness` of two pictures with different content. A detector requires 0.65 between consecutive frames, and
# over a longer step pictures differ more.
_LEAST_UNLIKENESS = 0.5
# Steps of the survey, of at least one frame each, that are compared around a candidate: a detector needs four frames
# before a cut and three after it.
_STEPS_AROUND = 6


@dataclass(frozen=True, eq=False)
class CutCandidate:
    """Two consecutive surveyed frames that differ, with the frames around them and the last keyframe.

    Attributes:
        before: The last frame before the change.
        after: The next surveyed frame.
        around: These two, and some frames before and after them.
        group_start: Time of the last keyframe at or before the first one around.
    """

    before: Frame
    after: Frame
    around: tuple[Frame, ...]
    group_start: Fraction


@dataclass(frozen=True, eq=False)
class _SurveyFrame:
    """A surveyed frame, and its difference from the previous one.

    Attributes:
        frame: The frame.
        seconds: Its time in seconds.
        thumbnail: Its thumbnail.
        change: Mean change of the thumbnail's points since the previous frame.
        group_start: Time of its keyframe.
    """

    frame: Frame
    seconds: float
    thumbnail: _Thumbnail
    change: float
    group_start: Fraction


def hides_cut(before: _Thumbnail, after: _Thumbnail) -> bool:
    """Whether a cut between two pictures is possible, apart from two cuts that lead to another picture and back."""
    change = mean_change(before, after)
    return change >= _LEAST_GAP and _is_other_picture(before, after, change, _PLAIN_UNLIKENESS)


def _is_other_picture(before: _Thumbnail, after: _Thumbnail, change: float, least_unlikeness: float) -> bool:
    """Whether one picture has content that the other has not, regardless of movement."""
    return (
        change >= _OTHER_COLOURS
        or min(float(before[0].std()), float(after[0].std())) < _BLANK_DEVIATION
        or unlikeness(before[0], after[0]) >= least_unlikeness
    )


class CutCandidateSearch:
    """Finds the cut candidates among surveyed frames, and reports each a few frames later.

    The candidates should include all cuts that a detector finds among all frames; most are no cuts.

    Args:
        threshold: The detector's minimum ratio of a cut's change to that of the frames around it.

    Attributes:
        latest: The latest frame.
        thumbnail: Its thumbnail.
        group_start: Time of its keyframe.
    """

    def __init__(self, threshold: float) -> None:
        self._least_ratio = max(1.0, (threshold + _FRAMES_A_STEP - 1) / _FRAMES_A_STEP)
        self.latest: Frame | None = None
        self.group_start = Fraction(0)
        self._recent: deque[_SurveyFrame] = deque(maxlen=2 * _STEPS_AROUND + 1)
        self.thumbnail: _Thumbnail = np.zeros((3, 36, 64), np.uint8)

    def feed(self, frame: Frame) -> Iterator[CutCandidate]:
        """Process the next frame."""
        self._recent.append(self._compared(frame))
        if len(self._recent) == self._recent.maxlen:
            yield from self._candidate_at(_STEPS_AROUND)
        elif len(self._recent) > _STEPS_AROUND:
            yield from self._candidate_at(len(self._recent) - 1 - _STEPS_AROUND)

    def feed_after_gap(self, frame: Frame) -> Iterator[CutCandidate]:
        """Start a new sequence with a frame that follows left-out frames."""
        yield from self.finish()
        self._recent.append(self._compared(frame))

    def finish(self) -> Iterator[CutCandidate]:
        """Report the remaining candidates; the next frame starts a new sequence."""
        for number in range(max(0, len(self._recent) - _STEPS_AROUND), len(self._recent)):
            yield from self._candidate_at(number)
        self._recent.clear()

    def _compared(self, frame: Frame) -> _SurveyFrame:
        thumbnail = frame.thumbnail()
        change = 0.0 if self.latest is None else mean_change(thumbnail, self.thumbnail)
        self.thumbnail, self.latest = thumbnail, frame
        if frame.is_keyframe:
            self.group_start = frame.time
        return _SurveyFrame(frame, float(frame.time), thumbnail, change, self.group_start)

    def _candidate_at(self, number: int) -> Iterator[CutCandidate]:
        recent = self._recent
        if number == 0 or recent[number].change < _LEAST_STEP:
            return
        before, after = recent[number - 1], recent[number]
        steps = [
            recent[other].change
            for other in range(max(1, number - _STEPS_COMPARED), min(len(recent), number + _STEPS_COMPARED + 1))
            if other != number and self._is_near(other, number)
        ]
        usual = median(steps) if steps else 0.0
        if after.change < self._least_ratio * usual:
            return
        is_plain = after.change >= max(_PLAIN_CHANGE, _PLAIN_RATIO * usual)
        change, least = (after.change, _PLAIN_UNLIKENESS) if is_plain else (0.0, _LEAST_UNLIKENESS)
        if _is_other_picture(before.thumbnail, after.thumbnail, change, least):
            yield CutCandidate(before.frame, after.frame, tuple(each.frame for each in recent), recent[0].group_start)

    def _is_near(self, step: int, candidate: int) -> bool:
        """Whether both frames of a step are shown shortly before or after a candidate."""
        recent = self._recent
        from_candidate = recent[candidate - 1].seconds - recent[step - 1].seconds
        to_step = recent[step].seconds - recent[candidate].seconds
        return max(from_candidate, to_step) < _COMPARED_SECONDS
