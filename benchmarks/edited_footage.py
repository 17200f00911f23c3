"""Edited films made of real footage, with cuts and gradual transitions at known places.

    python -m benchmarks.edited_footage --videos FOLDER --seed 7 --films 8 --out DIR

Each film joins pieces of the videos in a folder. Its `cuts.json` may list the cuts that the videos have themselves, and
no piece contains one. Every piece is seen by a camera of its own, which stands still, pans, zooms or shakes, and some
are darkened as if shot at night, get brighter or darker as they go on, or contain a flash of one to three frames.
Pieces follow each other by a hard cut, by a short slug of black (two hard cuts), by a dissolve of 0.3 to 2 seconds or
by a fade through black or white. Frame rates, codecs, lengths of groups and qualities vary from film to film. The
labels, `cuts.json`, have the format that `benchmarks.scenes` reads.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.video import Decoding, make_decoder

SIZE = 320, 180
RATES = (Fraction(10), Fraction(15), Fraction(24), Fraction(25), Fraction(30), Fraction(30_000, 1001), Fraction(50))
ENCODERS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (".mp4", "libx264", {"preset": "veryfast", "crf": "23"}),
    (".mp4", "libx264", {"preset": "fast", "crf": "30", "x264-params": "scenecut=0:keyint=120"}),
    (".mkv", "libx264", {"preset": "medium", "crf": "26", "x264-params": "open-gop=1:keyint=60"}),
    (".mkv", "libx265", {"preset": "ultrafast", "crf": "28", "x265-params": "log-level=none:scenecut=0:keyint=100"}),
    (".webm", "libvpx", {"deadline": "realtime", "cpu-used": "8", "b": "300k"}),
    (".mp4", "mpeg4", {"b": "500k", "g": "50"}),
)
JOINS = {"cut": 0.62, "slug": 0.06, "dissolve": 0.18, "black": 0.09, "white": 0.05}
_SHORTEST_PIECE_SECONDS = 1.5
_LONGEST_PIECE_SECONDS = 6.0

Picture = npt.NDArray[np.uint8]
Pictures = list[Picture]


@dataclass(frozen=True)
class Source:
    """A stretch of a video without a cut, in seconds."""

    path: Path
    start: float
    end: float


@dataclass(frozen=True)
class Labels:
    """What is true of a film, in seconds."""

    cuts: list[float]
    fades: list[tuple[float, float]]
    dissolves: list[tuple[float, float]]


def sources_in(folder: Path) -> list[Source]:
    """The shots of the videos in a folder that are long enough for a piece."""
    file = folder / "cuts.json"
    labels: Mapping[str, Sequence[float]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    sources: list[Source] = []
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".md", ".jsonl"):
            continue
        with make_decoder(Decoding()).open(str(path)) as stream:
            for _ in stream.frames():
                pass
            end = float(stream.end_time)
        ends = [0.0, *labels.get(path.stem, []), end]
        # A frame or so is left out to either side of a cut.
        shots = [Source(path, first + 0.06, last - 0.06) for first, last in pairwise(ends)]
        sources.extend(shot for shot in shots if shot.end - shot.start >= _SHORTEST_PIECE_SECONDS)
    return sources


def piece(source: Source, seconds: float, rate: Fraction, random: np.random.Generator) -> Pictures:
    """Pictures of a source at a rate, as a camera of its own sees them."""
    seconds = min(seconds, source.end - source.start)
    start = source.start + random.uniform(0, source.end - source.start - seconds)
    count = max(2, int(seconds * rate))
    with make_decoder(Decoding()).open(str(source.path)) as stream:
        frames = stream.frames(start=Fraction(start).limit_denominator(1000))
        shown, ahead = next(frames), next(frames, None)
        views, pictures = list(_views(count, random)), []
        rgb = shown.rgb(2 * SIZE[0], 2 * SIZE[1])
        for number in range(count):
            while ahead is not None and ahead.time <= start + number / rate:
                shown, ahead = ahead, next(frames, None)
                rgb = shown.rgb(2 * SIZE[0], 2 * SIZE[1])
            seen = Image.fromarray(rgb).resize(SIZE, Image.Resampling.BILINEAR, box=views[number])
            pictures.append(np.asarray(seen))
        frames.close()  # type: ignore[attr-defined]
    return _lit(pictures, random)


def _views(count: int, random: np.random.Generator) -> Iterator[tuple[float, float, float, float]]:
    """Where the camera looks, as boxes of a picture of twice the size."""
    width, height = 2.0 * SIZE[0], 2.0 * SIZE[1]
    kind = random.choice(["still", "pan", "zoom", "both"], p=[0.3, 0.25, 0.2, 0.25])
    ends = np.stack([[random.uniform(0.5, 0.95), random.uniform(), random.uniform()] for _ in range(2)])
    ends[1, 0] = ends[1, 0] if kind in ("zoom", "both") else ends[0, 0]
    ends[1, 1:] = ends[1, 1:] if kind in ("pan", "both") else ends[0, 1:]
    shake = random.uniform(0.001, 0.012) if random.uniform() < 0.4 else 0.0
    jitter = np.zeros(2)
    for number in range(count):
        jitter = 0.8 * jitter + random.normal(0, 1, 2) * shake
        share, x, y = ends[0] + (ends[1] - ends[0]) * number / max(1, count - 1)
        left = float(np.clip((x + jitter[0]) * (1 - share), 0, 1 - share)) * width
        top = float(np.clip((y + jitter[1]) * (1 - share), 0, 1 - share)) * height
        yield left, top, left + share * width, top + share * height


def _lit(pictures: Pictures, random: np.random.Generator) -> Pictures:
    gain = random.uniform(0.2, 0.45) if random.uniform() < 0.2 else random.uniform(0.85, 1.1)
    gains = np.full(len(pictures), gain)
    if random.uniform() < 0.2:
        gains = gains * np.linspace(1, random.uniform(0.55, 1.5), len(pictures))
    lit = [np.clip(picture * each, 0, 255).astype(np.uint8) for picture, each in zip(pictures, gains, strict=True)]
    if random.uniform() < 0.12 and len(lit) > 20:
        first = int(random.integers(8, len(lit) - 10))
        for number in range(first, first + int(random.integers(1, 4))):
            lit[number] = np.clip(lit[number].astype(int) + 160, 0, 255).astype(np.uint8)
    return lit


def film(
    sources: Sequence[Source], rate: Fraction, pieces: int, random: np.random.Generator
) -> tuple[Pictures, Labels]:
    """A film and what is true of it."""
    labels = Labels([], [], [])
    pictures: Pictures = []
    last: Source | None = None
    length = 0
    for number in range(pieces):
        others = [
            source for source in sources if last is None or source.path != last.path or source.start != last.start
        ]
        last = others[int(random.integers(len(others)))]
        new = piece(last, random.uniform(_SHORTEST_PIECE_SECONDS, _LONGEST_PIECE_SECONDS), rate, random)
        # No gradual transition reaches into another.
        longest = min(length, len(new)) * 2 // 5
        length = len(new)
        if number == 0:
            pictures = new
            continue
        seconds = random.uniform(0.3, 2.0)
        count = max(4, min(int(seconds * rate), longest))
        _join(pictures, new, labels, str(random.choice(list(JOINS), p=list(JOINS.values()))), rate, count)
    return pictures, labels


def _join(film: Pictures, new: Pictures, labels: Labels, kind: str, rate: Fraction, count: int) -> None:
    """Append a piece to a film; the transition takes `count` frames."""
    if kind == "cut":
        labels.cuts.append(float(len(film) / rate))
        film.extend(new)
    elif kind == "slug":
        labels.cuts.append(float(len(film) / rate))
        film.extend([np.zeros_like(new[0])] * max(3, count * 2 // 3))
        labels.cuts.append(float(len(film) / rate))
        film.extend(new)
    elif kind == "dissolve":
        first = len(film) - count
        for number in range(count):
            film[first + number] = _mixed(film[first + number], new[number], (number + 1) / (count + 1))
        labels.dissolves.append((float(first / rate), float(len(film) / rate)))
        film.extend(new[count:])
    else:
        blank = np.full_like(new[0], 255 if kind == "white" else 0)
        half = max(3, count // 2)
        first = len(film) - half
        for number in range(half):
            film[first + number] = _mixed(film[first + number], blank, (number + 1) / half)
            new[number] = _mixed(blank, new[number], number / half)
        film.extend([blank] * (count // 4))
        labels.fades.append((float(first / rate), float((len(film) + half) / rate)))
        film.extend(new)


def _mixed(one: Picture, other: Picture, share: float) -> Picture:
    return np.rint(one * (1 - share) + other * share).astype(np.uint8)


def write(path: Path, pictures: Pictures, rate: Fraction, codec: str, options: Mapping[str, str]) -> None:
    """Encode a film."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, options=dict(options))
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def main() -> None:
    """Write the films and their labels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True, help="folder of real footage")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--films", type=int, default=8)
    parser.add_argument("--pieces", type=int, default=14, help="of a film")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    sources = sources_in(arguments.videos)
    labels = {}
    for number in range(arguments.films):
        random = np.random.default_rng((arguments.seed, number))
        rate = RATES[int(random.integers(len(RATES)))]
        suffix, codec, options = ENCODERS[number % len(ENCODERS)]
        pictures, said = film(sources, rate, arguments.pieces, random)
        name = f"edited-{arguments.seed}-{number}"
        write(arguments.out / f"{name}{suffix}", pictures, rate, codec, options)
        labels[name] = {"cuts": said.cuts, "fades": said.fades, "dissolves": said.dissolves}
        (arguments.out / "cuts.json").write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
