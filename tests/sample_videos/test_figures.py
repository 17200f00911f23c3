"""The figures of the sample world: where they draw, that they repeat, and that what queries name can be seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

skia = pytest.importorskip("skia")

from sample_videos.world.figures import draw_actor, draw_glow  # noqa: E402
from sample_videos.world.ground import Box, actor_box  # noqa: E402
from sample_videos.world.scene import (  # noqa: E402
    STAGE_HEIGHT,
    STAGE_WIDTH,
    Action,
    Actor,
    Boxes,
    Burning,
    Colour,
    Dog,
    Hazard,
    Light,
    Person,
    PlaceKind,
    Scene,
    Vehicle,
    VehicleKind,
)

pytestmark = pytest.mark.world

_AT = {"x": 320.0, "depth": 0.1}
_ACTORS: dict[str, Actor] = {
    **{action.value: Person(**_AT, action=action, look=4) for action in Action},
    **{kind.value: Vehicle(**_AT, kind=kind, colour=Colour.RED, look=2) for kind in VehicleKind},
    "dog": Dog(**_AT, look=2),
    "running dog": Dog(**_AT, speed=150.0, look=2),
    "boxes": Boxes(**_AT, count=4),
    "damaged box": Boxes(**_AT, damaged=True),
    "fire": Burning(**_AT, hazard=Hazard.FIRE),
    "smoke": Burning(**_AT, hazard=Hazard.SMOKE),
}


def _scene(actor: Actor, light: Light = Light.DAY) -> Scene:
    return Scene(place=PlaceKind.STREET, light=light, actors=(actor,))


def _ink(actor: Actor, seconds: float = 0.6, *, glow: bool = False, light: Light = Light.DAY) -> np.ndarray:
    """What is drawn on an empty stage, uint8 (360, 640, 4) premultiplied."""
    surface = skia.Surface(STAGE_WIDTH, STAGE_HEIGHT)
    draw = draw_glow if glow else draw_actor
    draw(surface.getCanvas(), _scene(actor, light), actor, seconds)
    return np.array(surface.makeImageSnapshot().toarray())


def _inside(box: Box, margin: float) -> np.ndarray:
    y, x = np.mgrid[0:STAGE_HEIGHT, 0:STAGE_WIDTH] + 0.5
    return (x > box.left - margin) & (x < box.right + margin) & (y > box.top - margin) & (y < box.bottom + margin)


@pytest.mark.parametrize("name", _ACTORS)
def test_draw_actor_fills_its_box_and_little_else(name: str) -> None:
    actor = _ACTORS[name]
    box = actor_box(_scene(actor), actor, 0.6)
    alpha = _ink(actor)[..., 3].astype(float) / 255
    solid = np.argwhere(alpha > (0.2 if name == "smoke" else 0.5))
    top, left = solid.min(axis=0)
    bottom, right = solid.max(axis=0)
    height, width = box.bottom - box.top, box.right - box.left
    assert bottom - top > 0.85 * height
    assert right - left > 0.55 * width
    assert abs(bottom - box.bottom) < 0.08 * height + 2
    assert alpha[~_inside(box, 0.35 * min(width, height) + 6)].sum() < 0.01 * alpha.sum()


@pytest.mark.parametrize("name", _ACTORS)
def test_draw_actor_repeats_itself(name: str) -> None:
    first = _ink(_ACTORS[name])
    _ink(replace(_ACTORS[name], look=99), 2.0)
    assert np.array_equal(first, _ink(_ACTORS[name]))


def test_draw_actor_hat_changes_the_head_only() -> None:
    bare = Person(**_AT, look=4)
    box = actor_box(_scene(bare), bare, 0.6)
    changed = np.argwhere((_ink(bare) != _ink(replace(bare, hat=Colour.YELLOW))).any(axis=-1))
    assert len(changed) > 40
    assert changed[:, 0].max() < box.top + 0.22 * (box.bottom - box.top)


@pytest.mark.parametrize("colour", [Colour.RED, Colour.YELLOW, Colour.BLUE, Colour.GREEN, Colour.ORANGE])
def test_draw_actor_vehicle_shows_its_colour(colour: Colour) -> None:
    lorry = Vehicle(**_AT, kind=VehicleKind.TRUCK, colour=colour)
    pixels = _ink(lorry)
    red, green, blue = (np.median(pixels[140:200, 230:330, i].astype(int)) for i in (2, 1, 0))
    seen = {
        Colour.RED: red > 2 * green and red > 2 * blue,
        Colour.YELLOW: min(red, green) > 2 * blue,
        Colour.BLUE: blue > 1.5 * red,
        Colour.GREEN: green > 1.3 * max(red, blue),
        Colour.ORANGE: red > 1.4 * green > 1.4 * blue,
    }
    assert seen[colour]


def test_draw_actor_damaged_boxes_differ_from_intact() -> None:
    intact, damaged = Boxes(**_AT), Boxes(**_AT, damaged=True)
    changed = (_ink(intact) != _ink(damaged)).any(axis=-1)
    assert changed[_inside(actor_box(_scene(intact), intact, 0.0), 0)].mean() > 0.4


def test_draw_actor_walk_moves_legs_as_well_as_place() -> None:
    walker = Person(**_AT, action=Action.WALK, speed=60.0, look=4)
    shift = 0.5
    gone = actor_box(_scene(walker), walker, shift).left - actor_box(_scene(walker), walker, 0.0).left
    moved = replace(walker, x=walker.x - gone)
    legs = slice(205, 255)
    assert (_ink(walker, 0.0)[legs] != _ink(moved, shift)[legs]).any(axis=-1).sum() > 100


def test_draw_glow_shines_for_fire_and_lamps_only() -> None:
    assert _ink(_ACTORS["fire"], glow=True).any()
    assert _ink(_ACTORS["forklift"], glow=True).any()
    assert not _ink(_ACTORS["car"], glow=True).any()
    for kind in VehicleKind:
        assert _ink(_ACTORS[kind.value], glow=True, light=Light.NIGHT).any()
    for name in ("standing", "dog", "boxes", "smoke"):
        assert not _ink(_ACTORS[name], glow=True, light=Light.NIGHT).any()


def test_draw_actor_refuses_what_has_no_figure() -> None:
    with pytest.raises(TypeError, match="Actor"):
        draw_actor(skia.Surface(8, 8).getCanvas(), _scene(Actor(**_AT)), Actor(**_AT), 0.0)
