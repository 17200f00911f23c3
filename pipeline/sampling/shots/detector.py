"""Detects cuts frame by frame with PySceneDetect, and rejects flashes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from pipeline.config import Settings
from pipeline.optional_packages import require
from pipeline.sampling.shots.similarity import unlikeness
from pipeline.sampling.thumbnails import mean_change, small_picture
from pipeline.types import Frame

if TYPE_CHECKING:
    from scenedetect.detector import SceneDetector

__all__ = ["FRAMES_BEHIND", "Cut", "CutDetection", "CutPass", "adaptive_threshold"]

Detector = Literal["adaptive", "content", "hash", "histogram", "threshold"]

FRAMES_BEHIND = 12
"""Number of frames after a cut that are needed to detect it; three at 30 frames per second or less."""

# Window of the adaptive detector, in slots to each side.
_WINDOW = 3
# Maximum duration of a flash: three frames at 30 frames per second.
_FLASH_SECONDS = Fraction(9, 100)
# Duration of a slot. A frame that stays on screen for 0.6 s fills four slots, so that no other frame is in the window
# of a cut to it, as at 25 frames per second, where a shot of 0.6 s fills the windows of the cuts at its ends. Above 3.3
# frames per second no frame is repeated.
_SLOT_SECONDS = Fraction(3, 20)

# adaptive: chosen with `_LEAST_CHANGE` and the constants after it on 12 films that `benchmarks.edited_footage` made of
# the footage named in docs/design/sampling.md. The others are PySceneDetect's own defaults.
_THRESHOLDS: dict[Detector, float] = {
    "adaptive": 2.5,
    "content": 27.0,
    "hash": 0.35,
    "histogram": 0.2,
    "threshold": 12.0,
}
# Minimum mean change of hue, saturation and value of a cut for "adaptive".
_LEAST_CHANGE = 12.0
# Minimum mean change of red, green and blue of a plain cut, and its minimum ratio to the changes around it. On the
# films above, movement reaches a ratio of 5 and cuts reach 8; on the sample films cuts reach 28.
_PLAIN_CHANGE = 12.0
_PLAIN_RATIO = 6.0
# Minimum `unlikeness` of the pictures before and after a plain cut, and of any other. If pictures are shown for several
# frames, as in 25 pictures per second shown at 50, any movement stands out.
_PLAIN_UNLIKENESS = 0.4
# Minimum plain change at which pictures need not be unlike, since their colours differ.
_OTHER_COLOURS = 45.0
_LEAST_UNLIKENESS = 0.65
# Maximum standard deviation of brightness of a blank picture, and the minimum duration in seconds of a blank pause
# between two shots, which may be shorter than a shot.
_BLANK_DEVIATION = 4.0
_LEAST_PAUSE = Fraction(1, 5)
# Before and after a flash the picture is the same; after a cut it stays about as different as it became.
_LASTING_SHARE = 0.4
_NOMINAL_RATE = Fraction(25)

_Picture = npt.NDArray[np.uint8]


class CutDetection(Settings):
    """Detects cuts with PySceneDetect's detectors, frame by frame, in small pictures; flashes do not count as cuts.

    A detector's name stands for the detector with its defaults, as in `sampling.cuts=adaptive`.
    """

    detector: Detector = "adaptive"
    """Detection method: "adaptive" compares the change of colours with that of the frames around, "content" uses it
    alone, "hash" compares perceptual hashes, and "histogram" brightness; "threshold" finds the start of fades from
    black."""

    threshold: float | None = Field(default=None, gt=0)
    """Minimum value for a cut, in the detector's own unit. null for the default: 2.5 for "adaptive", 27 for "content",
    0.35 for "hash", 0.2 for "histogram", 12 for "threshold"."""

    min_shot_seconds: float = Field(default=0.6, ge=0)
    """Minimum time between two cuts. An earlier cut is ignored, unless a uniform picture, such as black, was shown from
    the previous cut until then for at least 0.2 seconds."""

    picture_height: int = Field(default=90, ge=16, le=1080)
    """Height of the compared pictures in pixels."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, data: object) -> object:
        return {"detector": data} if isinstance(data, str) else data

    def begin(self) -> CutPass:
        """Begin a pass over one video; loads PySceneDetect."""
        return CutPass(self)


