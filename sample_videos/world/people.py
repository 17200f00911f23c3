"""People: who they are by their look, and the drawing of a posed, clothed figure."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import lru_cache

import skia

from .brushes import Point, contact_shadow, fill, placed, stroke
from .cardboard import carton
from .clothes import forearm_picture, shin_picture, shoe_picture, thigh_picture, trunk_picture, upper_arm_picture
from .ground import GROUNDS, LADDER_METRES, feet
from .heads import head_picture
from .palette import darker, fluorescent, lighter, rgb
from .poses import Limb, Pose, carrying, climbing, standing, walking
from .scene import Action, Person, Scene

__all__ = ["Wearer", "draw_person", "draw_pose", "wearer"]

_SKINS = (0xFFF0C6A4, 0xFFE3AE86, 0xFFC98E64, 0xFFA66D45, 0xFF7A4A2D, 0xFF55331F, 0xFFEBBB96)
_HAIRS = (0xFF1D1815, 0xFF2E211A, 0xFF4B3122, 0xFF7A5230, 0xFFC19A5B, 0xFF8E8C88, 0xFF9A4A22)
_STYLES = ("short", "short", "short", "bun", "long", "bald")
_TROUSERS = (0xFF2C3A57, 0xFF3B4048, 0xFF5A5148, 0xFF8A7A5E, 0xFF27292E, 0xFF4A5560, 0xFF3F5273)
_CAPS = (0xFF2B3040, 0xFF34363B, 0xFF5F6368, 0xFF43362E)
_RUNG_GAP = 0.28
_LADDER_LEAN = 0.11
_LADDER_HALF = 0.19


@dataclass(frozen=True)
class Wearer:
    """What a figure looks like; every colour an int, `hat`, `cap` and `vest` None where not worn."""

    skin: int
    hair: int
    style: str
    beard: bool
    trousers: int
    shoes: int
    sole: int
    girth: float
    height: float
    garment: int
    phase: float
    habit: int
    cap: int | None
    faces_left: bool
    top: int = 0
    hat: int | None = None
    vest: int | None = None


@lru_cache(maxsize=1024)
def wearer(look: int, top: int, hat: int | None, vest: int | None) -> Wearer:
    """The figure that a look stands for, dressed in the colours given."""
    dice = random.Random(f"person {look}")
    skin = dice.choice(_SKINS)
    hair = dice.choice(_HAIRS if skin in {_SKINS[0], _SKINS[1], _SKINS[6]} else _HAIRS[:3])
    style = dice.choice(_STYLES)
    beard = style in {"short", "bald"} and dice.random() < 0.35
    trousers = dice.choice(_TROUSERS)
    boots = dice.choice(
        ((0xFF3A2C22, 0xFF1C1714), (0xFF222326, 0xFF101113), (0xFF8A6234, 0xFF3A2A1A), (0xFF4A4D52, 0xFFD8D6D0))
    )
    girth = round(dice.uniform(0.92, 1.14), 2)
    height = round(dice.uniform(0.965, 1.0), 3)
    garment, phase, habit = dice.randrange(3), dice.random(), dice.randrange(7)
    cap = None
    if hat is None and dice.random() < 0.25:
        cap = dice.choice(_CAPS) * (1 if dice.random() < 0.75 else -1)
    return Wearer(
        skin,
        hair,
        style,
        beard,
        trousers,
        *boots,
        girth,
        height,
        garment,
        phase,
        habit,
        cap,
        dice.random() < 0.5,
        top,
        hat,
        vest,
    )


def _leg(canvas: skia.Canvas, limb: Limb, who: Wearer, colour: int, light: int) -> None:
    canvas.save()
    canvas.translate(*limb.end)
    canvas.rotate(limb.turn)
    canvas.drawPicture(shoe_picture(who.shoes, who.sole))
    canvas.restore()
    placed(canvas, shin_picture(colour, who.girth, light), limb.joint, limb.end)
    placed(canvas, thigh_picture(colour, who.girth, light), limb.root, limb.joint)


def _arm(canvas: skia.Canvas, limb: Limb, who: Wearer, colour: int, light: int, skin: int) -> None:
    placed(canvas, forearm_picture(colour, skin, who.girth, light), limb.joint, limb.end)
    placed(canvas, upper_arm_picture(colour, who.girth, light), limb.root, limb.joint)


def draw_pose(
    canvas: skia.Canvas,
    pose: Pose,
    who: Wearer,
    light: int,
    *,
    behind: bool = False,
    box: Point | None = None,
    look: int = 0,
) -> None:
    """Draw a dressed figure in a pose, perhaps with a carton at `box`; the canvas is in metres, feet at the origin."""
    dim = 0.0 if behind else 0.16
    far_trousers, far_top = darker(who.trousers, dim * 1.3), darker(who.top, dim)
    far_skin = darker(who.skin, dim)
    if not behind:
        _arm(canvas, pose.far_arm, who, far_top, light, far_skin)
    _leg(canvas, pose.far_leg, who, far_trousers, light)
    _leg(canvas, pose.near_leg, who, who.trousers, light)
    trunk = trunk_picture(who.top, who.vest, who.trousers, pose.width, who.girth, light, who.garment, behind)
    placed(canvas, trunk, pose.hip, (2 * pose.hip[0] - pose.neck[0], 2 * pose.hip[1] - pose.neck[1]))
    canvas.save()
    canvas.translate(pose.neck[0], pose.neck[1] + 0.028)
    canvas.rotate(pose.head_tilt)
    canvas.drawPicture(head_picture(who.skin, who.hair, who.style, who.hat, who.cap, light, who.beard, behind))
    canvas.restore()
    if box is not None:
        placed(canvas, carton(0.42, 0.34, look, False), (box[0], box[1] + 0.17))
    if behind:
        _arm(canvas, pose.far_arm, who, far_top, light, far_skin)
    _arm(canvas, pose.near_arm, who, who.top, light, who.skin)


def _ladder(canvas: skia.Canvas) -> None:
    metal, shadow = 0xFFB9BEC2, 0xFF6E747A
    top = LADDER_METRES - 0.02

    def at(y: float, side: float) -> Point:
        return side * _LADDER_HALF + _LADDER_LEAN * (y - 1.3), -y

    for i in range(1, int(top / _RUNG_GAP) + 1):
        left, right = at(i * _RUNG_GAP, -1), at(i * _RUNG_GAP, 1)
        canvas.drawLine(left[0], left[1] + 0.012, right[0], right[1] + 0.012, stroke(shadow, 0.030))
        canvas.drawLine(*left, *right, stroke(metal, 0.024))
    for side in (-1, 1):
        low, high = at(0.0, side), at(top, side)
        canvas.drawLine(low[0] + 0.012, low[1], high[0] + 0.012, high[1], stroke(shadow, 0.056))
        canvas.drawLine(*low, *high, stroke(metal, 0.040))
        canvas.drawLine(low[0], low[1], low[0], low[1] - 0.04, stroke(0xFF2A2C30, 0.06))
        canvas.drawCircle(*high, 0.03, fill(lighter(metal, 0.2)))


def draw_person(canvas: skia.Canvas, scene: Scene, actor: Person, seconds: float) -> None:
    """Draw a person with hat, vest and load, doing what the action says."""
    who = wearer(
        actor.look,
        rgb(actor.top, actor.look),
        None if actor.hat is None else rgb(actor.hat, actor.look // 3),
        None if actor.vest is None else fluorescent(actor.vest, actor.look),
    )
    metre = GROUNDS[scene.place].metre(actor.depth)
    left = actor.speed < 0 or (actor.speed == 0 and who.faces_left)
    canvas.save()
    canvas.translate(*feet(scene, actor, seconds))
    canvas.scale(-metre if left else metre, metre)
    light = 1 if left else -1
    if actor.action is Action.CLIMB:
        contact_shadow(canvas, -0.1, 0.45, 0.06, 0.4)
        _ladder(canvas)
        rungs = 0.2 * who.phase + 2.0 * (1 - math.exp(-0.22 * max(0.0, seconds)))
        canvas.translate(-0.02, 0.0)
        draw_pose(canvas, climbing(rungs, _RUNG_GAP, _LADDER_LEAN, _LADDER_HALF), who, light, behind=True)
    else:
        canvas.scale(who.height, who.height)
        _upright(canvas, actor, who, seconds, light, GROUNDS[scene.place].near_metre)
    canvas.restore()


def _upright(canvas: skia.Canvas, actor: Person, who: Wearer, seconds: float, light: int, near_metre: float) -> None:
    speed = abs(actor.speed) / near_metre
    if speed == 0 and actor.action is Action.WALK:
        speed = 1.2
    if speed > 0:
        pose = walking(speed * seconds / who.height, speed, who.phase)
    else:
        pose = standing(seconds, 0 if actor.action is Action.CARRY else who.habit, who.phase)
    box = None
    if actor.action is Action.CARRY:
        pose, box = carrying(pose, seconds)
    contact_shadow(canvas, pose.hip[0] + 0.02, 0.42, 0.075, 0.5)
    draw_pose(canvas, pose, who, light, box=box, look=actor.look)
