from __future__ import annotations

import itertools
import struct

import numpy as np
import pytest

from pipeline.video.picture import UPRIGHT, Orientation

ONE = 65536
ALL = [Orientation(*flags) for flags in itertools.product((False, True), repeat=3)]


def matrix(a: int, b: int, c: int, d: int) -> bytes:
    return struct.pack("=9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize(
    ("numbers", "degrees", "turns"),
    [((1, 0, 0, 1), 0, 0), ((0, 1, -1, 0), 90, 3), ((-1, 0, 0, -1), 180, 2), ((0, -1, 1, 0), 270, 1)],
)
def test_rotations_are_read_from_the_matrix(numbers: tuple[int, int, int, int], degrees: int, turns: int) -> None:
    orientation = Orientation.from_display_matrix(matrix(*numbers))
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert orientation.rotation_degrees == degrees
    assert orientation.is_rotation
    np.testing.assert_array_equal(orientation.upright(picture), np.rot90(picture, turns))


def test_mirrors_are_read_from_the_matrix() -> None:
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    mirror = Orientation.from_display_matrix(matrix(-1, 0, 0, 1))
    assert not mirror.is_rotation
    np.testing.assert_array_equal(mirror.upright(picture), picture[:, ::-1])


def test_half_of_the_orientations_are_rotations() -> None:
    assert sum(orientation.is_rotation for orientation in ALL) == 4


@pytest.mark.parametrize("orientation", ALL)
def test_upright_is_a_mirror_and_then_a_turn(orientation: Orientation) -> None:
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    mirrored = picture if orientation.is_rotation else picture[:, ::-1]
    expected = np.rot90(mirrored, -orientation.rotation_degrees // 90)
    upright = orientation.upright(picture)
    np.testing.assert_array_equal(upright, expected)
    assert orientation.upright_size(3, 2) == (upright.shape[1], upright.shape[0])


def test_upright_is_contiguous_and_read_only_and_leaves_its_input_alone() -> None:
    picture = np.zeros((2, 3, 3), np.uint8)
    upright = UPRIGHT.upright(picture)
    assert upright.flags.c_contiguous
    assert not upright.flags.writeable
    assert picture.flags.writeable
