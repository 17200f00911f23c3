"""Reads picture files as frames."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from pipeline.errors import UnsupportedVideoError, VideoError, VideoNotFoundError
from pipeline.io.media import open_remote
from pipeline.io.settings import Fetching
from pipeline.uris import is_remote, local_path
from pipeline.video.picture_checks import HEAD_BYTES, check_bytes, check_pixels, check_work, format_of

__all__ = ["Still", "read_still"]


@dataclass(frozen=True)
class Still:
    """A `Frame` that represents a picture file.

    Attributes:
        image: The upright picture in RGB. Pillow's own picture takes less memory than an additional array.
    """

    image: Image.Image
    pts: int = 0
    time: Fraction = Fraction(0)
    is_keyframe: bool = True
    duration: Fraction | None = None

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.image.width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.image.height

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        """Return the picture, scaled (bicubic) if a size is given: uint8 (height, width, 3)."""
        size = width or self.width, height or self.height
        if size == (self.width, self.height):
            return np.asarray(self.image)
        return np.asarray(self.image.resize(size, Image.Resampling.BICUBIC))

    def thumbnail(self) -> npt.NDArray[np.uint8]:
        """Scale the picture to a thumbnail: uint8 (3, 36, 64) YCbCr."""
        small = self.image.convert("YCbCr").resize((64, 36))
        return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


def read_still(path: str, fetching: Fetching) -> Still | None:
    """Read a picture file, or the first picture of an animation, and turn it upright by its EXIF orientation.

    Only the formats of `picture_checks.format_of` are read, from regular files of at most 256 MiB. Pictures have at
    most 134 megapixels, like frames of videos (67 for WebP).

    Args:
        path: A path or URI.
        fetching: Settings for reading remote files.

    Returns:
        The picture; None if the file has another format, such as a video.

    Raises:
        VideoNotFoundError: There is no readable regular file.
        VideoReadError: The server or store fails or stalls.
        UnsupportedVideoError: The picture file is broken or too large.
    """
    try:
        with _opened(local_path(path), fetching) as file:
            head = file.read(HEAD_BYTES)
            name = format_of(head)
            return None if name is None else _read(path, file, name)
    except OSError as error:
        raise VideoNotFoundError(path, f"the file cannot be read ({error.strerror or error})") from error


@contextmanager
def _opened(path: str, fetching: Fetching) -> Iterator[BinaryIO]:
    if not is_remote(path):
        with os.fdopen(_regular_file(path), "rb") as file:
            yield file
        return
    with closing(open_remote(path, fetching)) as media, media.open() as file:
        yield file


def _regular_file(path: str) -> int:
    """Open a regular file; opening or reading anything else, such as a FIFO, might block forever.

    Returns:
        The file descriptor.
    """
    problem = "it is not a regular file; name a picture or a video"
    try:
        # Opening a device may have side effects, so the type is checked before, and again after, since it may have
        # changed.
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - takes bytes that are not UTF-8, too
            raise VideoNotFoundError(path, problem)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except ValueError as error:
        raise VideoNotFoundError(path, f"the path cannot be used ({error}); check it") from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise VideoNotFoundError(path, problem)


def _read(path: str, file: BinaryIO, name: str) -> Still:
    check_bytes(path, file)
    try:
        # Pillow warns about large pictures and damaged tags; the relevant cases are checked here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Still(_decoded(path, file, name))
    except VideoError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise UnsupportedVideoError(path, f"the picture is too large ({error}); make it smaller") from error
    except Exception as error:
        # Decoders raise various errors on damaged or hostile data: zlib.error, struct.error, IndexError.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UnsupportedVideoError(path, f"the picture is broken ({reason}); save it again") from error


def _decoded(path: str, file: BinaryIO, name: str) -> Image.Image:
    """Decode the first picture of a file, upright, in RGB."""
    image: Image.Image = Image.open(file, formats=[name])
    check_pixels(path, *image.size, name)
    check_work(path, image, file)
    image.load()
    # A GIF's first picture may be larger than its header states.
    check_pixels(path, *image.size, name)
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "RGB":
        return image
    return image.convert("RGB")
