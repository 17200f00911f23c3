"""Numbers, names and shapes that nobody expects, put into JSON, YAML and the JSON of Parquet files."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from typing import Any

__all__ = ["NUMBERS", "foreign_names", "mutated"]

NUMBERS: tuple[Any, ...] = (1e308, -1e308, -1, 0, 10**40, -(2**63), 2**63, 2**31, math.nan, math.inf, -math.inf, 1e-320)

_SHAPES: tuple[Any, ...] = (None, True, [], {}, "", "7", [[]], {"a": 1}, ["x", 3], "1/0", "1/3", "nan", "-1/2")


def foreign_names(canary: str) -> tuple[str, ...]:
    """Names of files outside a library, and such as no file can have or no terminal should see.

    Args:
        canary: A path outside the library.
    """
    return (
        canary,
        f"../../../{canary.rpartition('/')[2]}",
        "../../canary/secret.txt",
        f"file://{canary}",
        "/dev/zero",
        "/proc/self/environ",
        "nul\0here",
        "x" * 300,
        "映像" * 60,
        "\x1b[2J\x1b]0;title\x07",
        "\u202egpj.exe\u2066",
        "line\nfeed\rreturn",
        "\x9b31m\x7f",
        "<script>alert(1)</script>",
        "\ud800",
        ".",
        "..",
        "-rf",
        "%s%n{0}",
    )


def mutated(content: Any, rng: random.Random, names: tuple[str, ...], kind: str) -> tuple[Any, str] | None:
    """Content with one value replaced, and how; None where it has no such value.

    Args:
        content: What JSON or YAML holds.
        rng: Chooses.
        names: To put in place of texts.
        kind: "number" replaces numbers, "name" texts, "shape" anything by something of another kind, "missing" leaves
            a key out.
    """
    fits: dict[str, Callable[[Any], bool]] = {
        "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "name": lambda value: isinstance(value, str),
        "shape": lambda _: True,
        "missing": lambda _: True,
    }
    places = [place for place, value in _leaves(content) if place and fits[kind](value)]
    if kind == "missing":
        places = [place for place in places if isinstance(place[-1], str)]
    if not places:
        return None
    place = rng.choice(places)
    copy = json.loads(json.dumps(content))
    parent = copy
    for step in place[:-1]:
        parent = parent[step]
    if kind == "missing":
        del parent[place[-1]]
        return copy, f"{'.'.join(map(str, place))} left out"
    value = rng.choice({"number": NUMBERS, "name": names, "shape": _SHAPES}[kind])
    parent[place[-1]] = value
    return copy, f"{'.'.join(map(str, place))} = {value!r}"


def _leaves(content: Any, place: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """Places and values, containers included."""
    found = [(place, content)]
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inside:
        found += _leaves(value, (*place, key))
    return found
