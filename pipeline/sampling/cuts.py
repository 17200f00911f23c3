"""Where one shot ends and the next begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from pipeline.config import Settings
from pipeline.types import Frame, VideoInfo

if TYPE_CHECKING:
    from scenedetect.detector import SceneDetector

__all__ = ["CutDetection", "CutPass"]

Detector = Literal["adaptive", "content", "hash", "histogram", "threshold"]

_DEFAULT_THRESHOLDS: dict[Detector, float] = {
    "adaptive": 3.0,
    "content": 27.0,
    "hash": 0.35,
    "histogram": 0.2,
    "threshold": 12.0,
}
# No detector names a frame further back than this; "threshold" names the newest.
_REMEMBERED_FRAMES = 32
_NOMINAL_RATE = Fraction(25)
_WIDEST = 4


class CutDetection(Settings):
    """Looks for cuts with PySceneDetect's detectors, frame by frame, in small pictures."""

    detector: Detector = "adaptive"
    """What is compared: "adaptive" takes the change of colours against that of the frames around it, "content" alone;
    "hash" takes perceptual hashes, "histogram" brightness; "threshold" finds fades from black."""

    threshold: float | None = Field(default=None, gt=0)
    """From which value on it is a cut, in the detector's own measure; None for its default."""

    min_shot_seconds: float = Field(default=0.6, ge=0)
    """A cut that comes sooner after the one before is ignored."""

    picture_height: int = Field(default=90, ge=16, le=1080)
    """Height in pixels of the pictures that are compared."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, data: object) -> object:
        return {"detector": data} if isinstance(data, str) else data

    def begin(self, info: VideoInfo) -> CutPass:
        """Begin a pass over one video; loads PySceneDetect."""
        return CutPass(self, info)


class CutPass:
    """Finds the cuts of one video; memory is bounded.

    Args:
        settings: What counts as a cut.
        info: Of the video.
    """

    def __init__(self, settings: CutDetection, info: VideoInfo) -> None:
        self._settings = settings
        self._detector = _make_detector(settings)
        self._recent: deque[tuple[int, Fraction]] = deque(maxlen=_REMEMBERED_FRAMES)
        self._fed = 0
        self._cuts: list[Fraction] = []
        self._shot_start: Fraction | None = None

    @property
    def cuts(self) -> tuple[Fraction, ...]:
        """Time of the first frame of each new shot, increasing."""
        return tuple(self._cuts)

    def feed(self, frame: Frame) -> Sequence[Fraction]:
        """Take the next frame.

        Returns:
            Cuts that are known now: each the time of a frame that was fed, at most a few frames ago.
        """
        from scenedetect.common import FrameTimecode

        number = self._fed
        self._fed += 1
        self._recent.append((number, frame.time))
        if self._shot_start is None:
            self._shot_start = frame.time
        width, height = self._looked_at(frame)
        picture = np.ascontiguousarray(frame.rgb(width, height)[:, :, ::-1])
        # Detectors are told frame numbers alone, so that variable frame rates mean nothing to them.
        found = self._detector.process_frame(FrameTimecode(number, _NOMINAL_RATE), picture)
        times = dict(self._recent)
        return self._kept(times[cut.frame_num] for cut in found)

    def _looked_at(self, frame: Frame) -> tuple[int, int]:
        height = min(self._settings.picture_height, frame.height)
        width = round(frame.width * height / frame.height)
        return max(1, min(width, _WIDEST * height)), height

    def _kept(self, found: Iterable[Fraction]) -> list[Fraction]:
        kept = []
        for cut in found:
            if self._shot_start is not None and cut - self._shot_start >= self._settings.min_shot_seconds:
                self._shot_start = cut
                kept.append(cut)
        self._cuts.extend(kept)
        return kept


def _make_detector(settings: CutDetection) -> SceneDetector:
    from scenedetect import detectors

    threshold = _DEFAULT_THRESHOLDS[settings.detector] if settings.threshold is None else settings.threshold
    if settings.detector == "adaptive":
        return detectors.AdaptiveDetector(adaptive_threshold=threshold, min_scene_len=0)
    if settings.detector == "content":
        return detectors.ContentDetector(threshold=threshold, min_scene_len=0)
    if settings.detector == "hash":
        return detectors.HashDetector(threshold=threshold, min_scene_len=0)
    if settings.detector == "histogram":
        return detectors.HistogramDetector(threshold=threshold, min_scene_len=0)
    # The new shot begins with its first visible frame, not in the middle of the dark.
    return detectors.ThresholdDetector(threshold=threshold, min_scene_len=0, fade_bias=1.0)
