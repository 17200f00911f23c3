"""The words of the sample world: what each thing may be called."""

from __future__ import annotations

from sample_videos.world.scene import Action, PlaceKind, VehicleKind

__all__ = [
    "CIRCUMSTANCES",
    "DOES",
    "KEYWORDS",
    "KINDS",
    "LACKS",
    "NOBODY_ELSE",
    "NOBODY_THERE",
    "PLACES",
    "PREFIXES",
    "STATES",
    "UNCOUNTED",
    "WEARS",
]

KINDS: dict[str, tuple[str, ...]] = {
    "person": ("person", "person", "worker", "someone", "pedestrian", "employee", "human", "people"),
    VehicleKind.FORKLIFT: ("forklift", "forklift", "forklift truck", "lift truck"),
    VehicleKind.TRUCK: ("truck", "lorry", "heavy truck"),
    VehicleKind.CAR: ("car", "car", "automobile", "passenger car"),
    VehicleKind.BICYCLE: ("bicycle", "bike", "cyclist", "person riding a bike", "person on a bicycle"),
    VehicleKind.CRANE: ("crane", "tower crane", "construction crane"),
    "vehicle": ("vehicle",),
    "dog": ("dog", "hound", "dog"),
    "boxes": ("box", "cardboard box", "parcel", "package", "carton", "boxes", "cardboard boxes"),
    "fire": ("fire", "flames", "blaze", "burning fire"),
    "smoke": ("smoke", "rising smoke", "plume of smoke", "column of smoke"),
}
"""Names of each kind of actor, the finest kind before its class: a forklift is told as one before it is a vehicle."""

UNCOUNTED = frozenset(
    {"people", "someone", "boxes", "cardboard boxes", "fire", "burning fire", "flames", "smoke", "rising smoke"}
)
"""Names that take no article."""

STATES: dict[str, tuple[str, ...]] = {
    "intact": ("intact", "undamaged", "unbroken"),
    "damaged": ("damaged", "crushed", "torn", "broken", "dented"),
}
"""Adjectives of a box."""

WEARS: dict[str, tuple[str, ...]] = {
    "hat": ("hard hat", "hard hat", "helmet", "safety helmet", "hardhat", "construction helmet"),
    "vest": ("hi-vis vest", "high-visibility vest", "safety vest", "reflective vest", "vest"),
}
"""What someone may wear."""

LACKS: dict[str, str] = {"bareheaded": "hat", "no vest": "vest"}
"""What someone does not wear who is said to be so."""

DOES: dict[str, tuple[str, ...]] = {
    Action.STAND: ("standing", "standing still", "who is standing"),
    Action.WALK: ("walking", "walking by", "who is walking"),
    Action.CLIMB: ("climbing a ladder", "on a ladder", "up on a ladder"),
    Action.CARRY: ("carrying a box", "holding a box", "lugging a box", "carrying a package"),
}
"""Ways to say what someone does."""

PLACES: dict[PlaceKind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    PlaceKind.CONSTRUCTION_SITE: (("construction site", "building site", "construction area"), ("at", "on")),
    PlaceKind.WAREHOUSE: (("warehouse", "storage hall", "depot", "warehouse with shelves"), ("in", "inside")),
    PlaceKind.STREET: (("street", "road", "city street"), ("on", "in")),
    PlaceKind.SNOW_FIELD: (("snow field", "snowy field", "snowy landscape", "snow-covered field"), ("in", "on")),
    PlaceKind.OFFICE: (("office", "workplace with desks", "office with desks"), ("in", "inside")),
    PlaceKind.HARBOUR: (("harbour", "harbor", "port", "dock"), ("at", "in")),
    PlaceKind.CONCRETE_BUILDING: (
        ("concrete building", "brutalist building", "concrete block"),
        ("at", "outside", "in front of"),
    ),
}
"""Names of each place, and the prepositions that go with them."""

CIRCUMSTANCES: dict[str, tuple[str, ...]] = {
    "day": ("by day", "in daylight", "in the daytime", "during the day"),
    "sunset": ("at sunset", "at dusk", "in evening light", "at sundown"),
    "night": ("at night", "after dark", "in the dark", "by night"),
    "weather clear": ("in clear weather",),
    "weather rain": ("in the rain", "while it rains", "in rainy weather"),
    "weather snow": ("in falling snow", "while it is snowing", "in a snowfall"),
}
"""Ways to say a light or a weather within a sentence."""

KEYWORDS: dict[str, tuple[str, ...]] = {
    "day": ("daylight", "daytime"),
    "sunset": ("sunset", "dusk", "evening light"),
    "night": ("night", "night time"),
    "weather clear": ("clear weather",),
    "weather rain": ("rain", "rainy weather"),
    "weather snow": ("falling snow", "snowfall"),
}
"""The same by themselves."""

NOBODY_THERE = ("nobody", "no one", "no people")
"""Ways to say by itself that nobody is there."""

NOBODY_ELSE = ("with nobody there", "without people", "with no people", "with no one around", "without anyone")
"""The same within a sentence."""

PREFIXES = ("", "", "", "", "", "a photo of ", "footage of ", "a video of ", "a picture of ")
"""What a sentence may begin with."""
