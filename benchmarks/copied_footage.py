"""Clips of which some are copies of others, with the truth of every copy.

The clips come from the sample world (edited films of several shots, and fixed cameras of which each gives several
clips). If a folder of real videos is given, non-overlapping pieces of these are added. A copy is made by decoding
the encoded clip, changing the pictures or their times, and encoding them again:

- `encoded`: 3/4 of the size, another codec, a low quality;
- `framed`: cropped by a tenth, put between black bars, or marked by a logo in a corner, and encoded as above;
- `slowed`: 4 % slower, as film at 25 frames a second shown at 24, and encoded as above;
- `shortened`: a quarter cut out of the middle, and encoded as above.

A fixed camera's clips are no copies of each other, although they look alike for most of the time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.video import Decoding, make_decoder
from sample_videos.filming import film_frame
from sample_videos.films import Film, write_scripts, write_watch_script

__all__ = ["KINDS", "Copy", "copy_clip", "make_clips", "make_copies"]

KINDS = ("encoded", "framed", "slowed", "shortened")
HEIGHT = 126
RATE = Fraction(4)
SLOWING = Fraction(26, 25)
CAMERA_CLIPS = 10
CAMERA_CLIP_SECONDS = 18.0
FILM_SECONDS = 20.0
PIECE_SECONDS = 14.0
_CODECS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"preset": "veryfast", "crf": "36", "threads": "1"}),
    ("mpeg4", {"b": "90k", "g": "50", "threads": "1"}),
)

Picture = npt.NDArray[np.uint8]
Timed = tuple[Fraction, Picture]


@dataclass(frozen=True)
class Copy:
    """A copy and its truth.

    Attributes:
        source: The clip that was copied.
        copy: The copy.
        kind: One of `KINDS`.
        pieces: What the copy shows of the source: (start in the source, its end, start in the copy), in seconds.
        rate: Seconds of the copy for a second of the source.
    """

    source: Path
    copy: Path
    kind: str
    pieces: tuple[tuple[float, float, float], ...]
    rate: float = 1.0


def make_clips(folder: Path, seed: int, count: int, footage: Path | None = None) -> list[Path]:
    """Make so many clips, of which none shows the same footage as another.

    One in five comes from a fixed camera. Real footage gives as many pieces as it has. Clips that are in the folder
    already are not drawn again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clips = list(_pieces(folder, footage)) if footage else []
    films = _scripts(seed)
    cameras = count // (5 * CAMERA_CLIPS)
    for number in range(cameras):
        minutes = CAMERA_CLIPS * CAMERA_CLIP_SECONDS / 60
        watch = write_watch_script(seed * 100 + number, minutes, HEIGHT)
        for part in range(CAMERA_CLIPS):
            path = folder / f"camera-{number}-{part}.mp4"
            _write(path, _drawn(watch, part * CAMERA_CLIP_SECONDS, CAMERA_CLIP_SECONDS))
            clips.append(path)
    for number, film in enumerate(islice(films, max(0, count - len(clips)))):
        path = folder / f"film-{number:03d}.mp4"
        _write(path, _drawn(film, 0.0, min(FILM_SECONDS, film.duration_seconds)))
        clips.append(path)
    return clips[:count]


