"""How packets and pictures find together, without a file: packets are sent and pictures received one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import av
import pytest
from av.video.frame import PictureType
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.video.repair.picture_order import PictureOrder, StoredOrder

SIMPLE, OTHER = "mpeg4", "h264"
TYPES = {"K": PictureType.I, "I": PictureType.I, "P": PictureType.P, "B": PictureType.B}


def stored(
    first_ticks: int = 0,
    offset: int = 0,
    step: Fraction | int = 1,
    is_counted: bool = False,
    is_packed: bool = False,
) -> StoredOrder:
    return StoredOrder(
        first_ticks=first_ticks, offset=offset, step=Fraction(step), is_counted=is_counted, is_packed=is_packed
    )


def sent(order: PictureOrder, times: Iterable[int | None], duration: int = 0) -> list[int | None]:
    """Send packets with decoding times; the numbers that they got."""
    numbers = []
    for time in times:
        packet = av.Packet(b"\0")
        packet.dts, packet.duration = time, duration
        order.send(packet)
        numbers.append(packet.pts)
    return numbers


def received(order: PictureOrder, pictures: str, numbers: Sequence[int | None] | None = None) -> list[int]:
    """Times of pictures by their types: "K" is one of a keyframe."""
    times = []
    for place, kind in enumerate(pictures):
        picture = av.VideoFrame(2, 2, "gray")
        picture.pts = place if numbers is None else numbers[place]
        picture.pict_type = TYPES[kind]
        picture.key_frame = kind == "K"  # type: ignore[misc]  # the stub lacks the setter
        times.append(order.receive(picture))
    return times


@pytest.mark.parametrize("codec", [SIMPLE, OTHER])
def test_the_nth_picture_is_shown_at_the_nth_time(codec: str) -> None:
    order = PictureOrder(stored(first_ticks=7, offset=7), codec)
    assert sent(order, [0, 10, 20, 30]) == [0, 1, 2, 3]
    # Shown in another order than decoded.
    assert received(order, "KBPP", [0, 2, 1, 3]) == [7, 17, 27, 37]


def test_pictures_may_come_while_packets_are_sent() -> None:
    order = PictureOrder(stored(), OTHER)
    found = []
    for number, time in enumerate([0, 5, 6, 20]):
        sent(order, [time])
        found += received(order, "K" if number == 0 else "P", [number])
    assert found == [0, 5, 6, 20]


@pytest.mark.parametrize(
    ("codec", "pictures", "numbers", "expected"),
    [
        # The picture of packet 1 never comes: once a keyframe has, its time is free.
        (SIMPLE, "KKP", [0, 2, 3], [0, 20, 30]),
        (OTHER, "KKP", [0, 2, 3], [0, 20, 30]),
        # In simple codecs a P-picture says the same, and in others nothing does.
        (SIMPLE, "KPP", [0, 2, 3], [0, 20, 30]),
        (SIMPLE, "KIP", [0, 2, 3], [0, 20, 30]),
        (OTHER, "KPP", [0, 2, 3], [0, 10, 20]),
        (OTHER, "KBB", [0, 2, 3], [0, 10, 20]),
        # Only the picture before a B-picture in decoding order waits for it.
        (SIMPLE, "KBP", [0, 2, 1], [0, 10, 20]),
        (SIMPLE, "KBP", [0, 3, 2], [0, 20, 30]),
        (SIMPLE, "KB", [0, 3], [0, 20]),
    ],
)
def test_a_time_whose_picture_never_comes_is_given_up(
    codec: str, pictures: str, numbers: list[int], expected: list[int]
) -> None:
    order = PictureOrder(stored(), codec)
    sent(order, [0, 10, 20, 30])
    assert received(order, pictures, numbers) == expected


def test_a_picture_that_comes_after_all_has_its_time_back() -> None:
    order = PictureOrder(stored(), OTHER)
    sent(order, [0, 10, 20, 30])
    # Packet 1 is given up at the keyframe of packet 2, and its picture comes then: no earlier than that one.
    assert received(order, "KKPP", [0, 2, 1, 3]) == [0, 20, 21, 30]


def test_pictures_without_a_number_take_the_next_time() -> None:
    order = PictureOrder(stored(), SIMPLE)
    sent(order, [0, 10, 20])
    assert received(order, "KPP", [None, None, None]) == [0, 10, 20]


@pytest.mark.parametrize(("step", "ticks"), [(3, 3), (Fraction(7, 2), 4), (Fraction(1, 3), 1), (Fraction(5, 2), 2)])
def test_pictures_beyond_all_packets_follow_at_the_usual_step(step: Fraction | int, ticks: int) -> None:
    order = PictureOrder(stored(first_ticks=5, step=step), OTHER)
    assert received(order, "KPP") == [5, 5 + ticks, 5 + 2 * ticks]


def test_times_that_do_not_go_on_are_made_to() -> None:
    order = PictureOrder(stored(step=3), OTHER)
    sent(order, [0, 10, 10, 10, 40])
    assert received(order, "KPPPP") == [0, 10, 13, 16, 40]


def test_a_time_that_another_picture_has_taken_moves_the_following_ones_up() -> None:
    order = PictureOrder(stored(), OTHER)
    sent(order, [0, 10, 20, 30, 40])
    # The pictures of packets 1 and 2 do not come: the next one takes the time of packet 1 before that is known.
    assert received(order, "KPKP", [0, 3, 4, 5]) == [0, 10, 40, 41]


@pytest.mark.parametrize(("duration", "step", "expected"), [(2, 3, [5, 7, 9]), (0, 3, [5, 8, 11])])
def test_raw_streams_are_counted_by_durations_or_steps(duration: int, step: int, expected: list[int]) -> None:
    order = PictureOrder(stored(first_ticks=5, step=step, is_counted=True), OTHER)
    sent(order, [0, 99, None], duration)
    assert received(order, "KPP") == expected


def test_counted_steps_are_never_rounded_on_the_way() -> None:
    order = PictureOrder(stored(step=Fraction(10, 3), is_counted=True), OTHER)
    sent(order, [None] * 7)
    assert received(order, "KPPPPPP") == [0, 3, 7, 10, 13, 17, 20]


def test_a_packet_without_a_time_follows_the_one_before() -> None:
    order = PictureOrder(stored(step=10, offset=2, first_ticks=2), OTHER)
    sent(order, [0, 50, None, None, 90])
    assert received(order, "KPPPP") == [2, 52, 62, 72, 92]


def packed_times(*times: int, duration: int = 7) -> list[int]:
    """Of packets that hold two pictures, at 4 ticks a picture; their durations mean nothing."""
    order = PictureOrder(stored(step=4, is_counted=True, is_packed=True), SIMPLE)
    sent(order, times, duration)
    return received(order, "K" + "P" * (len(times) - 1))


def test_packed_pictures_are_counted() -> None:
    assert packed_times(0, 4, 8, 12) == [0, 4, 8, 12]


@pytest.mark.parametrize(("gap", "moved"), [(4, 0), (32, 0), (33, 33), (36, 36), (400, 400)])
def test_an_encoder_that_waits_moves_no_packed_picture_and_a_long_gap_does(gap: int, moved: int) -> None:
    assert packed_times(0, 4, 8 + gap, 12 + gap) == [0, 4, 8 + moved, 12 + moved]


def test_a_long_gap_after_a_wait_is_as_long_as_it_is() -> None:
    # Waiting for 2 pictures, then a gap of 10.
    assert packed_times(0, 4 + 8, 8 + 8 + 40, 12 + 8 + 40) == [0, 4, 8 + 40, 12 + 40]


@pytest.mark.parametrize(("first", "moved"), [(32, 0), (33, 33), (40, 40)])
def test_many_packets_that_are_lost_at_the_beginning_are_a_gap(first: int, moved: int) -> None:
    assert packed_times(first, first + 4, first + 8) == [moved, moved + 4, moved + 8]


def test_many_short_waits_are_a_gap_in_the_end() -> None:
    # Each packet comes a picture later: after eight of them the ninth is put where it is.
    times = [8 * number for number in range(12)]
    assert packed_times(*times) == [*(4 * number for number in range(9)), 72, 76, 80]


@given(times=st.lists(st.integers(0, 200), min_size=1, max_size=30), codec=st.sampled_from([SIMPLE, OTHER]))
@settings(max_examples=40, deadline=None)
def test_times_always_increase(times: list[int], codec: str) -> None:
    order = PictureOrder(stored(), codec)
    sent(order, sorted(times))
    found = received(order, "K" + "P" * (len(times) - 1))
    assert found == sorted(set(found))
    assert len(found) == len(times)


def test_once_short_waits_are_a_gap_the_next_gap_is_counted_from_there() -> None:
    times = [*(8 * number for number in range(10)), 72 + 4 + 40]
    assert packed_times(*times)[-2:] == [72, 116]
