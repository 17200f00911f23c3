"""Connects to a Ray cluster or starts a local Ray, and divides its resources between readers and encoders."""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ExecutionError
from pipeline.execution.ray.start import environment, local_ray
from pipeline.execution.settings import Execution

__all__ = [
    "OWN_RAY",
    "Shares",
    "check_reachable",
    "connected",
    "connection_phase",
    "current_shares",
    "encoders_on",
    "is_own_ray",
    "quieten",
    "shares",
]

_LOCAL = "local"
_NICENESS = "RAY_worker_niceness"
_MEMORY_RETRIES = "RAY_task_oom_retries"
_CONNECT_SECONDS = 5.0
OWN_RAY = {"idle_worker_killing_time_threshold_ms": 60_000}
"""How a Ray that is started for a batch differs: a worker that has nothing to do for a second is not ended, since the
next video would start another, which takes longer than to read a short one."""
# Of the object store; the rest is for what is being encoded, and for others.
_STORE_SHARE = 0.4
# Ray reads these when it is imported or started: no notice about GPUs, no statistics sent to its makers, and no
# accounts of dead workers in the midst of standard output (the reports say what they meant for a video).
_QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}
_SILENT = {"log_to_driver": False, "logging_level": "ERROR"}
_PACKAGE = Path(__file__).resolve().parent.parent
# Whether `connected` started the Ray that is in use.
_is_own = False


@dataclass(frozen=True, kw_only=True)
class Shares:
    """The resources of a cluster that a batch uses.

    Attributes:
        encoders: Encoders side by side.
        encoder_cpus: Processors that each of them holds.
        encoder_gpus: Share of a GPU that each of them holds.
        readers: Videos being decoded at once; with the encoders they fit the cluster.
        reader_cpus: Processors that each of them holds.
        reader_bytes: Most that each of them may have in the object store, so that it never spills to the disk.
    """

    encoders: int
    encoder_cpus: float
    encoder_gpus: float
    readers: int
    reader_cpus: float
    reader_bytes: float = math.inf


def shares(settings: Execution, *, cpus: float, gpus: float, nodes: int = 1, memory_bytes: float = math.inf) -> Shares:
    """Divide a cluster so that encoders never keep the last reader from running, not even on one processor.

    Without GPUs there is an encoder a node, which computes with all its processors, as long as that leaves half of them
    to readers. Encoders hold at most half of the processors, and one each where there are enough. There are never more
    readers than fit beside them: one that waits in Ray's queue would take the place of an encoder that died, and then
    wait for it.

    Args:
        settings: What is wanted.
        cpus: Processors of the cluster.
        gpus: Its GPUs.
        nodes: Its machines that have processors.
        memory_bytes: Of its object store.

    Raises:
        ExecutionError: There is no processor, or there are not enough GPUs for the encoders that are wanted.
    """
    if cpus <= 0:
        raise ExecutionError("the Ray cluster has no processors to decode with; start a node with --num-cpus")
    encoder_gpus = settings.gpus_per_encoder if gpus > 0 else 0.0
    fitting = encoders_on(gpus, encoder_gpus) if encoder_gpus else min(nodes, int(cpus / 2))
    encoders = settings.encoders or max(1, fitting)
    if encoder_gpus and settings.grow_to_gpus and fitting:
        # The others are asked for.
        encoders = min(encoders, fitting)
    if encoder_gpus and encoders > fitting:
        raise ExecutionError(
            f"{encoders} encoders with {encoder_gpus:g} GPUs each do not fit the cluster's {gpus:g} GPUs; lower"
            " execution.encoders or execution.gpus_per_encoder"
        )
    encoder_cpus = _ray_share(min(1.0, cpus / 2 / encoders))
    left = cpus - encoders * encoder_cpus
    reader_cpus = _ray_share(min(1.0, left))
    most_readers = max(1, int(left / reader_cpus))
    readers = min(settings.videos_at_once or most_readers, most_readers)
    return Shares(
        encoders=encoders,
        encoder_cpus=encoder_cpus,
        encoder_gpus=encoder_gpus,
        readers=readers,
        reader_cpus=reader_cpus,
        reader_bytes=_STORE_SHARE * memory_bytes / readers,
    )


def current_shares(settings: Execution, *, began_on_gpus: bool) -> Shares | None:
    """The shares of the cluster that this process has joined, as it is now; None while a batch would not fit it.

    Where GPUs have left, there are as many encoders as fit, however many are wanted.

    Args:
        settings: What is wanted.
        began_on_gpus: Whether that was wanted of GPUs.
    """
    with suppress(ExecutionError):
        found = _shares_now(settings)
        if found.encoder_gpus or not began_on_gpus:
            return found
    with suppress(ExecutionError):
        return _shares_now(settings.model_copy(update={"encoders": None}))
    return None


