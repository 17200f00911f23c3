"""The sampling strategy `novelty`: frames that differ from the last selected one, for fixed cameras."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.config import Settings
from pipeline.sampling.fixed_rate import FixedRate, GridFrame, GridFrames
from pipeline.sampling.shots.detector import CutDetection
from pipeline.sampling.thumbnails import small_picture
from pipeline.types import Frame, Grid, Skip, VideoInfo

__all__ = ["Novelty", "change_between"]

# A patch is 3 x 3 cells of a picture 36 cells high: a twelfth of its height, which is a distant person's width.
_CELLS_DOWN = 36
_PATCH_CELLS = 3


class Novelty(Settings):
    """Frames of a fixed-rate grid that differ from the last selected one, and occasional frames without a change."""

    fingerprint_name: ClassVar[str] = "Novelty"

    strategy: Literal["novelty"] = "novelty"

    fps: float = Field(default=1.0, gt=0, le=1000)
    """Frames per second that are compared: the maximum number that can be selected, and the resolution of changes."""

    least_change: float = Field(default=12.0, ge=0, le=255)
    """Minimum change: the mean difference, in levels of 0 to 255, of some patch of the picture with a twelfth of its
    height. 0 selects all frames."""

    max_gap_seconds: float | None = Field(default=30.0, gt=0)
    """Time without a change after which a frame is selected anyway; null for never."""

    @property
    def skip(self) -> Skip:
        """Nothing: any frame may be on screen at a point of the grid."""
        return Skip.NOTHING

    @property
    def grid(self) -> Grid:
        """The points at which frames are compared."""
        return Grid(FixedRate(fps=self.fps).rate)

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """None."""
        return ()

    @property
    def finds_cuts(self) -> bool:
        """False: a change on the grid is not a cut."""
        return False

    def begin(self, info: VideoInfo) -> NoveltyPass:
        """Begin a pass over one video."""
        return NoveltyPass(self, GridFrames(self.grid.rate, info))


class NoveltyPass:
    """A `SamplingPass` that compares frames with the last selected one, of which it keeps the cells.

    Args:
        settings: Settings of the strategy.
        grid: Finds the frames to compare.
    """

    cuts: tuple[Fraction, ...] | None = None

    def __init__(self, settings: Novelty, grid: GridFrames) -> None:
        self._settings = settings
        self._grid = grid
        self._max_gap = None if settings.max_gap_seconds is None else Fraction(str(settings.max_gap_seconds))
        self._taken_cells: npt.NDArray[np.float32] | None = None
        self._taken_time = Fraction(0)
        self._seen_until: list[Fraction] = []

    @property
    def held_since(self) -> Fraction | None:
        """Time of the earliest frame that may still be selected."""
        return self._grid.held_since

    @property
    def step(self) -> Fraction:
        """Seconds between two points of the grid."""
        return self._grid.step

    @property
    def seen_until(self) -> tuple[Fraction, ...]:
        """For each selected frame, the last point at which the picture was still the same."""
        return tuple(self._seen_until)

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Process the next frame, and return the one on screen at a point of the grid if it has changed."""
        return self._new_among(self._grid.feed(frame))

    def finish(self) -> Sequence[Frame]:
        """Return the last frame if a point is within its time on screen and it has changed."""
        return self._new_among(self._grid.finish())

    def _new_among(self, looked_at: Iterable[GridFrame]) -> Sequence[Frame]:
        return [each.frame for each in looked_at if self._is_new(each.frame, each.seen_until)]

    def _is_new(self, frame: Frame, seen_until: Fraction) -> bool:
        # So few pixels that noise is averaged out.
        cells = small_picture(frame, _CELLS_DOWN).astype(np.float32)
        is_same = (
            self._taken_cells is not None
            and self._taken_cells.shape == cells.shape
            and change_between(self._taken_cells, cells) < self._settings.least_change
        )
        if is_same:
            if self._max_gap is None or frame.time - self._taken_time < self._max_gap:
                self._seen_until[-1] = seen_until
                return False
        else:
            # Slow drift adds up against the frame that began it, not from one to the next.
            self._taken_cells = cells
        self._taken_time = frame.time
        self._seen_until.append(seen_until)
        return True


def change_between(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Compute the largest mean change of any patch between two pictures' cells.

    Args:
        one: float32 (H, W, 3), levels 0 to 255.
        other: float32 array of the same shape.

    Returns:
        The change in levels, 0 to 255.
    """
    change = np.abs(one - other).mean(axis=2)
    size = min(_PATCH_CELLS, *change.shape)
    patches = np.lib.stride_tricks.sliding_window_view(change, (size, size))
    return float(patches.mean(axis=(2, 3)).max())
