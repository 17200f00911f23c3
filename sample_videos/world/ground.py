"""The geometry that drawing and truth share: where the ground lies, where an actor is, what the camera shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .scene import (
    STAGE_HEIGHT,
    STAGE_WIDTH,
    Action,
    Actor,
    Boxes,
    Burning,
    Camera,
    Dog,
    Hazard,
    Person,
    PlaceKind,
    Scene,
    Vehicle,
    VehicleKind,
)


@dataclass(frozen=True)
class Ground:
    """The ground of a place: stage y of its far and near ends and the stage units of a metre there."""

    far_y: float
    near_y: float
    far_metre: float
    near_metre: float

    def y(self, depth: float) -> float:
        """Stage y of feet at `depth` (0 far, 1 near)."""
        return self.far_y + (self.near_y - self.far_y) * depth

    def metre(self, depth: float) -> float:
        """Stage units of a metre at `depth`."""
        return self.far_metre + (self.near_metre - self.far_metre) * depth


GROUNDS: dict[PlaceKind, Ground] = {
    PlaceKind.CONSTRUCTION_SITE: Ground(232, 338, 44, 92),
    PlaceKind.WAREHOUSE: Ground(236, 340, 50, 96),
    PlaceKind.STREET: Ground(240, 340, 46, 88),
    PlaceKind.SNOW_FIELD: Ground(222, 338, 40, 90),
    PlaceKind.OFFICE: Ground(262, 344, 70, 104),
    PlaceKind.HARBOUR: Ground(250, 340, 46, 88),
    PlaceKind.CONCRETE_BUILDING: Ground(248, 340, 46, 88),
}

SIZES_METRES: dict[VehicleKind, tuple[float, float]] = {
    VehicleKind.FORKLIFT: (2.6, 2.1),
    VehicleKind.TRUCK: (5.0, 2.6),
    VehicleKind.CAR: (3.6, 1.4),
    VehicleKind.BICYCLE: (1.8, 1.7),
    VehicleKind.CRANE: (4.2, 5.0),
}
"""Width and height over the ground of each vehicle (a bicycle's with its rider), as drawn."""

LADDER_METRES = 2.6
"""Height of the ladder of a climbing person, who stands about half way up and climbs slowly."""


@dataclass(frozen=True)
class Box:
    """An axis-aligned rectangle in stage units, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Area in square stage units."""
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)

    def clipped(self, other: Box) -> Box:
        """What both boxes share; of area 0 where they don't meet."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )


def size_metres(actor: Actor) -> tuple[float, float]:  # noqa: PLR0911  # one return a kind reads best
    """Width and height in metres of the space an actor fills above the ground."""
    match actor:
        case Vehicle(kind=kind):
            return SIZES_METRES[kind]
        case Person(action=Action.CLIMB):
            return 0.9, LADDER_METRES
        case Person(action=Action.CARRY):
            return 1.0, 1.8
        case Person():
            return 0.7, 1.8
        case Dog():
            return 1.0, 0.75
        case Boxes(count=count):
            return (0.75 if count == 1 else 1.5), (0.6 if count < 3 else 1.2)
        case Burning(hazard=Hazard.FIRE):
            return 1.5, 1.6
        case Burning():
            return 2.2, 3.6
    raise TypeError(f"no size is known of a {type(actor).__name__}")


def feet(scene: Scene, actor: Actor, seconds: float) -> tuple[float, float]:
    """Stage position of an actor's feet `seconds` into the shot."""
    ground = GROUNDS[scene.place]
    pace = ground.metre(actor.depth) / ground.near_metre
    return actor.x + actor.speed * pace * seconds, ground.y(actor.depth)


def actor_box(scene: Scene, actor: Actor, seconds: float) -> Box:
    """The stage rectangle that an actor fills `seconds` into the shot."""
    x, y = feet(scene, actor, seconds)
    metre = GROUNDS[scene.place].metre(actor.depth)
    width, height = size_metres(actor)
    return Box(x - width * metre / 2, y - height * metre, x + width * metre / 2, y)


def view(camera: Camera, seconds: float, seed: int = 0) -> Box:
    """The stage rectangle that the camera shows `seconds` into the shot, always 16:9, shake included.

    Shake is a sum of three sines with phases from `seed`: smooth, repeatable, and of at most `camera.shake` units.
    """
    zoom = camera.zoom * (1.0 + camera.zoom_rate * seconds)
    width = STAGE_WIDTH / zoom
    height = STAGE_HEIGHT / zoom
    phase = (seed % 997) * 0.7
    wobble_x = sum(math.sin(f * seconds + phase * (i + 1)) for i, f in enumerate((3.1, 5.3, 9.7))) / 3
    wobble_y = sum(math.sin(f * seconds + phase * (i + 2) + 1.3) for i, f in enumerate((2.7, 6.1, 8.9))) / 3
    x = camera.x + camera.pan * seconds + camera.shake * wobble_x
    y = camera.y + camera.shake * 0.7 * wobble_y
    return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
