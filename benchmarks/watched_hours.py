"""Hours of a fixed camera of the sample world, with planted events: embeddings of frames and their truth.

The camera sees one place in one light whose exposure drifts. What usually happens there is nothing, or people who come
and go; what is planted happens once each: a forklift, a fire, a dog, ... for five to fifteen seconds. Frames are drawn
at the points of the sampling's grid and embedded as the indexing of a film would; no file is encoded.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.encode import OpenEncoder
from pipeline.types import FrameEmbeddings
from sample_videos.casting import cast_scene
from sample_videos.filming import film_frame
from sample_videos.films import Film, Join, JoinKind, Shot
from sample_videos.world.scene import Actor, Camera, Scene, Weather

__all__ = ["Usual", "WatchedHour", "embed_hour", "write_hour"]

Usual = Literal["nothing", "people"]

_PLANTED = ("forklift", "truck", "car", "bicycle", "dog", "boxes", "fire", "smoke", "crane")
_BATCH = 64
_WIDTH, _HEIGHT = 448, 252


@dataclass(frozen=True)
class WatchedHour:
    """The script of an hour.

    Attributes:
        film: What is seen.
        planted: [start, end) in seconds of the planted events, in order.
        kinds: What each shows.
    """

    film: Film
    planted: tuple[tuple[float, float], ...]
    kinds: tuple[str, ...]


def write_hour(seed: int, usual: Usual, *, events: int = 5, seconds: float = 3600.0) -> WatchedHour:
    """Write the script of an hour: empty intervals, what usually happens, and planted events at random among it."""
    rng = random.Random(f"momentseek watched hour {seed} {usual}")
    empty = replace(cast_scene(rng, kinds=()), weather=Weather.CLEAR, camera=Camera(), occluder=False)
    empty = replace(empty, noise=rng.uniform(1.0, 3.0))
    spans: list[tuple[float, float]] = []
    start = rng.uniform(20.0, 60.0)
    while start < seconds - 60.0:
        spans.append((round(start, 2), round(start + rng.uniform(5.0, 15.0), 2)))
        start = spans[-1][1] + rng.uniform(20.0, 60.0)
    chosen = sorted(rng.sample(range(len(spans)), events))
    kinds = rng.sample(_PLANTED, events)
    shots = [Shot(empty, 0.0, Join(JoinKind.CUT))]
    for number, (first, after) in enumerate(spans):
        if number in chosen:
            actors = _actors(empty, (kinds[chosen.index(number)],), rng)
        elif usual == "people":
            actors = _actors(empty, ("person",) * rng.choice((1, 1, 2)), rng)
        else:
            continue
        shots.append(Shot(replace(empty, actors=actors), first, Join(JoinKind.DISSOLVE, 0.5)))
        shots.append(Shot(empty, after, Join(JoinKind.DISSOLVE, 0.5)))
    film = Film(f"hour-{seed}", ".mp4", "libx264", Fraction(25), tuple(shots), seconds, seed, _HEIGHT)
    return WatchedHour(film, tuple(spans[number] for number in chosen), tuple(kinds))


def _actors(empty: Scene, kinds: Sequence[str], rng: random.Random) -> tuple[Actor, ...]:
    return cast_scene(rng, place=empty.place, kinds=kinds, light=empty.light).actors


def embed_hour(hour: WatchedHour, model: OpenEncoder, size: tuple[int, int], fps: float = 1.0) -> FrameEmbeddings:
    """Draw the frames of an hour and embed them.

    Args:
        hour: The script.
        model: The open encoder.
        size: Width and height of its input.
        fps: Sampled frames a second.
    """
    times = np.arange(0.0, hour.film.duration_seconds, 1 / fps)
    vectors = []
    for first in range(0, len(times), _BATCH):
        pictures = [_picture(hour, float(seconds), size) for seconds in times[first : first + _BATCH]]
        vectors.append(model.encode_images(np.stack(pictures)))
    return FrameEmbeddings(
        video_id=hour.film.name,
        pts=np.asarray(np.rint(times * 1000), np.int64),
        time_base=Fraction(1, 1000),
        times_seconds=times,
        vectors=np.concatenate(vectors),
        cuts_seconds=None,
        duration_seconds=hour.film.duration_seconds,
        step_seconds=1 / fps,
    )


def _picture(hour: WatchedHour, seconds: float, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A frame of a camera whose exposure swings by a tenth within twenty minutes."""
    gain = 1 + 0.1 * math.sin(2 * math.pi * seconds / 1200)
    picture = cv2.convertScaleAbs(film_frame(hour.film, seconds), alpha=gain)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
