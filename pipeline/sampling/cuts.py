"""Where one shot ends and the next begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from pipeline.config import Settings
from pipeline.sampling.small import small_picture
from pipeline.types import Frame

if TYPE_CHECKING:
    from scenedetect.detector import SceneDetector

__all__ = ["FRAMES_BEHIND", "CutDetection", "CutPass"]

Detector = Literal["adaptive", "content", "hash", "histogram", "threshold"]

FRAMES_BEHIND = 3
"""A cut is known when so many frames after it were fed."""

# adaptive: with the window of three frames, best of the shared ones in PySceneDetect's benchmark on BBC, AutoShot and
# ClipShots; the others are PySceneDetect's own defaults.
_THRESHOLDS: dict[Detector, float] = {
    "adaptive": 3.5,
    "content": 27.0,
    "hash": 0.35,
    "histogram": 0.2,
    "threshold": 12.0,
}
# Mean change of hue, saturation and value below which "adaptive" sees no cut. Measured: on the sample films and the
# footage of the tests, cuts reach 40 to 76, and what else stands out from its neighbours (fades, flicker) 19.
_LEAST_CHANGE = 22.0
# Around a flash the picture is the same; after a cut it stays about as different as it became.
_LASTING_SHARE = 0.4
_NOMINAL_RATE = Fraction(25)

_Picture = npt.NDArray[np.uint8]


class CutDetection(Settings):
    """Looks for cuts with PySceneDetect's detectors, frame by frame, in small pictures; flashes are no cuts.

    A detector's name stands for it with its defaults, as in `sampling.cuts=adaptive`.
    """

    detector: Detector = "adaptive"
    """What is compared: "adaptive" takes the change of colours against that of the frames around it, "content" alone;
    "hash" takes perceptual hashes, "histogram" brightness; "threshold" finds where a fade from black begins."""

    threshold: float | None = Field(default=None, gt=0)
    """From which value on it is a cut, in the detector's own measure: 3.5 for "adaptive", 27 for "content", 0.35 for
    "hash", 0.2 for "histogram", 12 for "threshold"."""

    min_shot_seconds: float = Field(default=0.6, ge=0)
    """A cut that comes sooner after the one before is ignored."""

    picture_height: int = Field(default=90, ge=16, le=1080)
    """Height in pixels of the pictures that are compared."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, data: object) -> object:
        return {"detector": data} if isinstance(data, str) else data

    def begin(self) -> CutPass:
        """Begin a pass over one video; loads PySceneDetect."""
        return CutPass(self)


class CutPass:
    """Finds the cuts of one video, fed with all its frames; memory is bounded.

    Args:
        settings: What counts as a cut.
    """

    def __init__(self, settings: CutDetection) -> None:
        self._settings = settings
        self._detector = _make_detector(settings)
        self._min_shot = Fraction(str(settings.min_shot_seconds))
        self._fed = 0
        # A candidate, as many frames after it, and those before it that a flash can last, with one more.
        self._recent: deque[tuple[int, Fraction, _Picture]] = deque(maxlen=2 * FRAMES_BEHIND + 2)
        self._candidates: deque[int] = deque()
        self._cuts: list[Fraction] = []
        self._shot_start = Fraction(0)

    @property
    def cuts(self) -> tuple[Fraction, ...]:
        """Time of the first frame of each new shot, increasing."""
        return tuple(self._cuts)

    def feed(self, frame: Frame) -> Sequence[Fraction]:
        """Take the next frame.

        Returns:
            Cuts that are known now: times of frames that were fed, at most `FRAMES_BEHIND` frames ago.
        """
        from scenedetect.common import FrameTimecode

        if self._fed == 0:
            self._shot_start = frame.time
        picture = self._picture(frame)
        # Detectors are told frame numbers alone, so that variable frame rates mean nothing to them.
        found = self._detector.process_frame(FrameTimecode(self._fed, _NOMINAL_RATE), picture)
        self._recent.append((self._fed, frame.time, picture))
        self._candidates.extend(cut.frame_num for cut in found)
        self._fed += 1
        return self._decided(self._fed - 1 - FRAMES_BEHIND)

    def finish(self) -> Sequence[Fraction]:
        """Return the cuts that were still to be decided; the stream has ended."""
        return self._decided(self._fed)

    def _picture(self, frame: Frame) -> _Picture:
        """The frame as it is compared: uint8 (H, W, 3) BGR."""
        return np.ascontiguousarray(small_picture(frame, self._settings.picture_height)[:, :, ::-1])

    def _decided(self, newest: int) -> list[Fraction]:
        decided = []
        while self._candidates and self._candidates[0] <= newest:
            number = self._candidates.popleft()
            time = next((time for known, time, _ in self._recent if known == number), None)
            if time is not None and time - self._shot_start >= self._min_shot and not self._is_flash(number):
                self._shot_start = time
                decided.append(time)
        self._cuts.extend(decided)
        return decided

    def _is_flash(self, number: int) -> bool:
        """Whether the picture is soon what it was, or has just become again what it was a moment ago."""
        pictures = {known: picture for known, _, picture in self._recent}
        before, new = pictures.get(number - 1), pictures[number]
        moment_ago = pictures[max(min(pictures), number - 1 - FRAMES_BEHIND)]
        soon = pictures[max(pictures)]
        if before is None or self._settings.detector == "threshold":
            return False
        if len({picture.shape for picture in (before, new, moment_ago, soon)}) > 1:
            return False
        least = _LASTING_SHARE * _change(before, new)
        return _change(before, soon) < least or _change(moment_ago, new) < least


def _change(one: _Picture, other: _Picture) -> float:
    """Mean absolute difference of two pictures."""
    return float(np.abs(one.astype(np.int16) - other).mean())


def _make_detector(settings: CutDetection) -> SceneDetector:
    from scenedetect import detectors

    threshold = _THRESHOLDS[settings.detector] if settings.threshold is None else settings.threshold
    if settings.detector == "adaptive":
        return detectors.AdaptiveDetector(
            adaptive_threshold=threshold, min_scene_len=0, window_width=FRAMES_BEHIND, min_content_val=_LEAST_CHANGE
        )
    if settings.detector == "content":
        return detectors.ContentDetector(threshold=threshold, min_scene_len=0)
    if settings.detector == "hash":
        return detectors.HashDetector(threshold=threshold, min_scene_len=0)
    if settings.detector == "histogram":
        return detectors.HistogramDetector(threshold=threshold, min_scene_len=0)
    # The new shot begins with its first visible frame, not in the middle of the dark.
    return detectors.ThresholdDetector(threshold=threshold, min_scene_len=0, fade_bias=1.0)
