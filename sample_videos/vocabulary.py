"""The words of the sample world: what each thing may be called."""

from __future__ import annotations

from sample_videos.world.scene import Action, PlaceKind, VehicleKind

__all__ = ["ABSENCES", "ACTIONS", "KINDS", "PLACES", "PREFIXES", "SCENES"]

KINDS: dict[str, tuple[str, ...]] = {
    "person": ("person", "person", "worker", "someone", "human", "pedestrian", "figure", "employee", "people"),
    VehicleKind.FORKLIFT: ("forklift", "fork lift", "forklift truck", "lift truck"),
    VehicleKind.TRUCK: ("truck", "lorry", "heavy truck", "freight truck"),
    VehicleKind.CAR: ("car", "automobile", "passenger car"),
    VehicleKind.BICYCLE: ("bicycle", "bike", "cyclist", "person riding a bike", "person on a bicycle"),
    VehicleKind.CRANE: ("crane", "tower crane", "construction crane"),
    "vehicle": ("vehicle",),
    "dog": ("dog", "hound", "doggy"),
    "boxes": ("box", "cardboard box", "parcel", "package", "carton", "boxes", "cardboard boxes"),
    "fire": ("fire", "flames", "blaze", "burning fire"),
    "smoke": ("smoke", "smoke rising", "plume of smoke", "column of smoke"),
}
"""Names of each kind of actor, the finest kind before its class: a forklift is told as one before it is a vehicle."""

ACTIONS: dict[str, tuple[str, ...]] = {
    Action.STAND: ("standing", "standing still", "waiting"),
    Action.WALK: ("walking", "striding", "walking by"),
    Action.CLIMB: ("climbing a ladder", "on a ladder", "up on a ladder"),
    Action.CARRY: ("carrying a box", "holding a box", "lugging a box", "carrying a package"),
    "hat": ("hard hat", "hard hat", "helmet", "safety helmet", "hardhat", "construction helmet"),
    "bareheaded": (
        "without a hard hat",
        "without a helmet",
        "not wearing a hard hat",
        "not wearing a helmet",
        "with no hard hat",
        "with no helmet",
        "without hard hat",
        "bareheaded",
    ),
    "vest": ("hi-vis vest", "high-visibility vest", "safety vest", "reflective vest", "vest", "hi vis vest"),
    "no vest": ("without a vest", "without a safety vest", "not wearing a hi-vis vest", "with no vest"),
    "intact": ("intact", "undamaged", "unbroken"),
    "damaged": ("damaged", "crushed", "torn", "broken", "dented"),
}
"""Ways to say what someone does or wears, or how a box is."""

PLACES: dict[PlaceKind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    PlaceKind.CONSTRUCTION_SITE: (("construction site", "building site", "construction area"), ("at", "on", "in")),
    PlaceKind.WAREHOUSE: (("warehouse", "storage hall", "depot", "warehouse with shelves"), ("in", "inside")),
    PlaceKind.STREET: (("street", "road", "city street"), ("on", "in", "in")),
    PlaceKind.SNOW_FIELD: (("snow field", "snowy field", "snowy landscape", "snow-covered field"), ("in", "on")),
    PlaceKind.OFFICE: (("office", "workplace with desks", "office with desks"), ("in", "inside")),
    PlaceKind.HARBOUR: (("harbour", "harbor", "port", "docks", "quay"), ("at", "in")),
    PlaceKind.CONCRETE_BUILDING: (("concrete building", "brutalist building", "concrete block"), ("at", "outside")),
}
"""Names of each place, and the prepositions that go with them."""

SCENES: dict[str, tuple[str, ...]] = {
    "day": ("by day", "in daylight", "in the daytime", "during the day", "day"),
    "sunset": ("at sunset", "at dusk", "in evening light", "sunset", "at sundown"),
    "night": ("at night", "after dark", "night", "in the dark", "by night"),
    "weather clear": ("in clear weather",),
    "weather rain": ("in the rain", "rain", "in rainy weather", "raining"),
    "weather snow": ("in falling snow", "while it is snowing", "snowing", "in a snowfall", "falling snow"),
}
"""Ways to say a light or a weather."""

ABSENCES: dict[str, tuple[str, ...]] = {
    "nobody": ("with nobody there", "without people", "with no people", "nobody", "no one", "with no one around"),
}
"""Ways to say that nobody is there."""

PREFIXES = ("", "", "", "", "a photo of ", "footage of ", "video of ", "there is ", "a picture of ", "we see ")
"""What a sentence may begin with."""
