from __future__ import annotations

import pytest

from benchmarks.stage_limit import StageCost, limit_seconds, processor_seconds

DECODE = StageCost(wall_seconds=2.0, processor_seconds=3.0)
ENCODE = StageCost(wall_seconds=4.0, processor_seconds=7.5)
STORE = StageCost(wall_seconds=0.1, processor_seconds=0.1)
STAGES = {"decode": DECODE, "encode": ENCODE, "store": STORE}


def test_processor_seconds_of_all_stages_count() -> None:
    assert processor_seconds(STAGES) == pytest.approx(10.6)


@pytest.mark.parametrize(
    ("processors", "limit"),
    [
        (1, 10.6),
        (2, 5.3),
        # From here on, encoding alone takes longer than its share of the processors.
        (3, 4.0),
        (64, 4.0),
    ],
)
def test_the_limit_is_the_larger_of_shared_processors_and_slowest_stage(processors: int, limit: float) -> None:
    assert limit_seconds(STAGES, processors) == pytest.approx(limit)


def test_a_stage_on_a_gpu_hardly_uses_processors_but_can_be_the_slowest() -> None:
    on_gpu = StageCost(wall_seconds=9.0, processor_seconds=0.5)
    assert limit_seconds({"decode": DECODE, "encode": on_gpu}, 2) == 9.0
    assert limit_seconds({"decode": StageCost(30.0, 30.0), "encode": on_gpu}, 2) == 30.0


def test_a_stage_of_one_thread_bounds_any_number_of_processors() -> None:
    assert limit_seconds({"decode": StageCost(5.0, 5.0), "encode": StageCost(1.0, 4.0)}, 8) == 5.0


@pytest.mark.parametrize(("stages", "processors"), [({}, 2), (STAGES, 0)])
def test_nothing_to_limit_is_an_error(stages: dict[str, StageCost], processors: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        limit_seconds(stages, processors)
