"""Drawing a script frame by frame and encoding it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.stream import VideoStream

from sample_videos.films import Film, JoinKind
from sample_videos.world.draw import draw_scene

__all__ = ["draw_frames", "film_frame", "write_film"]

_OPTIONS = {
    "libx264": {"crf": "25", "preset": "medium", "threads": "1"},
    "libx265": {"crf": "27", "preset": "fast", "x265-params": "log-level=error:pools=1:frame-threads=1"},
    "libvpx-vp9": {"crf": "34", "b": "0", "cpu-used": "5", "deadline": "good", "threads": "1"},
}
_TICKS = 90_000


def film_frame(film: Film, seconds: float) -> npt.NDArray[np.uint8]:
    """The picture of a film at a time: uint8 (height, width, 3) RGB."""
    number = film.shot_at(seconds)
    for edge in (number, number + 1):
        if not 0 < edge < len(film.shots):
            continue
        join, start = film.shots[edge].join, film.shots[edge].start_seconds
        if join.kind is not JoinKind.CUT and abs(seconds - start) < join.seconds / 2:
            return _joined(film, edge, seconds)
    return _shot_frame(film, number, seconds)


def _shot_frame(film: Film, number: int, seconds: float) -> npt.NDArray[np.uint8]:
    shot = film.shots[number]
    return draw_scene(shot.scene, seconds - shot.start_seconds, film.width, film.height)


def _joined(film: Film, edge: int, seconds: float) -> npt.NDArray[np.uint8]:
    join, start = film.shots[edge].join, film.shots[edge].start_seconds
    progress = (seconds - start) / join.seconds + 0.5
    if join.kind is JoinKind.FADE:
        picture = _shot_frame(film, edge if progress >= 0.5 else edge - 1, seconds).astype(np.float32)
        mixed = picture * abs(2 * progress - 1)
    else:
        before = _shot_frame(film, edge - 1, seconds).astype(np.float32)
        mixed = before + progress * (_shot_frame(film, edge, seconds).astype(np.float32) - before)
    return mixed.round().astype(np.uint8)


def draw_frames(film: Film) -> Iterator[tuple[Fraction, npt.NDArray[np.uint8]]]:
    """Every frame of a film with its exact time."""
    for time in film.frame_times():
        yield time, film_frame(film, float(time))


def _encode(film: Film, container: OutputContainer) -> None:
    time_base = Fraction(1, _TICKS) if film.rate is None else 1 / film.rate
    stream = container.add_stream(film.codec, rate=film.rate or 30, options=dict(_OPTIONS[film.codec]))
    if not isinstance(stream, VideoStream):
        raise TypeError(f"{film.codec} encodes no video")
    stream.width, stream.height, stream.pix_fmt = film.width, film.height, "yuv420p"
    context = stream.codec_context
    context.time_base, context.gop_size = time_base, film.keyframe_every
    if film.codec == "libx265":
        context.codec_tag = "hvc1"
    for time, picture in draw_frames(film):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = int(time / time_base), time_base
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write_film(film: Film, folder: Path) -> Path:
    """Draw and encode a film; it has its name only once it is whole."""
    path = folder / f"{film.name}{film.suffix}"
    partial = folder / f".partial-{film.name}{film.suffix}"
    try:
        with av.open(str(partial), "w") as container:
            _encode(film, container)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