@dataclass(frozen=True, order=True)
class Cut:
    """A cut: the first frame of a new shot.

    Attributes:
        time: Time of its first frame.
        follows_blank: Whether the previous frame has a uniform colour.
    """

    time: Fraction
    follows_blank: bool

    def ends_shot(self, start: Fraction, min_shot_seconds: Fraction) -> bool:
        """Whether the time since `start` is long enough for a shot or, if it is blank, for a pause."""
        return self.time - start >= (min(_LEAST_PAUSE, min_shot_seconds) if self.follows_blank else min_shot_seconds)


@dataclass(frozen=True, eq=False)
class _Slot:
    """A step of the detector: a frame, or its repetition while it stays on screen.

    Attributes:
        number: Number in the video, from 0.
        time: Time of the slot; the frame's time for its first slot.
        picture: The picture that is compared.
    """

    number: int
    time: Fraction
    picture: _Picture


def adaptive_threshold(settings: CutDetection) -> float:
    """Return the minimum ratio of a cut's change to that of the frames around it."""
    return _THRESHOLDS["adaptive"] if settings.threshold is None else settings.threshold


class CutPass:
    """Finds the cuts of one video from all its frames, in bounded memory.

    The detector's windows count frames. To cover about the same time at every rate, a frame that stays on screen is
    repeated (`_SLOT_SECONDS`), and the first and last frame are repeated beyond the ends of the video. All frames
    are scaled to the size of the first one.

    Args:
        settings: Settings of the detection.
    """

    def __init__(self, settings: CutDetection) -> None:
        self._settings = settings
        self._detector = _make_detector(settings)
        self._min_shot = Fraction(str(settings.min_shot_seconds))
        self._size: tuple[int, int] | None = None
        # Slots that may still be compared with a candidate.
        self._recent: deque[_Slot] = deque()
        self._candidates: deque[int] = deque()
        self._cuts: list[Cut] = []
        self._start = Fraction(0)

    @property
    def cuts(self) -> tuple[Fraction, ...]:
        """Time of the first frame of each new shot, increasing."""
        return tuple(cut.time for cut in self._cuts)

    @property
    def found(self) -> tuple[Cut, ...]:
        """The cuts with their properties."""
        return tuple(self._cuts)

    @property
    def undecided_since(self) -> Fraction:
        """Time before which all cuts are known; later frames may still turn out to be cuts."""
        newest = self._newest_decided()
        return next((slot.time for slot in self._recent if slot.number > newest), Fraction(0))

    def feed(self, frame: Frame) -> Sequence[Fraction]:
        """Process the next frame.

        Returns:
            Cuts detected now: times of frames at most `FRAMES_BEHIND` frames ago.
        """
        picture = self._picture(frame)
        if not self._recent:
            self._start = frame.time
            self._take([frame.time - _SLOT_SECONDS * step for step in range(_WINDOW, -1, -1)], picture)
            return ()
        held = self._recent[-1]
        step = frame.time - held.time
        repeats = max(0, min(int(step / _SLOT_SECONDS) - 1, _WINDOW))
        self._take([held.time + step * number / (repeats + 1) for number in range(1, repeats + 1)], held.picture)
        self._take([frame.time], picture)
        return self._decided(self._newest_decided())

    def finish(self) -> Sequence[Fraction]:
        """End the stream and return the remaining cuts."""
        if not self._recent:
            return ()
        last = self._recent[-1]
        self._take([last.time + _SLOT_SECONDS * step for step in range(1, _WINDOW + 1)], last.picture)
        return self._decided(last.number)

    def _take(self, times: Iterable[Fraction], picture: _Picture) -> None:
        """Feed a picture to the detector, once or several times."""
        from scenedetect.common import FrameTimecode

        for time in times:
            number = self._recent[-1].number + 1 if self._recent else 0
            # Detectors receive slot numbers instead of times, so variable frame rates do not affect them.
            found = self._detector.process_frame(FrameTimecode(number, _NOMINAL_RATE), picture)
            self._recent.append(_Slot(number, time, picture))
            self._candidates.extend(cut.frame_num for cut in found)

    def _picture(self, frame: Frame) -> _Picture:
        """Convert a frame for the comparison: uint8 (H, W, 3) BGR, in the size of the first one."""
        if self._size is None:
            first = small_picture(frame, self._settings.picture_height)
            self._size = first.shape[1], first.shape[0]
            return np.ascontiguousarray(first[:, :, ::-1])
        return np.ascontiguousarray(frame.rgb(*self._size)[:, :, ::-1])

    def _newest_decided(self) -> int:
        """Return the number of the last slot that can be decided."""
        latest = self._recent[-1]
        for slot in reversed(self._recent):
            if _is_apart(slot, latest) or latest.number - slot.number >= FRAMES_BEHIND:
                return slot.number
        return -1

    def _decided(self, newest: int) -> list[Fraction]:
        decided = []
        while self._candidates and self._candidates[0] <= newest:
            place = self._candidates.popleft() - self._recent[0].number
            # The first slot cannot be a cut.
            if place < 1 or self._is_flash(place) or not self._is_new(place):
                continue
            cut = Cut(self._recent[place].time, _is_blank(self._recent[place - 1].picture))
            if cut.ends_shot(self._cuts[-1].time if self._cuts else self._start, self._min_shot):
                decided.append(cut)
                self._cuts.append(cut)
        self._forget(newest)
        return [cut.time for cut in decided]

    def _is_new(self, place: int) -> bool:
        """Whether a picture has other content than the previous one, regardless of movement."""
        if self._settings.detector != "adaptive":
            return True
        around = [slot.picture for slot in list(self._recent)[max(0, place - _WINDOW - 1) : place + _WINDOW + 1]]
        steps = [mean_change(one, other) for one, other in pairwise(around)]
        change = steps.pop(min(place, _WINDOW + 1) - 1)
        is_plain = change >= max(_PLAIN_CHANGE, _PLAIN_RATIO * float(np.mean(steps)))
        before, new = (_brightness(self._recent[at].picture) for at in (place - 1, place))
        if is_plain and (change >= _OTHER_COLOURS or min(before.std(), new.std()) < _BLANK_DEVIATION):
            return True
        return unlikeness(before, new) >= (_PLAIN_UNLIKENESS if is_plain else _LEAST_UNLIKENESS)

    def _forget(self, newest: int) -> None:
        """Drop the slots that are not needed to decide others."""
        recent = self._recent
        kept = newest - _WINDOW - FRAMES_BEHIND
        while recent[0].number < kept:
            recent.popleft()

    def _is_flash(self, place: int) -> bool:
        """Whether the picture soon becomes what it was, or has just become again what it was a moment ago."""
        if self._settings.detector == "threshold":
            return False
        slots = list(self._recent)
        before, new = slots[place - 1], slots[place]
        moment_ago = next((slot for slot in slots[place - 1 :: -1] if _is_apart(slot, before)), slots[0])
        soon = next((slot for slot in slots[place:] if _is_apart(new, slot)), slots[-1])
        least = _LASTING_SHARE * mean_change(before.picture, new.picture)
        return mean_change(before.picture, soon.picture) < least or mean_change(moment_ago.picture, new.picture) < least


