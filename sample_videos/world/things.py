"""Dogs, stacks of boxes, fire and smoke."""

from __future__ import annotations

import math
import random
from functools import lru_cache

import skia

from .brushes import Point, contact_shadow, fill, glow_spot, linear, recorded, smooth, stroke
from .cardboard import carton
from .ground import GROUNDS, feet
from .palette import darker, lighter, mix, with_alpha
from .poses import bent
from .scene import Actor, Boxes, Burning, Colour, Dog, Light, Scene

__all__ = ["draw_boxes", "draw_dog", "draw_fire", "draw_fire_glow", "draw_smoke"]


def _begin(canvas: skia.Canvas, scene: Scene, actor: Actor, seconds: float, flip: bool = False) -> None:
    """Save the canvas and put it in metres around the actor's feet."""
    metre = GROUNDS[scene.place].metre(actor.depth)
    canvas.save()
    canvas.translate(*feet(scene, actor, seconds))
    canvas.scale(-metre if flip else metre, metre)


_COATS: dict[Colour, int] = {
    Colour.ORANGE: 0xFFB06A2C,
    Colour.YELLOW: 0xFFCFA35A,
    Colour.RED: 0xFF8A4226,
    Colour.GREEN: 0xFF5C5238,
    Colour.BLUE: 0xFF4D5663,
    Colour.WHITE: 0xFFEDE9E0,
    Colour.BLACK: 0xFF26272B,
    Colour.GREY: 0xFF858789,
}
_DOG_TRUNK: tuple[Point, ...] = (
    (-0.30, -0.09), (-0.18, -0.115), (0.02, -0.10), (0.20, -0.125), (0.30, -0.05), (0.27, 0.09),
    (0.14, 0.135), (-0.05, 0.075), (-0.20, 0.050), (-0.315, 0.06), (-0.345, -0.02),
)  # fmt: skip
_DOG_HEAD: tuple[Point, ...] = (
    (0.245, -0.285), (0.30, -0.355), (0.375, -0.335), (0.405, -0.285), (0.485, -0.265), (0.500, -0.225),
    (0.465, -0.200), (0.375, -0.185), (0.285, -0.19),
)  # fmt: skip


@lru_cache(maxsize=128)
def _dog_body(coat: int, look: int) -> skia.Picture:
    """Trunk, neck and head of a dog, facing right; the origin is between its shoulders and hips."""

    def draw(canvas: skia.Canvas) -> None:
        trunk = smooth(*_DOG_TRUNK)
        shades = (lighter(coat, 0.16), coat, darker(coat, 0.4))
        canvas.drawPath(trunk, linear((0.0, -0.13), (0.0, 0.13), shades, (0.0, 0.45, 1.0)))
        neck = smooth((0.14, -0.10), (0.27, -0.26), (0.37, -0.20), (0.33, -0.05), (0.25, 0.06))
        canvas.drawPath(neck, linear((0.2, -0.2), (0.35, 0.0), (lighter(coat, 0.08), darker(coat, 0.15))))
        head = smooth(*_DOG_HEAD)
        canvas.drawPath(
            head, linear((0.3, -0.35), (0.36, -0.18), (lighter(coat, 0.14), coat, darker(coat, 0.2)), (0.0, 0.6, 1.0))
        )
        if look % 2:
            chest = smooth((0.30, -0.10), (0.315, -0.02), (0.275, 0.075), (0.235, 0.06), (0.25, -0.04))
            canvas.drawPath(chest, fill(mix(coat, 0xFFF3EDE2, 0.7)))
        canvas.drawCircle(0.493, -0.247, 0.020, fill(0xFF15120F))
        canvas.drawCircle(0.388, -0.288, 0.014, fill(0xFF0E0B09))
        canvas.drawCircle(0.391, -0.292, 0.005, fill(0xFFF5F5F5))
        canvas.drawLine(0.425, -0.212, 0.478, -0.216, stroke(darker(coat, 0.5), 0.010))
        ear = smooth((0.275, -0.345), (0.33, -0.335), (0.325, -0.24), (0.285, -0.195), (0.252, -0.26))
        if look % 3 == 0:
            ear = smooth((0.262, -0.31), (0.268, -0.405), (0.335, -0.345), (0.315, -0.30), tension=0.6)
        canvas.drawPath(ear, fill(darker(coat, 0.32)))
        collar = (0xFFC0392B, 0xFF2C6FB0, 0xFF2E2E2E)[look % 3]
        canvas.drawLine(0.225, -0.20, 0.345, -0.10, stroke(collar, 0.030))

    return recorded(draw)


