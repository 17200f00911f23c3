"""A bounded buffer of a video's latest pictures, each reduced to a few numbers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

__all__ = ["COLOURS", "Numbers", "RecentPicture", "RecentPictures"]

_COARSE = 4

COLOURS = 3 * (36 // _COARSE) * (64 // _COARSE)
"""Number of values of a picture: means of blocks of the brightness and of both colour channels."""

Numbers = npt.NDArray[np.float64]

# Minimum number of pictures in memory.
_BUFFERED = 128
_ROUNDING_SECONDS = 1e-6
# Maximum standard deviation of brightness of a blank picture.
_BLANK_DEVIATION = 5.0


@dataclass(frozen=True, eq=False)
class RecentPicture:
    """The time and brightness of a picture.

    Attributes:
        time: Time in seconds.
        brightness: Brightness, uint8 (36, 64).
    """

    time: Fraction
    brightness: npt.NDArray[np.uint8]

    @property
    def is_blank(self) -> bool:
        """Whether it has a uniform colour."""
        return float(self.brightness.std()) < _BLANK_DEVIATION


class RecentPictures:
    """A bounded buffer of the latest pictures of a video.

    Args:
        longest_seconds: Age of the oldest picture, relative to the latest one.
    """

    def __init__(self, longest_seconds: float) -> None:
        self._longest_seconds = longest_seconds
        self._pictures: deque[RecentPicture] = deque()
        # Rows of a buffer; they are moved to its start when it is full.
        self._seconds: Numbers = np.zeros(_BUFFERED)
        self._colours: npt.NDArray[np.float32] = np.zeros((_BUFFERED, COLOURS), np.float32)
        self._end = 0

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, place: int) -> RecentPicture:
        return self._pictures[place]

    @property
    def seconds(self) -> Numbers:
        """Times in seconds, float64 (N,)."""
        return self._seconds[self._end - len(self) : self._end]

    @property
    def colours(self) -> npt.NDArray[np.float32]:
        """Means of blocks of the brightness and of both colour channels, float32 (N, 432)."""
        return self._colours[self._end - len(self) : self._end]

    def append(self, time: Fraction, thumbnail: npt.NDArray[np.uint8]) -> None:
        """Add a picture, as returned by `Frame.thumbnail`, and drop pictures that are too old."""
        if self._end == _BUFFERED:
            count = len(self)
            self._seconds[:count], self._colours[:count] = self.seconds.copy(), self.colours.copy()
            self._end = count
        self._seconds[self._end] = time
        self._colours[self._end] = _in_blocks(thumbnail)
        self._end += 1
        self._pictures.append(RecentPicture(time, thumbnail[0]))
        oldest = self._seconds[self._end - 1] - self._longest_seconds - _ROUNDING_SECONDS
        while self.seconds[0] < oldest or len(self) == _BUFFERED:
            self._pictures.popleft()

    def clear(self) -> None:
        """Remove all pictures."""
        self._pictures.clear()


def _in_blocks(thumbnail: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Compute the means of blocks of a thumbnail: float32 (432,)."""
    rows = thumbnail.reshape(-1, _COARSE, thumbnail.shape[2]).sum(1, dtype=np.uint16)
    columns = rows.reshape(-1, _COARSE)
    sums: npt.NDArray[np.uint16] = columns[:, 0] + columns[:, 1]
    for column in range(2, _COARSE):
        sums += columns[:, column]
    means: npt.NDArray[np.float32] = (sums / np.float32(_COARSE**2)).astype(np.float32)
    return means
