"""The output of `momentseek submit --dry-run`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.console.tables import print_json

if TYPE_CHECKING:
    from pipeline.run_config import RunConfig
    from pipeline.runs.report import RunReport
    from pipeline.submission.bundle import JobBatch
    from pipeline.submission.estimate import Estimate, Measured

__all__ = ["show_dry_run"]

_MAX_PROBED_VIDEOS = 200
_USUAL_DIMENSION = 512
# Assumed for strategies that choose frames, or form segments, by content: their number is not known in advance.
_USUAL_FRAMES_PER_SECOND = 1.0
_USUAL_ROWS_PER_SECOND = 0.25
_NOT_INCLUDED = "not included: starting the job and Ray's processes, and loading the model, which can take minutes"


def show_dry_run(
    config: RunConfig, batch: JobBatch, *, real_time: float | None, gpus: float | None, as_json: bool
) -> None:
    """Print what would be sent, how much of the video is on this machine, and an estimate of time and storage.

    Args:
        config: The configuration as loaded on this machine.
        batch: The batch made from it.
        real_time: Assumed speed, as seconds of video per second; None to estimate it.
        gpus: Number of GPUs in the cluster; None if unknown.
        as_json: Print JSON.
    """
    here, elsewhere = _found(batch)
    probed = _probed(config, here[:: max(1, len(here) // _MAX_PROBED_VIDEOS)][:_MAX_PROBED_VIDEOS])
    known, basis = _rate(config, real_time)
    estimate = _estimate(config, probed, videos=len(here), real_time=known)
    caveats = [] if real_time else list(_caveats(config, known, gpus))
    if as_json:
        fields = {"estimate": asdict(estimate), "rates": basis, "caveats": caveats, "not_here": elsewhere}
        print_json({**_sent(batch), **fields})
        return
    _print_sent(batch)
    _print_estimate(estimate, basis, probed=len(probed), not_here=elsewhere)
    for caveat in caveats if probed else ():
        click.echo(f"{'':<10}{caveat}")


def _rate(config: RunConfig, real_time: float | None) -> tuple[float | None, str]:
    """The speed in multiples of real time, if it was given or an earlier run shows it, and where it comes from."""
    from pipeline.submission.estimate import MEASURED

    if real_time:
        return real_time, f"--rate {real_time:g}"
    run = _largest_run(config)
    if run is not None and run.rate is not None:
        return run.rate, f"run {run.run_id} of this library, {run.rate:.1f} x real time on the machines that it had"
    return None, MEASURED.source


def _largest_run(config: RunConfig) -> RunReport | None:
    """The library's finished run with this sampling and the most video: start-up distorts its rate least."""
    from pipeline.errors import StoreError
    from pipeline.runs.log import RunLog

    try:
        runs = [run for run in RunLog(config.library) if run.outcome == "finished" and run.rate is not None]
    except StoreError:
        return None
    same = [run for run in runs if run.fingerprints.get("sampling") == config.sampling_fingerprint]
    return max(same, key=lambda run: run.video_seconds, default=None)


def _caveats(config: RunConfig, known: float | None, gpus: float | None) -> Iterator[str]:
    """List the ways in which a measured rate may not apply to this batch."""
    from pipeline.plugins import Plugin
    from pipeline.submission.estimate import MEASURED

    if known is not None:
        return
    yield "the library has no earlier run on this machine; for a time that fits your machines, give --rate"
    model = config.encoder.reference if isinstance(config.encoder, Plugin) else config.encoder.model
    if model != MEASURED.model:
        yield f"the rate was measured for {MEASURED.model}, and none for {model}"
    if gpus:
        count = "a GPU" if gpus == 1 else f"{gpus:g} GPUs"
        yield f"the cluster has {count}, but the rate was measured without one"


def _found(batch: JobBatch) -> tuple[list[str], int]:
    """The videos on this machine, and the number of sources that are elsewhere; the network is not used."""
    from pipeline.sources import expand
    from pipeline.uris import is_remote

    names = list(batch.names())
    near = [name for name in names if not is_remote(name)]
    found = [source.uri for source in expand(near)]
    here = [path for path in found if os.path.isfile(path)]  # noqa: PTH113 - one call a video
    return here, len(names) - len(near) + len(found) - len(here)


