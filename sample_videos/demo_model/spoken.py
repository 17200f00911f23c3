"""Sentences as strangers type them: other words for the same, questions around them, and words that nobody taught.

`sample_videos.phrasing` writes the labels of the committed films, so its words stay as they are. What the text tower
reads in training is made of its sentences here.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import chain

from pipeline.encode.vocabulary import Vocabulary
from sample_videos.phrasing import phrase
from sample_videos.statements import CONCEPTS
from sample_videos.truth import Statement
from sample_videos.vocabulary import (
    CIRCUMSTANCES,
    DOES,
    KEYWORDS,
    KINDS,
    NOBODY_ELSE,
    NOBODY_THERE,
    PLACES,
    PREFIXES,
    STATES,
    WEARS,
)
from sample_videos.world.scene import Colour

__all__ = ["FALSE_PHRASES", "PHRASES", "UNKNOWN", "VOCABULARY", "empty_sentence", "spoken", "unknown_sentence"]

UNKNOWN = "unknown"
"""What stands for every word that the model does not know; one token of open_clip's tokenizer."""

_ALIKE: dict[str, tuple[str, ...]] = {
    "person": ("persons", "individual", "individuals", "somebody", "anybody", "anyone", "people", "figure"),
    "people": ("persons", "workers", "pedestrians", "humans", "individuals"),
    "worker": ("workers", "builder", "builders", "workman", "workmen", "labourer", "laborer", "labourers", "laborers"),
    "pedestrian": ("pedestrians", "passerby"),
    "employee": ("employees", "staff"),
    "human": ("humans",),
    "someone": ("somebody", "anyone", "anybody"),
    "forklift": ("forklifts", "fork lift", "fork lifts", "fork truck"),
    "truck": ("trucks",),
    "lorry": ("lorries",),
    "car": ("cars",),
    "automobile": ("automobiles",),
    "vehicle": ("vehicles",),
    "bicycle": ("bicycles", "pushbike"),
    "bike": ("bikes",),
    "cyclist": ("cyclists", "bicyclist", "bicyclists"),
    "riding": ("rides", "ride", "on"),
    "crane": ("cranes",),
    "dog": ("dogs", "canine"),
    "hound": ("hounds",),
    "box": ("boxes", "package", "parcel", "carton"),
    "boxes": ("parcels", "packages", "cartons"),
    "parcel": ("parcels",),
    "package": ("packages",),
    "carton": ("cartons",),
    "fire": ("fires", "flame", "flames", "burning"),
    "flames": ("flame", "something burning", "something on fire"),
    "damaged": ("smashed", "squashed", "battered", "ripped", "crumpled"),
    "intact": ("unharmed",),
    "helmet": ("helmets",),
    "hardhat": ("hardhats",),
    "hat": ("hats",),
    "vest": ("vests",),
    "vis": ("viz",),
    "high visibility": ("high vis", "high viz", "hivis", "hi visibility"),
    "standing": ("stands", "stand", "stood"),
    "walking": ("walks", "walk", "walked"),
    "climbing a ladder": ("climbing", "climbing up", "who is climbing"),
    "climbing": ("climbs", "climb", "climbed", "going up", "goes up"),
    "carrying": ("carries", "carry", "carried"),
    "holding": ("holds", "hold", "held"),
    "lugging": ("lugs", "lug"),
    "ladder": ("ladders",),
    "wearing": ("wears", "wear", "dressed in", "that wears", "who wears", "who is wearing"),
    "without": ("lacking", "with no"),
    "not wearing": ("isn't wearing", "who is not wearing", "who does not wear", "doesn't wear", "aren't wearing"),
    "street": ("streets",),
    "road": ("roads", "roadway"),
    "warehouse": ("warehouses",),
    "office": ("offices",),
    "harbour": ("harbours",),
    "harbor": ("harbors",),
    "port": ("ports",),
    "dock": ("docks",),
    "site": ("sites",),
    "field": ("fields",),
    "building": ("buildings",),
    "depot": ("depots",),
    "night": ("nighttime", "the night"),
    "daylight": ("the daylight",),
    "sunset": ("sundown", "twilight"),
    "in evening light": ("in the evening",),
    "rain": ("rainfall", "raining"),
    "it rains": ("it is raining", "raining"),
    "falling snow": ("snow falling",),
    "it is snowing": ("it snows", "snowing"),
    "grey": ("gray",),
    "gray": ("grey",),
}
"""Words of phrasing's sentences, and what may stand in their place; true of the same pictures."""

