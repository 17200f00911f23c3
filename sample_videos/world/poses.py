"""The skeletons of people: where joints are, in metres around the feet, facing right, y downwards."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .brushes import Point

__all__ = [
    "FOREARM",
    "SHIN",
    "THIGH",
    "UPPER_ARM",
    "Limb",
    "Pose",
    "bent",
    "carrying",
    "climbing",
    "standing",
    "walking",
]

THIGH = 0.42
SHIN = 0.41
UPPER_ARM = 0.275
FOREARM = 0.25
_ANKLE = 0.075
_TRUNK = 0.505
_STANCE = 0.58


@dataclass(frozen=True)
class Limb:
    """A leg (hip, knee, ankle) or an arm (shoulder, elbow, wrist); `turn` is the foot's angle, toes down."""

    root: Point
    joint: Point
    end: Point
    turn: float = 0.0


@dataclass(frozen=True)
class Pose:
    """A whole skeleton; `far` limbs are those away from the viewer. `width` narrows the trunk as it turns sideways."""

    hip: Point
    neck: Point
    far_leg: Limb
    near_leg: Limb
    far_arm: Limb
    near_arm: Limb
    width: float = 1.0
    head_tilt: float = 0.0


def bent(root: Point, end: Point, first: float, second: float, side: int) -> Point:
    """The joint of two bones between `root` and `end`; `side` 1 bends to the right of a limb that hangs down."""
    dx, dy = end[0] - root[0], end[1] - root[1]
    distance = min(max(math.hypot(dx, dy), 1e-6), (first + second) * 0.9995)
    along = (first * first - second * second + distance * distance) / (2 * distance)
    off = math.sqrt(max(0.0, first * first - along * along)) * side
    length = math.hypot(dx, dy) or 1.0
    ux, uy = dx / length, dy / length
    return root[0] + ux * along + uy * off, root[1] + uy * along - ux * off


def _leg(hip: Point, ankle: Point, turn: float = 0.0, side: int = 1) -> Limb:
    return Limb(hip, bent(hip, ankle, THIGH, SHIN, side), ankle, turn)


def _swung(shoulder: Point, upper: float, fore: float) -> Limb:
    elbow = (shoulder[0] + UPPER_ARM * math.sin(upper), shoulder[1] + UPPER_ARM * math.cos(upper))
    wrist = (elbow[0] + FOREARM * math.sin(upper + fore), elbow[1] + FOREARM * math.cos(upper + fore))
    return Limb(shoulder, elbow, wrist)


def _reaching(shoulder: Point, wrist: Point, side: int) -> Limb:
    return Limb(shoulder, bent(shoulder, wrist, UPPER_ARM, FOREARM, side), wrist)


def _step(phase: float, stride: float) -> tuple[Point, float]:
    """Ankle around the point under the hip, and the foot's angle, at `phase` (0 to 1) of its cycle."""
    half = stride * _STANCE / 2
    if phase < _STANCE:
        u = phase / _STANCE
        x = half - 2 * half * u
        turn = -16 * max(0.0, 1 - u * 6) + 38 * max(0.0, (u - 0.68) / 0.32) ** 1.6
        lift = 0.085 * max(0.0, (u - 0.68) / 0.32) ** 1.6
        return (x, -_ANKLE - lift), turn
    u = (phase - _STANCE) / (1 - _STANCE)
    ease = u * u * (3 - 2 * u)
    x = -half + 2 * half * ease
    lift = 0.085 * (1 - u) ** 2 + 0.12 * math.sin(math.pi * u) ** 1.2
    return (x, -_ANKLE - lift), 38 * (1 - u) ** 1.5 - 16 * u**3


def walking(metres: float, speed: float, phase: float, width: float = 0.84) -> Pose:
    """A walker after `metres`, at `speed` metres a second; feet on the ground stay where they are."""
    stride = min(1.75, max(1.0, 0.78 + 0.5 * speed))
    cycle = metres / stride + phase
    near, far = cycle % 1.0, (cycle + 0.5) % 1.0
    bob = 0.018 * math.cos(4 * math.pi * (cycle - _STANCE / 2))
    drop = 0.028 + 0.02 * max(0.0, stride - 1.2)
    hip = (0.0, -(_ANKLE + THIGH + SHIN) + drop - bob)
    lean = 0.035 + 0.03 * min(2.0, speed)
    neck = (hip[0] + _TRUNK * math.sin(lean), hip[1] - _TRUNK * math.cos(lean))
    legs = []
    for leg_phase, offset in ((far, 0.035), (near, -0.035)):
        ankle, turn = _step(leg_phase, stride)
        legs.append(_leg((hip[0] + offset, hip[1] + 0.02), (ankle[0] + offset, ankle[1]), turn))
    swing = math.cos(2 * math.pi * (cycle - 0.02))
    reach = 0.36 + 0.12 * min(2.0, speed)
    bend = 0.35 + 0.1 * speed
    return Pose(
        hip=hip,
        neck=neck,
        far_leg=legs[0],
        near_leg=legs[1],
        width=width,
        near_arm=_swung((neck[0] - 0.13 * width, neck[1] + 0.075), -reach * swing, bend - 0.22 * swing),
        far_arm=_swung((neck[0] + 0.135 * width, neck[1] + 0.075), reach * swing, bend + 0.22 * swing),
        head_tilt=1.5 * math.sin(4 * math.pi * cycle),
    )


