"""Chooses the executor of a batch where the settings leave it open."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import VideoError
from pipeline.execution.settings import Execution
from pipeline.parsing import open_file
from pipeline.processors import usable_processors
from pipeline.types import Source
from pipeline.uris import is_remote, place_of
from pipeline.video.protocol import VideoDecoder

__all__ = ["EncodingLoad", "ExecutorChoice", "choose_executor", "decoding_seconds", "without_sources"]

_log = logging.getLogger(__name__)

_RAY_SECONDS = 2.9
"""How much later a batch on Ray ends because Ray has to be started first: 10.9 s against 8.0 for one film of 30 s
(car-detection.mp4) on two quiet processors (benchmarks/results/small_batch.json)."""
_PIXELS_PER_SECOND = 465e6
"""Pixels that a processor decodes per second: 1,400 frames/s of a clip of H.264 with 768 x 432 pixels at 0.2 Mbit/s."""
_SECONDS_PER_BYTE = 84e-9
"""What a byte adds to that: the same processor decoded 120 frames/s of a clip of 1280 x 720 pixels at 18 Mbit/s."""
_MIN_BYTES_PER_SECOND = 25_000.0
"""Data rate of a video whose container states no length: that of the first of these two files."""
_FRAME_RATE = 30.0
_MAX_DECODING_SECONDS = 60.0
"""Work above which a batch runs on Ray whatever it costs to start: a video that crashes or stalls then ends alone."""
_MAX_VIDEOS = 64
_MAX_ADDRESS_BYTES = 256
_CONNECT_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class EncodingLoad:
    """How much work it is to encode a video.

    Attributes:
        frames_per_second: Number of frames that are sampled from a second of video.
        processor_seconds: Processor seconds for each of them; 0 if a GPU encodes.
    """

    frames_per_second: float = 0.0
    processor_seconds: float = 0.0


class _WorkEstimate(NamedTuple):
    """Estimated processor seconds for one video."""

    decoding: float
    encoding: float


@dataclass(frozen=True)
class ExecutorChoice:
    """The settings of a batch with its executor, and why it is this one.

    Attributes:
        settings: The settings; their executor is not "auto".
        reason: The reason, for a message.
        is_automatic: Whether the settings left the choice open.
    """

    settings: Execution
    reason: str
    is_automatic: bool = True

    def __str__(self) -> str:
        where = "in this process" if self.settings.executor == "in_process" else "on Ray"
        return f"the batch runs {where}: {self.reason}"


def choose_executor(
    settings: Execution,
    sources: Sequence[Source],
    decoder: VideoDecoder,
    on_choice: Callable[[ExecutorChoice], None] | None = None,
    *,
    encoding: EncodingLoad | None = None,
) -> ExecutorChoice:
    """Choose the executor that is expected to finish a batch first; one that is set explicitly is kept.

    A running cluster is used: the one of `execution.address` or RAY_ADDRESS, or one that this user has started on this
    machine. Otherwise Ray would have to be started first, which pays if decoding one video after another would leave
    processors idle.

    Args:
        settings: The settings of the batch.
        sources: The videos; the containers of up to 64 local ones are read.
        decoder: Opens the videos.
        on_choice: Called with the choice, unless the executor is set explicitly.
        encoding: The work of encoding; None to leave it out of the estimate.
    """
    choice = _choice(settings, sources, decoder, encoding or EncodingLoad())
    _log.info("%s", choice)
    if choice.is_automatic and on_choice is not None:
        on_choice(choice)
    return choice


def _choice(
    settings: Execution, sources: Sequence[Source], decoder: VideoDecoder, encoding: EncodingLoad
) -> ExecutorChoice:
    if settings.executor != "auto":
        return ExecutorChoice(settings, f"execution.executor is {settings.executor}", is_automatic=False)
    without = without_sources(settings, otherwise="in_process")
    if without.settings.executor == "ray" or find_spec("ray") is None:
        return without
    for name in ("encoders", "videos_at_once"):
        if getattr(settings, name) is not None:
            return _chosen(settings, "ray", f"execution.{name} is set")
    if len(sources) > _MAX_VIDEOS:
        return _chosen(settings, "ray", f"it has more than {_MAX_VIDEOS} videos")
    if any(is_remote(source.uri) for source in sources):
        return _chosen(settings, "ray", "the lengths of remote videos are unknown")
    return _by_time(settings, [_work(source, decoder, encoding) for source in sources])


def without_sources(settings: Execution, *, otherwise: str) -> ExecutorChoice:
    """Choose without knowing the videos: a running cluster if there is one.

    Args:
        settings: The settings; an executor that is set explicitly is kept.
        otherwise: The executor if no cluster runs and Ray is installed.
    """
    if settings.executor != "auto":
        return ExecutorChoice(settings, f"execution.executor is {settings.executor}", is_automatic=False)
    if find_spec("ray") is None:
        return _chosen(settings, "in_process", "Ray is not installed")
    if address := settings.address or os.environ.get("RAY_ADDRESS"):
        return _chosen(settings, "ray", f"the cluster at {address} is named by the settings or RAY_ADDRESS")
    if address := _cluster_of_this_machine():
        joining = settings.model_copy(update={"address": address})
        return _chosen(joining, "ray", f"a cluster runs on this machine at {address}")
    return _chosen(settings, otherwise, "no cluster is running")


def decoding_seconds(source: Source, decoder: VideoDecoder) -> float:
    """Estimate the processor time to decode a local video, from its container; 0 if it cannot be opened.

    The estimate is for all frames of H.264. Samplings that skip frames, and other codecs, may take a fraction or a
    multiple of it.
    """
    return _work(source, decoder, EncodingLoad()).decoding


def _work(source: Source, decoder: VideoDecoder, encoding: EncodingLoad) -> _WorkEstimate:
    path = place_of(source.uri)
    try:
        size_bytes = os.stat(path).st_size  # noqa: PTH116 - one call a video
        with decoder.open(path) as stream:
            info = stream.info
    except (OSError, VideoError):
        # It fails at once in either executor.
        return _WorkEstimate(0.0, 0.0)
    seconds = info.duration_seconds or size_bytes / _MIN_BYTES_PER_SECOND
    rate = float(info.average_rate or 0) or _FRAME_RATE
    decoding = seconds * rate * info.width * info.height / _PIXELS_PER_SECOND + size_bytes * _SECONDS_PER_BYTE
    return _WorkEstimate(decoding, seconds * encoding.frames_per_second * encoding.processor_seconds)


def _by_time(settings: Execution, videos: Sequence[_WorkEstimate]) -> ExecutorChoice:
    """Compare the two executors by the work on each video.

    In this process, one thread decodes, and encoding takes what it leaves of the processors. On Ray, each video is
    decoded by one process.
    """
    decoding, encoding = sum(video.decoding for video in videos), sum(video.encoding for video in videos)
    if decoding > _MAX_DECODING_SECONDS:
        return _chosen(settings, "ray", f"decoding takes some {decoding:.0f} s of processor time")
    shared = (decoding + encoding) / usable_processors()
    in_process = max(decoding, shared)
    on_ray = _RAY_SECONDS + max(max((video.decoding for video in videos), default=0.0), shared)
    work = f"{decoding:.1f} s of decoding" + (f" and {encoding:.1f} s of encoding" if encoding else "")
    if in_process <= on_ray:
        return _chosen(settings, "in_process", f"Ray would have to be started for {work}")
    return _chosen(settings, "ray", f"several videos are decoded at once: {work} in all")


def _chosen(settings: Execution, executor: str, reason: str) -> ExecutorChoice:
    return ExecutorChoice(settings.model_copy(update={"executor": executor}), reason)


def _cluster_of_this_machine() -> str | None:
    """Return the address of a cluster that this user has started here with `ray start`; None if none answers.

    Ray notes the address in a folder that any user may create. Only a file of this user or of root is believed, since
    the owner of a cluster can run code in the processes that join it.
    """
    path = Path(os.environ.get("RAY_TMPDIR") or "/tmp") / "ray" / "ray_current_cluster"  # noqa: S108 - Ray's own place
    with suppress(OSError, OverflowError, ValueError):
        if path.parent.is_symlink() or path.is_symlink():
            return None
        with open_file(path) as file:
            if {os.fstat(file.fileno()).st_uid, path.parent.stat().st_uid} - {0, os.geteuid()}:
                return None
            address = file.read(_MAX_ADDRESS_BYTES).decode("ascii").strip()
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        return address
    return None
