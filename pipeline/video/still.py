"""A picture file as a frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import UnsupportedVideoError, VideoNotFoundError
from pipeline.uris import is_remote, local_path
from pipeline.video.media import open_remote
from pipeline.video.settings import Fetching

__all__ = ["Still", "read_still"]


@dataclass(frozen=True)
class Still:
    """A `Frame` that is a whole file.

    Attributes:
        picture: uint8 (H, W, 3) RGB, upright.
    """

    picture: npt.NDArray[np.uint8]
    pts: int = 0
    time: Fraction = Fraction(0)
    is_keyframe: bool = True
    duration: Fraction | None = None

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.picture.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.picture.shape[0])

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        """The picture, scaled (bicubic) where a size is given: uint8 (height, width, 3)."""
        size = width or self.width, height or self.height
        if size == (self.width, self.height):
            return self.picture
        return np.asarray(Image.fromarray(self.picture).resize(size, Image.Resampling.BICUBIC))

    def glance(self) -> npt.NDArray[np.uint8]:
        """uint8 (3, 36, 64): brightness and two differences of colour."""
        small = Image.fromarray(self.picture).convert("YCbCr").resize((64, 36))
        return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


def read_still(path: str, fetching: Fetching) -> Still | None:
    """Read a picture file, turned upright as its EXIF says; of an animation, the first picture.

    Args:
        path: A path or URI.
        fetching: How remote files are read.

    Returns:
        None where it is no picture file, as a video isn't.

    Raises:
        VideoNotFoundError: There is no readable file.
        VideoReadError: It is remote, and its place errs or stalls.
        UnsupportedVideoError: It is a picture file that is broken.
    """
    try:
        with _opened(local_path(path), fetching) as file:
            return _read(path, file)
    except OSError as error:
        raise VideoNotFoundError(path, f"the file cannot be read ({error.strerror or error})") from error


@contextmanager
def _opened(path: str, fetching: Fetching) -> Iterator[BinaryIO]:
    if not is_remote(path):
        with Path(path).open("rb") as file:
            yield file
        return
    with closing(open_remote(path, fetching)) as media, media.open() as file:
        yield file


def _read(path: str, file: BinaryIO) -> Still | None:
    try:
        image = Image.open(file)
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        raise UnsupportedVideoError(path, f"the picture is too large ({error}); make it smaller") from error
    try:
        return Still(np.asarray(ImageOps.exif_transpose(image).convert("RGB")))
    except (OSError, SyntaxError, ValueError) as error:
        raise UnsupportedVideoError(path, f"the picture is broken ({error}); write it anew") from error
