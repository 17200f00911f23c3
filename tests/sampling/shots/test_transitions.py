from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from synthetic_films import HEIGHT, WIDTH, Picture, film

from pipeline.sampling import ShotList
from pipeline.sampling.shots.transitions import (
    Transition,
    TransitionKind,
    TransitionSearch,
    _extent,
    _FoundTransition,
    _is_gradual,
    _joined,
    _mixture,
)


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
        search.feed(frame.time, frame.thumbnail())
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
        search.feed(frame.time, frame.thumbnail())
    search.break_off()
    for frame in pictures[75:]:
        search.feed(frame.time, frame.thumbnail())
    transitions = search.finish()
    # Of a dissolve that is cut off, its part may be seen.
    assert all(transition.end_seconds <= pictures[60].time for transition in transitions)


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [("dissolve", 5.5), ("fade_through_black", 5.5), ("fade_through_white", 5.5), ("fade_in", 5), ("fade_out", 6)],
)
def test_a_shot_begins_within_a_gradual_transition(kind: TransitionKind, boundary: float) -> None:
    transition = Transition(Fraction(5), Fraction(6), kind)
    shots = ShotList((Fraction(2), Fraction(9)), Fraction(10), (), 100, (transition,))
    assert shots.boundaries == (2, Fraction(boundary), 9)


def test_fades_at_the_ends_of_a_video_divide_no_shot() -> None:
    opening, closing = (Transition(Fraction(s), Fraction(s + 1), kind) for s, kind in ((0, "fade_in"), (9, "fade_out")))
    assert ShotList((Fraction(2),), Fraction(10), (), 100, (opening, closing)).boundaries == (2,)


def part(kind: TransitionKind, start: str, end: str, level: float = 0.0) -> _FoundTransition:
    return _FoundTransition(Transition(Fraction(start), Fraction(end), kind), 0.1, level)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([part("fade_out", "1", "2"), part("fade_in", "3.5", "4")], [("fade_through_black", 1, 4)]),
        ([part("fade_out", "1", "2"), part("fade_in", "3.501", "4")], [("fade_out", 1, 2), ("fade_in", 3.501, 4)]),
        ([part("fade_out", "1", "2", 127.9), part("fade_in", "2", "4")], [("fade_through_black", 1, 4)]),
        ([part("fade_out", "1", "2", 128.0), part("fade_in", "2", "4")], [("fade_through_white", 1, 4)]),
        ([part("dissolve", "1", "2"), part("dissolve", "2.2", "3")], [("dissolve", 1, 3)]),
        ([part("dissolve", "1", "2"), part("dissolve", "2.201", "3")], [("dissolve", 1, 2), ("dissolve", 2.201, 3)]),
        ([part("dissolve", "1", "2"), part("dissolve", "2", "3"), part("dissolve", "3", "4")], [("dissolve", 1, 4)]),
        ([part("fade_in", "1", "2"), part("fade_out", "2", "3")], [("fade_in", 1, 2), ("fade_out", 2, 3)]),
        ([part("fade_out", "1", "2"), part("dissolve", "2", "3")], [("fade_out", 1, 2), ("dissolve", 2, 3)]),
        ([part("fade_in", "1", "2")], [("fade_in", 1, 2)]),
        ([], []),
    ],
)
def test_what_is_close_enough_is_one_transition(
    parts: list[_FoundTransition], expected: list[tuple[TransitionKind, float, float]]
) -> None:
    joined_parts = [(one.kind, float(one.start_seconds), float(one.end_seconds)) for one in _joined(parts)]
    assert joined_parts == expected


@pytest.mark.parametrize(
    ("cut", "is_within"),
    [("5.1", False), ("5.101", True), ("5.5", True), ("5.899", True), ("5.9", False), ("6", False)],
)
def test_a_cut_at_the_ends_of_a_transition_stands_alone(cut: str, is_within: bool) -> None:
    assert Transition(Fraction(5), Fraction(6), "dissolve").contains(Fraction(cut)) == is_within


def test_pictures_are_looked_at_seven_hundredths_of_a_second_apart() -> None:
    search = TransitionSearch()
    (frame,) = film(still(1, 1))
    assert search.wants(Fraction(-5))
    search.feed(Fraction(1), frame.thumbnail())
    assert [search.wants(Fraction(ticks, 1000)) for ticks in (1000, 1069, 1070, 1071)] == [False, False, True, True]
    search.break_off()
    assert search.wants(Fraction(0))


@pytest.mark.parametrize(
    ("shares", "seconds", "is_gradual"),
    [
        ([0, 0.3, 0.6, 1], 0.5, True),
        ([0, 0.3, 0.6, 1], 0.2, True),
        ([0, 0.3, 0.6, 1], 0.199, False),
        # Two pictures at least show both, and no step is larger than 0.6 of the whole.
        ([0, 0.5, 1], 0.5, False),
        ([0, 0.08, 0.5, 0.92, 1], 0.5, False),
        ([0, 0.081, 0.5, 0.95, 1], 0.5, True),
        ([0, 0.05, 0.5, 0.919, 1], 0.5, True),
        ([0.1, 0.2, 0.75, 1], 0.5, True),
        ([0.1, 0.2, 0.85, 1], 0.5, False),
    ],
)
def test_what_counts_as_gradual(shares: list[float], seconds: float, is_gradual: bool) -> None:
    assert _is_gradual(np.array(shares, np.float64), seconds) == is_gradual


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        # A steady ramp from 1 s to 3 s, however many pictures show it.
        ([0, 0, 0.5, 1, 1], (1, 3)),
        ([0, 0, 0.25, 0.5, 0.75, 1, 1], (1, 5)),
        # One that begins before the first picture, and one whose shares jump.
        ([0.5, 1], (0.0 - 0.25, 0.5 + 0.25)),
        ([0, 1], (0.0, 1.0)),
    ],
)
def test_a_ramp_is_drawn_through_its_quarters(shares: list[float], expected: tuple[float, float]) -> None:
    times = np.arange(len(shares), dtype=np.float64)
    assert _extent(times, np.array(shares, np.float64)) == pytest.approx(expected)


def test_the_share_of_the_last_picture_is_told_and_what_it_leaves() -> None:
    first, last = np.zeros(432, np.float32), np.full(432, 100, np.float32)
    stranger = first.copy()
    stranger[::2], stranger[1::2] = 100, -100
    shares, residuals = _mixture(np.stack([first, last * 0.25, stranger, last]))
    assert shares == pytest.approx([0, 0.25, 0, 1], abs=1e-6)
    assert residuals == pytest.approx([0, 0, 1, 0], abs=1e-6)
