"""What must hold when something real is killed, hangs, fills up, comes or goes in the middle of a batch."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import contracts.fake_videos
import numpy as np
import pytest
from contracts.executor_contract import by_name, settings
from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder, write_video
from own_process import script_output, start_script

from pipeline.errors import StoreFullError
from pipeline.execution import Stages, make_executor
from pipeline.execution.ledger import Ledger
from pipeline.index import MemoryIndex
from pipeline.rows import RowRecipe
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.store import ParquetStore
from pipeline.types import Source, Status, VideoReport

pytestmark = pytest.mark.ray

PATIENCE_SECONDS = 60


def make_stages(folder: Path, **changes: object) -> Stages:
    stages = Stages(
        decoder=FakeDecoder(),
        sampler=EveryFrame(),
        encoder=FakeEncoder(),
        store=ParquetStore(str(folder / "library"), "s", "e"),
        recipe=RowRecipe(
            segmenter=FixedWindows(length_seconds=2.0, overlap_seconds=0.0), aggregator=MeanPooling(), fingerprint="w"
        ),
        index=MemoryIndex(),
    )
    return replace(stages, **changes)  # type: ignore[arg-type]


@pytest.fixture
def run(ray_cluster: None) -> Callable[..., dict[str, VideoReport]]:
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(contracts.fake_videos)

    def run(stages: Stages, *paths: Path | Source, **changes: object) -> dict[str, VideoReport]:
        executor = make_executor(settings(**{"executor": "ray", "retries": 2, "batch_frames": 4, **changes}), stages)
        sources = [path if isinstance(path, Source) else Source(str(path)) for path in paths]
        return by_name(list(executor.run(sources)))

    return run


@pytest.fixture
def kill_soon() -> Iterator[Callable[[Callable[[], int | None]], None]]:
    """Called with what gives a process id as soon as there is one: that process is killed."""
    threads = []

    def kill(find: Callable[[], int | None]) -> None:
        def wait() -> None:
            ends = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < ends:
                if (pid := find()) is not None:
                    os.kill(pid, signal.SIGKILL)
                    return
                time.sleep(0.02)

        threads.append(threading.Thread(target=wait, daemon=True))
        threads[-1].start()

    yield kill
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def pid_in(path: Path) -> Callable[[], int | None]:
    return lambda: int(path.read_text().split()[0]) if path.exists() and path.read_text().endswith("\n") else None


def assert_whole(stages: Stages, reports: dict[str, VideoReport], frames: int) -> None:
    """All videos are there once, each with all its frames and their own embeddings."""
    assert {report.status for report in reports.values()} == {Status.DONE}
    assert len(list(stages.store.records())) == len(reports)
    for name, report in reports.items():
        kept = stages.store.read(str(report.video_id))
        assert kept.pts.tolist() == list(range(frames))
        assert np.allclose(kept.vectors[:, 1], np.sin(np.float32(int(Path(name).stem) / 255)), atol=1e-6)
    assert stages.index.count() == len(reports) * -(-frames // 4)


def test_a_reader_that_is_killed_is_done_again(run, kill_soon, tmp_path):
    mark = tmp_path / "reader.pid"
    stages = make_stages(tmp_path)
    paths = [write_video(tmp_path / f"{grey}.mp4", frames=24, grey=grey) for grey in (10, 20)]
    waiting = write_video(tmp_path / "30.mp4", frames=24, grey=30, wait=13, mark=mark)
    kill_soon(pid_in(mark))
    assert_whole(stages, run(stages, paths[0], waiting, paths[1]), frames=24)


def test_a_reader_that_is_killed_after_signs_of_life_loses_no_frame(run, kill_soon, tmp_path):
    mark = tmp_path / "reader.pid"
    # The first reader waits for the encoder; the next one need not, for what is encoded already. Both give a sign of
    # life every four frames.
    stages = make_stages(tmp_path, encoder=FakeEncoder(seconds_a_call=1.0))
    video = write_video(tmp_path / "30.mp4", frames=56, grey=30, wait=45, mark=mark, width=2**24)
    kill_soon(pid_in(mark))
    assert_whole(stages, run(stages, video), frames=56)


@pytest.mark.parametrize("frames", [80, 200])
def test_a_video_is_begun_again_whose_next_reader_gives_less_than_the_one_that_died(run, kill_soon, tmp_path, frames):
    # It is at its end, or at a later batch, where the other one had come to.
    mark = tmp_path / "reader.pid"
    stages = make_stages(tmp_path)
    video = write_video(tmp_path / "30.mp4", frames=frames, grey=30, wait=45, mark=mark, width=2**24, fidgets=1)
    kill_soon(pid_in(mark))
    assert_whole(stages, run(stages, video), frames=frames)


def test_an_encoder_that_is_killed_is_started_again(run, kill_soon, tmp_path):
    log = tmp_path / "calls.log"
    stages = make_stages(tmp_path, encoder=FakeEncoder(log=str(log)))
    paths = [write_video(tmp_path / f"{grey}.mp4", frames=24, grey=grey, slow=0.02) for grey in range(10, 60, 10)]
    kill_soon(pid_in(log))
    assert_whole(stages, run(stages, *paths), frames=24)
    assert len({line.split()[0] for line in log.read_text().splitlines()}) == 2


def test_a_decoder_that_hangs_fails_its_video_alone(run, tmp_path):
    stages = make_stages(tmp_path)
    paths = [write_video(tmp_path / f"{grey}.mp4", frames=12, grey=grey) for grey in (10, 20)]
    hanging = write_video(tmp_path / "30.mp4", frames=12, grey=30, hang=5)
    reports = run(stages, paths[0], hanging, paths[1], stall_seconds=3.0)
    failed = reports.pop("30.mp4")
    assert (failed.status, failed.problem) == (Status.FAILED, "its reader gave no sign of life for 3 s")
    assert_whole(stages, reports, frames=12)


def test_a_reader_that_waits_for_a_slow_encoder_is_not_taken_for_dead(run, tmp_path):
    stages = make_stages(tmp_path, encoder=FakeEncoder(seconds_a_call=1.2))
    paths = [write_video(tmp_path / f"{grey}.mp4", frames=24, grey=grey) for grey in (10, 20)]
    assert_whole(stages, run(stages, *paths, stall_seconds=1.0), frames=24)


def test_a_full_disk_ends_the_batch_and_keeps_nothing_partial(run, tmp_path, small_disk):
    stages = make_stages(small_disk)
    # Noise does not compress; with each video comes so much of it that the disk has room for two or three.
    noise = np.random.default_rng(0)
    paths = [write_video(tmp_path / f"{grey}.mp4", frames=12, grey=grey) for grey in range(10, 130, 10)]
    with pytest.raises(StoreFullError, match="there is no space left for it; free some, or choose another place"):
        run(stages, *(Source(str(path), {"noise": noise.bytes(20_000).hex()}) for path in paths))
    kept = [record.video_id for record in stages.store.records()]
    assert 1 <= len(kept) < 6
    assert all(len(stages.store.read(video_id)) == 12 for video_id in kept)


def test_an_interrupted_batch_leaves_no_finished_video_without_its_rows(run, tmp_path):
    """Rows wait for those of other videos; a batch that is closed writes them first."""
    stages = make_stages(tmp_path)
    paths = [write_video(tmp_path / f"{grey}.mp4", frames=12, grey=grey) for grey in range(10, 90, 10)]
    executor = make_executor(settings(executor="ray", rows_per_write=1_000_000, batch_frames=4), stages)
    written = threading.Event()
    finish, reports = Ledger.finish, Ledger.reports

    def note(ledger: Ledger, *given: object) -> None:
        finish(ledger, *given)
        written.set()

    def interrupt(ledger: Ledger, **given: object) -> Iterator[VideoReport]:
        if written.is_set():
            raise KeyboardInterrupt
        return reports(ledger, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "finish", note)
        patch.setattr(Ledger, "reports", interrupt)
        with pytest.raises(KeyboardInterrupt):
            list(executor.run([Source(str(path)) for path in paths]))
    kept = {record.video_id for record in stages.store.records()}
    assert kept
    assert set(stages.index.videos()) == kept


_BATCH = """
    import json
    import sys
    from pathlib import Path
    from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder
    from pipeline.execution import Execution, Stages, make_executor
    from pipeline.index import Indexing, Owner, open_index
    from pipeline.rows import RowRecipe
    from pipeline.segment import FixedWindows, MeanPooling
    from pipeline.store import ParquetStore
    from pipeline.types import Source

    if __name__ == "__main__":
        executor, uri = sys.argv[1:]
        settings = Indexing(uri=uri or None)
        owner = Owner("e", library_id="faults", library_place="library")
        index = open_index(settings, folder=Path("library/index"), owner=owner)
        stages = Stages(decoder=FakeDecoder(), sampler=EveryFrame(), encoder=FakeEncoder(),
            store=ParquetStore("library", "s", "e"),
            recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w"),
            index=index)
        sources = [Source(str(path)) for path in sorted(Path("../films").glob("*.mp4"))]
        for report in make_executor(Execution(executor=executor, batch_frames=4), stages).run(sources):
            print(report.source.uri, report.status, report.frames_decoded, flush=True)
        keys = {record.video_id: sorted(index.keys_of(record.video_id)) for record in stages.store.records()}
        print(json.dumps({"rows": index.count(), "keys": keys}), flush=True)
