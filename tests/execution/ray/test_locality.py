"""Where frames go on a cluster of several machines, which here are processes on one."""

from __future__ import annotations

from collections import Counter

import pytest
from contracts.fake_videos import write_video
from own_process import MACHINES_SECONDS, script_output

VIDEOS, FRAMES = 24, 40

_BATCH = """
    import os
    from dataclasses import dataclass
    from pathlib import Path
    os.environ |= {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_worker_niceness": "0"}
    import ray
    from ray._private.internal_api import get_memory_info_reply, get_state_from_address
    from ray_machines import Machines
    from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder, FakeModel, FakePreprocessing
    from pipeline.execution import Execution, LibrarySink, Stages, make_executor
    from pipeline.index import MemoryIndex
    from pipeline.segment.row_recipe import RowRecipe
    from pipeline.segment import FixedWindows, MeanPooling
    from pipeline.store import ParquetStore
    from pipeline.types import Source

    class LargePictures(FakePreprocessing):
        def __call__(self, frame):
            return frame.rgb(self.image_width, self.image_height)

    class TellingModel(FakeModel):
        def encode_images(self, images):
            node = ray.get_runtime_context().get_node_id()
            with open("calls.log", "a") as file:
                file.writelines(f"{image[0, 0, 0]} {node}\\n" for image in images)
            return super().encode_images(images)

    @dataclass(frozen=True)
    class TellingEncoder(FakeEncoder):
        def preprocessing(self):
            return LargePictures(400, 400)
        def open(self):
            return TellingModel(self)

    node = dict(num_cpus=2, object_store_memory=80 * 2**20)
    cluster = Machines(**node, include_dashboard=False)
    for _ in range(2):
        cluster.add_node(**node)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    stages = Stages(decoder=FakeDecoder(), sampler=EveryFrame(), encoder=TellingEncoder(seconds_a_call=0.05),
        sink=LibrarySink(store=ParquetStore("library", "s", "e"), index=MemoryIndex(),
        recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w")))
    sources = [Source(str(path)) for path in sorted(Path().glob("*.mp4"))]
    for report in make_executor(Execution(batch_frames=4), stages).run(sources):
        print(report.status, report.frames_sampled, flush=True)
    stats = get_memory_info_reply(get_state_from_address(cluster.address)).store_stats
    print("spilled", stats.spilled_bytes_total, "capacity", stats.object_store_bytes_avail)
    ray.shutdown()
    cluster.shutdown()
"""


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_most_frames_are_encoded_where_they_were_decoded_and_none_is_spilled(tmp_path):
    for grey in range(VIDEOS):
        path = tmp_path / f"{grey:02}.mp4"
        write_video(path, frames=FRAMES, grey=grey, slow=0.01, nodes=tmp_path / f"{grey}.node")
    out, err = script_output(_BATCH, tmp_path, longest_seconds=MACHINES_SECONDS)
    *reports, end = out.splitlines() or [""]
    assert reports == [f"done {FRAMES}"] * VIDEOS, err
    read = {grey: (tmp_path / f"{grey}.node").read_text().split()[-1] for grey in range(VIDEOS)}
    calls = [line.split() for line in (tmp_path / "calls.log").read_text().splitlines()]
    stayed = Counter(read[int(grey)] == node for grey, node in calls)
    assert len(set(read.values())) == 3
    assert stayed[True] > 0.7 * stayed.total(), (stayed, Counter(read.values()), Counter(node for _, node in calls))
    # What went through the object stores would have filled them several times.
    _, spilled, _, capacity = end.split()
    assert (spilled, int(capacity) < VIDEOS * FRAMES * 400 * 400 * 3 / 1.5) == ("0", True)
