"""What is true of a picture: visibility, statements, and the matrix that must agree with them one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sample_videos.truth import ACTOR_BITS, SCENE_BITS, Facts, Statement, facts, holds, truth_matrix
from sample_videos.world.scene import Camera, Colour, Person, PlaceKind, Scene, Vehicle, VehicleKind

WORDS = st.integers(1, 15)
FACTS = st.builds(
    Facts, st.integers(0, 7), st.lists(WORDS, max_size=3).map(tuple), st.lists(WORDS, max_size=2).map(tuple)
)
STATEMENTS = st.builds(
    Statement, st.integers(0, 7), st.lists(WORDS, max_size=2).map(tuple), st.lists(WORDS, max_size=2).map(tuple)
)
WORKER = Person(x=320, depth=0.8, hat=Colour.YELLOW)
BAREHEADED = Person(x=200, depth=0.8)
IN_HAT = Statement(some=(ACTOR_BITS["person"] | ACTOR_BITS["hat"],))


def site(*actors: Person | Vehicle, camera: Camera | None = None) -> Scene:
    return Scene(place=PlaceKind.CONSTRUCTION_SITE, actors=actors, camera=camera or Camera())


@given(st.lists(STATEMENTS, min_size=1, max_size=5), st.lists(FACTS, min_size=1, max_size=5))
def test_truth_matrix_agrees_with_holds(statements: list[Statement], known: list[Facts]) -> None:
    matrix = truth_matrix(statements, known)
    for row, statement in zip(matrix, statements, strict=True):
        for value, picture in zip(row, known, strict=True):
            assert {True: 1, False: -1, None: 0}[holds(statement, picture)] == value


def test_facts_tell_a_hat_from_a_bare_head() -> None:
    assert holds(IN_HAT, facts(site(WORKER), 0.0)) is True
    assert holds(IN_HAT, facts(site(BAREHEADED), 0.0)) is False


def test_facts_bits_of_the_scene_hold() -> None:
    known = facts(site(), 0.0)
    assert holds(Statement(scene=SCENE_BITS[PlaceKind.CONSTRUCTION_SITE] | SCENE_BITS["day"]), known) is True
    assert holds(Statement(scene=SCENE_BITS["night"]), known) is False


def test_facts_out_of_view_is_not_seen() -> None:
    known = facts(site(WORKER, camera=Camera(x=100, zoom=2.0)), 0.0)
    assert known.certain == known.uncertain == ()


def test_facts_half_in_view_cannot_be_said() -> None:
    known = facts(site(WORKER, camera=Camera(x=320 - 160, zoom=2.0, y=250)), 0.0)
    assert holds(IN_HAT, known) is None


def test_facts_behind_a_truck_is_not_clearly_seen() -> None:
    truck = Vehicle(x=320, depth=0.9, kind=VehicleKind.TRUCK, colour=Colour.RED)
    assert holds(IN_HAT, facts(site(WORKER, truck), 0.0)) is not True


def test_facts_follow_a_moving_actor() -> None:
    walker = Person(x=600, depth=1.0, speed=100, hat=Colour.WHITE)
    assert holds(IN_HAT, facts(site(walker), 0.0)) is True
    assert holds(IN_HAT, facts(site(walker), 3.0)) is False


def test_holds_absence_needs_no_one() -> None:
    nobody = Statement(none=(ACTOR_BITS["person"], ACTOR_BITS["crewed"]))
    car = Vehicle(x=320, depth=0.9, kind=VehicleKind.CAR, colour=Colour.BLUE)
    assert holds(nobody, facts(site(), 0.0)) is True
    assert holds(nobody, facts(site(car), 0.0)) is False
