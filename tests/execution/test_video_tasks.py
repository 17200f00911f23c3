from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.square_task import SquareTask
from own_process import script_output

from pipeline.errors import ConfigError
from pipeline.execution import Execution
from pipeline.execution.per_video.messages import Failure
from pipeline.execution.video_tasks import for_each_video

IN_PROCESS = Execution(executor="in_process")


def test_each_video_has_its_result_in_order(tmp_path: Path) -> None:
    results = for_each_video(SquareTask(str(tmp_path)), map(str, range(5)), IN_PROCESS)
    assert list(results) == [(str(n), n * n) for n in range(5)]


def test_a_video_that_fails_leaves_the_others_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, logger="pipeline"):
        results = dict(for_each_video(SquareTask(str(tmp_path)), ["1", "broken", "odd", "2"], IN_PROCESS))
    assert results == {
        "1": 1,
        "broken": Failure("broken.parquet: is broken; delete it"),
        "odd": Failure("unexpected ZeroDivisionError: odd number"),
        "2": 4,
    }


def test_what_would_fail_for_each_video_ends_the_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing works with 13"):
        list(for_each_video(SquareTask(str(tmp_path)), ["1", "13", "2"], IN_PROCESS))


def test_few_videos_are_read_before_they_are_needed(tmp_path: Path) -> None:
    asked: list[int] = []

    def ids() -> Iterator[str]:
        for n in range(1000):
            asked.append(n)
            yield str(n)

    results = for_each_video(SquareTask(str(tmp_path)), ids(), IN_PROCESS)
    assert next(results) == ("0", 0)
    results.close()
    assert len(asked) < 10


_ON_RAY = """
    import sys
    from pathlib import Path
    from contracts.square_task import SquareTask
    from pipeline.execution import Execution
    from pipeline.execution.video_tasks import for_each_video
    ids = [*map(str, range(30)), "broken", "killed"]
    ids.remove("13")
    for video_id, result in for_each_video(SquareTask(str(Path.cwd())), ids, Execution(executor="ray", retries=1)):
        print(video_id, getattr(result, "problem", result), flush=True)
    try:
        list(for_each_video(SquareTask(str(Path.cwd())), ["1", "13"], Execution(executor="ray")))
    except Exception as error:
        print("ended:", type(error).__name__, error)
"""


@pytest.mark.ray
@pytest.mark.slow
def test_on_ray_a_process_that_dies_costs_only_its_video(tmp_path: Path) -> None:
    out, err = script_output(_ON_RAY, tmp_path)
    *lines, end = out.splitlines() or [""]
    found = dict(line.split(" ", 1) for line in lines)
    squares = {str(n): str(n * n) for n in range(30) if n != 13}
    assert {name: found.get(name) for name in squares} == squares, err
    assert found["broken"] == "broken.parquet: is broken; delete it"
    assert "died 2 times" in found["killed"]
    assert (tmp_path / "killed.read").read_text() == "xx"
    assert end == "ended: ConfigError nothing works with 13"
