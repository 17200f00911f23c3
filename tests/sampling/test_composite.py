from __future__ import annotations

from fractions import Fraction

import pytest
from pydantic import ValidationError

from pipeline.run_config import load_run_config
from pipeline.sampling import Composite, CutDetection, FixedRate, Keyframe, Novelty, SceneChange
from pipeline.testing.sampler import GreyFrame, SamplerContract, frames_at, info_of, sampled
from pipeline.types import Skip

GRID = FixedRate(fps=1.0)


class TestCompositeOfGrids(SamplerContract):
    sampler = Composite(parts=(GRID, FixedRate(fps=0.3)))


class TestCompositeOfAll(SamplerContract):
    sampler = Composite(parts=(SceneChange(), FixedRate(fps=0.5), Keyframe(min_gap_seconds=1.0), Novelty()))


def test_frames_of_all_parts_come_in_order_and_once() -> None:
    frames = [GreyFrame(pts, is_keyframe=pts % 700 == 0) for pts in range(0, 3000, 100)]
    chosen = sampled(Composite(parts=(GRID, Keyframe())), frames)
    assert [frame.pts for frame in chosen] == [0, 700, 1000, 1400, 2000, 2100, 2800]


def test_scene_changes_with_a_grid() -> None:
    frames = [GreyFrame(40 * k, shade=40 if k < 130 else 210) for k in range(250)]
    both = Composite(parts=(SceneChange(frames_per_shot=1, max_gap_seconds=60.0), FixedRate(fps=0.5)))
    alone = SceneChange(frames_per_shot=1, max_gap_seconds=60.0)
    assert {frame.pts for frame in sampled(both, frames)} == {
        *(frame.pts for frame in sampled(alone, frames)),
        *range(0, 10_000, 2000),
    }


def test_a_frame_is_seen_until_the_last_that_any_part_knows() -> None:
    """Nothing changes until 20 s, which the novelty sees; a sparse grid takes frames meanwhile."""
    frames = [GreyFrame(100 * k, shade=40 if k < 200 else 210, is_keyframe=False) for k in range(250)]
    one_pass = Composite(parts=(Novelty(), FixedRate(fps=0.125))).begin(info_of())
    chosen = [each.pts for frame in frames for each in one_pass.feed(frame)] + [f.pts for f in one_pass.finish()]
    assert chosen == [0, 8000, 16_000, 20_000, 24_000]
    tick = Fraction(1, 1000)
    assert one_pass.seen_until == (7, 8 + 99 * tick, 16 + 99 * tick, 23, 24 + 99 * tick)
    assert one_pass.step == 1


def test_cuts_are_those_of_the_parts_that_look_for_them() -> None:
    searching = FixedRate(cuts=CutDetection())
    assert Composite(parts=(GRID, Keyframe())).cut_searches == ()
    assert Composite(parts=(GRID, searching, searching)).cut_searches == (CutDetection(),)
    assert Composite(parts=(GRID, SceneChange())).begin(info_of()).cuts == ()


def test_the_most_demanding_part_says_what_is_skipped() -> None:
    assert Composite(parts=(Keyframe(), GRID)).skip is Skip.NOTHING
    assert Composite(parts=(Keyframe(), Keyframe(min_gap_seconds=1.0))).skip is Skip.NON_KEY


def test_what_needs_unbounded_memory_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_gap_seconds"):
        Composite(parts=(SceneChange(max_gap_seconds=None), GRID))


def test_a_single_part_is_refused() -> None:
    with pytest.raises(ValidationError):
        Composite(parts=(GRID,))


def test_composite_is_read_from_a_configuration(tmp_path: object) -> None:
    overrides = ["sampling.strategy=composite", "sampling.parts=[{strategy: keyframe}, {strategy: novelty}]"]
    assert load_run_config(overrides=overrides).sampling == Composite(parts=(Keyframe(), Novelty()))


def test_frames_of_one_time_are_one() -> None:
    assert len(sampled(Composite(parts=(GRID, GRID)), frames_at(0, 1000, 2000))) == 3