def _dog_leg(canvas: skia.Canvas, root: Point, paw: Point, side: int, colour: int) -> None:
    knee = bent(root, paw, 0.20, 0.21, side)
    canvas.drawPath(
        smooth(
            (root[0] - 0.075, root[1]),
            (knee[0] - 0.038, knee[1]),
            (knee[0] + 0.034, knee[1] + 0.01),
            (root[0] + 0.07, root[1]),
            tension=0.7,
        ),
        fill(colour),
    )
    canvas.drawLine(*knee, paw[0], paw[1] - 0.02, stroke(colour, 0.058))
    canvas.drawLine(paw[0], paw[1] - 0.022, paw[0] + 0.035, paw[1] - 0.022, stroke(colour, 0.05))


def draw_dog(canvas: skia.Canvas, scene: Scene, actor: Dog, seconds: float) -> None:
    """Draw a dog: a gallop when it moves, else standing with a wagging tail."""
    near_metre = GROUNDS[scene.place].near_metre
    speed = abs(actor.speed) / near_metre
    left = actor.speed < 0 or (actor.speed == 0 and actor.look % 2 == 1)
    coat = _COATS[actor.colour]
    coat = lighter(coat, 0.04 * (actor.look % 3))
    _begin(canvas, scene, actor, seconds, left)
    contact_shadow(canvas, 0.0, 0.55, 0.07, 0.5)
    cycle = 2 * math.pi * (speed * seconds / (0.9 + 0.25 * min(speed, 4.0)) + actor.look % 7 / 7)
    run = min(1.0, speed / 0.4)
    bounce = 0.035 * run * math.sin(cycle)
    pitch = 5.0 * run * math.cos(cycle)
    hip_y = -0.385 - bounce
    roots = ((-0.235, hip_y, -1), (0.215, hip_y + 0.02, 1))
    for i, (dim, lag, shift) in enumerate(((0.3, 0.55, 0.03), (0.0, 0.0, -0.02))):
        for x, y, side in roots:
            phase = cycle + lag + (0.0 if side < 0 else 2.4)
            paw = (x + shift + run * 0.21 * math.cos(phase), -run * max(0.0, 0.13 * math.sin(phase)))
            _dog_leg(canvas, (x + shift * 0.5, y), paw, side, darker(coat, dim + 0.06 * i))
    wag = math.sin(seconds * (9.0 + actor.look % 3)) * (0.06 if run else 0.11)
    tail = skia.Path()
    tail.moveTo(-0.30, hip_y - 0.06)
    tail.quadTo(-0.42, hip_y - 0.09 - wag * 0.4, -0.47, hip_y - 0.22 + wag)
    canvas.drawPath(tail, stroke(darker(coat, 0.1), 0.050))
    canvas.translate(0.0, hip_y)
    canvas.rotate(pitch)
    canvas.drawPicture(_dog_body(coat, actor.look))
    canvas.restore()


@lru_cache(maxsize=128)
def _stack(count: int, damaged: bool, look: int) -> skia.Picture:
    dice = random.Random(f"stack {look} {count} {damaged}")
    if count == 1:
        spots = [(0.0, 0.0, 0.70, 0.60)]
    elif count == 2:
        spots = [(-0.38, 0.0, 0.70, 0.60), (0.38, 0.0, 0.68, 0.52)]
    elif count == 3:
        spots = [(-0.38, 0.0, 0.70, 0.64), (0.38, 0.0, 0.70, 0.60), (dice.uniform(-0.12, 0.12), -0.55, 0.66, 0.64)]
    else:
        spots = [
            (-0.38, 0.0, 0.71, 0.64),
            (0.37, 0.0, 0.71, 0.64),
            (-0.36, -0.55, 0.68, 0.62),
            (0.37, -0.55, 0.64, 0.56),
        ]

    def draw(canvas: skia.Canvas) -> None:
        half = 0.42 if count == 1 else 0.82
        contact_shadow(canvas, 0.02, half, 0.10, 0.6)
        for i, (x, y, width, height) in enumerate(spots):
            canvas.save()
            canvas.translate(x, y)
            canvas.rotate(dice.uniform(-4.5, 4.5) if damaged and y < 0 else 0.0)
            canvas.drawPicture(carton(width * (0.86 if damaged else 1.0), height, look * 7 + i, damaged))
            canvas.restore()

    return recorded(draw)