"""


def test_a_batch_whose_driver_was_killed_goes_on_where_it_was(tmp_path):
    (tmp_path / "films").mkdir()
    for grey in range(10, 130, 10):
        write_video(tmp_path / "films" / f"{grey:03}.mp4", frames=9, grey=grey, slow=0.03)
    out, err = start_script(_BATCH, tmp_path / "undisturbed", "ray", "").communicate(timeout=120)
    *_, whole = out.splitlines()
    assert len(json.loads(whole)["keys"]) == 12, err

    killed = start_script(_BATCH, tmp_path / "killed", "ray", "")
    assert killed.stdout is not None
    first = [killed.stdout.readline().split() for _ in range(4)]
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    out, err = start_script(_BATCH, tmp_path / "killed", "ray", "").communicate(timeout=120)
    *reports, again = out.splitlines()
    assert json.loads(again) == json.loads(whole), err
    second = {uri: (status, int(decoded)) for uri, status, decoded in map(str.split, reports)}
    assert len(second) == 12
    assert {second[uri] for uri, *_ in first} == {("skipped", 0)}


@pytest.mark.milvus_server
def test_two_runs_of_one_batch_at_once_do_what_one_does(tmp_path, milvus_server_uri):
    (tmp_path / "films").mkdir()
    for grey in range(10, 90, 10):
        write_video(tmp_path / "films" / f"{grey:03}.mp4", frames=9, grey=grey, slow=0.05)
    one, other = (start_script(_BATCH, tmp_path / "both", "in_process", milvus_server_uri) for _ in range(2))
    outs = [process.communicate(timeout=240) for process in (one, other)]
    (*reports, said), (*others, other_said) = (out.splitlines() for out, _ in outs)
    assert (len(reports), len(others)) == (8, 8), outs
    assert not any("failed" in line for line in (*reports, *others))
    assert json.loads(said) == json.loads(other_said)
    assert json.loads(said)["rows"] == sum(map(len, json.loads(said)["keys"].values()))
    assert len(json.loads(said)["keys"]) == 8
    assert not [
        path
        for path in (tmp_path / "both").rglob("*")
        if path.is_file() and ("lock" in path.name or ".partial" in str(path))
    ]


_CLUSTER = """
    import os, sys, time
    from pathlib import Path
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    from ray.cluster_utils import Cluster
    from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder
    from pipeline.execution import Execution, Stages, make_executor
    from pipeline.index import MemoryIndex
    from pipeline.rows import RowRecipe
    from pipeline.segment import FixedWindows, MeanPooling
    from pipeline.store import ParquetStore
    from pipeline.types import Source

    cluster = Cluster(initialize_head=True, head_node_args=dict(num_cpus=1, include_dashboard=False))
    second, third = (cluster.add_node(num_cpus=1) for _ in range(2))
    cluster.wait_for_nodes()
    stages = Stages(decoder=FakeDecoder(), sampler=EveryFrame(), encoder=FakeEncoder(),
        store=ParquetStore("library", "s", "e"),
        recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w"),
        index=MemoryIndex())
    sources = [Source(str(path)) for path in sorted(Path("../films").glob("*.mp4"))]
    executor = make_executor(Execution(executor="ray", address=cluster.address, batch_frames=4), stages)
    for number, report in enumerate(executor.run(sources)):
        print(Path(report.source.uri).name, report.status, report.problem, flush=True)
        if number == 5:
            cluster.remove_node(second, allow_graceful=False)
            print("left", second.node_id, flush=True)
        if number == 10:
            print("joined", cluster.add_node(num_cpus=2).node_id, flush=True)
    print("rows", stages.index.count(), "records", len(list(stages.store.records())), flush=True)
    cluster.shutdown()
