"""What is true of a picture of the sample world, as bits, so that many statements meet many pictures in milliseconds.

A picture has scene bits (place, light, weather) and one word of bits for each actor in sight. A statement asks for
scene bits, for actors that have all of certain bits, and for the absence of others. Riders and drivers belong to their
vehicle: they are no person of a statement, but a picture that shows one is never said to be without people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sample_videos.world.ground import Box, actor_box, size_metres, view
from sample_videos.world.scene import (
    Action,
    Actor,
    Boxes,
    Burning,
    Colour,
    Dog,
    Light,
    Person,
    PlaceKind,
    Scene,
    Vehicle,
    VehicleKind,
    Weather,
)

__all__ = [
    "ACTOR_BITS",
    "NOBODY",
    "SCENE_BITS",
    "Facts",
    "Statement",
    "actor_bits",
    "bits",
    "facts",
    "holds",
    "truth_matrix",
]

CLEARLY_SEEN = 0.6
BARELY_SEEN = 0.12
LEAST_HEIGHT = 0.13


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: 1 << number for number, name in enumerate(names)}


SCENE_BITS = _numbered([*PlaceKind, *Light, *(f"weather {weather}" for weather in Weather)])
"""The bit of each place, light and weather."""

ACTOR_BITS = _numbered(
    [
        *("person", "vehicle", "dog", "boxes", "fire", "smoke", "crewed"),
        *VehicleKind,
        *(f"in {colour}" for colour in Colour),
        *("hat", "bareheaded"),
        *(f"{colour} hat" for colour in Colour),
        *("vest", "no vest"),
        *(f"{colour} vest" for colour in Colour),
        *Action,
        *("intact", "damaged", "one", "several"),
    ]
)
"""The bit of each thing that can be said of an actor; `crewed` is a vehicle with a driver or rider to be seen."""

NOBODY = (ACTOR_BITS["person"], ACTOR_BITS["crewed"])
"""What is absent where nobody is there."""


def bits(*names: str) -> int:
    """The word of an actor's bits by their names."""
    return sum(ACTOR_BITS[name] for name in names)


@dataclass(frozen=True)
class Facts:
    """What one picture shows.

    Attributes:
        scene: Scene bits.
        certain: A word of bits for each actor that is clearly seen.
        uncertain: The same for those of whom only a part is seen: what depends on them cannot be said.
    """

    scene: int
    certain: tuple[int, ...]
    uncertain: tuple[int, ...] = ()


@dataclass(frozen=True)
class Statement:
    """A claim about a picture.

    Attributes:
        scene: Scene bits that it must have.
        some: For each, an actor that has all these bits must be there (one actor may serve two of them).
        none: For each, no actor that has all these bits may be there.
    """

    scene: int = 0
    some: tuple[int, ...] = ()
    none: tuple[int, ...] = ()


def actor_bits(actor: Actor) -> int:
    """The word of bits of an actor."""
    match actor:
        case Person(hat=hat, vest=vest):
            names = ["person", actor.action, f"in {actor.top}"]
            names += ["bareheaded"] if hat is None else ["hat", f"{hat} hat"]
            names += ["no vest"] if vest is None else ["vest", f"{vest} vest"]
        case Vehicle(kind=VehicleKind.CRANE):
            names = ["crane", f"in {actor.colour}"]
        case Vehicle(kind=kind):
            names = ["vehicle", "crewed", kind, f"in {actor.colour}"]
        case Dog():
            names = ["dog", f"in {actor.colour}"]
        case Boxes(count=count, damaged=damaged):
            names = ["boxes", "damaged" if damaged else "intact", "one" if count == 1 else "several"]
        case Burning(hazard=hazard):
            names = [str(hazard)]
        case _:
            raise TypeError(f"nothing can be said of a {type(actor).__name__}")
    return bits(*names)


