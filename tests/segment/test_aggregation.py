from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import Settings, validate
from pipeline.segment import (
    AggregationSettings,
    FixedWindows,
    MaxPooling,
    MeanPooling,
    Medoid,
    SegmentationSettings,
    Shots,
    segment_key,
    segment_vectors,
)
from pipeline.testing.aggregator import AggregatorContract, unit_rows
from pipeline.testing.segmenter import frames_at
from pipeline.types import Segment


class TestMeanPooling(AggregatorContract):
    aggregator = MeanPooling()


class TestMaxPooling(AggregatorContract):
    aggregator = MaxPooling()


class TestMedoid(AggregatorContract):
    aggregator = Medoid()


ROWS = np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 0, -1]], np.float32)


def test_mean_pooling_is_the_normalised_mean() -> None:
    expected = np.array([1.6, 0.8, -1]) / np.linalg.norm([1.6, 0.8, -1])
    np.testing.assert_allclose(MeanPooling().aggregate(ROWS), expected, atol=1e-6)


def test_max_pooling_is_the_normalised_greatest_component() -> None:
    expected = np.array([1, 0.8, 0]) / np.linalg.norm([1, 0.8, 0])
    np.testing.assert_allclose(MaxPooling().aggregate(ROWS), expected, atol=1e-6)


def test_the_medoid_is_the_row_nearest_to_all_others() -> None:
    angles = np.array([0.0, 2.0, 0.3, 0.5])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    np.testing.assert_array_equal(Medoid().aggregate(rows), rows[3])


def test_the_first_of_tied_medoids_is_taken() -> None:
    for seed in range(50):
        rows = unit_rows(2, 64, seed)
        np.testing.assert_allclose(Medoid().aggregate(rows), rows[0], atol=1e-6)


def test_rows_of_not_quite_unit_length_do_not_sway_the_medoid() -> None:
    rows = unit_rows(2, 64, 0)
    scaled = rows * np.array([[0.9995], [1.0005]], np.float32)
    np.testing.assert_allclose(Medoid().aggregate(scaled), rows[0], atol=1e-6)


@pytest.mark.parametrize("aggregator", [MeanPooling(), MaxPooling()])
def test_rows_that_cancel_out_give_the_first(aggregator: MeanPooling | MaxPooling) -> None:
    rows = np.array([[-0.6, 0.8], [0.6, -0.8]], np.float32)
    if isinstance(aggregator, MaxPooling):
        rows = np.array([[-1, 0], [0, -1]], np.float32)
    np.testing.assert_array_equal(aggregator.aggregate(rows), rows[0])


def test_segment_vectors_aggregate_the_frames_within() -> None:
    frames = frames_at([0.0, 1.0, 2.0, 3.0], 4.0)
    segments = (Segment("v1", 0.0, 2.0, 0), Segment("v1", 1.0, 4.0, 1))
    vectors = segment_vectors(frames, segments, MeanPooling())
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors[0], MeanPooling().aggregate(frames.vectors[:2]))
    np.testing.assert_array_equal(vectors[1], MeanPooling().aggregate(frames.vectors[1:]))


def test_segment_vectors_of_no_segments_have_no_rows() -> None:
    assert segment_vectors(frames_at([0.0], 4.0), (), Medoid()).shape == (0, 2)


@pytest.mark.parametrize("segment", [Segment("v1", 2.0, 3.0, 0), Segment("v2", 0.0, 1.0, 0)])
def test_a_segment_without_frames_of_the_video_is_refused(segment: Segment) -> None:
    with pytest.raises(ValueError, match="no sampled frame of this video is within"):
        segment_vectors(frames_at([0.0], 4.0), [segment], MeanPooling())


def test_keys_are_those_of_video_segmentation_and_ordinal() -> None:
    keys = {segment_key(v, f, n) for v in ("v1", "v11") for f in ("a", "b") for n in (1, 11)}
    assert len(keys) == 8
    assert segment_key("v1", "0a1b2c3d4e5f", 12) == "v1-0a1b2c3d4e5f-12"


class Both(Settings):
    segmentation: SegmentationSettings = FixedWindows()
    aggregation: AggregationSettings = MeanPooling()


@pytest.mark.parametrize("strategy", ["mean_pooling", "max_pooling", "medoid"])
def test_strategies_are_chosen_by_name(strategy: str) -> None:
    data = {"segmentation": {"strategy": "shots", "max_seconds": None}, "aggregation": {"strategy": strategy}}
    both = validate(Both, data)
    assert both.segmentation == Shots(max_seconds=None)
    assert both.aggregation.strategy == strategy


def test_rows_that_almost_cancel_out_have_a_direction_down_to_a_hundred_thousandth() -> None:
    # The mean of two rows at nearly opposite angles is half as long as they are apart from opposite.
    for apart, is_first in ((4e-5, False), (1e-5, True)):
        rows = np.array([[1.0, 0.0], [-np.cos(apart), np.sin(apart)]], np.float64)
        mean = MeanPooling().aggregate(rows)  # type: ignore[arg-type]
        np.testing.assert_allclose(mean, [1, 0] if is_first else [0, 1], atol=1e-4)


@pytest.mark.parametrize(("turn", "is_tie"), [(1e-6, True), (4e-6, False)])
def test_medoids_tie_within_a_millionth_and_no_further(turn: float, is_tie: bool) -> None:
    # The last of three rows is nearer to the others than the first, by about 0.45 of what that is turned away.
    angles = np.array([-turn, 2.0, 0.0])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert (Medoid().aggregate(rows)[1] < 0) == is_tie


def test_a_segment_takes_the_frame_at_its_start_and_not_the_one_at_its_end() -> None:
    frames = frames_at([0.0, 1.0, 2.0], 3.0)
    vectors = segment_vectors(frames, (Segment("v1", 0.0, 1.0, 0), Segment("v1", 1.0, 2.0, 1)), MeanPooling())
    np.testing.assert_allclose(vectors, frames.vectors[:2], atol=1e-6)
