"""A batch on a cluster that grows by demand: Ray's own autoscaler, whose machines are processes on this one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from contracts.executor_contract import settings
from contracts.fake_videos import write_video
from ray_head import PROJECT, Head, ray_head

from pipeline.execution.ray.autoscaling import encoders_missing, readers_missing
from pipeline.execution.ray.cluster import Shares

PATIENCE_SECONDS = 600
STORE_BYTES = 100 * 2**20
# Of five readers beside the first node's and two encoders, no machine of four processors has room for all.
NODE_TYPES: dict[str, object] = {
    "small": {
        "resources": {"CPU": 4, "object_store_memory": STORE_BYTES},
        "node_config": {},
        "min_workers": 0,
        "max_workers": 2,
    },
    "gpu": {
        "resources": {"CPU": 1, "GPU": 1, "object_store_memory": STORE_BYTES},
        "node_config": {},
        "min_workers": 0,
        "max_workers": 1,
    },
}
# What the test reads begins with a word of its own: on a busy machine Ray writes into a driver's output, too.
_BATCH = """
    SETTINGS = {}
    import sys
    from pathlib import Path
    import contracts.fake_videos
    from ray import cloudpickle
    from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder, write_video
    from pipeline.execution import Execution, LibrarySink, Stages, make_executor
    from pipeline.index import MemoryIndex
    from pipeline.segment.row_recipe import RowRecipe
    from pipeline.segment import FixedWindows, MeanPooling
    from pipeline.store import ParquetStore
    from pipeline.types import Source

    # The cluster's machines don't have the tests' folder on their path.
    cloudpickle.register_pickle_by_value(contracts.fake_videos)
    stages = Stages(decoder=FakeDecoder(), sampler=EveryFrame(), encoder=FakeEncoder(),
        sink=LibrarySink(store=ParquetStore("library", "s", "e"), index=MemoryIndex(),
        recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w")))
    def films():
        yield from map(str, sorted(Path().glob("*.mp4")))
        # A batch that is to see the cluster grow goes on until it has.
        more = 0
        while Path("goes-on").exists():
            more += 1
            path, log = Path(f"more-{more}.mp4").resolve(), Path("nodes.log").resolve()
            yield str(write_video(path, frames=4, grey=more % 250, slow=0.1, number=more, nodes=log))

    for report in make_executor(Execution(address=sys.argv[1], **SETTINGS), stages).run(map(Source, films())):
        print("report", report.status, report.problem, flush=True)
"""
_NODES = """
    import sys, time
    import ray
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
    while True:
        now, alive = time.monotonic(), [node for node in ray.nodes() if node["Alive"]]
        print("nodes", now, *(node["NodeID"] + ":gpu" * ("GPU" in node["Resources"]) for node in alive), flush=True)
        time.sleep(0.5)
"""


_SHIPPED = """
    import sys
    from pathlib import Path
    from pipeline.execution import Execution
    from pipeline.execution.ray.cluster import connected

    def shipped():
        import pipeline.mark
        return pipeline.mark.__file__

    with connected(Execution(address=sys.argv[1])):
        import ray
        # The machines of a real cluster don't have the driver's folders.
        Path("pipeline").rename("gone")
        print("report", ray.get(ray.remote(shipped).remote()), flush=True)
"""


@pytest.fixture(scope="module")
def growing() -> Iterator[Head]:
    with ray_head(cpus=1, node_types=NODE_TYPES) as head:
        yield head


@pytest.fixture(scope="module")
def nodes(growing: Head, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """Says which nodes there are and when, a line each half second."""
    process = growing.driver(_NODES, tmp_path_factory.mktemp("nodes"))
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def start_batch(growing: Head, tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a batch, which ends with the test at the latest: it would keep the machines of the next test."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str) -> subprocess.Popen[str]:
        started.append(growing.driver(script, tmp_path))
        return started[-1]

    yield start
    for process in started:
        with process, suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def until(nodes: subprocess.Popen[str], *, count: int) -> list[str]:
    """The nodes, as soon as there are so many; what was said before does not count."""
    assert nodes.stdout is not None
    began = time.monotonic()
    found: list[str] = []
    while time.monotonic() < began + PATIENCE_SECONDS:
        line = nodes.stdout.readline()
        assert line, "the program that says which nodes there are has ended"
        word, *rest = line.split() or [""]
        if word == "nodes" and float(rest[0]) >= began:
            found = rest[1:]
        if len(found) == count:
            return found
    raise AssertionError(f"there are {len(found)} nodes, not {count}")


def reports_in(out: str) -> list[str]:
    return [line.removeprefix("report ") for line in out.splitlines() if line.startswith("report ")]


def nodes_used(log: Path) -> set[str]:
    """On which nodes a video has been opened so far."""
    return set(log.read_text().split()) if log.exists() else set()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("end", ["finished", signal.SIGINT, signal.SIGKILL])
def test_a_cluster_grows_for_a_batch_and_shrinks_again_however_that_ends(start_batch, nodes, end, tmp_path):
    log = tmp_path / "nodes.log"
    for grey in range(12):
        frames = 20 if end == "finished" else 10_000
        write_video(tmp_path / f"{grey}.mp4", frames=frames, grey=grey, slow=0.1, nodes=log)
    if end == "finished":
        # Without more, the first machine may be done with all before a busy computer has started the others.
        (tmp_path / "goes-on").touch()
    [head] = until(nodes, count=1)
    batch = start_batch(_BATCH)
    until(nodes, count=3)
    # On a busy machine a new node may idle away before its first worker has started; another one comes in its place.
    ends = time.monotonic() + PATIENCE_SECONDS
    while len(used := nodes_used(log) - {head}) < 2 and time.monotonic() < ends:
        time.sleep(0.2)
    assert len(used) >= 2
    if end == "finished":
        (tmp_path / "goes-on").unlink()
    else:
        os.killpg(batch.pid, end)
    out, _ = batch.communicate(timeout=PATIENCE_SECONDS)
    reports = reports_in(out)
    assert set(reports) == ({"done None"} if end == "finished" else set())
    assert end != "finished" or len(reports) >= 12
    assert until(nodes, count=1) == [head]


@pytest.mark.ray
@pytest.mark.slow
def test_the_machines_of_a_cluster_are_sent_the_drivers_package(start_batch, tmp_path):
    shutil.copytree(PROJECT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pipeline" / "mark.py").touch()
    out, _ = start_batch(_SHIPPED).communicate(timeout=PATIENCE_SECONDS)
    [place] = reports_in(out)
    assert Path(place).parts[-2:] == ("pipeline", "mark.py")
    assert "py_modules_files" in Path(place).parts


def shares_of(*, readers: int = 1, encoders: int = 1, gpus: float = 0.0) -> Shares:
    return Shares(encoders=encoders, encoder_cpus=1, encoder_gpus=gpus, readers=readers, reader_cpus=1)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_cluster_grows_by_a_gpu_and_shrinks_again(start_batch, nodes, tmp_path):
    write_video(tmp_path / "first.mp4", frames=20, grey=100, slow=0.1)
    (tmp_path / "goes-on").touch()
    [head] = until(nodes, count=1)
    asked = _BATCH.replace("SETTINGS = {}", "SETTINGS = {'grow_to_videos': 0, 'grow_to_gpus': 1}")
    batch = start_batch(asked)
    [joined] = set(until(nodes, count=2)) - {head}
    assert joined.endswith(":gpu")
    (tmp_path / "goes-on").unlink()
    out, _ = batch.communicate(timeout=PATIENCE_SECONDS)
    assert set(reports_in(out)) == {"done None"}
    assert until(nodes, count=1) == [head]


@pytest.mark.parametrize(
    ("left", "readers", "changes", "missing"),
    [
        (10, 4, {}, 6),
        (3, 4, {}, 0),
        (1000, 4, {}, 60),
        (1000, 80, {}, 0),
        (1000, 4, {"videos_at_once": 6}, 2),
        (1000, 4, {"grow_to_videos": 6}, 2),
        (1000, 4, {"grow_to_videos": 0}, 0),
    ],
)
def test_no_more_is_asked_for_than_there_are_videos_and_settings_allow(left, readers, changes, missing):
    assert readers_missing(settings(**changes), shares_of(readers=readers), videos_left=left) == missing


@pytest.mark.parametrize(
    ("left", "shares", "changes", "missing"),
    [
        (10, shares_of(), {}, 0),
        (10, shares_of(), {"grow_to_gpus": 4}, 4),
        (3, shares_of(), {"grow_to_gpus": 4}, 3),
        (10, shares_of(encoders=3, gpus=1), {"grow_to_gpus": 4}, 1),
        (10, shares_of(encoders=3, gpus=1), {"grow_to_gpus": 4, "encoders": 3}, 0),
        (10, shares_of(encoders=2, gpus=0.5), {"grow_to_gpus": 2, "gpus_per_encoder": 0.5}, 2),
        (10, shares_of(encoders=9, gpus=1), {"grow_to_gpus": 4}, 0),
    ],
)
def test_gpus_are_asked_for_where_settings_say_so(left, shares, changes, missing):
    assert encoders_missing(settings(**changes), shares, videos_left=left) == missing
