"""The scripts of the sample films: shots of random scenes, joined by cuts, fades and dissolves."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from sample_videos.casting import HAT_COLOURS, cast_scene
from sample_videos.world.scene import STAGE_HEIGHT, STAGE_WIDTH, Actor, Camera, Light, Person, PlaceKind, Scene, Weather

__all__ = [
    "COMMITTED_SEED",
    "Film",
    "Join",
    "JoinKind",
    "Shot",
    "write_long_script",
    "write_scripts",
    "write_watch_script",
]

COMMITTED_SEED = 2026
_TICKS = 90_000


class JoinKind(StrEnum):
    """How one shot gives way to the next."""

    CUT = "cut"
    FADE = "fade"
    DISSOLVE = "dissolve"


@dataclass(frozen=True)
class Join:
    """How a shot begins: at once, or over `seconds` around its start (through black, or by mixing)."""

    kind: JoinKind
    seconds: float = 0.0


@dataclass(frozen=True)
class Shot:
    """A scene from `start_seconds` of the film on; `join` says how it takes over from the shot before."""

    scene: Scene
    start_seconds: float
    join: Join


@dataclass(frozen=True)
class Film:
    """A script, and how it is to be encoded.

    Attributes:
        name: The file's stem.
        suffix: The container, as ".mp4".
        codec: FFmpeg's encoder, as "libx264".
        rate: Frames a second; None for a variable rate.
        shots: In order; the first starts at 0.
        duration_seconds: End of the last shot.
        seed: Seed of the variable frame times.
        height: Pixels down; 16 to 9 across.
        keyframe_every: Frames from one keyframe to the next at most.
    """

    name: str
    suffix: str
    codec: str
    rate: Fraction | None
    shots: tuple[Shot, ...]
    duration_seconds: float
    seed: int
    height: int = STAGE_HEIGHT
    keyframe_every: int = 75

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.height * STAGE_WIDTH // STAGE_HEIGHT

    def frame_times(self) -> list[Fraction]:
        """The time of every frame; under a variable rate they lie 1/30, 1/25, 1/15 or 1/10 s apart by chance."""
        end = Fraction(self.duration_seconds).limit_denominator(1000)
        if self.rate is not None:
            return [number / self.rate for number in range(int(end * self.rate))]
        rng = random.Random(self.seed)
        times, tick = [], 0
        while Fraction(tick, _TICKS) < end:
            times.append(Fraction(tick, _TICKS))
            tick += rng.choice((3000, 3000, 3600, 6000, 9000))
        return times

    def shot_at(self, seconds: float) -> int:
        """The number of the shot that has the greater weight."""
        return bisect_right([shot.start_seconds for shot in self.shots], seconds) - 1

    def cut_seconds(self) -> list[float]:
        """The time of the first frame of each shot that begins with a hard cut."""
        times = self.frame_times()
        cuts = [shot.start_seconds for shot in self.shots[1:] if shot.join.kind is JoinKind.CUT]
        return [float(next(time for time in times if time >= cut)) for cut in cuts]

    def gradual(self, kind: JoinKind) -> list[tuple[float, float]]:
        """The intervals of all fades or all dissolves."""
        return [
            (shot.start_seconds - shot.join.seconds / 2, shot.start_seconds + shot.join.seconds / 2)
            for shot in self.shots[1:]
            if shot.join.kind is kind
        ]


_NTSC = Fraction(30_000, 1001)
_SCRIPTS: tuple[tuple[str, str, str, Fraction | None, tuple[PlaceKind, ...]], ...] = (
    ("construction-site-morning", ".mp4", "libx264", Fraction(25), (PlaceKind.CONSTRUCTION_SITE,)),
    ("warehouse-shift", ".mp4", "libx264", Fraction(30), (PlaceKind.WAREHOUSE,)),
    ("street-corner", ".mp4", "libx264", _NTSC, (PlaceKind.STREET,)),
    ("snow-and-site", ".mp4", "libx264", Fraction(24), (PlaceKind.SNOW_FIELD, PlaceKind.CONSTRUCTION_SITE)),
    ("harbour-day", ".mp4", "libx265", Fraction(25), (PlaceKind.HARBOUR,)),
    ("office-hours", ".mp4", "libx264", Fraction(30), (PlaceKind.OFFICE, PlaceKind.STREET)),
    ("concrete-evening", ".mkv", "libx264", Fraction(24), (PlaceKind.CONCRETE_BUILDING,)),
    ("night-watch", ".webm", "libvpx-vp9", Fraction(25), (PlaceKind.WAREHOUSE, PlaceKind.HARBOUR)),
    ("loading-dock", ".mp4", "libx264", None, (PlaceKind.WAREHOUSE, PlaceKind.STREET)),
    ("winter-road", ".mp4", "libx264", Fraction(25), (PlaceKind.SNOW_FIELD, PlaceKind.STREET)),
    ("fire-drill", ".mp4", "libx264", _NTSC, (PlaceKind.CONSTRUCTION_SITE, PlaceKind.OFFICE)),
    ("around-town", ".mp4", "libx264", Fraction(30), tuple(PlaceKind)),
)


def write_scripts(seed: int = COMMITTED_SEED, count: int | None = None) -> Iterator[Film]:
    """The films of a seed: twelve, or the first `count` of them; the same seed gives the same films."""
    for number, (name, suffix, codec, rate, places) in enumerate(_SCRIPTS[:count]):
        rng = random.Random(f"momentseek film {seed} {number}")
        yield _script(name, suffix, codec, rate, places, rng)


def write_long_script(seed: int, minutes: float, height: int = 720) -> Film:
    """One film of many shots of 3 to 30 s at 25 frames a second, with a keyframe in ten seconds as encoders have it."""
    rng = random.Random(f"momentseek long film {seed}")
    shots: list[Shot] = []
    start = 0.0
    while start < 60 * minutes:
        scene = _scene(len(shots), tuple(PlaceKind), shots[-1].scene if shots else None, rng)
        shots.append(Shot(scene, start, _join(rng) if shots else Join(JoinKind.CUT)))
        start = round(start + rng.uniform(3.0, 30.0), 2)
    name = f"long-{minutes:g}-min"
    return Film(name, ".mp4", "libx264", Fraction(25), tuple(shots), 60.0 * minutes, seed, height, keyframe_every=250)


def write_watch_script(seed: int, minutes: float, height: int = 720) -> Film:
    """One film of a fixed camera: for most of the time nothing happens, and now and then something comes and goes."""
    rng = random.Random(f"momentseek watch film {seed}")
    empty = cast_scene(rng, kinds=())
    empty = replace(empty, weather=Weather.CLEAR, camera=Camera(), noise=rng.uniform(1.0, 3.0), occluder=False)
    shots: list[Shot] = []
    start = 0.0
    while start < 60 * minutes:
        is_empty = len(shots) % 2 == 0
        actors: tuple[Actor, ...] = () if is_empty else _scene(len(shots) // 2, (empty.place,), None, rng).actors
        shots.append(Shot(replace(empty, actors=actors), start, Join(JoinKind.DISSOLVE, 0.5 if shots else 0.0)))
        start = round(start + (rng.uniform(20.0, 60.0) if is_empty else rng.uniform(5.0, 15.0)), 2)
    name = f"watch-{minutes:g}-min"
    return Film(name, ".mp4", "libx264", Fraction(25), tuple(shots), 60.0 * minutes, seed, height, keyframe_every=250)


def _script(
    name: str, suffix: str, codec: str, rate: Fraction | None, places: tuple[PlaceKind, ...], rng: random.Random
) -> Film:
    shots: list[Shot] = []
    start = 0.0
    for number in range(rng.randint(6, 7)):
        scene = _scene(number, places, shots[-1].scene if shots else None, rng)
        shots.append(Shot(scene, start, _join(rng) if shots else Join(JoinKind.CUT)))
        start = round(start + rng.uniform(3.2, 5.2), 2)
    return Film(name, suffix, codec, rate, tuple(shots), start, rng.randrange(1 << 30))


def _join(rng: random.Random) -> Join:
    kind = rng.choices(list(JoinKind), weights=(6, 1, 1))[0]
    return Join(kind, 0.0 if kind is JoinKind.CUT else round(rng.uniform(0.5, 1.0), 2))


def _scene(number: int, places: tuple[PlaceKind, ...], before: Scene | None, rng: random.Random) -> Scene:
    """A scene in another place or light than the one before; the first two show a worker with and without a hat."""
    options = [place for place in places if before is None or place is not before.place] or list(places)
    place = rng.choice(options)
    lights = [light for light in Light if before is None or light is not before.light or place is not before.place]
    kinds = ("person",) if number < 2 else None
    scene = cast_scene(rng, place=place, kinds=kinds, light=rng.choice(lights))
    if number < 2:
        worker = scene.actors[0]
        if isinstance(worker, Person):
            hat = rng.choice(HAT_COLOURS) if number == 0 else None
            scene = replace(scene, actors=(replace(worker, hat=hat), *scene.actors[1:]))
    return scene