def facts(scene: Scene, seconds: float) -> Facts:
    """What the picture of a scene shows `seconds` into its shot.

    An actor is clearly seen where 0.6 of its box lies in view and is not behind the box of a nearer one, its top (a
    person's head) included, and its height is 0.13 of the picture's or more; it is not seen below a share of 0.12.
    """
    window = view(scene.camera, seconds, scene.seed)
    names = [scene.place, scene.light, f"weather {scene.weather}"]
    certain: list[int] = []
    uncertain: list[int] = []
    for actor in scene.actors:
        share = _seen_share(scene, actor, seconds, window)
        if share < BARELY_SEEN:
            continue
        metre_height = actor_box(scene, actor, seconds)
        tall = (metre_height.bottom - metre_height.top) >= LEAST_HEIGHT * (window.bottom - window.top)
        headed = metre_height.top >= window.top or not isinstance(actor, Person)
        clear = share >= CLEARLY_SEEN and tall and headed
        (certain if clear else uncertain).append(actor_bits(actor))
    return Facts(sum(SCENE_BITS[name] for name in names), tuple(certain), tuple(uncertain))


def _seen_share(scene: Scene, actor: Actor, seconds: float, window: Box) -> float:
    """Share of an actor's box that lies in view and behind no nearer actor's box; slim actors hide half of theirs."""
    box = actor_box(scene, actor, seconds)
    shown = box.clipped(window)
    hidden = sum(
        shown.clipped(actor_box(scene, other, seconds)).area * (0.5 if size_metres(other)[0] < 1.2 else 1.0)
        for other in scene.actors
        if other is not actor and other.depth > actor.depth
    )
    return max(0.0, shown.area - hidden) / box.area


def holds(statement: Statement, known: Facts) -> bool | None:
    """Whether a statement is true of a picture; None where that hangs on an actor of whom only a part is seen."""
    least = _holds(statement, known.scene, known.certain, (*known.certain, *known.uncertain))
    most = _holds(statement, known.scene, (*known.certain, *known.uncertain), known.certain)
    return least if least == most else None


def _holds(statement: Statement, scene: int, present: Sequence[int], not_absent: Sequence[int]) -> bool:
    return (
        scene & statement.scene == statement.scene
        and all(any(actor & wanted == wanted for actor in present) for wanted in statement.some)
        and not any(actor & unwanted == unwanted for unwanted in statement.none for actor in not_absent)
    )


def truth_matrix(statements: Sequence[Statement], known: Sequence[Facts]) -> npt.NDArray[np.int8]:
    """The truth of every statement of every picture.

    Returns:
        int8 (statements, pictures): 1 true, -1 false, 0 where it cannot be said.
    """
    certain = _padded([picture.certain for picture in known])
    everyone = _padded([picture.certain + picture.uncertain for picture in known])
    scenes = np.array([picture.scene for picture in known], np.int64)
    wanted_scene = np.array([statement.scene for statement in statements], np.int64)[:, None]
    in_scene = (scenes & wanted_scene) == wanted_scene
    some = _padded([statement.some for statement in statements])
    none = _padded([statement.none for statement in statements])
    least = in_scene & _all_met(some, certain) & ~_any_met(none, everyone)
    most = in_scene & _all_met(some, everyone) & ~_any_met(none, certain)
    return np.where(least, 1, np.where(most, 0, -1)).astype(np.int8)


def _padded(words: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """Words of bits as int64 (rows, widest), padded with 0: no statement asks for nothing, and no actor is nothing."""
    table = np.zeros((len(words), max(1, *(len(row) for row in words)) if words else 1), np.int64)
    for row, values in zip(table, words, strict=True):
        row[: len(values)] = values
    return table


def _met(wanted: npt.NDArray[np.int64], actors: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether, as bool (wanted, pictures), an actor of the picture has all the wanted bits."""
    met: npt.NDArray[np.bool_] = ((actors[None] & wanted[:, None, None]) == wanted[:, None, None]).any(axis=2)
    return met


def _all_met(wanted: npt.NDArray[np.int64], actors: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    result = np.ones((len(wanted), len(actors)), np.bool_)
    for column in wanted.T:
        result &= _met(column, actors) | (column == 0)[:, None]
    return result


def _any_met(unwanted: npt.NDArray[np.int64], actors: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    result = np.zeros((len(unwanted), len(actors)), np.bool_)
    for column in unwanted.T:
        result |= _met(column, actors) & (column != 0)[:, None]
    return result
