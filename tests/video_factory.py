"""Generated videos whose truth is known by construction.

Every picture carries its number in black and white blocks, so that what a decoder gives out is checked against what was
shown when. The first row of blocks is a mark that looks different in every orientation.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

COLUMNS, ROWS = 6, 4
MARK = (1, 0, 1, 1, 0, 0)
SIZE = (96, 64)


@dataclass(frozen=True)
class Made:
    """A video that was made.

    Attributes:
        path: Where it is.
        times: When each picture is shown, on the playback clock.
        numbers: The number that each picture carries.
        end: When the last picture goes.
    """

    path: Path
    times: tuple[Fraction, ...]
    numbers: tuple[int, ...]
    end: Fraction

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def shown_at(self, seconds: float | Fraction) -> int:
        """The number that is on screen at a time; the first one before it comes."""
        return self.numbers[max(0, sum(time <= seconds for time in self.times) - 1)]


def numbered(number: int, width: int = SIZE[0], height: int = SIZE[1]) -> Picture:
    """A picture that carries a number below 2**18: uint8 (height, width, 3)."""
    bits = [*MARK, *((number >> shift) & 1 for shift in range(COLUMNS * (ROWS - 1)))]
    grid = np.array(bits, np.uint8).reshape(ROWS, COLUMNS)
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    grey = grid[rows][:, columns] * 200 + 20
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


def number_of(picture: Picture) -> int:
    """The number that an upright picture carries; fails where the mark is not where it belongs."""
    height, width = picture.shape[:2]
    grey = picture.astype(np.float64).mean(axis=2)
    ys = ((np.arange(ROWS) + 0.5) * height / ROWS).astype(int)
    xs = ((np.arange(COLUMNS) + 0.5) * width / COLUMNS).astype(int)
    bits = (grey[np.ix_(ys, xs)] > 120).astype(int)
    assert tuple(bits[0]) == MARK, f"not upright: {bits}"
    return sum(int(bit) << shift for shift, bit in enumerate(bits[1:].ravel()))


def steady(count: int, rate: Fraction | int = 10, start: Fraction | int = 0) -> list[Fraction]:
    """The times of `count` frames at a constant rate."""
    return [start + Fraction(k) / rate for k in range(count)]


def make_video(
    path: Path,
    times: Sequence[Fraction],
    *,
    last_duration: Fraction | None = None,
    codec: str = "libx264",
    options: Mapping[str, str] | None = None,
    muxer_options: Mapping[str, str] | None = None,
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = SIZE,
    rotation: int = 0,
    mirrored: bool = False,
    time_base: Fraction = Fraction(1, 90_000),
    keyframe_every: int = 10,
    zero: Fraction = Fraction(0),
    audio: tuple[Fraction, Fraction] | None = None,
    first_number: int = 1,
    noise: int = 0,
    sound_first: bool = False,
    shown: Sequence[Picture] | None = None,
    flagged: Container[int] = (),
) -> Made:
    """Encode numbered pictures, or others.

    Args:
        path: The suffix names the container.
        times: When each picture is shown, in the container's raw time; rounded to the time base.
        last_duration: How long the last one is shown; as long as the one before where not given.
        codec: FFmpeg's name of the encoder.
        options: Of the encoder.
        muxer_options: Of the container.
        pixel_format: FFmpeg's name.
        size: Width and height, upright.
        rotation: Clockwise turn in degrees that makes the coded pictures upright.
        mirrored: Whether coded pictures are to be mirrored left to right, after that turn.
        time_base: Of encoder and stream.
        keyframe_every: Frames from one keyframe to the next.
        zero: Raw time at which the playback clock begins.
        audio: Raw start and end of a tone.
        first_number: What the first picture carries.
        noise: Grey levels of noise, which makes packets large.
        sound_first: Whether the sound is the file's first stream.
        shown: uint8 (H, W, 3) each, in place of numbered ones.
        flagged: Packets, by their number in decoding order, that the container calls keyframes whatever they are.
    """
    numbers = tuple(range(first_number, first_number + len(times)))
    plain = [numbered(number, *size) for number in numbers] if shown is None else shown
    pictures = [_as_coded(_noisy(picture, noise), rotation, mirrored) for picture in plain]
    ticks = [round(time / time_base) for time in times]
    steps = _steps(ticks, last_duration, time_base)
    with av.open(str(path), "w", options=dict(muxer_options or {})) as container:
        tone = _tone(container, *audio) if audio and sound_first else None
        stream = _video_stream(container, codec, pictures[0], pixel_format, time_base, keyframe_every, options)
        if rotation or mirrored:
            stream.set_display_rotation(-rotation, hflip=mirrored)
        if audio and not sound_first:
            tone = _tone(container, *audio)
        packets = list(_encoded(stream, pictures, ticks, pixel_format, time_base))
        for number, packet in enumerate(packets):
            packet.is_keyframe |= number in flagged
        _mux(container, packets, tone or [], dict(zip(ticks, steps, strict=True)))
    exact = tuple(tick * time_base - zero for tick in ticks)
    return Made(path, exact, numbers, exact[-1] + steps[-1] * time_base)


def _steps(ticks: Sequence[int], last_duration: Fraction | None, time_base: Fraction) -> list[int]:
    """How many ticks each picture is shown."""
    steps = [after - before for before, after in pairwise(ticks)]
    last = steps[-1] if steps else round(Fraction(1, 10) / time_base)
    return [*steps, last if last_duration is None else round(last_duration / time_base)]


def _mux(container, packets, others, durations: Mapping[int, int]) -> None:
    """Write packets in the order of their decoding, pictures with how long they are shown."""
    for packet in packets:
        packet.duration = durations.get(packet.pts, packet.duration)
    for packet in sorted([*packets, *others], key=lambda each: each.dts * Fraction(each.time_base)):
        container.mux(packet)


def _noisy(picture: Picture, noise: int) -> Picture:
    random = np.random.default_rng(int(picture.astype(np.int64).sum())).integers(0, noise + 1, (*picture.shape[:2], 1))
    return np.clip(picture.astype(int) + random, 0, 255).astype(np.uint8) if noise else picture


def _as_coded(picture: Picture, rotation: int, mirrored: bool) -> Picture:
    return np.ascontiguousarray(np.rot90(picture[:, ::-1] if mirrored else picture, rotation // 90))


def _video_stream(container, codec, picture, pixel_format, time_base, keyframe_every, options):
    stream = container.add_stream(codec, options=_fast(codec) | dict(options or {}))
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = pixel_format
    stream.time_base = stream.codec_context.time_base = time_base
    if codec not in ("gif", "apng", "ffv1", "prores_ks", "mjpeg", "rawvideo"):
        stream.codec_context.gop_size = keyframe_every
    return stream


def _fast(codec: str) -> dict[str, str]:
    return {
        "libx264": {"preset": "ultrafast", "crf": "20", "bf": "0", "sc_threshold": "0"},
        "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
        "libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
        "libsvtav1": {"preset": "8", "crf": "20"},
    }.get(codec, {})


def _encoded(stream, pictures: Iterable[Picture], ticks: Sequence[int], pixel_format: str, time_base: Fraction):
    for picture, tick in zip(pictures, ticks, strict=True):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
        frame.pts, frame.time_base = tick, time_base
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _tone(container, start: Fraction, end: Fraction):
    rate = 48_000
    stream = container.add_stream("aac", rate=rate)
    stream.layout = "mono"
    packets = []
    count = round((end - start) * rate)
    for first in range(0, count, 1024):
        samples = np.sin(np.arange(first, min(first + 1024, count)) * 0.05).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, first + round(start * rate), Fraction(1, rate)
        packets.extend(stream.encode(frame))
    packets.extend(stream.encode(None))
    return packets


def make_two_videos(path: Path, times: Sequence[Fraction]) -> Made:
    """A file with two video streams: a small one first, whose numbers begin at 5001, then the one that is meant."""
    numbers = tuple(range(1, len(times) + 1))
    time_base = Fraction(1, 90_000)
    ticks = [round(time / time_base) for time in times]
    with av.open(str(path), "w") as container:
        streams = []
        for size in ((48, 32), SIZE):
            stream = _video_stream(container, "libx264", numbered(0, *size), "yuv420p", time_base, 10, {"crf": "5"})
            stream.disposition = av.stream.Disposition.default if size == SIZE else av.stream.Disposition(0)
            streams.append((stream, size))
        packets = []
        for stream, size in streams:
            offset = 0 if size == SIZE else 5000
            pictures = [numbered(number + offset, *size) for number in numbers]
            packets.extend(_encoded(stream, pictures, ticks, "yuv420p", time_base))
        for packet in sorted(packets, key=lambda each: each.dts):
            packet.duration = ticks[1] - ticks[0]
            container.mux(packet)
    return Made(path, tuple(tick * time_base for tick in ticks), numbers, times[-1] + (times[-1] - times[-2]))


def make_sound(path: Path, *, cover: bool = False) -> Path:
    """A file with sound alone, or with a cover picture."""
    with av.open(str(path), "w") as container:
        packets = _tone(container, Fraction(0), Fraction(1))
        if cover:
            stream = _video_stream(container, "mjpeg", numbered(1), "yuvj420p", Fraction(1, 25), 1, None)
            stream.disposition = av.stream.Disposition.attached_pic
            packets = [*_encoded(stream, [numbered(1)], [0], "yuvj420p", Fraction(1, 25)), *packets]
        for packet in packets:
            container.mux(packet)
    return path


def remuxed(made: Made, path: Path, *, dropped: int) -> Made:
    """A copy whose edit list leaves out the first `dropped` frames, which stay in the file for the decoder."""
    cut = made.times[dropped]
    with av.open(str(made.path)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        shift = round(cut / Fraction(stream.time_base))
        for packet in source.demux(stream):
            if packet.dts is None:
                continue
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = copy
            target.mux(packet)
    times = tuple(time - cut for time in made.times[dropped:])
    return Made(path, times, made.numbers[dropped:], made.end - cut)


def with_repeats(made: Made, path: Path, *, repeats: Iterable[int]) -> Made:
    """A copy in which some pictures have the time of the one before them, which is the one that is given out.

    Args:
        made: With an encoder that gives out pictures in the order in which they are shown.
        path: Where the copy is written.
        repeats: Places of those pictures; several in a row all have the time of the one before the first of them.
    """
    places = set(repeats)
    with av.open(str(made.path)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        shown = sorted(packet.pts for packet in packets)
        moved: dict[int, int] = {}
        for place, (before, pts) in enumerate(pairwise(shown), 1):
            if place in places:
                moved[pts] = moved.get(before, before)
        for packet in packets:
            packet.pts = moved.get(packet.pts, packet.pts)
            # Decoding times increase, and none is later than the picture's own.
            packet.dts = min(packet.dts - (shown[1] - shown[0]), packet.pts)
            packet.stream = copy
            target.mux(packet)
    kept = [place for place in range(len(made.times)) if place not in places]
    return Made(path, tuple(made.times[k] for k in kept), tuple(made.numbers[k] for k in kept), made.end)


def damaged(made: Made, path: Path, *, packets: Iterable[int]) -> Path:
    """A copy in which the data of some packets, counted in decoding order, is overwritten."""
    content = bytearray(made.path.read_bytes())
    with av.open(str(made.path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for number in packets:
        position, size = places[number]
        content[position + 24 : position + size] = b"\xa5" * (size - 24)
    path.write_bytes(content)
    return path


def truncated(made: Made, path: Path, *, share: float) -> Path:
    """A copy of the first `share` of the bytes."""
    content = made.path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path
