"""Probe texts for comparing an exported text tower with torch."""

from __future__ import annotations

from itertools import product

__all__ = ["FEW_PROBE_TEXTS", "PROBE_TEXTS"]

_SUBJECTS = ("a person", "two red cars", "an old dog", "a forklift with boxes")
_PLACES = ("in the rain", "at night near a bridge", "on a snowy road", "inside a warehouse")

PROBE_TEXTS: tuple[str, ...] = (
    *(f"{subject} {place}" for subject, place in product(_SUBJECTS, _PLACES)),
    "a",
    "?!",
    "person in hard hat",
    "It's the driver's car; they'll stop, we've seen 24 of 1000.",
    "a photo of a fire-drill, taken 2026-11-30 at 07:15",
    "Zwei Männer tragen eine Leiter – “vorsichtig”",  # noqa: RUF001 - as people type
    "Un café à Orléans & l'été",
    "AT&amp;T &lt;logo&gt;",
    "横断歩道を渡る人",
    "красная машина",
    "🚒🔥 fire truck",
    "tab\tand  spaces\u00a0and soft\u00adhyphen",
    "<start_of_text> nested <end_of_text>",
    "ﬁne ﬂour №5 ½",
    "a very long description of a street with many cars and people and " * 8,
)
"""Short and long texts: apostrophes, digits, other scripts, entities, and more tokens than fit into the context."""

FEW_PROBE_TEXTS: tuple[str, ...] = (
    "a",
    "a person in the rain",
    "It's the driver's car; they'll stop, we've seen 24 of 1000.",
    "横断歩道を渡る人",
    "🚒🔥 fire truck",
    PROBE_TEXTS[-1],
)
"""Some of them, from one token to more than fit into the context."""
