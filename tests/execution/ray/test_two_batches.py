"""Two batches on one cluster, each of which needs processors for readers and for encoders."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from contracts.fake_videos import write_video
from own_process import MACHINES_SECONDS, start_script

VIDEOS, FRAMES = 8, 20
SECONDS = MACHINES_SECONDS / 3

_CLUSTER = """
    import os, sys
    os.environ |= {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_worker_niceness": "0"}
    from ray_machines import Machines

    machines, cpus = map(int, sys.argv[1:])
    node = dict(num_cpus=cpus, object_store_memory=80 * 2**20)
    cluster = Machines(**node, include_dashboard=False)
    for _ in range(machines - 1):
        cluster.add_node(**node)
    cluster.wait_for_nodes()
    print(cluster.address, flush=True)
    sys.stdin.read()
    cluster.shutdown()
"""
_BATCH = """
    import os, sys
    from pathlib import Path
    os.environ |= {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder
    from pipeline.execution import Execution, LibrarySink, Stages, make_executor
    from pipeline.index import MemoryIndex
    from pipeline.segment.row_recipe import RowRecipe
    from pipeline.segment import FixedWindows, MeanPooling
    from pipeline.store import ParquetStore
    from pipeline.types import Source

    stages = Stages(decoder=FakeDecoder(), sampler=EveryFrame(), encoder=FakeEncoder(),
        sink=LibrarySink(store=ParquetStore(sys.argv[2], "s", "e"), index=MemoryIndex(),
        recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w")))
    sources = [Source(str(path)) for path in sorted(Path().glob("*.mp4"))]
    executor = make_executor(Execution(executor="ray", address=sys.argv[1]), stages)
    for report in executor.run(sources):
        print(report.status, report.frames_sampled, flush=True)
"""


@contextmanager
def _running(script: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a script until the block ends; nothing of it is left."""
    process = start_script(script, folder, *arguments)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.parametrize(("machines", "cpus"), [(1, 2), (3, 2)])
def test_two_batches_that_share_a_cluster_both_end(tmp_path, machines, cpus):
    """Their encoders took all processors, and neither batch could read a video for them."""
    for grey in range(VIDEOS):
        write_video(tmp_path / f"{grey:02}.mp4", frames=FRAMES, grey=grey, slow=0.01)
    with _running(_CLUSTER, tmp_path, str(machines), str(cpus)) as cluster:
        assert cluster.stdout is not None
        address = cluster.stdout.readline().strip()
        with _running(_BATCH, tmp_path, address, "one") as one, _running(_BATCH, tmp_path, address, "other") as other:
            for batch in (one, other):
                out, err = batch.communicate(timeout=SECONDS)
                assert out.splitlines() == [f"done {FRAMES}"] * VIDEOS, err
