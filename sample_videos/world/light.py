"""The mood of a scene: what its light does to sky, air, surfaces and actors, before anything is drawn."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from functools import lru_cache

from .scene import INDOOR, Light, PlaceKind, Weather

RGB = tuple[float, float, float]
"""Red, green and blue of 0 to 255; as a factor on another colour, of 0 to about 1."""

Sky = tuple[RGB, RGB, RGB, RGB]
"""Colours of a sky from the zenith down to the horizon."""


def mixed(first: RGB, second: RGB, share: float) -> RGB:
    """`first` and `second` blended, with `share` (0 to 1) of the second."""
    rest = 1.0 - share
    return (
        first[0] * rest + second[0] * share,
        first[1] * rest + second[1] * share,
        first[2] * rest + second[2] * share,
    )


def times(colour: RGB, factor: RGB) -> RGB:
    """`colour` under light of `factor`."""
    return colour[0] * factor[0], colour[1] * factor[1], colour[2] * factor[2]


def _byte(part: float) -> int:
    return 255 if part >= 254.5 else int(part + 0.5) if part > 0.0 else 0


def packed(colour: RGB, alpha: float = 1.0) -> int:
    """A colour as skia takes it, 0xAARRGGBB, clipped to what a screen shows."""
    red, green, blue = colour
    return _byte(alpha * 255.0) << 24 | _byte(red) << 16 | _byte(green) << 8 | _byte(blue)


@dataclass(frozen=True)
class Lamp:
    """A pool of lamp light on the ground: stage position, radius in stage units, colour."""

    x: float
    y: float
    radius: float
    colour: RGB = (255, 214, 150)


@dataclass(frozen=True, kw_only=True)
class Mood:
    """The light of one scene, drawn from its seed within the range that its light and weather allow.

    Attributes:
        sky: Colours of the sky from the zenith down to the horizon.
        haze: Colour that far things fade into, and how much of it the farthest take.
        key: Factor on surfaces that the main light reaches.
        actors: Factor on the actors before lamps are added.
        cloud: Colours of the lit and of the shaded side of a cloud.
        sun: Stage position of the sun or moon.
        cover: Share of the sky under cloud.
    """

    light: Light
    weather: Weather
    sky: Sky
    haze: RGB
    haze_share: float
    key: RGB
    actors: RGB
    cloud: tuple[RGB, RGB]
    sun: tuple[float, float]
    cover: float

    @property
    def dark(self) -> bool:
        """Whether lamps burn outdoors."""
        return self.light is Light.NIGHT

    @property
    def dusk(self) -> bool:
        """Whether the sun is setting."""
        return self.light is Light.SUNSET

    @property
    def wet(self) -> bool:
        """Whether the ground shines with rain."""
        return self.weather is Weather.RAIN

    @property
    def snowy(self) -> bool:
        """Whether snow falls and lies."""
        return self.weather is Weather.SNOW

    def shaded(self, colour: RGB, distance: float = 0.0) -> RGB:
        """A surface's colour in this light, seen through `distance` (0 near, 1 at the horizon) of its air."""
        lit = times(colour, self.key)
        return mixed(lit, self.haze, distance * self.haze_share) if distance else lit


def _day(rng: random.Random) -> Mood:
    overcast = rng.random() < 0.35
    warm = rng.random()
    sky: Sky
    haze: RGB
    key: RGB
    if overcast:
        sky = ((150, 162, 176), (176, 187, 198), (202, 209, 214), (222, 226, 227))
        haze, key, cover = (208, 214, 219), (0.93, 0.945, 0.96), 0.95
    else:
        top = mixed((52, 118, 196), (64, 142, 204), warm)
        sky = (top, mixed(top, (150, 199, 235), 0.55), (176, 211, 236), mixed((214, 230, 238), (240, 232, 214), warm))
        haze, key, cover = mixed((188, 210, 229), (212, 218, 222), warm), (1.0, 0.99, 0.955), rng.uniform(0.15, 0.6)
    return Mood(
        light=Light.DAY,
        weather=Weather.CLEAR,
        sky=sky,
        haze=haze,
        haze_share=0.8,
        key=key,
        actors=(0.96, 0.97, 0.98) if overcast else (1.0, 0.99, 0.97),
        cloud=((236, 238, 240), (178, 187, 197)) if overcast else ((255, 255, 252), (190, 205, 224)),
        sun=(rng.uniform(40, 600), rng.uniform(-60, 30)),
        cover=cover,
    )


def _sunset(rng: random.Random) -> Mood:
    gold, late = rng.random(), rng.random()
    low = mixed((255, 176, 92), (255, 214, 128), gold)
    middle = mixed((240, 116, 108), (250, 150, 96), gold)
    top = mixed(mixed((104, 108, 168), (112, 132, 176), gold), (58, 52, 110), late)
    return Mood(
        light=Light.SUNSET,
        weather=Weather.CLEAR,
        sky=(top, mixed(top, middle, 0.55), middle, low),
        haze=mixed((236, 138, 112), (250, 172, 116), gold),
        haze_share=0.78,
        key=mixed((1.0, 0.77, 0.63), (0.86, 0.64, 0.62), late),
        actors=mixed((1.0, 0.86, 0.74), (0.95, 0.8, 0.74), late),
        cloud=(mixed((255, 186, 140), (255, 206, 150), gold), mixed((168, 96, 122), (120, 84, 130), late)),
        sun=(rng.choice((rng.uniform(40, 240), rng.uniform(400, 600))), rng.uniform(84, 122)),
        cover=rng.uniform(0.25, 0.7),
    )