def draw_boxes(canvas: skia.Canvas, scene: Scene, actor: Boxes, seconds: float) -> None:
    """Draw a stack of one to four cartons."""
    _begin(canvas, scene, actor, seconds)
    canvas.drawPicture(_stack(min(4, max(1, actor.count)), actor.damaged, actor.look))
    canvas.restore()


def _flames(canvas: skia.Canvas, look: int, seconds: float) -> None:
    """Four layers of tongues from deep orange to a nearly white core; the outline runs over all tongues of a layer."""
    layers = (
        (1.00, 0.66, 7, (0xD8E2410C, 0xC8F0600F, 0x60D83A0A)),
        (0.80, 0.55, 6, (0xF0FF7A12, 0xF0FF8C1A, 0x90F0600F)),
        (0.58, 0.42, 5, (0xFFFFC23A, 0xFFFFB02A, 0xB0FF8C1A)),
        (0.36, 0.28, 3, (0xFFFFF6CF, 0xFFFFE889, 0xC0FFC23A)),
    )
    for level, (tall, wide, count, colours) in enumerate(layers):
        path = skia.Path()
        path.moveTo(-wide, -0.02)
        for i in range(count):
            u = (i + 0.5) / count * 2 - 1
            key = look * 1.7 + level * 2.3 + i * 2.1
            flick = (
                0.55 * math.sin(5.3 * seconds + key)
                + 0.3 * math.sin(9.1 * seconds + key * 1.9)
                + 0.15 * math.sin(14.7 * seconds + key * 3.1)
            )
            arch = (1 - 0.72 * abs(u) ** 1.5) * (0.80 if i % 2 else 1.0)
            height = 1.52 * tall * arch * (0.84 + 0.16 * flick)
            tip = u * wide * 0.80 + 0.09 * math.sin(3.1 * seconds + key * 1.3) * tall
            left, right = (i / count * 2 - 1) * wide, ((i + 1) / count * 2 - 1) * wide
            valley = 0.34 * height if i < count - 1 else 0.0
            start = path.getPoint(path.countPoints() - 1)
            belly = 0.10 * wide * math.sin(4.1 * seconds + key)
            path.cubicTo(
                left - 0.06 * wide + belly, start.y() - 0.38 * height, tip - 0.03, -0.66 * height, tip, -height
            )
            path.cubicTo(
                tip + 0.02, -0.62 * height, right + 0.10 * wide + belly, -valley - 0.35 * height, right, -valley - 0.02
            )
        path.quadTo(0.0, 0.07, -wide, -0.02)
        path.close()
        canvas.drawPath(path, linear((0.0, 0.0), (0.0, -1.5 * tall), colours, (0.0, 0.55, 1.0)))


def _embers(canvas: skia.Canvas, look: int, seconds: float) -> None:
    for i in range(9):
        life = (seconds * (0.45 + 0.07 * (i % 4)) + i * 0.379 + look * 0.13) % 1.0
        x = 0.5 * math.sin(i * 2.4 + look) * (0.6 + 0.5 * life) + 0.07 * math.sin(6 * seconds + i)
        canvas.drawCircle(
            x, -0.3 - 1.35 * life, 0.020 * (1 - 0.6 * life), fill(with_alpha(0xFFFFC55A, round((1 - life) * 8) / 8))
        )


@lru_cache(maxsize=64)
def _puff_paint(grey: int, alpha: float) -> skia.Paint:
    light, dark = lighter(grey, 0.12), darker(grey, 0.08)
    steps = ((light, 1.0, 0.0), (grey, 0.90, 0.30), (grey, 0.66, 0.52), (dark, 0.30, 0.76), (dark, 0.0, 1.0))
    shader = skia.GradientShader.MakeTwoPointConical(
        skia.Point(-0.20, -0.26),
        0.0,
        skia.Point(0.0, 0.0),
        1.0,
        [with_alpha(colour, alpha * level) for colour, level, _ in steps],
        [stop for _, _, stop in steps],
    )
    return skia.Paint(AntiAlias=True, Shader=shader)