def _probed(config: RunConfig, paths: Sequence[str]) -> list[Measured]:
    """Read durations and sizes from some videos' containers; videos that are unreadable or lack them are left out."""
    from pipeline.errors import VideoError
    from pipeline.submission.estimate import Measured
    from pipeline.video import make_decoder

    decoder = make_decoder(config.decoding)
    measured = []
    for path in paths:
        try:
            with decoder.open(path) as stream:
                info = stream.info
        except VideoError:
            continue
        if info.duration_seconds is not None:
            measured.append(Measured(info.duration_seconds, info.width * info.height))
    return measured


def _estimate(config: RunConfig, probed: Sequence[Measured], *, videos: int, real_time: float | None) -> Estimate:
    from pipeline.submission.estimate import estimate

    return estimate(
        videos,
        probed,
        frames_per_second=_frames_per_second(config.sampling),
        rows_per_second=_rows_per_second(config.segmentation),
        dimension=_dimension(config),
        real_time=real_time,
    )


def _frames_per_second(sampling: Any) -> float:
    parts = getattr(sampling, "parts", (sampling,))
    rates = [getattr(part, "fps", None) for part in parts]
    return sum(float(rate) if isinstance(rate, int | float) else _USUAL_FRAMES_PER_SECOND for rate in rates)


def _rows_per_second(segmentation: Any) -> float:
    if segmentation.strategy != "fixed_windows":
        return _USUAL_ROWS_PER_SECOND
    return 1 / float(segmentation.length_seconds - segmentation.overlap_seconds)


def _dimension(config: RunConfig) -> int:
    """Dimension of the model's embeddings; the usual one for a plugin, or if only the cluster has the model's files."""
    from pipeline.encode.architecture import architecture_of
    from pipeline.errors import ConfigError
    from pipeline.plugins import Plugin

    if isinstance(config.encoder, Plugin):
        return _USUAL_DIMENSION
    try:
        return architecture_of(config.encoder).dimension
    except ConfigError:
        return _USUAL_DIMENSION


def _sent(batch: JobBatch) -> dict[str, Any]:
    return {
        "id": batch.base_id,
        "entrypoint": batch.entrypoint,
        "library": batch.public_library,
        "sources": batch.named,
        "files": batch.sizes(),
        "needed": list(batch.needed),
        "environment": sorted(batch.environment),
        "pip": list(batch.requirements) if batch.installs else [],
    }


def _print_sent(batch: JobBatch) -> None:
    from pipeline.render.text import printable

    files = ", ".join(f"{name} ({_size(size)})" for name, size in batch.sizes().items())
    lines = {
        "id": batch.base_id,
        "runs": batch.entrypoint,
        "library": f"{printable(batch.public_library)} (a path or URI on the cluster)",
        "sources": f"{batch.named} named",
        "files": files,
        "model": _model(batch),
        "labels": "sent with the batch, and stored in the library" if batch.labels else "",
        "needed": f"not sent; must exist on the cluster's machines: {printable(', '.join(batch.needed))}"
        if batch.needed
        else "",
        "env": ", ".join(sorted(batch.environment)) or "none",
        "packages": f"installed by Ray: {', '.join(batch.requirements)}"
        if batch.installs
        else "those of the cluster, which are checked",
    }
    for name, value in lines.items():
        if value:
            click.echo(f"{name:<10}{value}")


def _model(batch: JobBatch) -> str:
    return (
        "sent with the batch, and stored in the library" if batch.model else "that of the cluster, or downloaded there"
    )


def _print_estimate(estimate: Estimate, basis: str, *, probed: int, not_here: int) -> None:
    from pipeline.render.text import counted
    from pipeline.timecode import format_seconds

    extent = f"{estimate.videos} on this machine"
    if not_here:
        extent += f"; {not_here} more are elsewhere and are not counted below"
    click.echo(f"{'videos':<10}{extent}")
    if not probed:
        click.echo(f"{'estimate':<10}none: no readable video is on this machine")
        return
    whole = f"{format_seconds(round(estimate.video_seconds))[:-4]} of video, {counted(estimate.frames, 'frame')}"
    if probed < estimate.videos:
        whole += f", extrapolated from {probed} of them"
    click.echo(f"{'length':<10}{whole}")
    click.echo(f"{'time':<10}{format_seconds(round(estimate.work_seconds))[:-4]} according to {basis}")
    click.echo(f"{'':<10}{_NOT_INCLUDED}")
    click.echo(f"{'storage':<10}{_size(estimate.store_bytes)} of embeddings, {_size(estimate.index_bytes)} of index")


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
