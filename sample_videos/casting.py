"""Random scenes: plausible and well composed, with all that can be said combined freely."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from sample_videos.world.ground import GROUNDS, Ground, size_metres
from sample_videos.world.scene import (
    INDOOR,
    Action,
    Actor,
    Boxes,
    Burning,
    Camera,
    Colour,
    Dog,
    Hazard,
    Light,
    Person,
    PlaceKind,
    Scene,
    Vehicle,
    VehicleKind,
    Weather,
)

__all__ = ["alter_scene", "cast_scene"]

HAT_COLOURS = (Colour.YELLOW, Colour.WHITE, Colour.ORANGE, Colour.RED, Colour.BLUE, Colour.GREEN)
VEST_COLOURS = (Colour.YELLOW, Colour.ORANGE, Colour.GREEN)
DOG_COLOURS = (Colour.BLACK, Colour.WHITE, Colour.GREY)
KINDS = ("person",) * 8 + ("forklift", "truck", "car", "bicycle", "crane", "dog", "boxes", "boxes", "fire", "smoke")
LOOKS = 1_000_000


def cast_scene(
    rng: random.Random, place: PlaceKind | None = None, kinds: Sequence[str] | None = None, light: Light | None = None
) -> Scene:
    """A random scene.

    Args:
        rng: Where chance comes from; the same state gives the same scene.
        place: Where it plays; any place where None.
        kinds: What acts in it, as "person" or "forklift"; none to four of anything where None.
        light: Its light; any where None.
    """
    place = place or rng.choice(list(PlaceKind))
    if kinds is None:
        count = rng.choices((0, 1, 2, 3, 4), weights=(8, 34, 33, 18, 7))[0]
        kinds = [rng.choice(KINDS) for _ in range(count)]
    lights = (Light.DAY, Light.SUNSET, Light.NIGHT)
    scene = Scene(
        place=place,
        light=light or rng.choices(lights, weights=(5, 3, 3))[0],
        weather=_weather(rng, place),
        actors=_arranged(rng, [_actor(rng, kind) for kind in kinds], GROUNDS[place]),
        noise=rng.uniform(0.0, 5.0),
        exposure=rng.uniform(0.88, 1.15),
        occluder=rng.random() < 0.15,
        seed=rng.randrange(LOOKS),
    )
    return replace(scene, camera=_camera(rng, scene))


def _weather(rng: random.Random, place: PlaceKind) -> Weather:
    if place in INDOOR:
        return Weather.CLEAR
    weights = (4, 1, 4) if place is PlaceKind.SNOW_FIELD else (6, 2, 2)
    return rng.choices((Weather.CLEAR, Weather.RAIN, Weather.SNOW), weights=weights)[0]


def _actor(rng: random.Random, kind: str) -> Actor:
    """An actor of a kind, at no place yet."""
    look = rng.randrange(LOOKS)
    depth = rng.betavariate(3.0, 1.6)
    colour = rng.choice(list(Colour))
    if kind == "person":
        return _person(rng, depth=depth, look=look)
    if kind in (Hazard.FIRE, Hazard.SMOKE):
        return Burning(x=0, depth=depth, look=look, hazard=Hazard(kind))
    if kind == "boxes":
        return Boxes(x=0, depth=depth, look=look, count=rng.choice((1, 1, 2, 3, 4)), damaged=rng.random() < 0.5)
    if kind == "dog":
        return Dog(x=0, depth=depth, look=look, colour=rng.choice(DOG_COLOURS), speed=rng.choice((0, 0, -70, 70)))
    if kind == VehicleKind.FORKLIFT:
        look -= look % 3  # bare forks: boxes on them would be boxes that nobody counts
    speed = 0 if kind == VehicleKind.CRANE or rng.random() < 0.4 else rng.choice((-1, 1)) * rng.uniform(25, 80)
    depth = max(depth, 0.5) if kind == VehicleKind.BICYCLE else min(depth, 0.8)
    return Vehicle(x=0, depth=depth, look=look, speed=speed, kind=VehicleKind(kind), colour=colour)


def _person(rng: random.Random, *, depth: float, look: int) -> Person:
    action = rng.choices(list(Action), weights=(4, 4, 2, 3))[0]
    pace = rng.choice((-1, 1)) * rng.uniform(35, 65)
    moves = action is Action.WALK or (action is Action.CARRY and rng.random() < 0.6)
    return Person(
        x=0,
        depth=max(depth, 0.35),
        look=look,
        speed=pace if moves else 0.0,
        action=action,
        hat=rng.choice(HAT_COLOURS) if rng.random() < 0.5 else None,
        vest=rng.choice(VEST_COLOURS) if rng.random() < 0.4 else None,
        top=rng.choice(list(Colour)),
    )


def _arranged(rng: random.Random, actors: Sequence[Actor], ground: Ground) -> tuple[Actor, ...]:
    """The actors side by side in chance order, spread over the stage, so that few hide others."""
    shuffled = rng.sample(list(actors), len(actors))
    widths = [size_metres(actor)[0] * ground.metre(actor.depth) for actor in shuffled]
    spare = max(0.0, 560.0 - sum(widths))
    gaps = sorted(rng.uniform(0, spare) for _ in shuffled)
    placed, edge, before = [], 40.0, 0.0
    for actor, width, gap in zip(shuffled, widths, gaps, strict=True):
        edge += gap - before
        before = gap
        placed.append(replace(actor, x=edge + width / 2))
        edge += width
    return tuple(placed)


def _camera(rng: random.Random, scene: Scene) -> Camera:
    """A camera that looks at the middle of the actors, closer where they stand close together."""
    zoom = rng.choice((1.0, 1.0, rng.uniform(1.0, 1.35), rng.uniform(1.2, 1.7)))
    x, y = 320.0, 180.0
    if scene.actors and zoom > 1.05:
        lead = rng.choice(scene.actors)
        x = min(max(lead.x, 320 / zoom), 640 - 320 / zoom)
        ground = GROUNDS[scene.place]
        y = min(max(ground.y(lead.depth) - ground.metre(lead.depth) * 0.9, 180 / zoom), 360 - 180 / zoom)
    return Camera(
        x=x,
        y=y,
        pan=rng.choice((0.0, 0.0, rng.uniform(-14, 14))),
        zoom=zoom,
        zoom_rate=rng.choice((0.0, 0.0, rng.uniform(0.0, 0.03))),
        shake=rng.choice((0.0, 0.0, rng.uniform(0.5, 3.0))),
    )


def alter_scene(scene: Scene, rng: random.Random) -> Scene:
    """The same scene with one thing changed: the light, the weather, or something of one actor, or that it is gone."""
    if not scene.actors or rng.random() < 0.15:
        other = rng.choice([light for light in Light if light is not scene.light])
        if scene.place in INDOOR or rng.random() < 0.5:
            return replace(scene, light=other)
        return replace(scene, weather=rng.choice([weather for weather in Weather if weather is not scene.weather]))
    number = rng.randrange(len(scene.actors))
    actors = list(scene.actors)
    if rng.random() < 0.12:
        del actors[number]
    else:
        actors[number] = _altered(actors[number], rng)
    return replace(scene, actors=tuple(actors))


def _altered(actor: Actor, rng: random.Random) -> Actor:
    match actor:
        case Person():
            return _altered_person(actor, rng)
        case Vehicle(kind=kind) if rng.random() < 0.5:
            kinds = [VehicleKind.FORKLIFT, VehicleKind.TRUCK, VehicleKind.CAR]
            look = actor.look - actor.look % 3
            return replace(actor, kind=rng.choice([other for other in kinds if other is not kind]), look=look)
        case Vehicle(colour=colour):
            return replace(actor, colour=rng.choice([other for other in Colour if other is not colour]))
        case Dog(colour=colour):
            return replace(actor, colour=rng.choice([other for other in DOG_COLOURS if other is not colour]))
        case Boxes(damaged=damaged):
            return replace(actor, damaged=not damaged)
        case Burning(hazard=hazard):
            return replace(actor, hazard=Hazard.SMOKE if hazard is Hazard.FIRE else Hazard.FIRE)
    raise TypeError(f"no change is known for a {type(actor).__name__}")


def _altered_person(person: Person, rng: random.Random) -> Person:
    chance = rng.random()
    if chance < 0.4:
        return replace(person, hat=rng.choice(HAT_COLOURS) if person.hat is None else None)
    if chance < 0.55 and person.hat is not None:
        return replace(person, hat=rng.choice([colour for colour in HAT_COLOURS if colour is not person.hat]))
    if chance < 0.8:
        return replace(person, vest=rng.choice(VEST_COLOURS) if person.vest is None else None)
    action = rng.choice([action for action in Action if action is not person.action])
    return replace(person, action=action, speed=45.0 if action is Action.WALK else 0.0)
