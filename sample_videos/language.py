"""Sentences of the sample world: statements put into English in many ways, and statements made about pictures."""

from __future__ import annotations

import random
from collections.abc import Sequence

from sample_videos.truth import ACTOR_BITS, SCENE_BITS, Facts, Statement
from sample_videos.vocabulary import ABSENCES, ACTIONS, KINDS, PLACES, PREFIXES, SCENES
from sample_videos.world.scene import Action, Colour, Light, PlaceKind, VehicleKind

__all__ = ["CONCEPTS", "bits", "describe", "near_miss", "phrase", "random_statement"]

HATS = (Colour.YELLOW, Colour.WHITE, Colour.ORANGE, Colour.RED, Colour.BLUE, Colour.GREEN)
VESTS = (Colour.YELLOW, Colour.ORANGE, Colour.GREEN)
COLOURED = (VehicleKind.FORKLIFT, VehicleKind.TRUCK, VehicleKind.CAR)
NOBODY = (ACTOR_BITS["person"], ACTOR_BITS["crewed"])


def bits(*names: str) -> int:
    """The word of an actor's bits by their names."""
    return sum(ACTOR_BITS[name] for name in names)


def _concepts() -> dict[str, Statement]:
    some = {kind: Statement(some=(bits(kind),)) for kind in KINDS}
    scenes = {name: Statement(scene=bit) for name, bit in SCENE_BITS.items() if name != "weather clear"}
    person = {
        "person in hard hat": ("hat",),
        "person without a hard hat": ("bareheaded",),
        "person in hi-vis vest": ("vest",),
        "person without a vest": ("no vest",),
        **{f"person in {colour} hard hat": (f"{colour} hat",) for colour in HATS},
        **{f"person in {colour} vest": (f"{colour} vest",) for colour in VESTS},
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


def phrase(statement: Statement, rng: random.Random) -> str:
    """One of many English sentences that say what a statement claims, and nothing more.

    Raises:
        ValueError: The statement claims what no sentence is known for.
    """
    subjects = [_actor_phrase(word, rng) for word in statement.some]
    absences = _absence_phrases(statement.none, rng)
    place, circumstances = _scene_phrases(statement.scene, rng)
    if not subjects and not place and not circumstances:
        return rng.choice(PREFIXES) + _joined(absences, rng)
    core = rng.choice((" and ", " beside ", " next to ", " with ", " near ")).join(subjects)
    parts = [core] if core else []
    if place:
        parts.append(f"{rng.choice(place.prepositions)} {place.noun}" if core else place.noun)
    parts += absences if core or place else []
    parts += [rng.choice(options) for options in circumstances]
    if not core and not place:
        parts += absences
    elif rng.random() < 0.15:
        parts = parts[::-1]
        return rng.choice(PREFIXES) + ", ".join(parts)
    return rng.choice(PREFIXES) + " ".join(parts)


def _joined(parts: Sequence[str], rng: random.Random) -> str:
    return rng.choice((" and ", ", ")).join(parts)


class _Place:
    """A place in one of its names, with an article or without."""

    def __init__(self, kind: PlaceKind, rng: random.Random) -> None:
        names, self.prepositions = PLACES[kind]
        name = rng.choice(names)
        article = "an " if name[0] in "aeiou" else "a "
        self.noun = rng.choice((article, article, "the ", "")) + name


def _scene_phrases(scene: int, rng: random.Random) -> tuple[_Place | None, list[Sequence[str]]]:
    place = None
    circumstances: list[Sequence[str]] = []
    for name, bit in SCENE_BITS.items():
        if not scene & bit:
            continue
        if name in SCENES:
            circumstances.append(SCENES[name])
        else:
            place = _Place(PlaceKind(name), rng)
    rng.shuffle(circumstances)
    return place, circumstances


def _actor_phrase(word: int, rng: random.Random) -> str:
    names = {name for name, bit in ACTOR_BITS.items() if word & bit}
    kind = next((kind for kind in KINDS if kind in names), None)
    if kind is None:
        raise ValueError(f"no sentence is known for an actor with {sorted(names)}")
    colour = next((str(c) for c in Colour if f"in {c}" in names), "")
    state = next((state for state in ("intact", "damaged") if state in names), "")
    adjectives = [rng.choice(ACTIONS[state])] if state else []
    if colour and kind != "person":
        adjectives.append(_colour_word(colour, rng))
    noun = " ".join([*adjectives, rng.choice(KINDS[kind])])
    article = rng.choice((_article(noun), _article(noun), "", "one " if kind == "person" else ""))
    if kind in ("fire", "smoke") or noun.endswith("s"):
        article = ""
    return f"{article}{noun}{_outfit(names, rng) if kind == 'person' else ''}"


def _article(noun: str) -> str:
    return "an " if noun[0] in "aeiou" else "a "


def _colour_word(colour: str, rng: random.Random) -> str:
    return rng.choice(("grey", "gray")) if colour == "grey" else colour


def _outfit(names: set[str], rng: random.Random) -> str:
    """What a person wears and does, in chance order, with a leading space."""
    parts: list[str] = []
    hat = next((f"{_colour_word(c, rng)} " for c in Colour if f"{c} hat" in names), "")
    vest = next((f"{_colour_word(c, rng)} " for c in Colour if f"{c} vest" in names), "")
    wear = rng.choice(("wearing a ", "in a ", "with a ", "in ", "wearing ", ""))
    worn = []
    if "hat" in names or hat:
        worn.append(hat + rng.choice(ACTIONS["hat"]))
    if "vest" in names or vest:
        worn.append(vest + rng.choice(ACTIONS["vest"]))
    if worn:
        rng.shuffle(worn)
        parts.append(wear + " and ".join(worn))
    if "bareheaded" in names:
        parts.append(rng.choice(ACTIONS["bareheaded"]))
    if "no vest" in names:
        parts.append(rng.choice(ACTIONS["no vest"]))
    parts += [rng.choice(ACTIONS[action]) for action in Action if action in names]
    rng.shuffle(parts)
    return "".join(f" {part}" for part in parts)


def _absence_phrases(none: Sequence[int], rng: random.Random) -> list[str]:
    words = set(none)
    phrases = []
    if set(NOBODY) <= words:
        phrases.append(rng.choice(ABSENCES["nobody"]))
        words -= set(NOBODY)
    kinds = [next(kind for kind in KINDS if ACTOR_BITS[kind] == word) for word in sorted(words)]
    return phrases + [rng.choice(("without ", "with no ", "no ")) + rng.choice(KINDS[kind]) for kind in kinds]


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
