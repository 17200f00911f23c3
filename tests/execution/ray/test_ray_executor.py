from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import contracts.fake_videos
import pytest
from contracts.executor_contract import ExecutorContract, MakeExecutor, by_name, settings
from contracts.fake_videos import BREAKS_DEVICE, KILLS_ENCODER, FakeEncoder, write_video
from own_process import script_output, start_script

from pipeline.errors import ExecutionError
from pipeline.execution import for_several_batches, make_executor
from pipeline.execution.ray.cluster import check_reachable, current_shares, shares
from pipeline.execution.ray.encoder_actors import IdleEncoders
from pipeline.types import Source, Status


@pytest.fixture(scope="class")
def kept(ray_cluster: None) -> Iterator[IdleEncoders]:
    """The encoder's process goes from test to test, as from batch to batch in an experiment.

    To start one takes longer than most of these batches. Tests whose encoder is another start theirs; so do those
    after one whose encoder died.
    """
    with for_several_batches(settings(executor="ray")) as kept:
        assert kept is not None
        yield kept


@pytest.mark.ray
class TestOnRay(ExecutorContract):
    @pytest.fixture
    def executor(self, kept: IdleEncoders) -> MakeExecutor:
        from ray import cloudpickle

        # Ray's workers don't have the tests' folder on their path.
        cloudpickle.register_pickle_by_value(contracts.fake_videos)
        return lambda stages, on_progress=None, stop=None, **changes: make_executor(
            settings(executor="ray", retries=1, **changes),
            stages,
            on_progress=on_progress,
            stop=stop,
            idle_encoders=kept,
        )

    def test_run_outlives_a_video_that_kills_its_reader(self, run, stages, tmp_path):
        write_video(tmp_path / "killer.mp4", grey=1, kill=6)
        paths = [write_video(tmp_path / f"{grey}.mp4", grey=grey) for grey in (10, 20, 30)]
        reports = by_name(run(paths[0], tmp_path / "killer.mp4", *paths[1:]))
        killer = reports.pop("killer.mp4")
        assert (killer.status, "died 2 times" in killer.problem) == (Status.FAILED, True)
        assert {report.status for report in reports.values()} == {Status.DONE}
        assert len(list(stages.sink.store.records())) == 3

    def test_run_outlives_a_video_that_kills_the_encoder(self, run, tmp_path):
        killer = write_video(tmp_path / "killer.mp4", frames=2, grey=KILLS_ENCODER)
        paths = [write_video(tmp_path / f"{grey}.mp4", frames=2, grey=grey) for grey in (10, 20, 30)]
        reports = by_name(run(paths[0], killer, *paths[1:]))
        assert "encoder's process died on its frames" in reports.pop("killer.mp4").problem
        assert {report.status for report in reports.values()} == {Status.DONE}

    def test_run_goes_on_with_a_fresh_process_where_the_encoders_device_broke(self, executor, stages, tmp_path):
        log, mark = tmp_path / "calls.log", tmp_path / "broken"
        breaking = replace(stages, encoder=FakeEncoder(log=str(log), breaks_once=str(mark)))
        paths = [write_video(tmp_path / f"{grey}.mp4", frames=12, grey=grey) for grey in (10, 20, 30)]
        reports = list(executor(breaking, batch_frames=4).run(Source(str(path)) for path in paths))
        assert {(report.status, report.frames_sampled) for report in reports} == {(Status.DONE, 12)}
        assert len({line.split()[0] for line in log.read_text().splitlines()}) == 2

    def test_run_fails_only_the_video_whose_frames_break_the_device(self, run, tmp_path):
        bad = write_video(tmp_path / "bad.mp4", frames=2, grey=BREAKS_DEVICE)
        paths = [write_video(tmp_path / f"{grey}.mp4", frames=2, grey=grey) for grey in (10, 20, 30)]
        reports = by_name(run(paths[0], bad, *paths[1:]))
        assert "device broke on its frames 3 times" in reports.pop("bad.mp4").problem
        assert {report.status for report in reports.values()} == {Status.DONE}

    def test_run_meets_want_of_memory_by_smaller_batches(self, executor, stages, tmp_path):
        log = tmp_path / "calls.log"
        small = replace(stages, encoder=FakeEncoder(log=str(log), most_images=3))
        paths = [write_video(tmp_path / f"{grey}.mp4", frames=20, grey=grey) for grey in (10, 20, 30)]
        reports = list(executor(small, batch_frames=10).run(Source(str(path)) for path in paths))
        assert {(report.status, report.frames_sampled) for report in reports} == {(Status.DONE, 20)}
        sizes = [int(line.split()[1]) for line in log.read_text().splitlines()]
        assert (sizes.count(10), sizes.count(5), max(sizes[2:])) == (1, 1, 3)

    def test_run_starts_a_dead_encoder_again_while_long_videos_wait_for_it(self, executor, stages, tmp_path):
        killer = write_video(tmp_path / "killer.mp4", frames=2, grey=KILLS_ENCODER)
        paths = [write_video(tmp_path / f"{grey}.mp4", frames=120, grey=grey) for grey in (10, 20, 30, 40)]
        sources = [Source(str(path)) for path in (killer, *paths)]
        reports = by_name(list(executor(stages, batch_frames=4).run(sources)))
        assert reports.pop("killer.mp4").status is Status.FAILED
        assert {report.status for report in reports.values()} == {Status.DONE}

    def test_run_shares_calls_of_the_encoder_among_short_videos(self, executor, stages, tmp_path):
        log = tmp_path / "calls.log"
        slow = replace(stages, encoder=FakeEncoder(log=str(log), patience_seconds=2.0))
        paths = [write_video(tmp_path / f"{grey}.mp4", frames=2, grey=grey) for grey in range(12)]
        list(executor(slow, batch_frames=8).run(Source(str(path)) for path in paths))
        sizes = Counter(int(line.split()[1]) for line in log.read_text().splitlines())
        assert max(sizes) == 8
        assert sum(size * count for size, count in sizes.items()) == 24


