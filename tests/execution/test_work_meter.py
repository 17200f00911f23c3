"""How much of a batch's work is done and left, step by step; tests/execution/test_work_left.py has whole batches."""

from __future__ import annotations

import pytest

from pipeline.execution.work_left import WorkMeter, WorkSoFar


def so_far(
    meter: WorkMeter, now: float = 0.0, *, sampled: int = 0, waiting: int = 0, encode: float = 1.0, readers: int = 1
) -> WorkSoFar:
    return meter.so_far(now, readers=readers, encoders=2, sampled=sampled, waiting=waiting, encode=encode)


def work(meter: WorkMeter) -> tuple[float, float, float]:
    """Work begun, the part that is read, and the most that is left on one video."""
    found = so_far(meter)
    return found.begun, found.read, found.longest_left


def test_before_anything_begins_there_is_no_work() -> None:
    assert so_far(WorkMeter()) == WorkSoFar(readers=1, encoders=2)
    assert so_far(WorkMeter(is_searching=True), readers=3) == WorkSoFar(readers=3, encoders=2)


def test_a_video_counts_with_the_length_that_its_container_states() -> None:
    meter = WorkMeter()
    meter.begin(1)
    meter.decoded(1, seconds=4.0, length=10.0, busy_seconds=1.0)
    assert work(meter) == (10.0, 4.0, 6.0)
    # A container may be wrong.
    meter.decoded(1, seconds=12.0, length=10.0, busy_seconds=1.0)
    assert work(meter) == (12.0, 12.0, 0.0)


def test_a_video_of_unknown_length_is_taken_to_be_as_long_as_others() -> None:
    meter = WorkMeter()
    meter.begin(1)
    meter.decoded(1, seconds=2.0, length=None, busy_seconds=1.0)
    assert work(meter) == (2.0, 2.0, 0.0)
    meter.begin(2)
    meter.decoded(2, seconds=1.0, length=10.0, busy_seconds=1.0)
    meter.begin(3)
    meter.decoded(3, seconds=1.0, length=30.0, busy_seconds=1.0)
    # Videos 1 and 3 are 20 s and 30 s.
    assert work(meter) == (60.0, 4.0, 29.0)
    meter.read(3, length=30.0, busy_seconds=1.0)
    meter.end(3)
    # A video that is over counts with the others: (10 + 30) / 2.
    assert work(meter) == (60.0, 33.0, 18.0)


def test_videos_that_are_over_are_work_done_and_given_up_ones_are_none() -> None:
    meter = WorkMeter()
    for number in (1, 2, 3):
        meter.begin(number)
        meter.decoded(number, seconds=2.0, length=10.0, busy_seconds=1.0)
    meter.read(1, length=9.0, busy_seconds=2.0)
    meter.end(1)
    meter.end(2)
    found = so_far(meter)
    assert (found.videos_begun, found.videos_over) == (2, 1)
    assert (found.begun, found.read, found.longest_left) == (19.0, 11.0, 8.0)


def test_until_one_has_ended_a_search_counts_as_half_of_the_video() -> None:
    meter = WorkMeter(is_searching=True)
    meter.begin(1)
    meter.decoded(1, seconds=4.0, length=10.0, busy_seconds=8.0)
    assert work(meter) == (15.0, 4.0, 11.0)


def test_a_search_counts_as_it_did_on_earlier_videos() -> None:
    meter = WorkMeter(is_searching=True)
    for number, busy_seconds in ((1, 11.0), (2, 13.0)):
        meter.begin(number)
        meter.decoded(number, seconds=9.0, length=10.0, busy_seconds=8.0)
        meter.read(number, length=10.0, busy_seconds=busy_seconds)
    # Of 16 s of decoding, 3 s and 5 s were searched for: half as much again.
    assert work(meter) == (30.0, 30.0, 0.0)
    meter.end(1)
    meter.begin(3)
    meter.decoded(3, seconds=9.0, length=20.0, busy_seconds=8.0)
    meter.read(3, length=20.0, busy_seconds=24.0)
    # 3 s, 5 s and 16 s after 24 s: as much again.
    assert work(meter) == (80.0, 80.0, 0.0)


def test_a_clock_that_goes_back_makes_no_search_shorter_than_none() -> None:
    meter = WorkMeter(is_searching=True)
    meter.begin(1)
    meter.decoded(1, seconds=9.0, length=10.0, busy_seconds=8.0)
    meter.read(1, length=10.0, busy_seconds=7.0)
    assert work(meter) == (10.0, 10.0, 0.0)


def test_frames_that_wait_are_not_encoded_and_none_is_before_the_encoder_works() -> None:
    meter = WorkMeter()
    assert so_far(meter, sampled=10, waiting=4).frames_encoded == 6
    assert so_far(meter, sampled=10, waiting=4, encode=0.0).frames_encoded == 0


def advanced(readers: int) -> list[tuple[float, float]]:
    """The steady work and its time after each batch: 10 s of video in 2 s each, all of it encoded."""
    meter = WorkMeter()
    meter.begin(1)
    found = []
    for number in range(8):
        meter.decoded(1, seconds=10.0 * (number + 1), length=100.0, busy_seconds=1.0)
        state = so_far(meter, 5.0 + 2 * number, sampled=10 * (number + 1), readers=readers)
        found.append((state.steady, state.steady_seconds))
    return found


@pytest.mark.parametrize(("readers", "turns"), [(0, 2), (1, 2), (2, 4), (3, 6)])
def test_work_is_steady_after_two_batches_of_each_reader(readers: int, turns: int) -> None:
    nothing = [(0.0, 0.0)] * turns
    assert advanced(readers) == [*nothing, *((10.0 * number, 2.0 * number) for number in range(turns, 8))]


def test_no_work_is_steady_while_the_clock_or_the_encoder_stands() -> None:
    meter = WorkMeter()
    meter.begin(1)
    for number in range(4):
        meter.decoded(1, seconds=10.0 * (number + 1), length=100.0, busy_seconds=1.0)
        found = so_far(meter, 5.0, sampled=10 * (number + 1))
        assert (found.steady, found.steady_seconds) == (0.0, 0.0)
    # 10 of 40 frames are encoded: of 40 s as much as at first.
    found = so_far(meter, 9.0, sampled=40, waiting=30)
    assert (found.steady, found.steady_seconds) == (0.0, 0.0)
    found = so_far(meter, 9.0, sampled=40, waiting=20)
    assert (found.steady, found.steady_seconds) == (10.0, 4.0)