def _is_apart(one: _Slot, later: _Slot) -> bool:
    """Whether a flash that starts at one slot has ended at the other."""
    return later.number - one.number >= _WINDOW and later.time - one.time >= _FLASH_SECONDS


def _brightness(picture: _Picture) -> npt.NDArray[np.uint8]:
    """Compute the brightness of a BGR picture by ITU-R BT.601: uint8 (H, W)."""
    brightness: npt.NDArray[np.float64] = picture @ np.array([0.114, 0.587, 0.299])
    return np.rint(brightness).astype(np.uint8)


def _is_blank(picture: _Picture) -> bool:
    return float(_brightness(picture).std()) < _BLANK_DEVIATION


def _make_detector(settings: CutDetection) -> SceneDetector:
    require("finding cuts", "scenedetect", "cv2")
    from scenedetect import detectors

    threshold = _THRESHOLDS[settings.detector] if settings.threshold is None else settings.threshold
    if settings.detector == "adaptive":
        return detectors.AdaptiveDetector(
            adaptive_threshold=threshold, min_scene_len=0, window_width=_WINDOW, min_content_val=_LEAST_CHANGE
        )
    if settings.detector == "content":
        return detectors.ContentDetector(threshold=threshold, min_scene_len=0)
    if settings.detector == "hash":
        return detectors.HashDetector(threshold=threshold, min_scene_len=0)
    if settings.detector == "histogram":
        return detectors.HistogramDetector(threshold=threshold, min_scene_len=0)
    # A new shot starts with its first visible frame, not in the middle of the fade.
    return detectors.ThresholdDetector(threshold=threshold, min_scene_len=0, fade_bias=1.0)
