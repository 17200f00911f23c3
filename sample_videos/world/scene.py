"""What a shot of the sample world holds: frozen descriptions, no drawing.

A scene is drawn on a stage of 640 x 360 units, x to the right and y downwards. Actors stand on the ground: `depth` 0
is the far end of the ground, 1 the near end; a place says where both lie and how many stage units a metre measures
there. `x` is the stage position of an actor's feet (or of a vehicle's middle) when the shot begins, and `speed` moves
it, in stage units a second at depth 1 (far actors move in proportion to their scale). All times are seconds since the
shot began.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

STAGE_WIDTH = 640
STAGE_HEIGHT = 360


class PlaceKind(StrEnum):
    """Where a scene plays."""

    CONSTRUCTION_SITE = "construction site"
    WAREHOUSE = "warehouse"
    STREET = "street"
    SNOW_FIELD = "snow field"
    OFFICE = "office"
    HARBOUR = "harbour"
    CONCRETE_BUILDING = "concrete building"


class Light(StrEnum):
    """The light of a scene; indoors it shows in the windows and lamps."""

    DAY = "day"
    SUNSET = "sunset"
    NIGHT = "night"


class Weather(StrEnum):
    """What falls from the sky; indoors it is always clear."""

    CLEAR = "clear"
    RAIN = "rain"
    SNOW = "snow"


class Colour(StrEnum):
    """The colours that clothes, hats and vehicles come in and that queries may name."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    WHITE = "white"
    BLACK = "black"
    GREY = "grey"


class Action(StrEnum):
    """What a person does."""

    STAND = "standing"
    WALK = "walking"
    CLIMB = "climbing a ladder"
    CARRY = "carrying a box"


class VehicleKind(StrEnum):
    """Everything on wheels or tracks, and the crane."""

    FORKLIFT = "forklift"
    TRUCK = "truck"
    CAR = "car"
    BICYCLE = "bicycle"
    CRANE = "crane"


class Hazard(StrEnum):
    """What burns."""

    FIRE = "fire"
    SMOKE = "smoke"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """What all things on the stage share.

    Attributes:
        x: Stage units, of the feet or the middle, when the shot begins.
        depth: 0 (far) to 1 (near).
        speed: Stage units a second at depth 1; negative moves and faces to the left.
        look: Seed of every detail that no query names (build, skin, hair, trousers, wear, load).
    """

    x: float
    depth: float
    speed: float = 0.0
    look: int = 0


@dataclass(frozen=True, kw_only=True)
class Person(Actor):
    """A person; `hat` and `vest` are None where there is no hard hat and no hi-vis vest."""

    action: Action = Action.STAND
    hat: Colour | None = None
    vest: Colour | None = None
    top: Colour = Colour.BLUE


@dataclass(frozen=True, kw_only=True)
class Vehicle(Actor):
    """A vehicle; a crane never moves, its jib does."""

    kind: VehicleKind
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class Dog(Actor):
    """A dog; it stands when its speed is 0 and runs otherwise."""

    colour: Colour = Colour.BLACK


@dataclass(frozen=True, kw_only=True)
class Boxes(Actor):
    """A stack of cardboard boxes, all intact or visibly damaged (crushed, torn, open)."""

    count: int = 1
    damaged: bool = False


@dataclass(frozen=True, kw_only=True)
class Burning(Actor):
    """A fire with its glow, or a column of smoke without flames."""

    hazard: Hazard


@dataclass(frozen=True, kw_only=True)
class Camera:
    """How the camera looks at the stage.

    The view at second t is centred on (x + pan * t, y) and shows STAGE_WIDTH / zoom(t) stage units across, with
    zoom(t) = zoom * (1 + zoom_rate * t). Shake moves the centre by smooth noise of `shake` stage units.
    """

    x: float = STAGE_WIDTH / 2
    y: float = STAGE_HEIGHT / 2
    pan: float = 0.0
    zoom: float = 1.0
    zoom_rate: float = 0.0
    shake: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One shot's content: a place, its light and weather, those who act in it and how it is looked at.

    Attributes:
        noise: Standard deviation of the sensor's noise, in grey levels of 0 to 255.
        exposure: Factor on the linear light of the picture, about 0.8 to 1.25.
        occluder: Whether something of the place (a post, a shelf, leaves) stands near the camera, out of focus.
        seed: Seed of every detail of the place, the weather and the shake.
    """

    place: PlaceKind
    light: Light = Light.DAY
    weather: Weather = Weather.CLEAR
    actors: tuple[Actor, ...] = ()
    camera: Camera = field(default_factory=Camera)
    noise: float = 2.0
    exposure: float = 1.0
    occluder: bool = False
    seed: int = 0


INDOOR = frozenset({PlaceKind.WAREHOUSE, PlaceKind.OFFICE})
