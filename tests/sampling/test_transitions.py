from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from films import HEIGHT, WIDTH, Picture, film
from PIL import Image

from pipeline.sampling import Shots
from pipeline.sampling.transitions import Transition, TransitionKind, TransitionSearch


def scenery(seed: int) -> Picture:
    """A view with detail: uint8 (HEIGHT, 4 * WIDTH, 3)."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (9, 60, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((4 * WIDTH, HEIGHT), Image.Resampling.BILINEAR))


def still(seed: int, count: int, pan: float = 0.0) -> list[Picture]:
    view = scenery(seed)
    return [view[:, int(number * pan) : int(number * pan) + WIDTH] for number in range(count)]


def mixed(before: Sequence[Picture], after: Sequence[Picture]) -> list[Picture]:
    shares = np.arange(1, len(before) + 1) / (len(before) + 1)
    return [
        np.rint(one * (1 - share) + other * share).astype(np.uint8)
        for one, other, share in zip(before, after, shares, strict=True)
    ]


def found(pictures: Sequence[Picture], rate: int = 25) -> tuple[Transition, ...]:
    search = TransitionSearch()
    for frame in film(pictures, [Fraction(number, rate) for number in range(len(pictures))]):
        search.feed(frame.time, frame.glance())
    return search.finish()


def joined(seconds: float, rate: int = 25, pan: float = 0.0) -> list[Picture]:
    """Two seconds of one shot, a dissolve, two of another."""
    count, around = int(seconds * rate), 2 * rate
    one, other = still(1, around + count, pan), still(2, around + count, pan)
    return [*one[:around], *mixed(one[around:], other[:count]), *other[count:]]


@pytest.mark.parametrize("rate", [10, 25, 50])
@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0])
def test_a_dissolve_is_found_where_it_is(seconds: float, rate: int) -> None:
    (transition,) = found(joined(seconds, rate), rate)
    assert transition.kind == "dissolve"
    assert float(transition.start_seconds) == pytest.approx(2, abs=0.15)
    assert float(transition.end_seconds) == pytest.approx(2 + seconds, abs=0.15)


@pytest.mark.parametrize("pan", [0.1, 0.2])
def test_a_dissolve_between_moving_shots_is_found(pan: float) -> None:
    assert [transition.kind for transition in found(joined(0.8, pan=pan))] == ["dissolve"]


@pytest.mark.parametrize(("level", "colour"), [(0, "black"), (255, "white")])
def test_fades_are_told_by_their_colour_and_direction(level: int, colour: str) -> None:
    blank = [np.full((HEIGHT, WIDTH, 3), level, np.uint8)] * 20
    one, other = still(1, 70), still(2, 70)
    out = [*one[:50], *mixed(one[50:], blank), *blank]
    into = [*blank, *mixed(blank, other[:20]), *other[20:]]
    assert [transition.kind for transition in found(out)] == ["fade_out"]
    assert [transition.kind for transition in found(into)] == ["fade_in"]
    (whole,) = found([*out[:-10], *into[10:]])
    assert whole.kind == f"fade_through_{colour}"
    assert float(whole.start_seconds) == pytest.approx(2, abs=0.15)
    assert float(whole.end_seconds) == pytest.approx(2 + 60 / 25, abs=0.2)


def light_changes() -> list[Picture]:
    return [np.rint(picture * (1 - number / 100)).astype(np.uint8) for number, picture in enumerate(still(1, 75))]


def grainy(pictures: Sequence[Picture]) -> list[Picture]:
    random = np.random.default_rng(5)
    return [np.clip(picture + random.integers(-25, 26, picture.shape), 0, 255).astype(np.uint8) for picture in pictures]


def something_crosses() -> list[Picture]:
    """A grey thing as high as the picture goes through it in two seconds."""
    pictures = [picture.copy() for picture in still(1, 100)]
    for number in range(25, 75):
        right = int((number - 25) / 50 * 2 * WIDTH)
        pictures[number][:, max(0, right - WIDTH) : right] = 120
    return pictures


QUIET = {
    "cuts": [*still(1, 40), *still(2, 40), *still(3, 40)],
    "a pan": still(1, 100, pan=1.5),
    "a fast pan": still(1, 48, pan=4.0),
    "noise": grainy(still(1, 100, pan=0.3)),
    "light": light_changes(),
    "something crosses": something_crosses(),
    "a zoom": [
        np.asarray(
            Image.fromarray(picture).resize(
                (WIDTH, HEIGHT), box=(number / 4, number / 8, 64 - number / 4, 36 - number / 8)
            )
        )
        for number, picture in enumerate(still(4, 80))
    ],
}


@pytest.mark.parametrize("name", QUIET)
def test_movement_light_and_cuts_are_no_gradual_transition(name: str) -> None:
    assert found(QUIET[name]) == ()


def test_what_does_not_follow_is_not_compared() -> None:
    search = TransitionSearch()
    pictures = film(joined(1.0))
    for frame in pictures[:60]:
        search.feed(frame.time, frame.glance())
    search.break_off()
    for frame in pictures[75:]:
        search.feed(frame.time, frame.glance())
    transitions = search.finish()
    # Of a dissolve that is cut off, its part may be seen.
    assert all(transition.end_seconds <= pictures[60].time for transition in transitions)


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [("dissolve", 5.5), ("fade_through_black", 5.5), ("fade_through_white", 5.5), ("fade_in", 5), ("fade_out", 6)],
)
def test_a_shot_begins_within_a_gradual_transition(kind: TransitionKind, boundary: float) -> None:
    transition = Transition(Fraction(5), Fraction(6), kind)
    shots = Shots((Fraction(2), Fraction(9)), Fraction(10), (), 100, (transition,))
    assert shots.boundaries == (2, Fraction(boundary), 9)


def test_fades_at_the_ends_of_a_video_divide_no_shot() -> None:
    opening, closing = (Transition(Fraction(s), Fraction(s + 1), kind) for s, kind in ((0, "fade_in"), (9, "fade_out")))
    assert Shots((Fraction(2),), Fraction(10), (), 100, (opening, closing)).boundaries == (2,)