def _puff(canvas: skia.Canvas, x: float, y: float, radius: float, grey: int, alpha: float) -> None:
    level = round(alpha * 24) / 24
    if level <= 0:
        return
    canvas.save()
    canvas.translate(x, y)
    canvas.scale(radius, radius)
    canvas.drawCircle(0.0, 0.0, 1.0, _puff_paint(grey, level))
    canvas.restore()


def draw_fire(canvas: skia.Canvas, scene: Scene, actor: Burning, seconds: float) -> None:
    """Draw a fire: wisps of dark smoke, charred ground, flames and embers."""
    _begin(canvas, scene, actor, seconds)
    contact_shadow(canvas, 0.0, 0.85, 0.12, 0.7)
    for i in range(5):
        life = (seconds * 0.35 + i / 5 + actor.look * 0.11) % 1.0
        x = 0.18 * math.sin(i * 2.7 + actor.look) + 0.14 * life * math.sin(1.3 * seconds + i)
        _puff(canvas, x, -1.0 - 0.72 * life, 0.16 + 0.20 * life, 0xFF3C3A3A, 0.42 * math.sin(math.pi * life))
    for i in range(4):
        x = -0.42 + 0.28 * i
        canvas.drawLine(x - 0.2, 0.01, x + 0.16, -0.09 - 0.03 * (i % 2), stroke(0xFF2A1B12, 0.075))
    _flames(canvas, actor.look, seconds)
    _embers(canvas, actor.look, seconds)
    canvas.restore()


def draw_fire_glow(canvas: skia.Canvas, scene: Scene, actor: Burning, seconds: float) -> None:
    """Draw the light of a fire and, over it, its flames at full strength."""
    _begin(canvas, scene, actor, seconds)
    flicker = 1 + 0.10 * math.sin(7.1 * seconds + actor.look) + 0.06 * math.sin(12.3 * seconds)
    strength = {Light.DAY: 0.16, Light.SUNSET: 0.28, Light.NIGHT: 0.5}[scene.light] * flicker
    glow_spot(canvas, (0.0, -0.6), (1.7, 1.6), 0xFFFF7A1E, strength)
    glow_spot(canvas, (0.0, 0.02), (2.0, 0.30), 0xFFFF8A2E, strength * 0.9)
    _flames(canvas, actor.look, seconds)
    _embers(canvas, actor.look, seconds)
    canvas.restore()


def draw_smoke(canvas: skia.Canvas, scene: Scene, actor: Burning, seconds: float) -> None:
    """Draw a billowing column of smoke that rises, widens and drifts."""
    grey = (0xFF8C8E90, 0xFF6F7174, 0xFFA6A7A8)[actor.look % 3]
    drift = 0.26 if actor.look % 2 else -0.26
    _begin(canvas, scene, actor, seconds)
    contact_shadow(canvas, 0.0, 0.5, 0.09, 0.45)
    count = 28
    turn = seconds * 0.16 + actor.look * 0.077
    order = sorted(range(count), key=lambda i: -((turn + i / count) % 1.0))
    for i in order:
        life = (turn + i / count) % 1.0
        side = math.sin(i * 2.39996 + actor.look)
        x = side * (0.10 + 0.48 * life) + drift * life**1.4 + 0.07 * math.sin(1.1 * seconds + i)
        y = -0.14 - 2.95 * life**0.85 - 0.12 * math.cos(i * 1.7)
        radius = 0.27 + 0.52 * life**0.7 + 0.05 * math.sin(0.9 * seconds + i * 2)
        alpha = 0.95 * min(1.0, life * 8) * (1 - life) ** 0.55
        tone = lighter(grey, 0.20) if (side < -0.3) == (i % 5 != 0) else darker(grey, 0.14 if side > 0.4 else 0.0)
        _puff(canvas, x, y, radius, tone, alpha)
    canvas.restore()
