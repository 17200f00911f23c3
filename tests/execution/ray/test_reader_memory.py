"""A cluster that somebody else started, whose machines are short of memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from contracts.fake_videos import write_video
from ray_head import ray_head

# Of the machine's memory, beside what is in use when the test begins: other tests may take some of it meanwhile.
MARGIN = 0.2

_BATCH = """
    import os
    import sys
    from pathlib import Path
    from pipeline.execution.ray.cluster import quieten
    quieten()
    import contracts.fake_videos
    from ray import cloudpickle
    from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder
    from pipeline.execution import Execution, LibrarySink, Stages, make_executor
    from pipeline.index import MemoryIndex
    from pipeline.segment.row_recipe import RowRecipe
    from pipeline.segment import FixedWindows, MeanPooling
    from pipeline.store import ParquetStore
    from pipeline.types import Source

    cloudpickle.register_pickle_by_value(contracts.fake_videos)
    stages = Stages(decoder=FakeDecoder(), sampler=EveryFrame(), encoder=FakeEncoder(),
        sink=LibrarySink(store=ParquetStore("library", "s", "e"), index=MemoryIndex(),
        recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w")))
    sources = [Source(str(path)) for path in sorted(Path().glob("*.mp4"))]
    for report in make_executor(Execution(address=sys.argv[1], retries=1), stages).run(sources):
        print(Path(report.source.uri).name, report.status, report.problem, flush=True)
    print("RAY_task_oom_retries" in os.environ)
"""


def share_in_use() -> float:
    sizes = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(sizes[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    return (total - free) / total


@pytest.mark.ray
@pytest.mark.slow
def test_a_video_that_eats_its_readers_memory_fails_after_as_many_tries_as_any_other(tmp_path):
    log = tmp_path / "nodes.log"
    write_video(tmp_path / "eater.mp4", frames=100_000, grey=10, eats=128, slow=0.02, nodes=log)
    for grey in (20, 30, 40):
        write_video(tmp_path / f"{grey}.mp4", grey=grey)
    variables = {"RAY_memory_usage_threshold": f"{share_in_use() + MARGIN:.3f}", "RAY_memory_monitor_refresh_ms": "100"}
    with ray_head(variables=variables) as head:
        out, _ = head.driver(_BATCH, tmp_path).communicate(timeout=200)
    *reports, is_left_in_the_environment = out.splitlines()
    assert sorted(reports) == [
        "20.mp4 done None",
        "30.mp4 done None",
        "40.mp4 done None",
        "eater.mp4 failed out of memory: Ray stopped the process that read it 2 times",
    ]
    assert len(log.read_text().split()) == 2
    assert is_left_in_the_environment == "False"
