from __future__ import annotations

import pytest
from contracts.executor_contract import ExecutorContract, MakeExecutor, settings
from contracts.fake_videos import BREAKS_DEVICE, write_video

from pipeline.errors import ExecutionError
from pipeline.execution import InProcessExecutor, Stages, make_executor
from pipeline.types import Source


class TestInProcess(ExecutorContract):
    @pytest.fixture
    def executor(self) -> MakeExecutor:
        return lambda stages, on_progress=None, stop=None, **changes: InProcessExecutor(
            settings(executor="in_process", **changes), stages, on_progress=on_progress, stop=stop
        )

    def test_run_keeps_the_order_of_the_sources(self, run, tmp_path):
        paths = [tmp_path / f"{number}.mp4" for number in range(5)]
        assert [report.source.uri for report in run(*paths)] == [str(path) for path in paths]

    def test_run_ends_where_the_encoders_device_broke_rather_than_fail_every_later_video(self, run, stages, tmp_path):
        names = {10: "a", BREAKS_DEVICE: "b", 20: "c"}
        paths = [write_video(tmp_path / f"{name}.mp4", grey=grey) for grey, name in names.items()]
        with pytest.raises(ExecutionError, match=r"unusable in this process: CUDA error: device-side assert"):
            run(*paths)
        assert len(list(stages.sink.store.records())) == 1

    def test_make_executor_takes_the_one_that_is_named(self, stages: Stages):
        assert isinstance(make_executor(settings(executor="in_process"), stages), InProcessExecutor)

    def test_a_short_video_is_encoded_while_the_rest_of_it_is_decoded(self, executor, stages, calls, tmp_path):
        path = write_video(tmp_path / "short.mp4", frames=30)
        list(executor(stages, batch_frames=32).run([Source(str(path))]))
        assert [int(line.split()[1]) for line in calls.read_text().splitlines()[-3:]] == [8, 16, 6]
