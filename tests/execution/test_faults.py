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
from batch_script import BATCH
from contracts.executor_contract import by_name, settings
from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder, write_video
from own_process import MACHINES_SECONDS, script_output, start_script

from pipeline.errors import StoreFullError
from pipeline.execution import Executor, LibrarySink, Stages, for_several_batches, make_executor
from pipeline.execution.ledger.ledger import Ledger
from pipeline.execution.ray.encoder_actors import IdleEncoders
from pipeline.index import MemoryIndex
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore
from pipeline.types import Source, Status, VideoReport

pytestmark = pytest.mark.ray

PATIENCE_SECONDS = 60


def make_stages(folder: Path, **changes: object) -> Stages:
    stages = Stages(
        decoder=FakeDecoder(),
        sampler=EveryFrame(),
        encoder=FakeEncoder(),
        sink=LibrarySink(
            store=ParquetStore(str(folder / "library"), "s", "e"),
            recipe=RowRecipe(
                segmenter=FixedWindows(length_seconds=2.0, overlap_seconds=0.0),
                aggregator=MeanPooling(),
                fingerprint="w",
            ),
            index=MemoryIndex(),
        ),
    )
    return replace(stages, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def kept(ray_cluster: None) -> Iterator[IdleEncoders]:
    """An encoder that no test killed is there for the next one."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(contracts.fake_videos)
    with for_several_batches(settings(executor="ray")) as kept:
        assert kept is not None
        yield kept


@pytest.fixture
def make(kept: IdleEncoders) -> Callable[..., Executor]:
    def make(stages: Stages, **changes: object) -> Executor:
        chosen = settings(**{"executor": "ray", "retries": 2, "batch_frames": 4, **changes})
        return make_executor(chosen, stages, idle_encoders=kept)

    return make


@pytest.fixture
def run(make: Callable[..., Executor]) -> Callable[..., dict[str, VideoReport]]:
    def run(stages: Stages, *paths: Path | Source, **changes: object) -> dict[str, VideoReport]:
        sources = [path if isinstance(path, Source) else Source(str(path)) for path in paths]
        return by_name(list(make(stages, **changes).run(sources)))

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
    assert len(list(stages.sink.store.records())) == len(reports)
    for name, report in reports.items():
        kept = stages.sink.store.read(str(report.video_id))
        assert kept.pts.tolist() == list(range(frames))
        assert np.allclose(kept.vectors[:, 1], np.sin(np.float32(int(Path(name).stem) / 255)), atol=1e-6)
    assert stages.sink.index.count() == len(reports) * -(-frames // 4)


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
    stages = make_stages(tmp_path, encoder=FakeEncoder(seconds_a_call=0.4))
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
    # There is one reader; it is up to three batches ahead of the encoder, and then waits for each further call.
    stages = make_stages(tmp_path, encoder=FakeEncoder(seconds_a_call=1.2))
    video = write_video(tmp_path / "10.mp4", frames=24, grey=10)
    assert_whole(stages, run(stages, video, stall_seconds=1.0), frames=24)


def test_a_full_disk_ends_the_batch_and_keeps_nothing_partial(run, tmp_path, small_disk):
    stages = make_stages(small_disk)
    # Noise does not compress; with each video comes so much of it that the disk has room for two or three.
    noise = np.random.default_rng(0)
    paths = [write_video(tmp_path / f"{grey}.mp4", frames=12, grey=grey) for grey in range(10, 130, 10)]
    with pytest.raises(
        StoreFullError, match="there is no space left on the device; free some space, or choose another location"
    ):
        run(stages, *(Source(str(path), {"noise": noise.bytes(20_000).hex()}) for path in paths))
    kept = [record.video_id for record in stages.sink.store.records()]
    assert 1 <= len(kept) < 6
    assert all(len(stages.sink.store.read(video_id)) == 12 for video_id in kept)


def test_an_interrupted_batch_leaves_no_finished_video_without_its_rows(make, tmp_path):
    """Rows wait for those of other videos; a batch that is closed writes them first."""
    stages = make_stages(tmp_path)
    paths = [write_video(tmp_path / f"{grey}.mp4", frames=12, grey=grey) for grey in range(10, 90, 10)]
    executor = make(stages, rows_per_write=1_000_000)
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
    kept = {record.video_id for record in stages.sink.store.records()}
    assert kept
    assert set(stages.sink.index.videos()) == kept


def test_a_batch_whose_driver_was_killed_goes_on_where_it_was(tmp_path):
    (tmp_path / "films").mkdir()
    for grey in range(10, 130, 10):
        write_video(tmp_path / "films" / f"{grey:03}.mp4", frames=9, grey=grey, slow=0.03)
    # Executors write the same rows (tests/contracts/executor_contract.py), so that this one need not wait for a Ray.
    out, err = start_script(BATCH, tmp_path / "undisturbed", "in_process", "").communicate(timeout=240)
    *_, whole = out.splitlines()
    assert len(json.loads(whole)["keys"]) == 12, err

    killed = start_script(BATCH, tmp_path / "killed", "ray", "")
    assert killed.stdout is not None
    first = [killed.stdout.readline().split() for _ in range(4)]
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    out, err = start_script(BATCH, tmp_path / "killed", "ray", "").communicate(timeout=240)
    *reports, again = out.splitlines()
    assert json.loads(again) == json.loads(whole), err
    second = {uri: (status, int(decoded)) for uri, status, decoded in map(str.split, reports)}
    assert len(second) == 12
    assert {second[uri] for uri, *_ in first} == {("skipped", 0)}


_CLUSTER = """
    import os
    from pathlib import Path
    os.environ |= {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_worker_niceness": "0"}
    from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder, write_video
    from ray_head import WATCHFUL
    from ray_machines import Machines
    from pipeline.execution import Execution, LibrarySink, Stages, make_executor
    from pipeline.index import MemoryIndex
    from pipeline.segment.row_recipe import RowRecipe
    from pipeline.segment import FixedWindows, MeanPooling
    from pipeline.store import ParquetStore
    from pipeline.types import Source

    cluster = Machines(num_cpus=1, include_dashboard=False, _system_config=WATCHFUL)
    second, third = (cluster.add_node(num_cpus=1) for _ in range(2))
    cluster.wait_for_nodes()
    joined, given = None, 0

    def films():
        # There are always some left to do, until the node that joined has opened one.
        global given
        log = Path("nodes.log").resolve()
        while given < 16 or joined is None or joined.node_id not in log.read_text().split():
            given += 1
            path = Path(f"{given}.mp4").resolve()
            yield Source(str(write_video(path, frames=8, grey=given % 250, slow=0.05, number=given, nodes=log)))

    stages = Stages(decoder=FakeDecoder(), sampler=EveryFrame(), encoder=FakeEncoder(),
        sink=LibrarySink(store=ParquetStore("library", "s", "e"),
        recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w"), index=MemoryIndex()))
    settings = Execution(executor="ray", address=cluster.address, batch_frames=4, grow_to_videos=0)
    for number, report in enumerate(make_executor(settings, stages).run(films())):
        print(Path(report.source.uri).name, report.status, report.problem, flush=True)
        if number == 5:
            cluster.remove_node(second, allow_graceful=False)
            print("left", second.node_id, flush=True)
        if number == 10:
            joined = cluster.add_node(num_cpus=2)
            print("joined", joined.node_id, flush=True)
    records = len(list(stages.sink.store.records()))
    print("given", given, "rows", stages.sink.index.count(), "records", records, flush=True)
    cluster.shutdown()
"""


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_a_node_that_leaves_is_done_without_and_one_that_joins_is_used(tmp_path):
    out, err = script_output(_CLUSTER, tmp_path / "batch", longest_seconds=MACHINES_SECONDS)
    lines = out.splitlines()
    done = sum(" done None" in line for line in lines)
    assert f"given {done} rows {done} records {done}" in out, out + err
    assert any(line.startswith("left") for line in lines)
    [joined] = [line.split()[1] for line in lines if line.startswith("joined")]
    assert joined in (tmp_path / "batch" / "nodes.log").read_text().split()


_GPUS = """
    import os
    from pathlib import Path
    os.environ |= {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_worker_niceness": "0"}
    from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder, FakeModel, write_video
    from ray_head import WATCHFUL
    from ray_machines import Machines
    from pipeline.execution import Execution, LibrarySink, Stages, make_executor
    from pipeline.index import MemoryIndex
    from pipeline.segment.row_recipe import RowRecipe
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

    cluster = Machines(num_cpus=4, include_dashboard=False, _system_config=WATCHFUL)
    cluster.wait_for_nodes()
    log = Path("gpus.log")
    stages = Stages(decoder=FakeDecoder(), sampler=EveryFrame(), encoder=Encoder(log=str(Path("calls.log").resolve())),
        sink=LibrarySink(store=ParquetStore("library", "s", "e"),
        recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w"), index=MemoryIndex()))
    gpu, left_at, given = None, None, 0

    def films():
        # There are always some left to do, until the GPU has left.
        global given
        while left_at is None or given < left_at + 12:
            given += 1
            yield Source(str(write_video(Path(f"{given}.mp4").resolve(), frames=8, grey=100, slow=0.05, number=given)))

    settings = Execution(executor="ray", address=cluster.address, batch_frames=4, grow_to_videos=0)
    for report in make_executor(settings, stages).run(films()):
        print(Path(report.source.uri).name, report.status, report.problem, flush=True)
        if gpu is None:
            gpu = cluster.add_node(num_cpus=1, num_gpus=1)
        elif left_at is None and log.read_text().split().count("1") > 10:
            cluster.remove_node(gpu, allow_graceful=False)
            left_at = given
    print("given", given, "rows", stages.sink.index.count(), flush=True)
    cluster.shutdown()
"""


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_a_gpu_that_joins_is_used_and_one_that_leaves_is_done_without(tmp_path):
    out, err = script_output(_GPUS, tmp_path / "batch", longest_seconds=MACHINES_SECONDS)
    done = sum(".mp4 done None" in line for line in out.splitlines())
    assert f"given {done} rows {done}" in out, out + err
    held = (tmp_path / "batch" / "gpus.log").read_text().split()
    # On processors, then on the GPU, then on processors again.
    assert (held[0], "1" in held, held[-1]) == ("0", True, "0"), held