def _night(rng: random.Random) -> Mood:
    violet = rng.random()
    low = mixed((42, 66, 104), (66, 62, 108), violet)
    top = mixed((7, 13, 33), (14, 13, 38), violet)
    return Mood(
        light=Light.NIGHT,
        weather=Weather.CLEAR,
        sky=(top, mixed(top, low, 0.3), mixed(top, low, 0.65), low),
        haze=mixed((34, 50, 84), (50, 50, 86), violet),
        haze_share=0.7,
        key=mixed((0.31, 0.38, 0.55), (0.36, 0.37, 0.56), violet),
        actors=(0.55, 0.59, 0.74),
        cloud=((58, 70, 104), (24, 32, 58)),
        sun=(rng.uniform(60, 580), rng.uniform(24, 70)),
        cover=rng.uniform(0.0, 0.5),
    )


_GREY: dict[Light, Sky] = {
    Light.DAY: ((104, 116, 130), (128, 139, 150), (152, 161, 169), (176, 183, 187)),
    Light.SUNSET: ((92, 78, 100), (134, 98, 108), (190, 124, 110), (236, 164, 118)),
    Light.NIGHT: ((14, 19, 32), (20, 28, 44), (30, 40, 60), (44, 54, 74)),
}

_PALE: dict[Light, Sky] = {
    Light.DAY: ((176, 186, 198), (194, 202, 211), (210, 216, 222), (226, 230, 233)),
    Light.SUNSET: ((150, 134, 162), (190, 154, 168), (228, 178, 166), (246, 204, 172)),
    Light.NIGHT: ((26, 32, 52), (36, 44, 66), (50, 58, 82), (68, 76, 100)),
}


def _fallen(mood: Mood, weather: Weather) -> Mood:
    """The mood once rain or snow fills its air."""
    skies, share, dim = (_GREY, 0.85, 0.84) if weather is Weather.RAIN else (_PALE, 0.85, 0.97)
    target = skies[mood.light]
    first, second, third, last = (mixed(a, b, share) for a, b in zip(mood.sky, target, strict=True))
    haze = mixed(mood.haze, target[2], 0.85)
    return replace(
        mood,
        weather=weather,
        sky=(first, second, third, last),
        haze=haze,
        haze_share=min(0.92, mood.haze_share + 0.12),
        key=times(mood.key, (dim, dim, min(1.0, dim + 0.03))),
        actors=times(mood.actors, (dim + 0.08, dim + 0.08, dim + 0.1) if dim < 0.9 else (1, 1, 1)),
        cloud=(mixed(target[2], (255, 255, 255), 0.12), mixed(target[0], (0, 0, 0), 0.06)),
        cover=1.0,
    )


_INDOORS: dict[Light, tuple[RGB, RGB, RGB]] = {
    Light.DAY: ((0.97, 0.97, 0.96), (0.97, 0.97, 0.96), (206, 210, 212)),
    Light.SUNSET: ((0.93, 0.82, 0.74), (0.95, 0.87, 0.8), (236, 178, 136)),
    Light.NIGHT: ((0.62, 0.59, 0.57), (0.8, 0.77, 0.73), (70, 72, 82)),
}
"""Factors on surfaces and on actors, and the colour of the air, under lamps and a roof."""


def indoors(mood: Mood) -> Mood:
    """The mood of a room that has `mood` outside its windows."""
    key, actors, haze = _INDOORS[mood.light]
    return replace(mood, key=key, actors=actors, haze=haze, haze_share=0.5)


@lru_cache(maxsize=64)
def mood_of(place: PlaceKind, light: Light, weather: Weather, seed: int) -> Mood:
    """The mood of a scene's sky and open air; the same arguments give the same mood."""
    rng = random.Random(seed * 7 + 1)
    mood = {Light.DAY: _day, Light.SUNSET: _sunset, Light.NIGHT: _night}[light](rng)
    if weather is not Weather.CLEAR and place not in INDOOR:
        mood = _fallen(mood, weather)
    return mood


def light_at(mood: Mood, lamps: tuple[Lamp, ...], x: float, y: float) -> RGB:
    """Factor on the colours of an actor whose feet are at stage (x, y): the mood's light, and the nearest lamp's."""
    base = mood.actors
    for lamp in lamps:
        reach = math.hypot((x - lamp.x) / lamp.radius, 0.8 * (y - lamp.y) / lamp.radius)
        warm = (lamp.colour[0] / 255, lamp.colour[1] / 255, lamp.colour[2] / 255)
        base = mixed(base, warm, 0.8 * max(0.0, 1.0 - reach) ** 0.8) if reach < 1.0 else base
    if not mood.dusk:
        return base
    return times(base, mixed((1.08, 1.04, 0.98), (0.86, 0.86, 0.98), min(1.0, abs(x - mood.sun[0]) / 560)))
