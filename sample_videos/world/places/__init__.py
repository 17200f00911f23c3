"""The places of the sample world, each painted into layers that the camera looks over."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache

from ..light import mood_of
from ..scene import Light, PlaceKind, Weather
from .concrete_building import paint_concrete_building
from .construction_site import paint_construction_site
from .easel import Backdrop, Easel
from .harbour import paint_harbour
from .office import paint_office
from .snow_field import paint_snow_field
from .street import paint_street
from .warehouse import paint_warehouse

__all__ = ["Backdrop", "backdrop"]

_PAINTERS: dict[PlaceKind, Callable[[Easel], None]] = {
    PlaceKind.CONSTRUCTION_SITE: paint_construction_site,
    PlaceKind.WAREHOUSE: paint_warehouse,
    PlaceKind.STREET: paint_street,
    PlaceKind.SNOW_FIELD: paint_snow_field,
    PlaceKind.OFFICE: paint_office,
    PlaceKind.HARBOUR: paint_harbour,
    PlaceKind.CONCRETE_BUILDING: paint_concrete_building,
}


@lru_cache(maxsize=8)
def backdrop(place: PlaceKind, light: Light, weather: Weather, seed: int) -> Backdrop:
    """The painted layers of a place; the same arguments give the same picture."""
    easel = Easel(place, mood_of(place, light, weather, seed), random.Random(seed * 31 + 17))
    _PAINTERS[place](easel)
    return easel.finished()
