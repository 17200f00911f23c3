"""Compute the figures of a run's page from its report."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.render.plots import Part
from pipeline.runs.report import Period, RunReport

__all__ = [
    "TIMES",
    "Throughput",
    "busy_shares",
    "clock",
    "limit_of",
    "megabytes",
    "number",
    "share_of_time",
    "stage_rows",
    "throughput",
    "workers",
]

TIMES = "\u00d7"
"""The multiplication sign, which stands for "times", as in "31 times real time"."""

_COLUMNS = 100
# Work is reported after each batch of frames, so a short period shows none of it, or much more than its own.
_MIN_COLUMN_SECONDS = 5.0
_SMOOTHED_SECONDS = 15.0


@dataclass(frozen=True)
class Throughput:
    """Throughput over time.

    Attributes:
        values: Seconds of video decoded per second, one value for each column.
        videos: Number of videos that ended in each column.
        width_seconds: Time that a column stands for.
        last_width_seconds: Time that the last column stands for.
    """

    values: tuple[float, ...]
    videos: tuple[int, ...]
    width_seconds: float
    last_width_seconds: float


def throughput(report: RunReport) -> Throughput:
    """Compute the throughput over time, in at most a hundred columns."""
    groups, width = _columns(report)
    last = max(1e-3, report.elapsed_seconds - width * (len(groups) - 1))
    widths = [*itertools.repeat(width, max(0, len(groups) - 1)), last]
    return Throughput(
        tuple(
            sum(period.seconds_decoded for period in group) / seconds
            for group, seconds in zip(groups, widths, strict=False)
        ),
        tuple(sum(period.videos_ended for period in group) for group in groups),
        width,
        last,
    )


def busy_shares(report: RunReport) -> tuple[list[float], list[float]]:
    """Compute the shares of time in which readers decoded, and encoders encoded, in each column of `throughput`."""
    groups, width = _columns(report)
    elapsed = max(report.elapsed_seconds, 1e-3)
    radius = max(0, round(_SMOOTHED_SECONDS / width / 2))
    shares = []
    for kind, slots in (
        ("decode_seconds", report.stages.reader_slots),
        ("encode_seconds", report.stages.encoder_slots),
    ):
        work = [sum(getattr(period, kind) for period in group) for group in groups]
        worker_count = slots / elapsed
        shares.append([_share_near(work, column, radius, width, elapsed, worker_count) for column in range(len(work))])
    return shares[0], shares[1]


def _share_near(work: Sequence[float], column: int, radius: int, width: float, elapsed: float, workers: float) -> float:
    """The share of time worked in a column and its neighbours."""
    first, last = max(0, column - radius), min(len(work), column + radius + 1)
    time = (elapsed if last == len(work) else last * width) - first * width
    return min(1.0, sum(work[first:last]) / (time * workers)) if time > 0 and workers > 0 else 0.0


def _columns(report: RunReport) -> tuple[list[Sequence[Period]], float]:
    min_seconds = _MIN_COLUMN_SECONDS if report.elapsed_seconds >= 6 * _MIN_COLUMN_SECONDS else 0.0
    per_column = max(1, -(-len(report.periods) // _COLUMNS), math.ceil(min_seconds / report.period_seconds))
    groups: list[Sequence[Period]] = [
        report.periods[start : start + per_column] for start in range(0, len(report.periods), per_column)
    ]
    width = report.period_seconds * per_column
    if len(groups) > 1 and report.elapsed_seconds - width * (len(groups) - 1) < width / 2:
        # A very short last column would show a wrong rate: the batches reported in it took longer than it lasts.
        rest = groups.pop()
        groups[-1] = [*groups[-1], *rest]
    return groups, width


def stage_rows(report: RunReport) -> list[tuple[str, list[Part]]]:
    """Break down the time of readers, encoders and the driver; the parts of each add up to all its time."""
    stages = report.stages
    kinds = [
        (
            "readers",
            stages.reader_slots,
            [("decoding", "decode", stages.decode), ("ahead of the encoder", "wait", stages.wait)],
        ),
        (
            "encoders",
            stages.encoder_slots,
            [("encoding", "encode", stages.encode), ("loading the model", "load", stages.load)],
        ),
        (
            "driver",
            report.elapsed_seconds,
            [("writing embeddings", "store", stages.store), ("writing the index", "index", stages.index)],
        ),
    ]
    return [(worker, _parts(slots, done)) for worker, slots, done in kinds if slots > 0]


def _parts(slots: float, done: Sequence[tuple[str, str, float]]) -> list[Part]:
    rest = max(0.0, slots - sum(seconds for _, _, seconds in done))
    kinds = [*done, ("idle", "idle", rest)]
    return [Part(name, colour, seconds, f"{name}: {clock(seconds)}") for name, colour, seconds in kinds]


def share_of_time(part: Part, parts: Sequence[Part]) -> str:
    """Format a part's share of all parts as "12 %"."""
    whole = sum(other.value for other in parts)
    return f"{part.value / whole if whole else 0:.0%}".replace("%", " %")


def limit_of(report: RunReport) -> str:
    """Describe in a sentence what limited the speed, and what would increase it."""
    stages = report.stages
    reading = stages.decode / stages.reader_slots if stages.reader_slots else 0.0
    encoding = stages.encode / stages.encoder_slots if stages.encoder_slots else 0.0
    loading = stages.load / stages.encoder_slots if stages.encoder_slots else 0.0
    shares = f"readers decoded {reading:.0%} of their time, encoders encoded {encoding:.0%}".replace("%", " %")
    if not (stages.decode or stages.encode):
        return "Nothing had to be decoded or encoded."
    if loading > max(reading, encoding):
        return f"Loading the model took longest: {shares}. In larger batches, it counts less."
    if max(reading, encoding) < 0.6:
        return f"No stage was at its limit: {shares}. Small batches, and few but long videos, leave workers idle."
    if reading >= encoding:
        return f"Decoding limited the speed: {shares}. More processors make this batch faster; faster encoders do not."
    return f"Encoding limited the speed: {shares}. More or faster GPUs make this batch faster; more readers do not."


def workers(report: RunReport) -> str:
    """Format the average number of workers as "15 readers, 1 encoder"."""
    elapsed = max(report.elapsed_seconds, 1e-3)
    counts = [("reader", report.stages.reader_slots / elapsed), ("encoder", report.stages.encoder_slots / elapsed)]
    return ", ".join(f"{count:.0f} {kind}{'' if round(count) == 1 else 's'}" for kind, count in counts)


def clock(seconds: float) -> str:
    """Format seconds as "42 s" or "0.4 s" below a minute, "1:05" below an hour, else "2:03:04" or "3 d 04:05"."""
    if seconds < 60:
        return f"{seconds:.1f} s" if 0 < seconds < 10 and seconds != int(seconds) else f"{seconds:.0f} s"
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes}:{whole:02d}"
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours < 72 else f"{hours // 24} d {hours % 24:02d}:{minutes:02d}"


def number(count: int) -> str:
    """Format a number with commas between the thousands."""
    return f"{count:,}"


def megabytes(size_bytes: int) -> str:
    """Format a size as "312 MB" or "1.4 GB"."""
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.1f} GB"
