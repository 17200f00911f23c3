"""Connect to a Ray cluster or start Ray on this machine, and divide its resources between readers and encoders."""

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
from typing import Any

from pipeline.bundled import PACKAGES_FOLDER
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
"""Settings of a Ray instance that is started for a batch: idle workers are kept for a minute instead of a second, since
starting another for the next video takes longer than reading a short one."""
# Share of the object store for readers; the rest is for frames that are being encoded, and for other programs.
_STORE_SHARE = 0.4
# What an encoder on processors reserves in Ray. It keeps a processor of its machine from readers, which need whole ones
# (halves on a single processor), and leaves room for the encoders of other batches.
_ENCODER_CPUS = 0.01
# Ray reads these variables when it is imported or started. They turn off a notice about GPUs, usage statistics, and
# messages about dead workers on standard output (the reports state what these mean for a video).
_QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}
_SILENT = {"log_to_driver": False, "logging_level": "ERROR"}
_PACKAGE = PACKAGES_FOLDER / "pipeline"
# Whether `connected` started the Ray instance in use.
_is_own = False


@dataclass(frozen=True, kw_only=True)
class Shares:
    """The resources of a cluster that a batch uses.

    Attributes:
        encoders: Number of encoders that run in parallel.
        encoder_cpus: Number of processors that each encoder reserves.
        encoder_gpus: Share of a GPU that each encoder reserves.
        readers: Number of videos decoded at once; together with the encoders, they fit the cluster.
        reader_cpus: Number of processors that each reader reserves.
        reader_bytes: Maximum use of the object store by each reader, so that nothing spills to the disk.
    """

    encoders: int
    encoder_cpus: float
    encoder_gpus: float
    readers: int
    reader_cpus: float
    reader_bytes: float = math.inf


def shares(settings: Execution, *, cpus: float, gpus: float, nodes: int = 1, memory_bytes: float = math.inf) -> Shares:
    """Divide a cluster so that encoders never keep the last reader from running, not even on one processor.

    Without GPUs, each node gets one encoder, which computes with all processors of the node, as long as readers have
    half of the processors. Encoders count for at most half of the processors, and for one each if there are enough. The
    number of readers is limited to those that fit next to the encoders: a reader waiting in Ray's queue would take the
    place of an encoder that died, and then wait for that encoder.

    Encoders stay for the whole batch. If those on processors reserved all that they count for, the encoders of two
    batches would fill a cluster, and no reader could start. They reserve hardly anything, and readers, which end, wait
    for each other. Encoders on GPUs are as few as the GPUs, for all batches together.

    Args:
        settings: The requested sizes.
        cpus: Number of processors of the cluster.
        gpus: Number of GPUs of the cluster.
        nodes: Number of machines with processors.
        memory_bytes: Size of the object store.

    Raises:
        ExecutionError: There is no processor, or there are not enough GPUs for the requested encoders.
    """
    if cpus <= 0:
        raise ExecutionError("the Ray cluster has no processors to decode with; start a node with --num-cpus")
    encoder_gpus = settings.gpus_per_encoder if gpus > 0 else 0.0
    fitting = encoders_on(gpus, encoder_gpus) if encoder_gpus else min(nodes, int(cpus / 2))
    encoders = settings.encoders or max(1, fitting)
    if encoder_gpus and settings.grow_to_gpus and fitting:
        # The remaining encoders are requested from the autoscaler.
        encoders = min(encoders, fitting)
    if encoder_gpus and encoders > fitting:
        raise ExecutionError(
            f"{encoders} encoders with {encoder_gpus:g} GPUs each do not fit the cluster's {gpus:g} GPUs; lower"
            " execution.encoders or execution.gpus_per_encoder"
        )
    encoder_cpus = _ray_share(min(1.0, cpus / 2 / encoders))
    cpus_left = cpus - encoders * encoder_cpus
    reader_cpus = _ray_share(min(1.0, cpus_left))
    max_readers = max(1, int(cpus_left / reader_cpus))
    readers = min(settings.videos_at_once or max_readers, max_readers)
    return Shares(
        encoders=encoders,
        encoder_cpus=encoder_cpus if encoder_gpus else min(encoder_cpus, _ENCODER_CPUS),
        encoder_gpus=encoder_gpus,
        readers=readers,
        reader_cpus=reader_cpus,
        reader_bytes=_STORE_SHARE * memory_bytes / readers,
    )