def _shares_now(settings: Execution) -> Shares:
    import ray

    resources = ray.cluster_resources()
    return shares(
        settings,
        cpus=resources.get("CPU", 0.0),
        gpus=resources.get("GPU", 0.0),
        nodes=sum(bool(node["Alive"] and node["Resources"].get("CPU")) for node in ray.nodes()),
        memory_bytes=resources.get("object_store_memory", math.inf),
    )


def encoders_on(gpus: float, each: float) -> int:
    """How many encoders fit on GPUs, with a share of one for each: one below 1 stays on one GPU."""
    return int(gpus) * int(1 / each) if each < 1 else int(gpus / each)


def _ray_share(share: float) -> float:
    """Ray counts in ten-thousandths."""
    return math.floor(share * 10_000) / 10_000


def quieten() -> None:
    """Set the variables that Ray reads when it is imported, unless the user has set them."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def is_own_ray() -> bool:
    """Whether the Ray that is in use was started by `connected`; it has one machine for good."""
    return _is_own


def connection_phase(settings: Execution) -> str:
    """Describe what `connected` is about to do, for messages; empty if this process has joined a Ray already."""
    # Importing Ray is part of what takes long.
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        return ""
    return "starting Ray" if _address(settings) == _LOCAL else "joining the Ray cluster"


@contextmanager
def connected(settings: Execution) -> Iterator[Shares]:
    """Join the cluster that the settings name; one that this starts or joins is left again at the end.

    Where this process has joined one already, that is used and stays. A Ray that is started here is private
    (`ray_start.local_ray`).

    Raises:
        ConfigError: The file with Ray's token cannot be read.
        ExecutionError: It cannot be reached or started, or this batch does not fit it.
    """
    quieten()
    import ray

    global _is_own  # noqa: PLW0603 - Ray has one connection a process, too
    if ray.is_initialized():
        yield _shares_now(settings)
        return
    handler = signal.getsignal(signal.SIGTERM)
    with _started(settings) if _address(settings) == _LOCAL else _joined(settings):
        _handle_sigterm(handler)
        _is_own = _address(settings) == _LOCAL
        try:
            yield _shares_now(settings)
        finally:
            _is_own = False


def _handle_sigterm(handler: Any) -> None:
    """Have Python take SIGTERM again, with the handler from before Ray was started, or else with Ray's own.

    Ray's C++ part takes the signal: it prints its stack into the log and aborts the process, which then closes nothing.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler if callable(handler) else signal.getsignal(signal.SIGTERM))


def _address(settings: Execution) -> str:
    return settings.address or os.environ.get("RAY_ADDRESS") or _LOCAL


def _started(settings: Execution) -> AbstractContextManager[None]:
    """A Ray on this machine, for this batch."""
    own: dict[str, Any] = dict(OWN_RAY)
    if _NICENESS not in os.environ:
        # Its workers stand back for all else on a machine; but what the user waits for is what they do.
        own["worker_niceness"] = 0
    return local_ray({**_SILENT, "include_dashboard": False, "_system_config": own}, _memory_retries(settings))


@contextmanager
def _joined(settings: Execution) -> Iterator[None]:
    """The cluster that the settings name."""
    import ray

    address = _address(settings)
    check_reachable(address)
    options: dict[str, Any] = dict(_SILENT)
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:
        # A submitted job brings its own working directory; other drivers bring this package.
        options["runtime_env"] = {"py_modules": [str(_PACKAGE)]}
    try:
        try:
            with environment(_memory_retries(settings)):
                ray.init(address=address, **options)
        except Exception as error:
            raise ExecutionError(f"no Ray at {address!r}: {' '.join(str(error).split())}. {_WAYS_OUT}") from error
        yield
    finally:
        ray.shutdown()


def _memory_retries(settings: Execution) -> dict[str, str]:
    """How often Ray tries a task again that was killed for its memory.

    By default Ray tries it for ever, on any cluster. The limit is set by the process that submits the task, and only by
    this variable.
    """
    return {_MEMORY_RETRIES: str(settings.retries)}


_WAYS_OUT = (
    "Set execution.address (or RAY_ADDRESS) to a running cluster, leave both out to start Ray on this machine, or set"
    " execution.executor to in_process"
)


def check_reachable(address: str) -> None:
    """Check within seconds that a cluster can be reached; Ray itself would try for minutes.

    Raises:
        ExecutionError: Nothing listens there, or it is no such address.
    """
    if address == "auto":
        return
    if "://" in address:
        raise ExecutionError(
            f'execution.address is "auto" or host:port, got {address!r}: a batch runs on one of the cluster\'s'
            " machines. From elsewhere, submit it: momentseek submit CONFIG SOURCES... --address http://head:8265"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ExecutionError(f'execution.address is "auto" or host:port, got {address!r}')
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise ExecutionError(f"no Ray at {address!r}: {error}. {_WAYS_OUT}") from error
