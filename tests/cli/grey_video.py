"""A small video whose grey says which it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np


def write_grey_video(path: Path, *, seconds: float, grey: int) -> Path:
    """Write so many seconds at 5 frames a second; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in _pictures(int(seconds * 5), grey):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _pictures(count: int, grey: int) -> Iterator[np.ndarray]:
    for number in range(count):
        picture = np.full((48, 64, 3), grey, np.uint8)
        picture[:, : 3 * number % 64] = 255
        yield picture