_OPENINGS = (
    "show me {}", "find {}", "find me {}", "where is {}", "where are {}", "is there {}", "are there {}",
    "there is {}", "there are {}", "a clip of {}", "clips of {}", "a scene with {}", "scenes with {}",
    "footage with {}", "any footage of {}", "videos of {}", "a video with {}", "an image of {}", "images of {}",
    "photos of {}", "pictures of {}", "a shot of {}", "a frame with {}", "frames showing {}", "a moment with {}",
    "the moment when {}", "please find {}", "please show me {}", "can you find {}", "could you show {}",
    "i want to see {}", "i need {}", "i am looking for {}", "we are looking for {}", "looking for {}", "look for {}",
    "search for {}", "get me {}", "give me {}", "display {}", "detect {}", "locate {}", "spot {}", "do you see {}",
    "do we have {}", "when is {}", "when was {}", "which video shows {}", "what shows {}", "who is {}", "all {}",
    "every {}", "some {}", "any {}", "the {}", "this {}", "that {}", "one {}", "at least one {}", "a film of {}",
    "a recording of {}", "movie of {}", "i would like to see {}", "let me see {}", "tell me where {} is",
    "tell me when {} was there", "how about {}", "camera footage of {}", "cctv footage of {}", "cctv of {}",
    "the camera sees {}", "has there been {}", "have there been {}", "did {} pass", "was there {}", "were there {}",
    "list all {}", "just {}",
)  # fmt: skip
_ENDINGS = (
    "{} please", "{} in the video", "{} in this clip", "{} in the picture", "{} can be seen", "{} is shown",
    "{} is there", "{} was seen", "{} on screen", "{} in view", "{} anywhere", "{} here", "{} now", "{} again",
    "{} on camera", "{} seen by a camera", "{} being there", "{} in any video", "{} in the footage",
    "{} in the scene", "{} is visible", "{} appears",
)  # fmt: skip
_NEUTRAL = (  # noqa: SIM905 - a list of so many short strings is hard to read
    "a an the this that these those it its his her their he she they them we us you i me my our your and or also as"
    " of to for from by with at on in into onto over under above below behind between beside near next close around"
    " along across past through towards toward front back out off up down is are was were be been being"
    " do does did has have had can could will would should may might there here where when while who which what how"
    " why whose all any some every each one another other others single more than then so but if just only"
    " something everything anything thing things visible seen shown showing shows show see look looking coloured"
    " colored colour color side kind type whole entire bit really very"
).split()
"""Words that by themselves say nothing of a picture."""

_ONE_WORD = {
    "hard hat": ("hard hat", "hat", "helmet", "hard hats", "hardhat", "safety helmet"),
    "vest": ("vest", "safety vest", "hi-vis vest", "hi-vis", "high-visibility vest", "vests", "reflective vest"),
}

PHRASES: tuple[tuple[tuple[str, ...], tuple[Statement, ...], tuple[Statement, ...]], ...] = (
    (_ONE_WORD["hard hat"], (CONCEPTS["person in hard hat"],), ()),
    (_ONE_WORD["vest"], (CONCEPTS["person in hi-vis vest"],), ()),
    *(
        (tuple(f"{colour} {name}" for name in _ONE_WORD["hard hat"]), (concept,), ())
        for colour in Colour
        if (concept := CONCEPTS.get(f"person in {colour} hard hat"))
    ),
    *(
        (tuple(f"{colour} {name}" for name in _ONE_WORD["vest"]), (concept,), ())
        for colour in Colour
        if (concept := CONCEPTS.get(f"person in {colour} vest"))
    ),
    (("ladder", "ladders", "climbing", "climber", "up a ladder"), (CONCEPTS["person climbing a ladder"],), ()),
    (("walking", "walker", "walks by"), (CONCEPTS["person walking"],), ()),
    (("standing", "standing still"), (CONCEPTS["person standing"],), ()),
    (("carrying a box", "holding a package", "carrying something"), (CONCEPTS["person carrying a box"],), ()),
    (("bareheaded", "bareheaded person", "no helmet", "missing helmet"), (CONCEPTS["person without a hard hat"],), ()),
    (("damage", "something damaged", "something broken", "something torn"), (CONCEPTS["damaged box"],), ()),
    (("cardboard",), (CONCEPTS["boxes"],), ()),
    (("animal", "animals", "pet"), (CONCEPTS["dog"],), ()),
    (("snow", "snowy", "the snow"), (CONCEPTS["weather snow"], CONCEPTS["snow field"]), ()),
    (("rain", "raining", "rainy", "the rain"), (CONCEPTS["weather rain"],), ()),
    (("dark", "darkness", "in the dark"), (CONCEPTS["night"],), ()),
    (("evening", "twilight"), (CONCEPTS["sunset"],), ()),
    (("day", "day time"), (CONCEPTS["day"],), ()),
    (("shelves", "storage", "warehouse shelves"), (CONCEPTS["warehouse"],), ()),
    (("desks", "desk", "workplace"), (CONCEPTS["office"],), ()),
    (("indoors", "indoor", "inside a building"), (CONCEPTS["warehouse"], CONCEPTS["office"]), ()),
    (
        ("outdoors", "outdoor", "outside"),
        tuple(CONCEPTS[place] for place in PLACES if place not in ("warehouse", "office")),
        (),
    ),
    (("city", "city street"), (CONCEPTS["street"],), (CONCEPTS["concrete building"],)),
    (("construction", "building works"), (CONCEPTS["construction site"],), ()),
    (
        ("building", "buildings", "concrete"),
        (CONCEPTS["concrete building"],),
        tuple(CONCEPTS[place] for place in ("street", "construction site", "harbour", "warehouse", "office")),
    ),
    (("forks", "lift truck"), (CONCEPTS["forklift"],), ()),
)
"""Phrases that phrasing does not have: any of the first statements makes one true; where one of the second holds, it
cannot be said."""

