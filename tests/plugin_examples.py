"""Samplers and encoders as another package would have them: whole ones, and ones that lack something."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.config import Settings
from pipeline.encode import Preprocessing
from pipeline.sampling import FixedRate
from pipeline.sampling.shots.detector import CutDetection
from pipeline.types import Frame, Skip, VideoInfo


class EveryNth(Settings):
    """Every n-th frame."""

    revision: ClassVar[str] = "1"

    strategy: Literal["every_nth"] = "every_nth"
    every: int = Field(default=5, ge=1)

    @property
    def skip(self) -> Skip:
        return Skip.NOTHING

    @property
    def grid(self) -> None:
        return None

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        return ()

    @property
    def finds_cuts(self) -> bool:
        return False

    def begin(self, info: VideoInfo) -> EveryNthPass:
        return EveryNthPass(self.every)


class EveryNthPass:
    held_since: Fraction | None = None
    cuts: tuple[Fraction, ...] | None = None
    seen_until: tuple[Fraction, ...] | None = None
    step: Fraction | None = None

    def __init__(self, every: int) -> None:
        self._every = every
        self._count = 0

    def feed(self, frame: Frame) -> Sequence[Frame]:
        self._count += 1
        return [frame] if (self._count - 1) % self._every == 0 else []

    def finish(self) -> Sequence[Frame]:
        return []


class NoBegin(Settings):
    revision: ClassVar[str] = "1"
    strategy: Literal["no_begin"] = "no_begin"
    grid: None = None
    cut_searches: tuple[()] = ()


class NoFinish(EveryNth):
    def begin(self, info: VideoInfo) -> object:  # type: ignore[override]
        return object()


class WrongSkip(EveryNth):
    @property
    def skip(self) -> Skip:
        return "everything"  # type: ignore[return-value]


class Raising(EveryNth):
    @property
    def grid(self) -> None:
        raise RuntimeError("no grid today")


class NoStrategy(Settings):
    revision: ClassVar[str] = "1"


class NoRevision(EveryNth):
    revision: ClassVar[str | None] = None  # type: ignore[assignment]


class PlainClass:
    """No `Settings`."""


class MeanColour(Settings):
    """An embedding of a picture's mean colour; a text names red, green or blue."""

    revision: ClassVar[str] = "1"
    not_in_fingerprint: ClassVar[tuple[str, ...]] = ("batch_size",)

    side: int = Field(default=8, ge=1, le=64)
    batch_size: int = 4

    @property
    def fingerprint(self) -> str:
        return "mean-colour"

    @property
    def description(self) -> str:
        return f"mean colours of {self.side} pixels"

    def preprocessing(self) -> Preprocessing:
        return Square(self.side)

    def open(self) -> MeanColourModel:
        return MeanColourModel(self.side)


@dataclass(frozen=True)
class Square:
    """Scales a frame to a square."""

    side: int

    @property
    def image_height(self) -> int:
        return self.side

    @property
    def image_width(self) -> int:
        return self.side

    def __call__(self, frame: Frame) -> npt.NDArray[np.uint8]:
        return np.ascontiguousarray(frame.rgb(self.side, self.side))


class MeanColourModel:
    dimension = 4
    device = "cpu"
    precision = "fp32"
    logit_scale = 100.0
    logit_bias: float | None = None

    def __init__(self, side: int) -> None:
        self._shape = (side, side, 3)

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if images.dtype != np.uint8 or images.shape[1:] != self._shape:
            raise ValueError(f"expected uint8 images {self._shape}, got {images.dtype} {images.shape}")
        means = images.mean(axis=(1, 2), dtype=np.float32)
        # The fourth axis keeps black from having no direction.
        return _unit(np.concatenate([means, np.full((len(images), 1), 64, np.float32)], axis=1))

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = np.zeros((len(texts), 4), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[3] = 64 + hashlib.sha256(text.encode()).digest()[0] / 64
            for axis, word in enumerate(("red", "green", "blue")):
                row[axis] = 255 * (word in text)
        return _unit(rows)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return ()


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class NoHeight(MeanColour):
    def preprocessing(self) -> Preprocessing:
        return object()  # type: ignore[return-value]


class NoOpen(Settings):
    revision: ClassVar[str] = "1"
    fingerprint: ClassVar[str] = "x"
    description: ClassVar[str] = "x"


class NoTexts(MeanColour):
    def open(self) -> object:  # type: ignore[override]
        return object()


class LongVectors(MeanColour):
    def open(self) -> MeanColourModel:
        return LongModel(self.side)


class LongModel(MeanColourModel):
    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return 2 * super().encode_images(images)


class Dense(FixedRate):
    """A subclass of a strategy of momentseek."""

    revision: ClassVar[str] = "1"


class Aliased(EveryNth):
    first: int = Field(default=0, alias="from")
