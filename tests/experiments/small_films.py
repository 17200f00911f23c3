"""Small real films with cuts."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from video_factory import make_video, steady

Picture = npt.NDArray[np.uint8]
_WIDTH = 96


def make_film(path: Path, *, seed: int, shots: tuple[int, ...], pan: int = 2, start: Fraction | int = 0) -> None:
    shown = [picture for number, count in enumerate(shots) for picture in _shot(100 * seed + number, count, pan)]
    make_video(path, steady(len(shown), 10, start), shown=shown, keyframe_every=12)


def _shot(seed: int, count: int, pan: int) -> Iterator[Picture]:
    random = np.random.default_rng(seed)
    view = random.integers(0, 255, (4, 24, 3)).repeat(16, axis=0).repeat(16, axis=1).astype(np.uint8)
    for number in range(count):
        left = number * pan % (view.shape[1] - _WIDTH)
        yield np.ascontiguousarray(view[:, left : left + _WIDTH])
