"""Starts a private Ray on this machine's loopback interface; a start that a slow disk delays is retried once."""

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
from pipeline.execution.ray.session_folder import RAY_PART, restrict, session_folder
from pipeline.execution.ray.token import has_token_auth, private_token

__all__ = ["environment", "local_ray"]

_log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
# Ray replaces a loopback address by the machine's own, unless this says that there will be no cluster of several
# machines; it is read when Ray is imported. Ray's documentation names it for Windows and macOS.
_CLUSTER_VARIABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
# Ray waits for its server's port for 30 seconds, unless told otherwise.
_PORT_WAIT = {"RAY_gcs_server_port_wait_time_s": "120"}
# What Ray's agents import, which is most of what a first start reads from the disk.
_WARM_UP = "import ray.dashboard.agent, ray._private.runtime_env.agent.main"
_WARM_UP_SECONDS = 300.0
_END_SECONDS = 5.0


@contextmanager
def local_ray(options: Mapping[str, Any], variables: Mapping[str, str]) -> Iterator[None]:
    """Start a Ray on this machine for this process alone, and end it and remove its files afterwards.

    Its folder can be entered by this user only, all its ports listen on 127.0.0.1, and its token is readable by this
    user only. If it does not start, it is started once more, after what a start reads has been read from the disk.

    Args:
        options: Of `ray.init`.
        variables: Of the environment, for Ray's processes; those that the user has set are left alone.

    Raises:
        ConfigError: The file that RAY_AUTH_TOKEN_PATH names cannot be read.
        ExecutionError: It does not start, or there is no place for its files.
    """
    with session_folder() as folder:
        try:
            _start_patiently(folder, options, variables)
            restrict(folder)
            _check_loopback()
            yield
        finally:
            _clear(folder)


def _start_patiently(folder: Path, options: Mapping[str, Any], variables: Mapping[str, str]) -> None:
    """Start Ray; one failure is met by reading what a start needs, and a second start.

    Ray 2.60 gives its node manager 30 seconds, which no setting changes. In a fresh environment, whose files come from
    the disk for the first time, that may be too short.
    """
    token = {} if _is_open_by_choice() else private_token(folder)
    try:
        _start(folder, options, {**variables, **token})
    except MomentseekError:
        raise
    except Exception as error:  # noqa: BLE001 - Ray raises a bare Exception where its processes are too slow
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
                f"Ray does not start on this machine, tried twice: {_brief(second)}. Try again when it is less busy, or"
                " do without by execution.executor=in_process"
            ) from second


def _start(folder: Path, options: Mapping[str, Any], variables: Mapping[str, str]) -> None:
    import ray

    needed = {**_PORT_WAIT, **variables, _CLUSTER_VARIABLE: "0"}
    with environment(needed, replaced=(_CLUSTER_VARIABLE, "RAY_AUTH_TOKEN_PATH")), _without_cluster():
        _forget_token()
        ray.init(address="local", _node_ip_address=_LOOPBACK, _temp_dir=str(folder / RAY_PART), **options)


def _forget_token() -> None:
    """Have Ray read its token again: it remembers that of the Ray before."""
    import ray._raylet

    raylet: Any = ray._raylet
    # Private to Ray; where a later version has no such thing, a process has one token for all its batches.
    with suppress(AttributeError):
        raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _without_cluster() -> Iterator[None]:
    """Tell Ray, if it has been imported before, what `_CLUSTER_VARIABLE` would have told it."""
    from ray._private import ray_constants

    # Where a later version of Ray knows nothing of it, `_check_loopback` notices what that leads to.
    kept = getattr(ray_constants, "ENABLE_RAY_CLUSTER", True)
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = kept


@contextmanager
def environment(variables: Mapping[str, str], *, replaced: tuple[str, ...] = ()) -> Iterator[None]:
    """Set variables for a while, of those that the user has set only the `replaced` ones."""
    kept = {name: os.environ.get(name) for name in variables}
    os.environ.update({name: value for name, value in variables.items() if name in replaced or name not in os.environ})
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _is_open_by_choice() -> bool:
    if has_token_auth():
        return False
    _log.warning(
        "RAY_AUTH_MODE is %r, so the Ray of this batch asks for no token: every user of this machine can run programs"
        " in it; unset RAY_AUTH_MODE to close it",
        os.environ["RAY_AUTH_MODE"],
    )
    return True


def _check_loopback() -> None:
    """Say so if Ray listens elsewhere all the same, as another version of it might."""
    import ray

    for node in ray.nodes():
        address = str(node["NodeManagerAddress"])
        if not ipaddress.ip_address(address).is_loopback:
            _log.warning(
                "the Ray of this batch listens on %s, where other machines may reach it; use the version of Ray that"
                " momentseek's lock file names",
                address,
            )


def _clear(folder: Path) -> None:
    """Remove what a failed start has left."""
    import ray

    ray.shutdown()
    _end_processes(folder)


def _warm_up() -> None:
    """Read what a start of Ray reads, for as long as that takes."""
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(  # noqa: S603 - this Python and a constant
            [sys.executable, "-c", _WARM_UP], check=False, capture_output=True, timeout=_WARM_UP_SECONDS
        )


def _end_processes(folder: Path) -> None:
    """End what a start that failed has left: Ray forgets these processes, and they would compete with the next ones.

    They are the children of this process whose command line names the folder, and all that these have started.
    """
    ended = set()
    until = time.monotonic() + _END_SECONDS
    while time.monotonic() < until:
        parents = _parents()
        found = {pid for pid, parent in parents.items() if parent == os.getpid() and _names(pid, folder)}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        if not found:
            break
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        ended |= found
        time.sleep(0.1)
    for pid in ended:
        with suppress(OSError):
            os.waitpid(pid, os.WNOHANG)


def _parents() -> dict[int, int]:
    """The parent of each process of this machine."""
    parents = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The name, in parentheses, may hold spaces and parentheses.
            parents[int(place.parent.name)] = int(place.read_text(errors="replace").rpartition(")")[2].split()[1])
    return parents


def _names(pid: int, folder: Path) -> bool:
    with suppress(OSError):
        return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _brief(error: BaseException) -> str:
    """Ray's word on one line."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
