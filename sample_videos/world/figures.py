"""Draws any actor of the sample world, in stage units, on a canvas that carries the camera's transform."""

from __future__ import annotations

import skia

from .crane import draw_crane
from .people import draw_person
from .scene import Actor, Boxes, Burning, Dog, Hazard, Person, Scene, Vehicle, VehicleKind
from .things import draw_boxes, draw_dog, draw_fire, draw_fire_glow, draw_smoke
from .vehicles import draw_vehicle, draw_vehicle_glow

__all__ = ["draw_actor", "draw_glow"]


def draw_actor(canvas: skia.Canvas, scene: Scene, actor: Actor, seconds: float) -> None:
    """Draw an actor with its contact shadow as it is `seconds` into the shot.

    Its feet are at `ground.feet` and it fills `ground.actor_box`. The same arguments give the same picture.

    Raises:
        TypeError: The actor is of a type that has no figure.
    """
    match actor:
        case Person():
            draw_person(canvas, scene, actor, seconds)
        case Vehicle(kind=VehicleKind.CRANE):
            draw_crane(canvas, scene, actor, seconds)
        case Vehicle():
            draw_vehicle(canvas, scene, actor, seconds)
        case Dog():
            draw_dog(canvas, scene, actor, seconds)
        case Boxes():
            draw_boxes(canvas, scene, actor, seconds)
        case Burning(hazard=Hazard.FIRE):
            draw_fire(canvas, scene, actor, seconds)
        case Burning():
            draw_smoke(canvas, scene, actor, seconds)
        case _:
            raise TypeError(f"no figure is known of a {type(actor).__name__}; draw_actor needs a case for it")


def draw_glow(canvas: skia.Canvas, scene: Scene, actor: Actor, seconds: float) -> None:
    """Draw what shines by itself: flames, lamps, beacons. Call it after the picture was darkened for the night."""
    match actor:
        case Vehicle():
            draw_vehicle_glow(canvas, scene, actor, seconds)
        case Burning(hazard=Hazard.FIRE):
            draw_fire_glow(canvas, scene, actor, seconds)
        case _:
            pass
