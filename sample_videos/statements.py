"""What can be said of the sample world: its concepts, and statements made about its pictures."""

from __future__ import annotations

import random

from sample_videos.truth import ACTOR_BITS, NOBODY, SCENE_BITS, Facts, Statement, bits
from sample_videos.vocabulary import KINDS
from sample_videos.world.scene import Action, Colour, Light, PlaceKind, VehicleKind

__all__ = ["CONCEPTS", "concepts_of", "describe", "near_miss", "random_statement"]

HATS = (Colour.YELLOW, Colour.WHITE, Colour.ORANGE, Colour.RED, Colour.BLUE, Colour.GREEN)
VESTS = (Colour.YELLOW, Colour.ORANGE, Colour.GREEN)
COLOURED = (VehicleKind.FORKLIFT, VehicleKind.TRUCK, VehicleKind.CAR)


def _concepts() -> dict[str, Statement]:
    some = {kind: Statement(some=(bits(kind),)) for kind in KINDS}
    scenes = {name: Statement(scene=bit) for name, bit in SCENE_BITS.items() if name != "weather clear"}
    person = {
        "person in hard hat": ("hat",),
        "person without a hard hat": ("bareheaded",),
        "person in hi-vis vest": ("vest",),
        "person without a vest": ("no vest",),
        **{f"person in {colour} hard hat": ("hat", f"{colour} hat") for colour in HATS},
        **{f"person in {colour} vest": ("vest", f"{colour} vest") for colour in VESTS},
        **{f"person {action}": (str(action),) for action in Action},
    }
    things = {
        "intact box": ("boxes", "intact"),
        "damaged box": ("boxes", "damaged"),
        **{f"{colour} {kind}": (str(kind), f"in {colour}") for kind in COLOURED for colour in Colour},
    }
    return {
        **some,
        **scenes,
        **{name: Statement(some=(bits("person", *names),)) for name, names in person.items()},
        **{name: Statement(some=(bits(*names),)) for name, names in things.items()},
        "nobody": Statement(none=NOBODY),
    }


CONCEPTS = _concepts()
"""Everything that can be said of a picture by itself, by name; sentences combine these."""


def concepts_of(statement: Statement) -> list[str]:
    """The concepts that a statement says, by name, as "night", "person" and "person in hard hat"."""
    return [
        name.removeprefix("weather ")
        for name, concept in CONCEPTS.items()
        if concept.scene & statement.scene == concept.scene
        and all(any(word & said == word for said in statement.some) for word in concept.some)
        and set(concept.none) <= set(statement.none)
    ]


def describe(known: Facts, rng: random.Random) -> Statement:
    """A random statement that is true of a picture, of one to four concepts."""
    actors = rng.sample(known.certain, len(known.certain))
    some = [_part_of(word, rng) for word in actors[: rng.choices((0, 1, 2), weights=(1, 6, 2))[0]]]
    scene = 0
    least = 0.3 if some else 0.75
    for names in (list(PlaceKind), list(Light), ["weather rain", "weather snow"]):
        for name in names:
            if known.scene & SCENE_BITS[name] and rng.random() < least:
                scene |= SCENE_BITS[name]
    none: tuple[int, ...] = ()
    if not known.certain and not known.uncertain and rng.random() < 0.7:
        none = NOBODY
    elif rng.random() < 0.06:
        none = _absent(known, rng)
    if not some and not scene and not none:
        scene = SCENE_BITS[next(place for place in PlaceKind if known.scene & SCENE_BITS[place])]
    return Statement(scene, tuple(some), none)


def _part_of(word: int, rng: random.Random) -> int:
    """A word that says some of what is true of an actor."""
    names = [name for name, bit in ACTOR_BITS.items() if word & bit]
    kind = next(kind for kind in KINDS if kind in names)
    said = [kind]
    if kind == "person":
        for group, chance in ((("hat", "bareheaded"), 0.5), (("vest", "no vest"), 0.25), (tuple(Action), 0.3)):
            if rng.random() < chance:
                said += [name for name in names if name in group]
        for piece in ("hat", "vest"):
            if piece in said and rng.random() < 0.45:
                said += [name for name in names if name.endswith(f" {piece}") and name != "no vest"]
    elif kind in COLOURED and rng.random() < 0.5:
        said += [name for name in names if name.startswith("in ")]
    elif kind == "boxes" and rng.random() < 0.65:
        said += [name for name in names if name in ("intact", "damaged")]
    return bits(*said)


def _absent(known: Facts, rng: random.Random) -> tuple[int, ...]:
    everyone = 0
    for word in (*known.certain, *known.uncertain):
        everyone |= word
    kinds = [ACTOR_BITS[kind] for kind in KINDS if kind != "bicycle" and not everyone & ACTOR_BITS[kind]]
    if everyone & ACTOR_BITS["crewed"]:
        kinds = [bit for bit in kinds if bit != ACTOR_BITS["person"]]
    return (rng.choice(kinds),) if kinds else ()


_SWAPS: tuple[tuple[str, ...], ...] = (
    ("hat", "bareheaded"),
    ("vest", "no vest"),
    tuple(f"{colour} hat" for colour in HATS),
    tuple(f"{colour} vest" for colour in VESTS),
    tuple(Action),
    ("intact", "damaged"),
    tuple(f"in {colour}" for colour in Colour),
    tuple(COLOURED),
    ("fire", "smoke"),
)


def near_miss(statement: Statement, rng: random.Random) -> Statement:
    """The statement with one thing changed, so that it is most often false where the other was true."""
    options: list[Statement] = []
    for group in (list(PlaceKind), list(Light), ["weather rain", "weather snow"]):
        for name in group:
            if statement.scene & SCENE_BITS[name]:
                other = rng.choice([different for different in group if different != name])
                options.append(
                    Statement(statement.scene ^ SCENE_BITS[name] | SCENE_BITS[other], statement.some, statement.none)
                )
    for number, word in enumerate(statement.some):
        for changed in _changed_words(word, rng):
            some = (*statement.some[:number], changed, *statement.some[number + 1 :])
            options.append(Statement(statement.scene, some, statement.none))
    if not options:
        return random_statement(rng)
    return rng.choice(options)


def _changed_words(word: int, rng: random.Random) -> list[int]:
    changed = []
    for group in _SWAPS:
        for name in group:
            if not word & ACTOR_BITS[name]:
                continue
            rest = word ^ ACTOR_BITS[name]
            other = rng.choice([different for different in group if different != name])
            for piece in ("hat", "vest"):
                if name == piece:  # without the hat there is no colour of it
                    rest &= ~bits(*(f"{colour} {piece}" for colour in Colour))
            changed.append(rest | ACTOR_BITS[other])
    return changed


def random_statement(rng: random.Random) -> Statement:
    """Anything that can be said: one concept, or two that need not go together."""
    first = rng.choice(list(CONCEPTS.values()))
    if rng.random() < 0.4:
        return first
    second = rng.choice(list(CONCEPTS.values()))
    if first.none or second.none or (first.scene and second.scene):
        return first
    return Statement(first.scene | second.scene, first.some + second.some)
