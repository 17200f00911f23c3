"""Vehicles that move: their wheels, riders and lamps; the bodies are recorded pictures of their own modules."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import skia

from .brushes import Point, contact_shadow, fill, glow_spot, linear, placed, polygon, recorded, stroke
from .crane import crane_lamps
from .forklift import BEACON, forklift_body, forklift_front
from .ground import GROUNDS, feet
from .palette import darker, lighter, rgb, with_alpha
from .people import draw_pose, wearer
from .poses import FOREARM, SHIN, THIGH, UPPER_ARM, Limb, Pose, bent
from .road_vehicles import CAR_WHEELS, TRUCK_WHEELS, car_body, truck_body
from .scene import Light, Scene, Vehicle, VehicleKind

__all__ = ["draw_vehicle", "draw_vehicle_glow"]

_FORKLIFT_WHEELS = ((0.28, 0.33), (-0.88, 0.27))
_BICYCLE_WHEELS = ((-0.53, 0.335), (0.55, 0.335))
_RIDER_TOPS = (0xFF4A4F57, 0xFF5B6472, 0xFF6B625A, 0xFF3E4652)
_LAMPS: dict[VehicleKind, tuple[Point, Point]] = {
    VehicleKind.FORKLIFT: ((0.50, -1.90), (-1.27, -0.95)),
    VehicleKind.TRUCK: ((2.44, -0.62), (-2.46, -0.62)),
    VehicleKind.CAR: ((1.70, -0.63), (-1.75, -0.72)),
    VehicleKind.BICYCLE: ((0.46, -0.78), (-0.40, -0.72)),
}


@lru_cache(maxsize=32)
def _wheel(radius: float, spokes: int) -> skia.Picture:
    """A wheel around the origin that shows how it turns."""

    def draw(canvas: skia.Canvas) -> None:
        canvas.drawCircle(0, 0, radius, fill(0xFF1B1C1F))
        canvas.drawCircle(0, 0, radius * 0.86, stroke(0xFF303236, radius * 0.06))
        rim = radius * 0.64
        canvas.drawCircle(0, 0, rim, fill(0xFF3C3F44))
        for i in range(spokes):
            angle = 2 * math.pi * i / spokes
            canvas.drawLine(
                0, 0, rim * 0.86 * math.cos(angle), rim * 0.86 * math.sin(angle), stroke(0xFFC3C8CC, radius * 0.17)
            )
        canvas.drawCircle(0, 0, rim * 0.93, stroke(0xFFB4B9BD, radius * 0.09))
        canvas.drawCircle(0, 0, radius * 0.15, fill(0xFF8D9297))

    return recorded(draw)


@lru_cache(maxsize=4)
def _bicycle_wheel(radius: float) -> skia.Picture:
    def draw(canvas: skia.Canvas) -> None:
        for i in range(9):
            x, y = radius * math.cos(math.pi * i / 9), radius * math.sin(math.pi * i / 9)
            canvas.drawLine(-x, -y, x, y, stroke(0x90C8CCD0, 0.007))
        canvas.drawCircle(0, 0, radius - 0.02, stroke(0xFF1E2023, 0.042))
        canvas.drawCircle(0, 0, radius - 0.05, stroke(0xFFB9BEC3, 0.016))
        canvas.drawCircle(0, 0, 0.035, fill(0xFF6C7278))

    return recorded(draw)


def _turned(canvas: skia.Canvas, picture: skia.Picture, x: float, y: float, degrees: float) -> None:
    canvas.save()
    canvas.translate(x, y)
    canvas.rotate(degrees)
    canvas.drawPicture(picture)
    canvas.restore()


def _begin(canvas: skia.Canvas, scene: Scene, actor: Vehicle, seconds: float) -> bool:
    """Save the canvas, put it in metres, facing right; tells whether the vehicle faces left on the stage."""
    metre = GROUNDS[scene.place].metre(actor.depth)
    left = actor.speed < 0 or (actor.speed == 0 and actor.look % 2 == 1)
    canvas.save()
    canvas.translate(*feet(scene, actor, seconds))
    canvas.scale(-metre if left else metre, metre)
    return left


def draw_vehicle(canvas: skia.Canvas, scene: Scene, actor: Vehicle, seconds: float) -> None:
    """Draw a forklift, truck, car or bicycle, its wheels turned by the way it has gone."""
    light = 1 if _begin(canvas, scene, actor, seconds) else -1
    gone = abs(actor.speed) * seconds / GROUNDS[scene.place].near_metre
    jolt = 0.006 * math.sin(gone * 9.0) if actor.speed else 0.002 * math.sin(seconds * 40)
    colour = rgb(actor.colour, actor.look)
    match actor.kind:
        case VehicleKind.FORKLIFT:
            _forklift(canvas, colour, actor.look, seconds, gone, jolt)
        case VehicleKind.TRUCK:
            contact_shadow(canvas, 0.0, 2.75, 0.16, 0.65)
            _with_wheels(canvas, truck_body(colour, actor.look), TRUCK_WHEELS, gone, jolt, 8)
        case VehicleKind.CAR:
            contact_shadow(canvas, 0.0, 2.0, 0.13, 0.65)
            _with_wheels(canvas, car_body(colour, actor.look), CAR_WHEELS, gone, jolt, 5)
        case _:
            _bicycle(canvas, colour, actor.look, gone, light)
    canvas.restore()


def _with_wheels(
    canvas: skia.Canvas, body: skia.Picture, wheels: tuple[Point, ...], gone: float, jolt: float, spokes: int
) -> None:
    placed(canvas, body, (0.0, jolt))
    for x, radius in wheels:
        _turned(canvas, _wheel(radius, spokes), x, -radius, math.degrees(gone / radius))


def _forklift(canvas: skia.Canvas, colour: int, look: int, seconds: float, gone: float, jolt: float) -> None:
    contact_shadow(canvas, 0.0, 1.45, 0.13, 0.6)
    raised = (0.10, 0.32, 0.16, 0.55)[look % 4] + 0.03 * math.sin(0.8 * seconds + look)
    placed(canvas, forklift_front(look), (0.0, -raised))
    _with_wheels(canvas, forklift_body(colour, look), _FORKLIFT_WHEELS, gone, jolt, 5)


@lru_cache(maxsize=64)
def _bicycle_frame(colour: int) -> skia.Picture:
    def draw(canvas: skia.Canvas) -> None:
        dark, tube = darker(colour, 0.35), 0.052
        (rear, r), (front, _) = _BICYCLE_WHEELS
        for x, start, sweep in ((rear, 185.0, 130.0), (front, 205.0, 110.0)):
            guard = skia.Path()
            guard.addArc(skia.Rect.MakeLTRB(x - r - 0.035, -2 * r - 0.035, x + r + 0.035, 0.035), start, sweep)
            canvas.drawPath(guard, stroke(colour, 0.032))
        crank, seat, head, low = (-0.05, -0.30), (-0.19, -0.80), (0.37, -0.86), (0.42, -0.70)
        for paint in (stroke(dark, tube + 0.012), stroke(colour, tube)):
            for a, b in (
                (crank, seat),
                (seat, head),
                (crank, low),
                (head, low),
                ((rear, -r), crank),
                ((rear, -r), seat),
                (low, (front, -r)),
            ):
                canvas.drawLine(*a, *b, paint)
        canvas.drawLine(seat[0] + 0.1, seat[1] - 0.032, head[0], head[1] - 0.012, stroke(lighter(colour, 0.4), 0.010))
        canvas.drawLine(*seat, -0.215, -0.89, stroke(0xFFA9AEB3, 0.03))
        canvas.drawLine(-0.32, -0.905, -0.13, -0.90, stroke(0xFF26221F, 0.055))
        canvas.drawLine(*head, 0.35, -0.96, stroke(0xFFA9AEB3, 0.032))
        canvas.drawLine(0.35, -0.96, 0.44, -0.975, stroke(0xFF2A2C30, 0.040))
        canvas.drawCircle(*crank, 0.085, stroke(0xFF3A3D42, 0.028))
        canvas.drawCircle(0.46, -0.78, 0.035, fill(0xFFD9DDE0))

    return recorded(draw)


def _bicycle(canvas: skia.Canvas, colour: int, look: int, gone: float, light: int) -> None:
    contact_shadow(canvas, 0.0, 1.0, 0.08, 0.5)
    for x, radius in _BICYCLE_WHEELS:
        _turned(canvas, _bicycle_wheel(radius), x, -radius, math.degrees(gone / radius))
    who = replace(wearer(look, _RIDER_TOPS[look % len(_RIDER_TOPS)], None, None), cap=None, girth=0.95)
    turn = gone / 0.335 / 2.2 + look
    pedals = [(-0.05 + 0.165 * math.cos(a), -0.30 + 0.165 * math.sin(a)) for a in (turn + math.pi, turn)]
    hip, neck = (-0.20, -0.955), (0.10, -1.36)
    legs = []
    for x, y in pedals:
        ankle, root = (x - 0.07, y - 0.085), (hip[0] + 0.02, hip[1] + 0.04)
        legs.append(Limb(root, bent(root, ankle, THIGH, SHIN, 1), ankle, 6 + 12 * math.sin(turn + x * 9)))
    arms = []
    for offset in (0.05, -0.05):
        root, wrist = (neck[0] + offset, neck[1] + 0.085), (0.39 + offset * 0.2, -1.00)
        arms.append(Limb(root, bent(root, wrist, UPPER_ARM, FOREARM, -1), wrist))
    pose = Pose(
        hip=hip,
        neck=neck,
        far_leg=legs[0],
        near_leg=legs[1],
        far_arm=arms[0],
        near_arm=arms[1],
        width=0.72,
        head_tilt=4,
    )
    canvas.drawPicture(_bicycle_frame(colour))
    crank = stroke(0xFF8A8F94, 0.026)
    for x, y in pedals:
        canvas.drawLine(-0.05, -0.30, x, y, crank)
        canvas.drawLine(x - 0.05, y, x + 0.05, y, stroke(0xFF222428, 0.032))
    draw_pose(canvas, pose, who, light)


@lru_cache(maxsize=1)
def _beam() -> skia.Picture:
    """A cone of light ahead of the origin, in layers that soften its edges."""
    paint = skia.Paint(linear((0.0, 0.0), (3.2, 0.0), (0x30FFF0C8, 0x14FFE9B8, 0x00FFE9B8), (0.0, 0.4, 1.0)))
    paint.setBlendMode(skia.BlendMode.kPlus)

    def draw(canvas: skia.Canvas) -> None:
        for spread in (1.0, 0.78, 0.56, 0.34):
            canvas.drawPath(
                polygon((0.0, -0.05), (3.2, 0.12 - 0.46 * spread), (3.2, 0.12 + 0.52 * spread), (0.0, 0.06)), paint
            )

    return recorded(draw)


def draw_vehicle_glow(canvas: skia.Canvas, scene: Scene, actor: Vehicle, seconds: float) -> None:
    """Draw lit lamps: a forklift's beacon always, head and tail lights but by day, a crane's lamps at night."""
    if actor.kind is VehicleKind.CRANE:
        if scene.light is Light.NIGHT:
            crane_lamps(canvas, scene, actor, seconds)
        return
    _begin(canvas, scene, actor, seconds)
    if actor.kind is VehicleKind.FORKLIFT:
        pulse = max(0.0, math.sin(seconds * 7.0 + actor.look)) ** 2
        size = 0.16 + 0.38 * pulse * (1.0 if scene.light is Light.NIGHT else 0.55)
        glow_spot(canvas, BEACON, (size, size), 0xFFFFA21E, 0.45 + 0.5 * pulse)
        canvas.drawCircle(*BEACON, 0.035, fill(with_alpha(0xFFFFD27A, round((0.3 + 0.7 * pulse) * 8) / 8)))
    if scene.light is not Light.DAY:
        _lit(canvas, actor.kind, 1.0 if scene.light is Light.NIGHT else 0.5)
    canvas.restore()


def _lit(canvas: skia.Canvas, kind: VehicleKind, strength: float) -> None:
    front, rear = _LAMPS[kind]
    size = 0.5 if kind is VehicleKind.BICYCLE else 1.0
    if strength == 1.0:
        canvas.save()
        canvas.translate(*front)
        canvas.scale(size * 0.9, size * 0.9)
        canvas.rotate(5.0)
        canvas.drawPicture(_beam())
        canvas.restore()
    lamps = ((front, 0.5, 0.9, 0xFFFFF0CC, 0xFFFFFBEB), (rear, 0.36, 0.8, 0xFFFF2A1E, 0xFFFF5A48))
    for (x, y), reach, level, halo, core in lamps:
        glow_spot(canvas, (x, y), (reach * size, reach * size * 0.85), halo, level * strength)
        canvas.drawOval(skia.Rect.MakeLTRB(x - 0.045, y - 0.075 * size, x + 0.045, y + 0.075 * size), fill(core))
