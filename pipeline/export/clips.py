"""Export of moments as MP4 files."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import VideoDecodeError
from pipeline.export.clip_pictures import ClipPictures
from pipeline.types import Moment
from pipeline.video import IndexedVideos

if TYPE_CHECKING:
    from pipeline.video.pyav.decoder import PyAVStream
    from pipeline.video.pyav.frame import PyAVFrame
    from pipeline.video.sound import SoundChunk

__all__ = ["SoundTrack", "export_clip"]

# Ticks per second. The frame durations of common rates, such as 24000/1001, are accurate to 6 microseconds.
_TIME_BASE = Fraction(1, 90_000)
# Without B-frames, frames are stored in display order, and MP4 can store the exact end of the last one.
_ENCODING = {"preset": "veryfast", "crf": "20", "bf": "0"}
_SOUND_FRAME = 1024
_SOUND_BITS = {"mono": 96_000, "stereo": 160_000}


def export_clip(
    videos: IndexedVideos, moment: Moment, path: str | Path, *, check: Callable[[], None] | None = None
) -> None:
    """Write a moment as MP4 (H.264 and AAC), re-encoded to start and end exactly with the moment.

    Frames keep their durations; pictures are upright and keep the video's aspect ratio and colours (`ClipPictures`).
    Odd sizes are scaled to even ones. The sound is that of the video's default track.

    Args:
        videos: Opens the moment's video; the pictures are always decoded by PyAV.
        moment: The moment to export.
        path: The file to write; an existing file is replaced.
        check: Called before each frame; an error that it raises ends the export, and no file is written.

    Raises:
        VideoError: The video cannot be opened, its file has other content now, or no frame of the moment can be
            decoded.
        OSError: The file cannot be written.
    """
    from pipeline.video.pyav.decoder import PyAVDecoder

    target = Path(path)
    # A temporary name: short, and unpredictable, so that nobody else can have placed a link there.
    partial = target.with_name(f".{secrets.token_hex(8)}.partial.mp4")
    try:
        with videos.opened_by(PyAVDecoder(fetching=videos.fetching).open, moment.video_id, moment.uri) as stream:
            _write(stream, Fraction(moment.start_seconds), Fraction(moment.end_seconds), partial, check)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _write(stream: PyAVStream, start: Fraction, end: Fraction, path: Path, check: Callable[[], None] | None) -> None:
    import av

    frames: Any = stream.frames(start=start, end=end)
    first: PyAVFrame | None = next(frames, None)
    if first is None:
        raise VideoDecodeError(stream.info.uri, f"no frame between {float(start):.3f} s and {float(end):.3f} s")
    chunks = stream.sound(start, end)
    first_chunk = next(chunks, None)
    with av.open(str(path), "w", format="mp4") as container:
        pictures = _PictureTrack(container, first, stream.pixel_aspect)
        sound = None if first_chunk is None else SoundTrack(container, first_chunk, chunks)
        for frame, since, until in _timed(itertools.chain([first], frames), start, end):
            if check is not None:
                check()
            pictures.add(frame, since, until)
            if sound is not None:
                sound.write_until(until * _TIME_BASE)
        pictures.finish()
        if sound is not None:
            sound.finish()


def _timed(frames: Iterable[PyAVFrame], start: Fraction, end: Fraction) -> Iterator[tuple[PyAVFrame, int, int]]:
    """Yield each frame with its start and end, in ticks since the clip's start."""
    held: PyAVFrame | None = None
    since = 0
    for frame in frames:
        if held is not None:
            until = max(since + 1, _ticks(frame.time - start))
            yield held, since, until
            since = until
        held = frame
    if held is not None:
        yield held, since, max(since + 1, _ticks(end - start))


def _ticks(time: Fraction) -> int:
    return round(max(Fraction(0), time) / _TIME_BASE)


class _PictureTrack:
    """Writes the clip's pictures.

    Args:
        container: The output container.
        first: The first frame, which determines the format of the others.
        pixel_aspect: Pixel aspect ratio, width to height.
    """

    def __init__(self, container: Any, first: PyAVFrame, pixel_aspect: Fraction) -> None:
        self._container = container
        self._pictures = ClipPictures(first.picture, first.scaler.orientation)
        self._track = container.add_stream("libx264", options=_ENCODING)
        self._pictures.describe(self._track.codec_context)
        self._track.codec_context.sample_aspect_ratio = pixel_aspect
        self._track.time_base = self._track.codec_context.time_base = _TIME_BASE
        self._lengths: dict[int | None, int] = {}

    def add(self, frame: PyAVFrame, since: int, until: int) -> None:
        """Add a frame, with its start and end in ticks."""
        picture = self._pictures.converted(frame.picture)
        picture.pts, picture.time_base = since, _TIME_BASE
        self._lengths[since] = until - since
        self._mux(self._track.encode(picture))

    def finish(self) -> None:
        """Flush the encoder."""
        self._mux(self._track.encode(None))

    def _mux(self, packets: list[Any]) -> None:
        """Set the duration of each packet, which the encoder omits, so that the last picture is not cut short."""
        for packet in packets:
            packet.duration = self._lengths.pop(packet.pts)
            self._container.mux(packet)


class SoundTrack:
    """Writes the clip's sound, interleaved with its pictures.

    Args:
        container: The output container.
        first: The first chunk of sound.
        rest: The following chunks.
    """

    def __init__(self, container: Any, first: SoundChunk, rest: Iterator[SoundChunk]) -> None:
        self._container = container
        self._rate, self._layout = first.rate, first.layout
        self._track = container.add_stream("aac", rate=first.rate, layout=first.layout)
        self._track.bit_rate = _SOUND_BITS[first.layout]
        self._rest: Iterator[SoundChunk] = itertools.chain([first], rest)
        self._waiting = first.samples[:, :0]
        self._written = 0

    def write_until(self, time: Fraction) -> None:
        """Write the sound up to a time of the clip, in whole frames of the encoder."""
        while self._written < time * self._rate:
            while self._waiting.shape[1] < _SOUND_FRAME:
                chunk = next(self._rest, None)
                if chunk is None:
                    return
                self._waiting = np.concatenate([self._waiting, chunk.samples], axis=1)
            self._encode(_SOUND_FRAME)

    def finish(self) -> None:
        """Write the remaining sound."""
        for chunk in self._rest:
            self._waiting = np.concatenate([self._waiting, chunk.samples], axis=1)
            while self._waiting.shape[1] >= _SOUND_FRAME:
                self._encode(_SOUND_FRAME)
        while self._waiting.shape[1]:
            self._encode(min(_SOUND_FRAME, self._waiting.shape[1]))
        self._container.mux(self._track.encode(None))

    def _encode(self, count: int) -> None:
        import av

        samples, self._waiting = np.ascontiguousarray(self._waiting[:, :count]), self._waiting[:, count:]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=self._layout)
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._written, Fraction(1, self._rate)
        self._written += count
        self._container.mux(self._track.encode(frame))
