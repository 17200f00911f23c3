from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("skia", reason="the sample world needs skia", exc_type=ImportError)

from sample_videos.world.draw import draw_scene
from sample_videos.world.scene import Camera, Light, Person, PlaceKind, Scene, Weather

pytestmark = pytest.mark.world

SIZE = (256, 144)
QUIET = {"noise": 0.0}


def picture(scene: Scene, seconds: float = 0.5) -> np.ndarray:
    return draw_scene(scene, seconds, *SIZE).astype(np.float32)


def difference(first: Scene, second: Scene) -> float:
    return float(np.abs(picture(first) - picture(second)).mean())


@pytest.mark.parametrize("place", list(PlaceKind))
def test_draw_scene_gives_same_bytes_again(place: PlaceKind) -> None:
    scene = Scene(
        place=place, light=Light.SUNSET, weather=Weather.RAIN, actors=(Person(x=300, depth=0.5),), occluder=True
    )
    first = draw_scene(scene, 0.5, *SIZE)
    draw_scene(replace(scene, seed=1), 0.5, *SIZE)
    assert np.array_equal(first, draw_scene(scene, 0.5, *SIZE))


@pytest.mark.parametrize("size", [(224, 126), (640, 360), (1920, 1080)])
def test_draw_scene_fills_size_asked_for(size: tuple[int, int]) -> None:
    image = draw_scene(Scene(place=PlaceKind.HARBOUR), 0.0, *size)
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8


def test_draw_scene_is_same_picture_at_two_sizes() -> None:
    scene = Scene(place=PlaceKind.STREET, actors=(Person(x=300, depth=0.5),), **QUIET)
    large = draw_scene(scene, 0.0, 512, 288).reshape(144, 2, 256, 2, 3).mean((1, 3))
    assert np.abs(large - draw_scene(scene, 0.0, 256, 144)).mean() < 5


@pytest.mark.parametrize("place", list(PlaceKind))
@pytest.mark.parametrize("light", list(Light))
def test_draw_scene_looks_different_by_seed(place: PlaceKind, light: Light) -> None:
    assert difference(Scene(place=place, light=light, **QUIET), Scene(place=place, light=light, seed=1, **QUIET)) > 3


@pytest.mark.parametrize("place", list(PlaceKind))
def test_draw_scene_is_darker_at_night(place: PlaceKind) -> None:
    for seed in range(3):
        day, night = (picture(Scene(place=place, light=light, seed=seed)).mean() for light in (Light.DAY, Light.NIGHT))
        assert night < 0.75 * day


@pytest.mark.parametrize("place", list(PlaceKind))
@pytest.mark.parametrize("x", [60.0, 580.0])
def test_draw_scene_has_ground_and_sky_wherever_camera_pans(place: PlaceKind, x: float) -> None:
    image = picture(Scene(place=place, camera=Camera(x=x, y=184, shake=6), **QUIET))
    assert image[[0, -1]].max(axis=2).min() > 5
    assert image[:, [0, -1]].max(axis=2).min() > 5


def test_draw_scene_moves_ground_with_pan_and_sky_less() -> None:
    scene = Scene(place=PlaceKind.CONSTRUCTION_SITE, camera=Camera(x=300, pan=40), **QUIET)
    start, end = picture(scene, 0.0), picture(scene, 1.0)
    shift = round(40 * SIZE[0] / 640)
    moved = np.abs(start[104:136, 60 + shift : 200 + shift] - end[104:136, 60:200]).mean()
    assert moved < 0.5 * np.abs(start[104:136, 60:200] - end[104:136, 60:200]).mean()
    assert np.abs(start[:60] - end[:60]).mean() > 1
    assert np.abs(start[:60, shift:] - end[:60, :-shift]).mean() > 1


@pytest.mark.parametrize("sigma", [2.0, 6.0])
def test_draw_scene_has_noise_of_stated_deviation(sigma: float) -> None:
    scene = Scene(place=PlaceKind.OFFICE, noise=0.0, seed=2)
    noise = picture(replace(scene, noise=sigma)) - picture(scene)
    assert noise[60:, :].std() == pytest.approx(sigma, rel=0.08)


def test_draw_scene_has_new_noise_each_frame() -> None:
    scene = Scene(place=PlaceKind.OFFICE, noise=4.0)
    assert not np.array_equal(picture(scene, 0.0), picture(scene, 0.04))


@pytest.mark.parametrize("weather", [Weather.RAIN, Weather.SNOW])
def test_draw_scene_shows_weather_outdoors_only(weather: Weather) -> None:
    street = Scene(place=PlaceKind.STREET, **QUIET)
    assert difference(street, replace(street, weather=weather)) > 5
    office = replace(street, place=PlaceKind.OFFICE)
    assert difference(office, replace(office, weather=weather)) == 0


@pytest.mark.parametrize("weather", list(Weather))
def test_draw_scene_moves_only_what_falls(weather: Weather) -> None:
    scene = Scene(place=PlaceKind.SNOW_FIELD, weather=weather, **QUIET)
    change = np.abs(picture(scene, 0.0) - picture(scene, 0.5)).mean()
    assert (change > 0.1) == (weather is not Weather.CLEAR)


@pytest.mark.parametrize("place", list(PlaceKind))
def test_draw_scene_keeps_occluder_out_of_middle(place: PlaceKind) -> None:
    for seed in range(8):
        clear = Scene(place=place, seed=seed, camera=Camera(x=260 + 17 * seed), **QUIET)
        hidden = np.abs(picture(clear) - picture(replace(clear, occluder=True))).max(axis=2) > 2
        assert 0.01 < hidden.mean() <= 0.12
        assert not hidden[:, 72:184].any()


def test_draw_scene_brightens_with_exposure() -> None:
    scene = Scene(place=PlaceKind.STREET, **QUIET)
    assert picture(replace(scene, exposure=1.25)).mean() > picture(scene).mean() + 5


@pytest.mark.parametrize("place", list(PlaceKind))
@pytest.mark.parametrize("light", list(Light))
def test_draw_scene_lets_actor_stand_out(place: PlaceKind, light: Light) -> None:
    empty = Scene(place=place, light=light, **QUIET)
    change = picture(replace(empty, actors=(Person(x=320, depth=0.7),))) - picture(empty)
    assert np.abs(change).max(axis=2)[50:130, 110:146].mean() > 8
