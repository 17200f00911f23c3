from __future__ import annotations

import re
import time
import urllib.request
from pathlib import Path

import pytest
from contracts.executor_contract import settings
from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder, write_video

from pipeline.execution import LibrarySink, Stages, make_executor
from pipeline.index import MemoryIndex
from pipeline.run_id import running
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore
from pipeline.types import Source

_PATIENCE_SECONDS = 60.0


def scraped(run_id: str) -> dict[str, float]:
    """What Ray's Prometheus endpoint says of a run: values by series, its tags but `run` in braces."""
    import ray

    [node] = ray.nodes()
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = {}
    for line in lines:
        series = re.fullmatch(r"ray_momentseek_(\w+)\{(.*)\} (\S+)", line)
        if series and f'run="{run_id}"' in series[2]:
            tags = dict(re.findall(r'(\w+)="([^"]*)"', series[2]))
            kind = tags.get("status") or tags.get("stage")
            found[f"{series[1]}{{{kind}}}" if kind else series[1]] = float(series[3])
    return found


@pytest.mark.ray
def test_prometheus_sees_what_a_run_did(ray_cluster: None, tmp_path: Path) -> None:
    import contracts.fake_videos
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(contracts.fake_videos)
    stages = Stages(
        decoder=FakeDecoder(),
        sampler=EveryFrame(),
        encoder=FakeEncoder(seconds_a_call=0.05),
        sink=LibrarySink(
            store=ParquetStore(str(tmp_path / "library"), "s", "e"),
            recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w"),
            index=MemoryIndex(),
        ),
    )
    paths = [write_video(tmp_path / f"{grey}.mp4", frames=8, grey=grey) for grey in range(3)]
    sources = [Source(str(path)) for path in (*paths, tmp_path / "none.mp4")]
    with running("metrics-1"):
        list(make_executor(settings(executor="ray", batch_frames=4), stages).run(sources))
        list(make_executor(settings(executor="ray"), stages).run(sources[:1]))
    until = time.monotonic() + _PATIENCE_SECONDS
    while (found := scraped("metrics-1")).get("videos_total{skipped}") != 1 and time.monotonic() < until:
        time.sleep(1)
    assert (found["videos_total{indexed}"], found["videos_total{failed}"]) == (3, 1)
    assert (found["frames_sampled_total"], found["video_seconds_total"]) == (24, pytest.approx(12, abs=2))
    assert found["stage_seconds_total{encode}"] >= 0.05
    assert found["stage_seconds_total{decode}"] > 0
    assert (found["videos_active"], found["frames_waiting"], found["busy_share{encode}"]) == (0, 0, 0)
