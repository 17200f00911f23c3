from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_embeddings import DIMENSION, Film, embeddings, grid

from pipeline.analyze.duplicates.frame_space import FrameSpace
from pipeline.analyze.duplicates.frame_track import frame_track

SPACE = FrameSpace(np.zeros(DIMENSION, np.float32))
FRAMES = embeddings("a", Film(1).at(grid(10.0)))


def thinned(rows, **changes):
    kept = {name: getattr(FRAMES, name)[rows] for name in ("pts", "times_seconds", "vectors")}
    return replace(FRAMES, **{**kept, "step_seconds": None, **changes})


def test_a_regular_sampling_is_its_own_track():
    track = frame_track(FRAMES, SPACE, 0.5)
    np.testing.assert_allclose(track.vectors, FRAMES.vectors, atol=1e-6)
    assert track.lag == 2


def test_an_irregular_sampling_holds_each_frame_for_the_time_it_stands_for():
    track = frame_track(thinned([0, 2, 3, 5, 8, 11, 14, 17]), SPACE, 0.5)
    assert len(track) == 20
    np.testing.assert_allclose(track.vectors[0], FRAMES.vectors[0], atol=1e-6)
    np.testing.assert_allclose(track.vectors[9], FRAMES.vectors[8], atol=1e-6)


def test_a_hole_in_the_sampling_looks_like_nothing():
    track = frame_track(thinned([0, 1, 2, 17, 18, 19], step_seconds=0.5), SPACE, 0.5)
    assert np.linalg.norm(track.vectors, axis=1).round(6).tolist() == [1.0] * 3 + [0.0] * 14 + [1.0] * 3


@pytest.mark.parametrize("count", [0, 1])
def test_next_to_no_frames_make_a_short_track(count):
    track = frame_track(thinned(list(range(count)), duration_seconds=0.04 * count), SPACE, 0.5)
    assert len(track) == count


def test_the_space_is_centred_on_the_sample_and_leaves_few_frames_alone():
    vectors = FRAMES.vectors + np.float32(0.5)
    space = FrameSpace.of_sample(vectors)
    assert abs(space.apply(vectors)[0].mean(axis=0)).max() < 0.2
    assert FrameSpace.of_sample(vectors[:3]).mean.max() == 0.0
    units, distances = space.apply(space.mean[None])
    assert (units.tolist(), distances.tolist()) == ([[0.0] * DIMENSION], [0.0])
