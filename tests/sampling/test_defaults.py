"""What is sampled where nothing is said: a change here makes other samplings of all libraries."""

from __future__ import annotations

from pipeline.sampling import CutDetection, FixedRate, Keyframe, Novelty, SceneChange


def test_defaults_of_the_samplings() -> None:
    assert FixedRate() == FixedRate(fps=1.0, cuts=None, tolerance_seconds=0.0)
    assert Keyframe() == Keyframe(min_gap_seconds=0.0)
    assert Novelty() == Novelty(fps=1.0, least_change=12.0, max_gap_seconds=30.0)
    assert SceneChange() == SceneChange(cuts=CutDetection(), frames_per_shot=3, max_gap_seconds=2.0)


def test_defaults_of_the_search_for_cuts() -> None:
    expected = CutDetection(detector="adaptive", threshold=None, min_shot_seconds=0.6, picture_height=90)
    assert CutDetection() == expected
    assert (CutDetection(picture_height=16).picture_height, CutDetection(picture_height=1080).picture_height) == (
        16,
        1080,
    )
    assert (SceneChange(frames_per_shot=1).frames_per_shot, SceneChange(frames_per_shot=32).frames_per_shot) == (1, 32)
