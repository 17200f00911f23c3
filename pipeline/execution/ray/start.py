"""Start a private Ray instance on the loopback interface; if a slow disk makes the start fail, it is retried once."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import ExecutionError, MomentseekError
from pipeline.execution.ray.node_processes import without_unused_processes
from pipeline.execution.ray.session_folder import RAY_PART, restrict, session_folder
from pipeline.execution.ray.token import has_token_auth, private_token

__all__ = ["environment", "local_ray"]

_log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
# Ray replaces a loopback address by the machine's own unless this variable rules out a cluster of several machines;
# it is read when Ray is imported. Ray documents it for Windows and macOS.
_CLUSTER_VARIABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
# By default, Ray waits 30 seconds for its server's port.
_PORT_WAIT = {"RAY_gcs_server_port_wait_time_s": "120"}
# The imports of Ray's agents, which are most of what a first start reads from the disk.
_WARM_UP = "import ray.dashboard.agent, ray._private.runtime_env.agent.main"
_WARM_UP_SECONDS = 300.0
_END_SECONDS = 5.0


@contextmanager
def local_ray(options: Mapping[str, Any], variables: Mapping[str, str]) -> Iterator[None]:
    """Start Ray on this machine for this process alone; end it and remove its files afterwards.

    Only this user can enter its folder, all its ports listen on 127.0.0.1, and only this user can read its token. If it
    does not start, it is started once more, after its files have been read from the disk.

    Args:
        options: Options of `ray.init`.
        variables: Environment variables for Ray's processes; those that the user has set are not changed.

    Raises:
        ConfigError: The file that RAY_AUTH_TOKEN_PATH names cannot be read.
        ExecutionError: Ray does not start, or there is no place for its files.
    """
    with session_folder() as folder:
        try:
            _start_with_retry(folder, options, variables)
            restrict(folder)
            _check_loopback()
            yield
        finally:
            _clear(folder)


def _start_with_retry(folder: Path, options: Mapping[str, Any], variables: Mapping[str, str]) -> None:
    """Start Ray; after a failure, read its files from the disk and try once more.

    Ray 2.60 gives its node manager 30 seconds, which no setting changes. In a new environment, whose files are read
    from the disk for the first time, that may be too short.
    """
    token = {} if _is_open_by_choice() else private_token(folder)
    try:
        _start(folder, options, {**variables, **token})
    except MomentseekError:
        raise
    except Exception as error:  # noqa: BLE001 - Ray raises a bare Exception if its processes are too slow
        _log.warning(
            "Ray did not start: %s. It is started once more; the first start after an installation is slow, because"
            " all of Ray is read from the disk",
            _brief(error),
        )
        _clear(folder)
        _warm_up()
        try:
            _start(folder, options, {**variables, **token})
        except Exception as second:
            raise ExecutionError(
                f"Ray did not start on this machine in two attempts: {_brief(second)}. Try again when the machine is"
                " less busy, or run without Ray: execution.executor=in_process"
            ) from second


def _start(folder: Path, options: Mapping[str, Any], variables: Mapping[str, str]) -> None:
    import ray

    needed = {**_PORT_WAIT, **variables, _CLUSTER_VARIABLE: "0"}
    with environment(needed, replaced=(_CLUSTER_VARIABLE, "RAY_AUTH_TOKEN_PATH")), _without_cluster():
        _forget_token()
        with without_unused_processes():
            ray.init(address="local", _node_ip_address=_LOOPBACK, _temp_dir=str(folder / RAY_PART), **options)


def _forget_token() -> None:
    """Make Ray read its token again: it caches that of the instance before."""
    import ray._raylet

    raylet: Any = ray._raylet
    # A private interface of Ray; without it, a process uses one token for all its batches.
    with suppress(AttributeError):
        raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _without_cluster() -> Iterator[None]:
    """Set the constant of Ray that `_CLUSTER_VARIABLE` would have set if Ray had been imported after it."""
    from ray._private import ray_constants

    # If a later version of Ray ignores this, `_check_loopback` reports the effect.
    before = getattr(ray_constants, "ENABLE_RAY_CLUSTER", True)
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def environment(variables: Mapping[str, str], *, replaced: tuple[str, ...] = ()) -> Iterator[None]:
    """Set environment variables temporarily; of those that the user has set, only the `replaced` ones are changed."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update({name: value for name, value in variables.items() if name in replaced or name not in os.environ})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _is_open_by_choice() -> bool:
    if has_token_auth():
        return False
    _log.warning(
        "RAY_AUTH_MODE is %r, so this batch's Ray instance requires no token: every user of this machine can run"
        " programs in it; unset RAY_AUTH_MODE to prevent that",
        os.environ["RAY_AUTH_MODE"],
    )
    return True


def _check_loopback() -> None:
    """Log a warning if Ray listens on another address, as another version of it might."""
    import ray

    for node in ray.nodes():
        address = str(node["NodeManagerAddress"])
        if not ipaddress.ip_address(address).is_loopback:
            _log.warning(
                "this batch's Ray instance listens on %s, where other machines may reach it; use the version of Ray"
                " in momentseek's lock file",
                address,
            )


def _clear(folder: Path) -> None:
    """Shut Ray down, and end the processes of a failed start."""
    import ray

    ray.shutdown()
    _end_processes(folder)


def _warm_up() -> None:
    """Read the files that a start of Ray reads, however long that takes."""
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(  # noqa: S603 - this Python and a constant
            [sys.executable, "-c", _WARM_UP], check=False, capture_output=True, timeout=_WARM_UP_SECONDS
        )


def _end_processes(folder: Path) -> None:
    """End the processes of a failed start: Ray forgets them, and they would compete with those of the next start.

    They are the children of this process whose command line contains the folder, and all their descendants.
    """
    ended = set()
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        parents = _parents()
        running = {pid for pid, parent in parents.items() if parent == os.getpid() and _mentions(pid, folder)}
        while more := {pid for pid, parent in parents.items() if parent in running} - running:
            running |= more
        if not running:
            break
        for pid in running:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        ended |= running
        time.sleep(0.1)
    for pid in ended:
        with suppress(OSError):
            os.waitpid(pid, os.WNOHANG)


def _parents() -> dict[int, int]:
    """The parent of each process on this machine."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The name of the process, in parentheses, may contain spaces and parentheses.
            parents[int(path.parent.name)] = int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
    return parents


def _mentions(pid: int, folder: Path) -> bool:
    with suppress(OSError):
        return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _brief(error: BaseException) -> str:
    """Format an error of Ray as one line."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
