"""What all tests share: the one place where tests are skipped, and the paths of real footage and films."""

from __future__ import annotations

import importlib
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from milvus_server import MilvusServer, problem, running

_SERVER_VARIABLE = "MOMENTSEEK_TEST_MILVUS_URI"
_running: list[MilvusServer] = []

PROJECT = Path(__file__).resolve().parent.parent
FOOTAGE = PROJECT.parent / "shared" / "videos"
FILMS = PROJECT / "sample_videos"
SIGLIP = PROJECT / "build" / "siglip"


def _world_problem() -> str | None:
    try:
        importlib.import_module("skia")
    except ImportError as error:
        return f"skia cannot be imported ({error}); it needs libGL and libEGL"
    return None


def _footage_problem() -> str | None:
    return None if FOOTAGE.is_dir() else f"no real footage in {FOOTAGE}"


def _milvus_server_problem() -> str | None:
    return None if os.environ.get(_SERVER_VARIABLE) or _running else problem()


def _gpu_problem() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "no GPU"


def _siglip_problem() -> str | None:
    return None if (SIGLIP / ".complete").exists() else "what the preset siglip2 needs is not set up here (make siglip)"


PROBLEMS: dict[str, Callable[[], str | None]] = {
    "world": _world_problem,
    "footage": _footage_problem,
    "milvus_server": _milvus_server_problem,
    "gpu": _gpu_problem,
    "siglip": _siglip_problem,
}


def pytest_configure(config: pytest.Config) -> None:
    """Keep what a user trusts apart from what tests trust: they get a configuration folder of their own."""
    folder = TemporaryDirectory(prefix="momentseek-configuration-")
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_CONFIG_HOME"] = folder.name


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose mark names what is missing here, and fail it where it must run (MOMENTSEEK_MUST_RUN)."""
    must_run = os.environ.get("MOMENTSEEK_MUST_RUN", "").split()
    for mark, find_problem in PROBLEMS.items():
        if item.get_closest_marker(mark) is None:
            continue
        problem = find_problem()
        if problem and mark in must_run:
            pytest.fail(f"must run here: {problem}")
        if problem:
            pytest.skip(problem)


@pytest.fixture(scope="session")
def footage() -> Path:
    """The folder of real footage; a test that uses it is marked `footage`."""
    return FOOTAGE


@pytest.fixture(scope="session")
def films() -> Path:
    """The folder of the committed sample films and their labels."""
    return FILMS


@pytest.fixture(scope="session")
def milvus_server_uri() -> Iterator[str]:
    """The URI of a real Milvus server; a test that uses it is marked `milvus_server`.

    It is the one that the environment names, or one that is started for the session.
    """
    named = os.environ.get(_SERVER_VARIABLE)
    if named:
        yield named
        return
    with running() as server:
        _running.append(server)
        yield server.uri
        _running.clear()


@pytest.fixture
def milvus_server(milvus_server_uri: str) -> Iterator[MilvusServer]:
    """The session's own server, to be stopped and started; it runs again when the test ends."""
    if not _running:
        pytest.skip(f"{_SERVER_VARIABLE} names a server that is not ours to stop")
    yield _running[0]
    _running[0].start()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for 128 KiB; skipped where this user may mount nothing."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(folder)], check=False).returncode:
        pytest.skip("needs a file system of its own, which this user may not mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A real Ray of two CPUs on this machine, for the whole session; a test that uses it is marked `ray`.

    It is started as that of a batch is, with the same patience on a busy machine, and no other Ray is joined. Its
    workers are not starved by other processes, and wait for the next test instead of being started again.
    """
    from pipeline.errors import ExecutionError
    from pipeline.execution.ray_cluster import OWN_RAY, quieten
    from pipeline.execution.ray_start import local_ray

    quieten()
    options = {
        "num_cpus": 2,
        "num_gpus": 0,
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": "ERROR",
        "_system_config": {"worker_niceness": 0, **OWN_RAY},
    }
    with ExitStack() as until_the_end:
        for tries_left in (2, 1, 0):
            try:
                until_the_end.enter_context(local_ray(options, {}))
                break
            except ExecutionError:
                # All tests of a session would fail with this one start.
                if not tries_left:
                    raise
        yield