def standing(seconds: float, habit: int, phase: float) -> Pose:
    """Someone who stands, shifts weight and breathes; `habit` chooses what the arms do."""
    sway = math.sin(0.9 * seconds + phase * 6.28)
    breath = 0.004 * math.sin(1.7 * seconds + phase * 9.0)
    hip = (0.018 * sway, -0.912 + 0.004 * sway * sway)
    neck = (0.01 + 0.012 * sway, hip[1] - _TRUNK - breath)
    far = _leg((hip[0] + 0.075, hip[1] + 0.02), (0.088, -_ANKLE), 0.0)
    near = _leg((hip[0] - 0.075, hip[1] + 0.02), (-0.092, -_ANKLE), 0.0)
    left, right = (neck[0] - 0.175, neck[1] + 0.075), (neck[0] + 0.172, neck[1] + 0.075)
    gesture = math.sin(1.3 * seconds + phase * 4.0)
    near_arm = _swung(left, -0.12 + 0.02 * sway, 0.22)
    far_arm = _swung(right, 0.14 + 0.02 * sway, 0.12)
    match habit % 5:
        case 1:
            near_arm = _reaching(left, (hip[0] - 0.13, hip[1] - 0.06), -1)
        case 2:
            far_arm = _reaching(right, (neck[0] + 0.41 + 0.03 * gesture, neck[1] + 0.13 + 0.06 * gesture), -1)
        case 3:
            near_arm = _reaching(left, (neck[0] + 0.13, neck[1] + 0.27), -1)
            far_arm = _reaching(right, (neck[0] + 0.19, neck[1] + 0.30), 1)
        case 4:
            far_arm = _reaching(right, (neck[0] + 0.20, neck[1] + 0.17 + 0.01 * gesture), -1)
    return Pose(
        hip=hip,
        neck=neck,
        far_leg=far,
        near_leg=near,
        far_arm=far_arm,
        near_arm=near_arm,
        head_tilt=3.0 * math.sin(0.6 * seconds + phase * 5.0),
    )


def carrying(pose: Pose, seconds: float) -> tuple[Pose, Point]:
    """The pose with both arms around a box before the body, and the middle of that box."""
    shift = 0.14
    box = (pose.neck[0] + 0.29, pose.neck[1] + 0.36 + 0.006 * math.sin(2.1 * seconds))
    near = (pose.neck[0] - 0.10, pose.neck[1] + 0.08)
    far = (pose.neck[0] + 0.11, pose.neck[1] + 0.08)
    held = replace(
        pose,
        near_arm=_reaching(near, (box[0] - 0.02, box[1] + 0.13), -1),
        far_arm=_reaching(far, (box[0] + 0.12, box[1] + 0.10), -1),
    )
    return _moved(held, -shift), (box[0] - shift, box[1])


def _moved(pose: Pose, by: float) -> Pose:
    def point(p: Point) -> Point:
        return p[0] + by, p[1]

    def limb(part: Limb) -> Limb:
        return Limb(point(part.root), point(part.joint), point(part.end), part.turn)

    return replace(
        pose,
        hip=point(pose.hip),
        neck=point(pose.neck),
        far_leg=limb(pose.far_leg),
        near_leg=limb(pose.near_leg),
        far_arm=limb(pose.far_arm),
        near_arm=limb(pose.near_arm),
    )


def _stair(u: float) -> float:
    whole = math.floor(u)
    rest = min(1.0, max(0.0, (u - whole - 0.45) / 0.55))
    return whole + rest * rest * (3 - 2 * rest)


def climbing(rungs: float, rung_gap: float, lean: float, half_width: float) -> Pose:
    """Someone seen from behind on a ladder after climbing `rungs` rungs; the ladder leans by `lean` metres a metre."""

    def on_ladder(level: float, side: float) -> Point:
        y = level * rung_gap
        return side * half_width + lean * (y - 1.3), -y

    near_rung = 2 * _stair(rungs / 2)
    far_rung = 2 * _stair((rungs + 1) / 2) - 1
    body = rungs * 0.6 + (near_rung + far_rung) * 0.2
    hip_y = -(body * rung_gap + 0.80 + 0.28)
    shift = 0.025 * math.sin(math.pi * rungs)
    hip = (lean * (-hip_y - 1.3) - 0.05 + shift, hip_y)
    neck = (lean * (-hip_y + _TRUNK - 1.3) - 0.04, hip_y - _TRUNK + 0.005)
    feet = [on_ladder(1 + near_rung, -0.62), on_ladder(1 + far_rung, 0.55)]
    hands = [on_ladder(7.2 + (body + far_rung) / 2, -1.1), on_ladder(7.2 + (body + near_rung) / 2, 1.1)]
    ankles = [(x, y - _ANKLE) for x, y in feet]
    return Pose(
        hip=hip,
        neck=neck,
        near_leg=_leg((hip[0] - 0.085, hip_y + 0.02), ankles[0], 20, -1),
        far_leg=_leg((hip[0] + 0.085, hip_y + 0.02), ankles[1], 20, 1),
        near_arm=_reaching((neck[0] - 0.17, neck[1] + 0.075), hands[0], 1),
        far_arm=_reaching((neck[0] + 0.17, neck[1] + 0.075), hands[1], -1),
    )
