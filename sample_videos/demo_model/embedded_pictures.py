"""Fresh pictures of the sample world as the committed image tower embeds them, kept with all that they show."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.encode import OpenEncoder
from sample_videos.casting import alter_scene, cast_scene
from sample_videos.demo_model.batches import HEIGHT, WIDTH, Picture, draw_group
from sample_videos.truth import Facts, facts
from sample_videos.world.draw import draw_scene
from sample_videos.world.scene import Scene

__all__ = ["EmbeddedPictures", "draw_pictures", "read_pictures"]

PART = 512
"""Pictures of a file."""
GROUPS = 0.45
"""Share of the pictures that are drawn as for the image tower's training; the others look like frames of films."""
PAIRS = 0.35
"""Share of the latter that come with a second one, which differs in one fact."""


@dataclass(frozen=True)
class EmbeddedPictures:
    """Pictures.

    Attributes:
        vectors: float32 (N, D) unit vectors.
        facts: What each shows.
    """

    vectors: npt.NDArray[np.float32]
    facts: tuple[Facts, ...]


def draw_pictures(model: OpenEncoder, folder: Path, count: int) -> None:
    """Draw and embed until a folder holds `count` pictures or more; each file of it has its own random stream."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(-(-count // PART)):
        path = folder / f"part{part:03d}.npz"
        if path.exists():
            continue
        drawn = _drawn(random.Random(f"momentseek text pictures {part}"))
        images, known = zip(*(next(drawn) for _ in range(PART)), strict=True)
        vectors = model.encode_images(np.stack(images)).astype(np.float16)
        shown = json.dumps([[one.scene, one.certain, one.uncertain] for one in known])
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, vectors=vectors, facts=np.array(shown))
        partial.replace(path)


def read_pictures(folder: Path) -> EmbeddedPictures:
    """All pictures of a folder.

    Raises:
        FileNotFoundError: It holds none.
    """
    vectors, known = [], []
    for path in sorted(folder.glob("part???.npz")):
        with np.load(path) as part:
            vectors.append(part["vectors"].astype(np.float32))
            known += [Facts(scene, tuple(some), tuple(rest)) for scene, some, rest in json.loads(str(part["facts"]))]
    if not vectors:
        raise FileNotFoundError(f"{folder} holds no embedded pictures")
    stacked = np.concatenate(vectors)
    stacked /= np.linalg.norm(stacked, axis=1, keepdims=True)
    return EmbeddedPictures(stacked, tuple(known))


def _drawn(rng: random.Random) -> Iterator[Picture]:
    while True:
        if rng.random() < GROUPS:
            yield from draw_group(rng)
            continue
        scene, seconds = cast_scene(rng), rng.uniform(0.0, 5.0)
        for one in [scene, alter_scene(scene, rng)] if rng.random() < PAIRS else [scene]:
            yield _film_frame(one, seconds, rng), facts(one, seconds)


def _film_frame(scene: Scene, seconds: float, rng: random.Random) -> npt.NDArray[np.uint8]:
    """A picture at the size of a film's frame, compressed by chance, and scaled down as a film's frames are."""
    image = draw_scene(scene, seconds, 640, 360)
    if rng.random() < 0.6:
        ok, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(30, 90)])
        if ok:
            image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
