"""Moments as video files of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.errors import VideoDecodeError
from pipeline.types import Frame, Moment
from pipeline.video import IndexedVideos

__all__ = ["clip_name", "export_clip"]

# Ticks a second: divides the usual frame rates, 24000/1001 among them, to within 6 microseconds.
_TIME_BASE = Fraction(1, 90_000)
# Without B-frames, decoding order is that of showing, and MP4 can say exactly when the last picture ends.
_ENCODING = {"preset": "veryfast", "crf": "20", "bf": "0"}


def clip_name(rank: int, moment: Moment) -> str:
    """A file name for a clip, safe anywhere, as "01-gate-camera-12.500-16.250.mp4"."""
    stem = re.sub(r"[^\w.-]+", "_", PurePosixPath(moment.uri).stem).strip("._-")[:60] or "video"
    return f"{rank:02d}-{stem}-{moment.start_seconds:.3f}-{moment.end_seconds:.3f}.mp4"


def export_clip(videos: IndexedVideos, moment: Moment, path: str | Path) -> None:
    """Write a moment as MP4 (H.264), encoded anew so that it begins and ends exactly where the moment does.

    Each frame is shown as long as in the video. Sound is left out, and pictures of odd size are scaled to even ones.

    Args:
        videos: Opens the moment's video.
        moment: What is exported.
        path: The file to write; one that is there is replaced.

    Raises:
        VideoError: The video cannot be opened, or no frame of the moment can be decoded.
        OSError: The file cannot be written.
    """
    start, end = Fraction(moment.start_seconds), Fraction(moment.end_seconds)
    target = Path(path)
    partial = target.with_name(f".{target.stem}.partial.mp4")
    try:
        with videos.open(moment.video_id, moment.uri) as stream:
            has_frames = _write(_timed(stream.frames(start=start, end=end), start, end), partial)
        if not has_frames:
            raise VideoDecodeError(moment.uri, f"no frame between {float(start):.3f} s and {float(end):.3f} s")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _timed(frames: Iterator[Frame], start: Fraction, end: Fraction) -> Iterator[tuple[Frame, int, int]]:
    """Each frame with the ticks since the clip's start at which it comes, and at which it goes."""
    held: Frame | None = None
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


def _write(frames: Iterator[tuple[Frame, int, int]], path: Path) -> bool:
    import av

    lengths: dict[int | None, int] = {}
    output: Any = None
    with av.open(str(path), "w", format="mp4") as container:
        for frame, since, until in frames:
            width, height = max(2, frame.width // 2 * 2), max(2, frame.height // 2 * 2)
            if output is None:
                output = container.add_stream("libx264", options=_ENCODING)
                output.width, output.height, output.pix_fmt = width, height, "yuv420p"
                output.time_base = output.codec_context.time_base = _TIME_BASE
            picture = av.VideoFrame.from_ndarray(frame.rgb(width, height), format="rgb24")
            picture.pts, picture.time_base = since, _TIME_BASE
            lengths[since] = until - since
            _mux(container, output.encode(picture), lengths)
        if output is not None:
            _mux(container, output.encode(None), lengths)
    return output is not None


def _mux(container: Any, packets: list[Any], lengths: dict[int | None, int]) -> None:
    """Say how long each picture is shown: the encoder forgets it, and the last one would be cut short."""
    for packet in packets:
        packet.duration = lengths.pop(packet.pts)
        container.mux(packet)
