"""Pictures drawn on the fly by worker processes, and batches of them with sentences and their truth."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.queues import Queue
from queue import Empty

import cv2
import numpy as np
import numpy.typing as npt

from sample_videos.casting import alter_scene, cast_scene
from sample_videos.phrasing import phrase
from sample_videos.statements import CONCEPTS, describe, near_miss, random_statement
from sample_videos.truth import Facts, Statement, facts, truth_matrix
from sample_videos.world.draw import draw_scene
from sample_videos.world.ground import actor_box
from sample_videos.world.scene import Person, Scene

__all__ = ["HEIGHT", "WIDTH", "Batch", "PicturePool", "Sentences", "draw_group"]

WIDTH = 224
HEIGHT = 126
# What people wear is a few pixels of a whole scene; it is learned from close-ups, and known from afar then.
CLOSE_UPS = 0.7
PEOPLE = 0.35

Picture = tuple[npt.NDArray[np.uint8], Facts]


@dataclass(frozen=True)
class Sentences:
    """Sentences and what each claims."""

    texts: tuple[str, ...]
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Batch:
    """One training step's pictures, sentences and truth.

    Attributes:
        images: uint8 (N, HEIGHT, WIDTH, 3) RGB.
        texts: M sentences, those of CONCEPTS first, in their order.
        truth: int8 (N, M): 1 true, -1 false, 0 cannot be said.
    """

    images: npt.NDArray[np.uint8]
    texts: tuple[str, ...]
    truth: npt.NDArray[np.int8]


def draw_group(rng: random.Random) -> list[Picture]:
    """One picture, or two that differ in a single fact, so that a batch holds what is hard to tell apart."""
    scene = cast_scene(rng, kinds=["person"] * rng.randint(1, 2) if rng.random() < PEOPLE else None)
    if scene.actors and rng.random() < CLOSE_UPS:
        scene = _close_up(scene, rng)
    seconds = rng.uniform(0.0, 5.0)
    group = [(_photograph(scene, seconds, rng), facts(scene, seconds))]
    if rng.random() < 0.6:
        other = alter_scene(scene, rng)
        group.append((_photograph(other, seconds, rng), facts(other, seconds)))
    return group


def _close_up(scene: Scene, rng: random.Random) -> Scene:
    """The scene with one actor filling much of the picture, so that what is small elsewhere is large here."""
    chosen = rng.choices(scene.actors, weights=[3 if isinstance(actor, Person) else 1 for actor in scene.actors])[0]
    box = actor_box(scene, chosen, 0.0)
    zoom = min(3.5, 360.0 * rng.uniform(0.5, 1.0) / (box.bottom - box.top), 640.0 / (box.right - box.left))
    if zoom <= scene.camera.zoom:
        return scene
    x = min(max((box.left + box.right) / 2 + rng.uniform(-40, 40), 320 / zoom), 640 - 320 / zoom)
    y = min(max((box.top + box.bottom) / 2, 180 / zoom), 360 - 180 / zoom)
    return replace(scene, camera=replace(scene.camera, x=x, y=y, zoom=zoom, pan=0.0))


def _photograph(scene: Scene, seconds: float, rng: random.Random) -> npt.NDArray[np.uint8]:
    """Draw at the model's size or, now and then, larger and scaled down as a film is; now and then compress it."""
    scale = rng.choices((1.0, 2.0, 640 / WIDTH), weights=(0.7, 0.2, 0.1))[0]
    image = draw_scene(scene, seconds, round(WIDTH * scale), round(HEIGHT * scale))
    if rng.random() < 0.4:
        quality = rng.randint(25, 90)
        ok, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if ok:
            image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    if scale > 1.0:
        image = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return image


def _draw_forever(queue: Queue[list[Picture]], seed: int) -> None:
    cv2.setNumThreads(1)
    rng = random.Random(seed)
    with suppress(KeyboardInterrupt, BrokenPipeError):
        while True:
            queue.put([picture for _ in range(8) for picture in draw_group(rng)])


class PicturePool:
    """The newest pictures that worker processes drew; each may serve in several batches before it is replaced.

    Args:
        workers: Processes that draw.
        capacity: Pictures kept, at 85 kB each.
        seed: Base of the workers' seeds; films draw from another range, so a training picture is never a film's.
    """

    def __init__(self, *, workers: int, capacity: int, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._queue: Queue[list[Picture]] = context.Queue(maxsize=64)
        self._processes = [
            context.Process(target=_draw_forever, args=(self._queue, seed * 1000 + number), daemon=True)
            for number in range(workers)
        ]
        for process in self._processes:
            process.start()
        self._images = np.empty((capacity, HEIGHT, WIDTH, 3), np.uint8)
        self._facts: list[Facts] = []
        self._next = 0
        self.drawn = 0

    def __len__(self) -> int:
        return len(self._facts)

    def refill(self, *, at_least: int, up_to: int) -> None:
        """Take in what has been drawn while fewer than `up_to` pictures were; wait until there are `at_least`."""
        while self.drawn < up_to:
            try:
                pictures = self._queue.get(block=len(self) < at_least, timeout=60)
            except Empty:
                if not all(process.is_alive() for process in self._processes):
                    raise RuntimeError("a drawing process has died; its error is above") from None
                if len(self) >= at_least:
                    return
                continue
            for image, known in pictures:
                self._keep(image, known)

    def _keep(self, image: npt.NDArray[np.uint8], known: Facts) -> None:
        self._images[self._next] = image
        if len(self._facts) < len(self._images):
            self._facts.append(known)
        else:
            self._facts[self._next] = known
        self._next = (self._next + 1) % len(self._images)
        self.drawn += 1

    def batch(self, size: int, rng: random.Random) -> Batch:
        """A random batch, neighbours together, with sentences about it."""
        starts = rng.sample(range(0, len(self) - 1, 2), size // 2)
        chosen = [start + offset for start in starts for offset in (0, 1)]
        known = [self._facts[number] for number in chosen]
        sentences = sentences_about(known, rng)
        return Batch(self._images[chosen], sentences.texts, truth_matrix(sentences.statements, known).T)

    def close(self) -> None:
        """Stop drawing."""
        for process in self._processes:
            process.terminate()


def sentences_about(known: Sequence[Facts], rng: random.Random) -> Sentences:
    """Sentences for a batch: all single concepts, three true of each picture and a near miss, and random ones."""
    statements = list(_statements(known, rng))
    return Sentences(tuple(phrase(statement, rng) for statement in statements), tuple(statements))


def _statements(known: Sequence[Facts], rng: random.Random) -> Iterator[Statement]:
    yield from CONCEPTS.values()
    for picture in known:
        for _ in range(3):
            true = describe(picture, rng)
            yield true
        yield near_miss(true, rng)
    for _ in range(32):
        yield random_statement(rng)
