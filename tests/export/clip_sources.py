"""Videos with known colours and sound, and what is found in the clips made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from pipeline.export import export_clip
from pipeline.io.settings import Fetching
from pipeline.types import Moment
from pipeline.video import Decoding, IndexedVideos, content_id, make_decoder

RATE = 25
PATCHES = [(235, 30, 30), (30, 200, 40), (40, 60, 220), (200, 200, 60), (128, 128, 128), (240, 240, 240), (16, 16, 16)]
SIZE = (140, 64)
LOW, HIGH = 400.0, 1600.0


def patches(width: int = SIZE[0], height: int = SIZE[1]) -> npt.NDArray[np.uint8]:
    """Upright stripes of flat colours: uint8 (height, width, 3)."""
    columns = np.arange(width) * len(PATCHES) // width
    return np.broadcast_to(np.array(PATCHES, np.uint8)[columns], (height, width, 3)).copy()


def colours_of(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """The colours in the middle of the stripes: (7, 3)."""
    width = picture.shape[1]
    centres = [int((number + 0.5) * width / len(PATCHES)) for number in range(len(PATCHES))]
    return picture[picture.shape[0] // 2, centres].astype(np.int64)


def write(
    path: Path,
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    matrix: int = 2,
    full: bool | None = None,
    primaries: int = 2,
    transfer: int = 2,
    aspect: Fraction | None = None,
    rotation: int = 0,
    options: Mapping[str, str] | None = None,
    seconds: int = 3,
    size: tuple[int, int] = SIZE,
    sounds: Sequence[Callable[[av.container.OutputContainer], object]] = (),
) -> Path:
    """Encode the patches with tags of their own; sounds add tracks and give their packets."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=dict(options or {}))
        context = stream.codec_context
        coded = np.ascontiguousarray(np.rot90(patches(*size), rotation // 90))
        context.height, context.width = coded.shape[:2]
        context.pix_fmt = pixel_format
        context.colorspace, context.color_primaries, context.color_trc = matrix, primaries, transfer
        context.color_range = 0 if full is None else 2 if full else 1
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(-rotation)
        tracks = [sound(container) for sound in sounds]
        packets = []
        is_rgb = pixel_format.startswith(("rgb", "gbr", "bgr", "pal"))
        for number in range(seconds * RATE):
            frame = av.VideoFrame.from_ndarray(coded, format="rgb24").reformat(
                format=pixel_format,
                interpolation="BICUBIC",
                dst_colorspace=None if is_rgb else {1: "ITU709", 9: 9}.get(matrix, "ITU601"),
                dst_color_range=2 if is_rgb or full else 1,
            )
            frame.colorspace, frame.color_range = matrix, context.color_range
            frame.color_primaries, frame.color_trc = primaries, transfer
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        packets += [packet for track in tracks for packet in track]
        for packet in sorted(packets, key=lambda each: each.dts * Fraction(each.time_base)):
            container.mux(packet)
    return path


def tone(
    *,
    codec: str = "aac",
    rate: int = 48_000,
    layout: str = "stereo",
    changes_at: float = 2.0,
    start: float = 0.0,
    end: float = 3.0,
    low: float = LOW,
    high: float = HIGH,
    is_default: bool | None = None,
) -> Callable[[av.container.OutputContainer], list[av.Packet]]:
    """A tone that becomes higher at a known second of the video."""

    def packets(container: av.container.OutputContainer) -> list[av.Packet]:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        if is_default is not None:
            stream.disposition = av.stream.Disposition.default if is_default else av.stream.Disposition(0)
        times = np.arange(round(start * rate), round(end * rate)) / rate
        wave = 0.5 * np.sin(2 * np.pi * np.where(times < changes_at, low, high) * times)
        kind = stream.codec_context.format
        found, step = [], stream.codec_context.frame_size or 1024
        for first in range(0, len(wave), step):
            part = wave[first : first + step].astype(np.float32)
            planar = np.repeat(part[None], len(av.AudioLayout(layout).channels), axis=0)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planar), format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, first + round(start * rate), Fraction(1, rate)
            for made in av.AudioResampler(kind, layout, rate).resample(frame):
                made.pts = frame.pts
                found += stream.encode(made)
        return found + stream.encode(None)

    return packets


def clip_of(path: Path, folder: Path, start: float, end: float) -> Path:
    moment = Moment(
        video_id=content_id(str(path)), uri=str(path), start_seconds=start, end_seconds=end, best_seconds=start, score=1
    )
    target = folder / "clip.mp4"
    export_clip(IndexedVideos(make_decoder(Decoding()), Fetching()), moment, target)
    return target


def rgb_at(path: Path, seconds: float) -> npt.NDArray[np.uint8]:
    with make_decoder(Decoding()).open(str(path)) as stream:
        return next(iter(stream.frames(start=Fraction(seconds)))).rgb()


def sound_of(path: Path) -> tuple[npt.NDArray[np.float64], int, float]:
    """Mono samples, their rate, and the time of the first of them."""
    parts, first = [], None
    with av.open(str(path)) as container:
        track = container.streams.audio[0]
        rate = track.rate
        for frame in container.decode(track):
            if first is None:
                first = float(frame.pts * frame.time_base)
            parts.append(frame.to_ndarray().reshape(len(frame.layout.channels), -1).mean(axis=0))
    return np.concatenate(parts).astype(np.float64), rate, first or 0.0


def change_seconds(samples: npt.NDArray[np.float64], rate: int, *, above: float = (LOW + HIGH) / 2) -> float:
    """When a tone becomes higher than a frequency, from crossings of zero in 10 ms."""
    crossings = np.flatnonzero(np.diff(np.signbit(samples)))
    gaps = np.diff(crossings) / rate
    high = np.flatnonzero(gaps < 1 / (2 * above))
    runs = [place for place in high if np.all(gaps[place : place + 8] < 1 / (2 * above))]
    return float(crossings[runs[0]] / rate)