FALSE_PHRASES = (
    "tower", "passenger", "passengers", "column", "lift", "landscape", "fire truck", "fire hall", "snow person",
    "snow dog", "person carrying a dog", "carrying a car", "wearing a box", "wearing a car", "person wearing a box",
    "dog wearing a helmet", "dog in a vest", "dog riding a bicycle", "car climbing a ladder", "dog on a ladder",
    "truck on a ladder", "green dog", "red dog", "blue smoke", "green fire", "person holding a dog",
    "person carrying a ladder", "dog carrying a box", "screen", "light", "view", "film", "photo", "picture", "movie",
)  # fmt: skip
"""Phrases of known words that hold of no picture."""


def _all_words() -> frozenset[str]:
    """Every word that the text tower reads in training, but the one that stands for the others."""
    texts: Iterable[str] = chain(
        *KINDS.values(), *STATES.values(), *WEARS.values(), *DOES.values(), *CIRCUMSTANCES.values(), *KEYWORDS.values(),
        *(chain(*names) for names in PLACES.values()), NOBODY_THERE, NOBODY_ELSE, PREFIXES, map(str, Colour), _ALIKE,
        *_ALIKE.values(), _OPENINGS, _ENDINGS, _NEUTRAL, *(texts for texts, _, _ in PHRASES), FALSE_PHRASES,
    )  # fmt: skip
    words = {word for text in texts for word in text.replace("-", " ").replace("{}", " ").lower().split()}
    return frozenset(words)


VOCABULARY = Vocabulary(_all_words(), UNKNOWN)
"""What the demo model declares to know."""

_CONTENT = VOCABULARY.words - frozenset(_NEUTRAL) - {w for o in _OPENINGS for w in o.replace("{}", "").split()}


def spoken(text: str, rng: random.Random) -> str:
    """A sentence of the same meaning, as someone else might type it."""
    said = VOCABULARY.known_text(text)
    if rng.random() < 0.5:
        said = _exchanged(said, rng)
    if rng.random() < 0.3:
        said = rng.choice(_OPENINGS).format(said)
    if rng.random() < 0.1:
        said = rng.choice(_ENDINGS).format(said)
    return said


def _exchanged(text: str, rng: random.Random) -> str:
    """The text with some of its words replaced by others of the same meaning."""
    padded = f" {text} "
    for old, others in _ALIKE.items():
        if f" {old} " in padded and rng.random() < 0.5:
            padded = padded.replace(f" {old} ", f" {rng.choice(others)} ")
    return padded.strip()


def empty_sentence(rng: random.Random) -> str:
    """Words that ask for nothing: true of no picture."""
    if rng.random() < 0.4:
        said = rng.choice((*_OPENINGS, *_ENDINGS)).replace("{}", rng.choice(("", "the", "a", "it", "that")))
        return VOCABULARY.known_text(said)
    return " ".join(rng.choice(_NEUTRAL) for _ in range(rng.randint(1, 6)))


def unknown_sentence(statement: Statement, rng: random.Random) -> str:
    """A sentence with at least one word that the model does not know, so true of no picture."""
    if rng.random() < 0.25:
        words = [UNKNOWN if rng.random() < 0.5 else rng.choice(_NEUTRAL) for _ in range(rng.randint(1, 8))]
        words.insert(rng.randint(0, len(words)), UNKNOWN)
    else:
        words = VOCABULARY.known_text(phrase(statement, rng)).split()
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            words = _with_unknown(words, rng)
    text = spoken(" ".join(words), rng) if rng.random() < 0.5 else " ".join(words)
    return VOCABULARY.known_text(text)


_JOINTS = ("and", "and a", "with a", "in a", "on a", "near a", "beside a", "at", "in", "of a", "next to a", "on", "by")


def _with_unknown(words: Sequence[str], rng: random.Random) -> list[str]:
    """One more unknown word: in place of a word, before one, or joined to the end or the beginning."""
    content = [number for number, word in enumerate(words) if word in _CONTENT] or [0]
    place, chance = rng.choice(content), rng.random()
    if chance < 0.35 and len(words) > 1:
        return [*words[:place], UNKNOWN, *words[place + rng.choice((1, 1, 2)) :]]
    if chance < 0.6:
        return [*words[:place], UNKNOWN, *words[place:]]
    joint = rng.choice(_JOINTS).split()
    if chance < 0.8:
        return [*words, *joint, UNKNOWN]
    if chance < 0.9:
        return [*words, UNKNOWN]
    return [*rng.choice(((), ("a",), ("the",))), UNKNOWN, *joint, *words]