def make_copies(folder: Path, clips: Sequence[Path], seed: int, pairs: int) -> list[Copy]:
    """Copy so many of the clips, by each kind in turn; none of a drawn fixed camera.

    In most of those clips nothing happens, and such a copy cannot be told from another minute of the same camera.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(f"momentseek copies {seed}")
    chosen = rng.sample([path for path in clips if not path.stem.startswith("camera-")], pairs)
    return [
        copy_clip(path, folder / f"copy-{number:02d}-{KINDS[number % 4]}.mp4", KINDS[number % 4], number // 4)
        for number, path in enumerate(chosen)
    ]


def copy_clip(source: Path, target: Path, kind: str, variant: int) -> Copy:
    """Copy a clip by one of `KINDS`; the variant chooses codec and framing."""
    frames = list(_decoded(source))
    end = float(2 * frames[-1][0] - frames[-2][0])
    pieces: tuple[tuple[float, float, float], ...] = ((0.0, end, 0.0),)
    rate = 1.0
    if kind == "framed":
        change = (_cropped, _barred, _marked)[variant % 3]
        frames = [(time, change(picture)) for time, picture in frames]
    elif kind == "slowed":
        frames, rate = [(time * SLOWING, picture) for time, picture in frames], float(SLOWING)
    elif kind == "shortened":
        first, after = len(frames) * 3 // 8, len(frames) * 5 // 8
        gone = frames[after][0] - frames[first][0]
        pieces = (0.0, float(frames[first][0]), 0.0), (float(frames[after][0]), end, float(frames[first][0]))
        frames = [*frames[:first], *((time - gone, picture) for time, picture in frames[after:])]
    codec, options = _CODECS[variant % len(_CODECS)]
    _write(target, frames, scale=0.75, codec=codec, options=options)
    return Copy(source, target, kind, pieces, rate)


def _scripts(seed: int) -> Iterator[Film]:
    """Scripts of films of many seeds, in small pictures."""
    number = 0
    while True:
        for film in write_scripts(seed * 1000 + number):
            yield replace(film, height=HEIGHT)
        number += 1


def _drawn(film: Film, start: float, seconds: float) -> Iterator[Timed]:
    for number in range(int(seconds * RATE)):
        yield number / RATE, film_frame(film, start + float(number / RATE))


def _pieces(folder: Path, footage: Path) -> Iterator[Path]:
    """Pieces of real videos, one after another with a second left out between two; none of shorter videos."""
    for source in sorted(footage.iterdir()):
        if source.suffix in (".json", ".md"):
            continue
        frames = list(_decoded(source, rate=10))
        each = int(PIECE_SECONDS * 10)
        for part, first in enumerate(range(0, len(frames) - each + 1, each + 10)):
            some = frames[first : first + each]
            path = folder / f"{source.stem}-{part}.mp4"
            _write(path, [(time - some[0][0], picture) for time, picture in some])
            yield path


def _decoded(path: Path, rate: int | None = None) -> Iterator[Timed]:
    """The frames of a video; at most `rate` a second where one is given."""
    following = Fraction(0)
    with make_decoder(Decoding()).open(str(path)) as stream:
        for frame in stream.frames():
            if rate is not None and frame.time < following:
                continue
            if rate is not None:
                following = frame.time + Fraction(1, rate) - Fraction(1, 100)
            width = HEIGHT * frame.width // frame.height // 2 * 2
            yield frame.time, frame.rgb(width, HEIGHT)


def _cropped(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    part = picture[height // 20 : height - height // 20, width // 20 : width - width // 20]
    return np.asarray(Image.fromarray(part).resize((width, height), Image.Resampling.BILINEAR))


def _barred(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    barred = np.zeros((height * 4 // 3 // 2 * 2, width, 3), np.uint8)
    above = (barred.shape[0] - height) // 2
    barred[above : above + height] = picture
    return barred


def _marked(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    marked = picture.copy()
    part = marked[height // 20 : height // 5, width * 3 // 4 : width * 19 // 20]
    part[:] = part // 3 + np.array([160, 150, 140], np.uint8)
    part[2:-2:4] = 240
    return marked


def _write(
    path: Path,
    frames: Iterable[Timed],
    *,
    scale: float = 1.0,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
) -> None:
    chosen = options or {"preset": "veryfast", "crf": "25", "threads": "1"}
    if path.exists():
        return
    stream: Any = None
    unfinished = path.with_name(f"unfinished-{path.name}")
    with av.open(str(unfinished), "w") as container:
        for time, picture in frames:
            if stream is None:
                stream = container.add_stream(codec, rate=25, options=chosen)
                stream.height = round(picture.shape[0] * scale) // 2 * 2
                stream.width = round(picture.shape[1] * scale) // 2 * 2
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, 600)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(time * 600), Fraction(1, 600)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    unfinished.rename(path)
