"""What all tests share: the one place where tests are skipped, and the paths of real footage and films."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from browser import ARGUMENTS, Browser, chromium_path
from milvus_server import MilvusServer, problem, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser

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


def _ray_problem() -> str | None:
    return None if importlib.util.find_spec("ray") else "Ray is not installed"


def _browser_problem() -> str | None:
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed"
    return None if chromium_path() else "no Chromium on the path (Debian: apt-get install chromium)"


def _root_problem() -> str | None:
    return None if os.geteuid() == 0 else "only root can act as another user"


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
    "ray": _ray_problem,
    "world": _world_problem,
    "footage": _footage_problem,
    "milvus_server": _milvus_server_problem,
    "gpu": _gpu_problem,
    "siglip": _siglip_problem,
    "root": _root_problem,
    "browser": _browser_problem,
}
_lacking = pytest.StashKey[bool]()
"""Set for a test that is skipped here for want of something that need not be there."""


_rays: list[str] = []
"""The heads of Ray that the test now running has started."""


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Note that Ray is started here; an audit hook, which stays for the life of the process."""
    if event == "subprocess.Popen" and "gcs_server" in str(arguments[0]):
        _rays.append(str(arguments[0]))


def _must_run() -> set[str]:
    return set(os.environ.get("MOMENTSEEK_MUST_RUN", "").split())


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests a user's configuration folder of their own, and an interrupt that interrupts.

    What a user trusts stays apart from what tests trust. A shell starts background jobs with SIGINT ignored, and
    processes inherit that; one that is handled here has its default effect in the processes that tests start.

    Raises:
        pytest.UsageError: MOMENTSEEK_MUST_RUN names what is no mark that may be skipped.
    """
    if unknown := _must_run() - PROBLEMS.keys():
        known = ", ".join(PROBLEMS)
        raise pytest.UsageError(f"MOMENTSEEK_MUST_RUN names {', '.join(sorted(unknown))}; it may name: {known}")
    folder = TemporaryDirectory(prefix="momentseek-configuration-")
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_CONFIG_HOME"] = folder.name
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.addaudithook(_watch)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose mark names what is missing here, and fail it where it must run (MOMENTSEEK_MUST_RUN)."""
    for mark, find_problem in PROBLEMS.items():
        if item.get_closest_marker(mark) is None or not (problem := find_problem()):
            continue
        if mark in _must_run():
            pytest.fail(f"must run here: {problem}", pytrace=False)
        item.stash[_lacking] = True
        pytest.skip(problem)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that must run and skips itself, however it does so, and one that starts Ray without its mark."""
    report = yield
    if _rays and item.get_closest_marker("ray") is None:
        report.outcome = "failed"
        report.longrepr = "this test has started Ray: mark it `ray`, or let it run in process"
    _rays.clear()
    expected = hasattr(report, "wasxfail") or item.stash.get(_lacking, False)
    if report.skipped and not expected and any(item.get_closest_marker(mark) for mark in _must_run()):
        report.outcome = "failed"
        report.longrepr = f"must run here, but skipped itself: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that skips itself as a whole (`importorskip`) if it names a mark that must run."""
    report = yield
    if report.skipped and isinstance(collector, pytest.Module):
        named = set(re.findall(r"\bmark\.(\w+)", collector.path.read_text(encoding="utf-8")))
        if named & _must_run():
            report.outcome = "failed"
            report.longrepr = f"must run here, but the module skipped itself: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


def pytest_runtest_teardown() -> None:
    """Take back a real-time priority: run by root, the encoder SVT-AV1 gives one to the thread that calls it."""
    if hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


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
    from pipeline.execution.ray.cluster import OWN_RAY, quieten
    from pipeline.execution.ray.start import local_ray

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


@pytest.fixture(scope="module")
def chromium() -> Iterator[PlaywrightBrowser]:
    """A running Chromium. While it runs, so does an event loop, beside which no other can be started in this thread."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running_browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        yield running_browser
        running_browser.close()


@pytest.fixture
def browser(chromium: PlaywrightBrowser) -> Iterator[Browser]:
    """A fresh window of it."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    yield Browser(context)
    context.close()