def test_shares_leave_half_for_readers_even_of_one_processor():
    found = shares(settings(), cpus=1, gpus=0)
    assert (found.readers, found.reader_cpus) == (1, 0.5)


@pytest.mark.parametrize("cpus", [0.5, 1, 2, 6, 64])
@pytest.mark.parametrize("changes", [{}, {"encoders": 3}])
def test_the_encoders_of_many_batches_leave_room_for_a_reader(cpus, changes):
    """As many batches as start at once: their encoders reserve less than a reader's processor."""
    found = shares(settings(**changes), cpus=cpus, gpus=0)
    assert cpus - 5 * found.encoders * found.encoder_cpus >= min(found.reader_cpus, 0.3)


def test_encoders_on_gpus_reserve_a_processor_each():
    assert shares(settings(), cpus=16, gpus=2).encoder_cpus == 1


@pytest.mark.parametrize(
    ("cpus", "gpus", "changes", "encoders", "readers"),
    [
        (2, 0, {}, 1, 1),
        (16, 0, {}, 1, 15),
        (16, 2, {}, 2, 14),
        (16, 2, {"gpus_per_encoder": 0.5}, 4, 12),
        (4, 8, {}, 8, 2),
        (16, 1, {"videos_at_once": 3}, 1, 3),
        (4, 0, {"videos_at_once": 64}, 1, 3),
        (2, 0, {"encoders": 3}, 3, 1),
        (0.5, 0, {}, 1, 1),
    ],
)
def test_shares_fit_the_cluster(cpus, gpus, changes, encoders, readers):
    found = shares(settings(**changes), cpus=cpus, gpus=gpus)
    assert (found.encoders, found.readers) == (encoders, readers)
    assert found.encoders * found.encoder_cpus + found.readers * found.reader_cpus <= cpus
    assert min(found.encoder_cpus, found.reader_cpus) > 0


@pytest.mark.parametrize(("cpus", "nodes", "encoders", "readers"), [(3, 3, 1, 2), (8, 2, 2, 6), (64, 8, 8, 56)])
def test_shares_without_gpus_have_an_encoder_a_node(cpus, nodes, encoders, readers):
    found = shares(settings(), cpus=cpus, gpus=0, nodes=nodes)
    assert (found.encoders, found.readers) == (encoders, readers)


def test_shares_of_the_object_store_are_for_all_readers():
    found = shares(settings(), cpus=9, gpus=0, memory_bytes=1000)
    assert found.readers * found.reader_bytes == pytest.approx(400)


def test_shares_refuse_more_encoders_than_the_gpus_hold():
    with pytest.raises(ExecutionError, match="do not fit the cluster's 1 GPUs"):
        shares(settings(encoders=2), cpus=4, gpus=1)


def test_shares_take_the_gpus_that_are_there_where_others_are_asked_for():
    assert shares(settings(encoders=4, grow_to_gpus=4), cpus=4, gpus=1).encoders == 1
    with pytest.raises(ExecutionError, match="do not fit"):
        shares(settings(gpus_per_encoder=2, grow_to_gpus=4), cpus=4, gpus=1)


@pytest.mark.parametrize(
    ("gpus", "began_on_gpus", "encoders"), [(8, True, 8), (3, True, 3), (0, True, 1), (0, False, 8)]
)
def test_where_gpus_have_left_there_are_as_many_encoders_as_fit(monkeypatch, gpus, began_on_gpus, encoders):
    resources = {"CPU": 4.0, "GPU": float(gpus), "object_store_memory": 1e9}
    monkeypatch.setattr("ray.cluster_resources", lambda: resources)
    monkeypatch.setattr("ray.nodes", lambda: [{"Alive": True, "Resources": resources}])
    found = current_shares(settings(encoders=8), began_on_gpus=began_on_gpus)
    assert found is not None
    assert found.encoders == encoders


def test_shares_refuse_a_cluster_without_processors():
    with pytest.raises(ExecutionError, match="no processors"):
        shares(settings(), cpus=0, gpus=1)