def current_shares(settings: Execution, *, began_on_gpus: bool) -> Shares | None:
    """Return the present shares of the cluster that this process has joined; None while a batch does not fit it.

    If GPUs have left the cluster, the number of encoders is reduced to those that fit.

    Args:
        settings: The requested sizes.
        began_on_gpus: Whether the batch began with encoders on GPUs.
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
    """Return how many encoders fit on GPUs if each reserves this share; a share below 1 never spans two GPUs."""
    return int(gpus) * int(1 / each) if each < 1 else int(gpus / each)


def _ray_share(share: float) -> float:
    """Round down to ten-thousandths, the unit of Ray's resources."""
    return math.floor(share * 10_000) / 10_000


def quieten() -> None:
    """Set the variables that Ray reads when it is imported, unless the user has set them."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def is_own_ray() -> bool:
    """Whether the Ray instance in use was started by `connected`; it always has one machine."""
    return _is_own


def connection_phase(settings: Execution) -> str:
    """Describe what `connected` is about to do, for messages; empty if this process has already joined a cluster."""
    # The name includes the import of Ray, which also takes long; so Ray is not imported here.
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        return ""
    return "starting Ray" if _address(settings) == _LOCAL else "joining the Ray cluster"


@contextmanager
def connected(settings: Execution) -> Iterator[Shares]:
    """Join the cluster that the settings name; a cluster that this starts or joins is left again at the end.

    If this process has joined a cluster already, that one is used and not left. A Ray instance started here is private
    (see `local_ray`).

    Raises:
        ConfigError: The file with Ray's token cannot be read.
        ExecutionError: The cluster cannot be reached or started, or the batch does not fit it.
    """
    quieten()
    import ray

    global _is_own  # noqa: PLW0603 - Ray, too, has one connection per process
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
    """Restore Python's handling of SIGTERM, with the handler from before Ray was started, or else with Ray's own.

    Ray's C++ code handles the signal by logging its stack and aborting the process, which then closes nothing.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler if callable(handler) else signal.getsignal(signal.SIGTERM))


def _address(settings: Execution) -> str:
    return settings.address or os.environ.get("RAY_ADDRESS") or _LOCAL


def _started(settings: Execution) -> AbstractContextManager[None]:
    """Start Ray on this machine for this batch."""
    own: dict[str, Any] = dict(OWN_RAY)
    if _NICENESS not in os.environ:
        # Ray's workers run at low priority by default, but the user is waiting for them.
        own["worker_niceness"] = 0
    return local_ray({**_SILENT, "include_dashboard": False, "_system_config": own}, _memory_retries(settings))


@contextmanager
def _joined(settings: Execution) -> Iterator[None]:
    """Join the cluster that the settings name."""
    import ray

    address = _address(settings)
    check_reachable(address)
    options: dict[str, Any] = dict(_SILENT)
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:
        # A submitted job brings its own working directory; other drivers send this package.
        options["runtime_env"] = {"py_modules": [str(_PACKAGE)], "excludes": ["__pycache__/"]}
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
    """The variable that limits how often Ray retries a task that was killed for its memory use.

    By default Ray retries without limit, on any cluster. The limit can only be set by this variable, in the process
    that submits the task.
    """
    return {_MEMORY_RETRIES: str(settings.retries)}


_WAYS_OUT = (
    "Set execution.address (or RAY_ADDRESS) to a running cluster, leave both out to start Ray on this machine, or set"
    " execution.executor to in_process"
)


def check_reachable(address: str) -> None:
    """Check within seconds that a cluster can be reached; Ray itself would try for minutes.

    Raises:
        ExecutionError: Nothing listens at the address, or it is malformed.
    """
    if address == "auto":
        return
    if "://" in address:
        raise ExecutionError(
            f'execution.address must be "auto" or host:port, got {address!r}: a batch runs on one of the cluster\'s'
            " machines. From elsewhere, submit it: momentseek submit CONFIG SOURCES... --address http://head:8265"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ExecutionError(f'execution.address must be "auto" or host:port, got {address!r}')
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise ExecutionError(f"no Ray at {address!r}: {error}. {_WAYS_OUT}") from error