"""


@pytest.mark.slow
def test_a_node_that_leaves_is_done_without_and_one_that_joins_is_used(tmp_path):
    (tmp_path / "films").mkdir()
    log = tmp_path / "nodes.log"
    for grey in range(10, 250, 6):
        write_video(tmp_path / "films" / f"{grey:03}.mp4", frames=8, grey=grey, slow=0.1, nodes=log)
    out, err = script_output(_CLUSTER, tmp_path / "batch")
    lines = out.splitlines()
    assert sum(" done None" in line for line in lines) == 40, out + err
    assert "rows 40 records 40" in out
    assert any(line.startswith("left") for line in lines)
    [joined] = [line.split()[1] for line in lines if line.startswith("joined")]
    assert joined in log.read_text().split()


_GPUS = """
    import os, sys, time
    from pathlib import Path
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    from ray.cluster_utils import Cluster
    from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder, FakeModel, write_video
    from pipeline.execution import Execution, Stages, make_executor
    from pipeline.index import MemoryIndex
    from pipeline.rows import RowRecipe
    from pipeline.segment import FixedWindows, MeanPooling
    from pipeline.store import ParquetStore
    from pipeline.types import Source

    class Model(FakeModel):
        def encode_images(self, images):
            import ray
            with Path(self._log).with_name("gpus.log").open("a") as file:
                file.write(f"{len(ray.get_gpu_ids())}\\n")
            return super().encode_images(images)

    class Encoder(FakeEncoder):
        def open(self):
            return Model(self)

    cluster = Cluster(initialize_head=True, head_node_args=dict(num_cpus=4, include_dashboard=False))
    cluster.wait_for_nodes()
    log = Path("gpus.log")
    stages = Stages(decoder=FakeDecoder(), sampler=EveryFrame(), encoder=Encoder(log=str(Path("calls.log").resolve())),
        store=ParquetStore("library", "s", "e"),
        recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w"),
        index=MemoryIndex())
    gpu, left_at, given = None, None, 0

    def films():
        # There are always some left to do, until the GPU has left.
        global given
        while left_at is None or given < left_at + 20:
            given += 1
            yield Source(str(write_video(Path(f"{given}.mp4").resolve(), frames=8, grey=100, slow=0.1, number=given)))

    executor = make_executor(Execution(executor="ray", address=cluster.address, batch_frames=4), stages)
    for report in executor.run(films()):
        print(Path(report.source.uri).name, report.status, report.problem, flush=True)
        if gpu is None:
            gpu = cluster.add_node(num_cpus=1, num_gpus=1)
        elif left_at is None and log.read_text().split().count("1") > 10:
            cluster.remove_node(gpu, allow_graceful=False)
            left_at = given
    print("given", given, "rows", stages.index.count(), flush=True)
    cluster.shutdown()
"""


@pytest.mark.slow
def test_a_gpu_that_joins_is_used_and_one_that_leaves_is_done_without(tmp_path):
    out, err = script_output(_GPUS, tmp_path / "batch")
    done = sum(".mp4 done None" in line for line in out.splitlines())
    assert f"given {done} rows {done}" in out, out + err
    held = (tmp_path / "batch" / "gpus.log").read_text().split()
    # On processors, then on the GPU, then on processors again.
    assert (held[0], "1" in held, held[-1]) == ("0", True, "0"), held