_SCRIPT = """
    import os
    from pathlib import Path
    from contracts.fake_videos import EveryFrame, FakeDecoder, FakeEncoder
    from pipeline.execution import Execution, LibrarySink, Stages, make_executor
    from pipeline.index import MemoryIndex
    from pipeline.segment.row_recipe import RowRecipe
    from pipeline.segment import FixedWindows, MeanPooling
    from pipeline.store import ParquetStore
    from pipeline.types import Source

    stages = Stages(decoder=FakeDecoder(), sampler=EveryFrame(), encoder=FakeEncoder(patience_seconds={patience}),
        sink=LibrarySink(store=ParquetStore("library", "s", "e"),
        recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="w"), index=MemoryIndex()))
    settings = Execution(executor="ray", address={address!r})
    def tell(event):
        print(event.videos_ended, event.active, flush=True)
    sources = [Source(str(path)) for path in sorted(Path().glob("*.mp4"))]
    for report in make_executor(settings, stages, on_progress=tell).run(sources):
        print(report.source.uri, report.status, report.problem, flush=True)
    import ray
    print(ray.is_initialized())
"""


def start(folder: Path, *, address: str | None = None, patience: float = 0.0) -> subprocess.Popen[str]:
    return start_script(_SCRIPT.format(address=address, patience=patience), folder)


def ended(begin: Callable[[], subprocess.Popen[str]]) -> tuple[int, str, str]:
    """The exit code and output of a process whose Ray started at once, which takes some tries on a busy machine."""
    for tries_left in (2, 1, 0):
        process = begin()
        out, err = process.communicate(timeout=240)
        if "Ray did not start" not in err or not tries_left:
            break
    return process.returncode, out, err


@pytest.mark.ray
def test_run_starts_a_ray_of_its_own_quietly_and_ends_it(tmp_path):
    def begin() -> subprocess.Popen[str]:
        shutil.rmtree(tmp_path / "library", ignore_errors=True)
        return start(tmp_path)

    write_video(tmp_path / "a.mp4")
    write_video(tmp_path / "b.mp4", kill=0)
    _, out, err = ended(begin)
    assert err == ""
    lines = out.splitlines()
    assert "a.mp4 done None" in lines
    assert any(line.startswith("b.mp4 failed the process that read it died 3 times") for line in lines)
    assert lines[-1] == "False"
    assert "raylet" not in out


@pytest.mark.ray
def test_run_ends_on_an_interrupt_and_leaves_no_process(tmp_path):
    write_video(tmp_path / "a.mp4")
    process = start(tmp_path, patience=60)
    assert process.stdout is not None
    while "a.mp4" not in (line := process.stdout.readline()):
        assert line
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=240)
    assert err.rstrip().endswith("KeyboardInterrupt")
    ends = time.monotonic() + 30
    while has_members(process.pid):
        assert time.monotonic() < ends
        time.sleep(0.1)


def has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.ray
@pytest.mark.parametrize(("handled", "named", "niceness"), [(True, {}, 0), (False, {"RAY_worker_niceness": "7"}, 7)])
def test_a_ray_of_our_own_has_its_share_of_a_busy_machine_and_ends_in_order_on_sigterm(handled, named, niceness):
    """Ray by itself would give its workers niceness 15, and its C++ part would abort with nothing closed."""
    script = (
        "import os, signal, sys, time\n"
        "from pipeline.execution import Execution; from pipeline.execution.ray.cluster import connected\n"
        f"if {handled}: signal.signal(signal.SIGTERM, lambda *_: sys.exit(43))\n"
        "try:\n"
        "    with connected(Execution()):\n"
        "        import ray\n"
        "        print(ray.get(ray.remote(lambda: os.nice(0)).remote()), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(30)\n"
        "finally:\n"
        "    print('closed')"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | named
    command = [sys.executable, "-c", script]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    code, out, err = ended(lambda: subprocess.Popen(command, env=environment, text=True, **pipes))
    # A worker adds its own to what it inherits; 19 is the most there is.
    assert (code, out.split()) == (43 if handled else signal.SIGTERM, [str(min(19, os.nice(0) + niceness)), "closed"])
    assert "SIGTERM received" not in err


def test_connected_says_so_where_ray_does_not_start(tmp_path):
    """In a process of its own: whatever a start has left is ended, and here that would be the Ray of all tests."""
    script = """
        import ray
        from pipeline.errors import ExecutionError
        from pipeline.execution import Execution
        from pipeline.execution.ray.cluster import connected

        def start(**options):
            raise Exception("The current node timed out during startup.")

        ray.init = start
        try:
            with connected(Execution()):
                pass
        except ExecutionError as error:
            print(error)
    """
    said, _ = script_output(script, tmp_path)
    assert re.search(r"timed out during startup.*in_process", said)


def test_check_reachable_refuses_a_place_where_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ExecutionError, match=rf"no Ray at '127.0.0.1:{port}'.*in_process"):
        check_reachable(f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:http"])
def test_check_reachable_refuses_an_address_of_another_kind(address):
    with pytest.raises(ExecutionError, match=r"host:port"):
        check_reachable(address)
