from __future__ import annotations

import pytest
from contracts.executor_contract import ExecutorContract, MakeExecutor, settings

from pipeline.execution import InProcessExecutor, Stages, make_executor


class TestInProcess(ExecutorContract):
    @pytest.fixture
    def executor(self) -> MakeExecutor:
        return lambda stages, on_progress=None, **changes: InProcessExecutor(
            settings(executor="in_process", **changes), stages, on_progress=on_progress
        )

    def test_run_keeps_the_order_of_the_sources(self, run, tmp_path):
        paths = [tmp_path / f"{number}.mp4" for number in range(5)]
        assert [report.source.uri for report in run(*paths)] == [str(path) for path in paths]

    def test_make_executor_takes_the_one_that_is_named(self, stages: Stages):
        assert isinstance(make_executor(settings(executor="in_process"), stages), InProcessExecutor)
