"""Sampled frames of the sample world's films, drawn and embedded without encoding whole films, with their truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.encode import Encoder, OpenEncoder
from pipeline.types import FrameEmbeddings
from sample_videos.films import Film, write_scripts
from sample_videos.statements import CONCEPTS
from sample_videos.truth import facts, truth_matrix

__all__ = ["DrawnFilm", "draw_films"]

SAMPLED_FPS = 2
"""As in configs/demo.yaml."""
JPEG_QUALITY = 75
"""Stands in for the compression of a film."""
_BATCH = 64


@dataclass(frozen=True)
class DrawnFilm:
    """A film whose sampled frames were drawn.

    Attributes:
        film: Its script.
        seed: The seed of the script.
        frames: The embeddings of its sampled frames.
        truth: int8 (concepts, N): 1 shown, -1 not shown, 0 where it cannot be said; in the order of `CONCEPTS`.
    """

    film: Film
    seed: int
    frames: FrameEmbeddings
    truth: npt.NDArray[np.int8]


def draw_films(seeds: list[int], encoder: Encoder, cache: Path | None = None) -> list[DrawnFilm]:
    """Draw the films of seeds at 2 frames a second; needs the drawing library.

    Args:
        seeds: Seeds of the scripts.
        encoder: Embeds the frames.
        cache: Folder of embeddings that were computed before and are kept; None to keep none.
    """
    opened = encoder.open()
    return [one for seed in seeds for one in _of_seed(seed, encoder, opened, cache)]


def _of_seed(seed: int, encoder: Encoder, opened: OpenEncoder, cache: Path | None) -> Iterator[DrawnFilm]:
    path = None if cache is None else cache / f"{seed}-{encoder.fingerprint}.npz"
    known: dict[str, npt.NDArray[np.float32]] = {}
    if path is not None and path.exists():
        with np.load(path) as arrays:
            known = {name: arrays[name] for name in arrays.files}
    films = list(write_scripts(seed))
    for film in films:
        if film.name not in known:
            known[film.name] = _embedded(film, encoder, opened)
        yield _drawn(film, seed, known[film.name])
    if path is not None and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **known)  # type: ignore[arg-type]  # numpy's stub has a flag among the names
        partial.replace(path)


def _times(film: Film) -> list[float]:
    return [number / SAMPLED_FPS for number in range(int(film.duration_seconds * SAMPLED_FPS))]


def _embedded(film: Film, encoder: Encoder, opened: OpenEncoder) -> npt.NDArray[np.float32]:
    from sample_videos.filming import film_frame

    preprocessing = encoder.preprocessing()
    size = preprocessing.image_width, preprocessing.image_height
    pictures = []
    for seconds in _times(film):
        _, packed = cv2.imencode(".jpg", film_frame(film, seconds), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        picture = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        pictures.append(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    stacked = np.stack(pictures)
    parts = [opened.encode_images(stacked[first : first + _BATCH]) for first in range(0, len(stacked), _BATCH)]
    return np.concatenate(parts)


def _drawn(film: Film, seed: int, vectors: npt.NDArray[np.float32]) -> DrawnFilm:
    times = _times(film)
    known = []
    for seconds in times:
        shot = film.shots[film.shot_at(seconds)]
        known.append(facts(shot.scene, seconds - shot.start_seconds))
    frames = FrameEmbeddings(
        video_id=f"{film.name}-{seed}",
        pts=np.arange(len(times)),
        time_base=Fraction(1, SAMPLED_FPS),
        times_seconds=np.asarray(times, np.float64),
        vectors=vectors,
        cuts_seconds=tuple(film.cut_seconds()),
        duration_seconds=film.duration_seconds,
        step_seconds=1 / SAMPLED_FPS,
    )
    return DrawnFilm(film, seed, frames, truth_matrix(list(CONCEPTS.values()), known))
