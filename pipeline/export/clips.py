"""Export of moments as video files."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Iterator
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

__all__ = ["export_clip"]

# Ticks a second: divides the usual frame rates, 24000/1001 among them, to within 6 microseconds.
_TIME_BASE = Fraction(1, 90_000)
# Without B-frames, decoding order is that of showing, and MP4 can say exactly when the last picture ends.
_ENCODING = {"preset": "veryfast", "crf": "20", "bf": "0"}
_SOUND_FRAME = 1024
_SOUND_BITS = {"mono": 96_000, "stereo": 160_000}


def export_clip(videos: IndexedVideos, moment: Moment, path: str | Path) -> None:
    """Write a moment as MP4 (H.264 and AAC), re-encoded so that it begins and ends exactly with the moment.

    Each frame is shown as long as in the video, upright and in the video's proportions and colours (`ClipPictures`);
    pictures of odd size are scaled to even ones. Its sound is that of the video's default track.

    Args:
        videos: Opens the moment's video; the pictures are decoded by PyAV, whatever their decoder.
        moment: What is exported.
        path: The file to write; one that is there is replaced.

    Raises:
        VideoError: The video cannot be opened, is another one by now, or no frame of the moment can be decoded.
        OSError: The file cannot be written.
    """
    from pipeline.video.pyav.decoder import PyAVDecoder

    target = Path(path)
    # A name of its own: short, whatever the target's is, and none that others could have put a link at.
    partial = target.with_name(f".{secrets.token_hex(8)}.partial.mp4")
    try:
        with videos.opened_by(PyAVDecoder(fetching=videos.fetching).open, moment.video_id, moment.uri) as stream:
            _write(stream, Fraction(moment.start_seconds), Fraction(moment.end_seconds), partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _write(stream: PyAVStream, start: Fraction, end: Fraction, path: Path) -> None:
    import av

    frames: Any = stream.frames(start=start, end=end)
    first: PyAVFrame | None = next(frames, None)
    if first is None:
        raise VideoDecodeError(stream.info.uri, f"no frame between {float(start):.3f} s and {float(end):.3f} s")
    chunks = stream.sound(start, end)
    first_chunk = next(chunks, None)
    with av.open(str(path), "w", format="mp4") as container:
        pictures = _PictureTrack(container, first, stream.pixel_aspect)
        sound = None if first_chunk is None else _SoundTrack(container, first_chunk, chunks)
        for frame, since, until in _timed(itertools.chain([first], frames), start, end):
            pictures.add(frame, since, until)
            if sound is not None:
                sound.write_until(until * _TIME_BASE)
        pictures.finish()
        if sound is not None:
            sound.finish()


def _timed(frames: Iterable[PyAVFrame], start: Fraction, end: Fraction) -> Iterator[tuple[PyAVFrame, int, int]]:
    """Each frame with the ticks since the clip's start at which it comes, and at which it goes."""
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
    """The clip's pictures.

    Args:
        container: That is written.
        first: The first frame, which all others become like.
        pixel_aspect: Width of a pixel, its height being 1.
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
        """Show a frame from one tick until another."""
        picture = self._pictures.converted(frame.picture)
        picture.pts, picture.time_base = since, _TIME_BASE
        self._lengths[since] = until - since
        self._mux(self._track.encode(picture))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._mux(self._track.encode(None))

    def _mux(self, packets: list[Any]) -> None:
        """Say how long each picture is shown: the encoder forgets it, and the last one would be cut short."""
        for packet in packets:
            packet.duration = self._lengths.pop(packet.pts)
            self._container.mux(packet)


class _SoundTrack:
    """The clip's sound, written as far as its pictures are.

    Args:
        container: That is written.
        first: The first of the sound.
        rest: What follows.
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
        """Write the sound up to a time of the clip, to the end of an encoder's frame."""
        while self._written < time * self._rate:
            while self._waiting.shape[1] < _SOUND_FRAME:
                chunk = next(self._rest, None)
                if chunk is None:
                    return
                self._waiting = np.concatenate([self._waiting, chunk.samples], axis=1)
            self._encode(_SOUND_FRAME)

    def finish(self) -> None:
        """Write all that is left."""
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
