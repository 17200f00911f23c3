"""Computes the figures of a run's page from its report."""

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
"""The sign of multiplication, as in "31 times real time"."""

_COLUMNS = 100
# Work is told when a batch of frames is done, so a short period holds none of it, or much more than its own.
_LEAST_SECONDS = 5.0
_SMOOTHED_SECONDS = 15.0


@dataclass(frozen=True)
class Throughput:
    """Throughput over time.

    Attributes:
        values: Seconds of video decoded a second, one a column.
        videos: Videos that ended in it.
        width_seconds: Time that a column stands for.
        last_width_seconds: Time that the last one stands for.
    """

    values: tuple[float, ...]
    videos: tuple[int, ...]
    width_seconds: float
    last_width_seconds: float


def throughput(report: RunReport) -> Throughput:
    """Throughput over time, in at most a hundred columns."""
    groups, width = _columns(report)
    last = max(1e-3, report.elapsed_seconds - width * (len(groups) - 1))
    widths = [*itertools.repeat(width, max(0, len(groups) - 1)), last]
    return Throughput(
        tuple(sum(each.seconds_decoded for each in group) / of for group, of in zip(groups, widths, strict=False)),
        tuple(sum(each.videos_ended for each in group) for group in groups),
        width,
        last,
    )


def busy_shares(report: RunReport) -> tuple[list[float], list[float]]:
    """Share of their time in which readers decoded, and encoders encoded, for each of the columns of `throughput`."""
    groups, width = _columns(report)
    elapsed = max(report.elapsed_seconds, 1e-3)
    reach = max(0, round(_SMOOTHED_SECONDS / width / 2))
    found = []
    for kind, slots in (
        ("decode_seconds", report.stages.reader_slots),
        ("encode_seconds", report.stages.encoder_slots),
    ):
        work = [sum(getattr(each, kind) for each in group) for group in groups]
        found.append([_share_near(work, place, reach, width, elapsed, slots / elapsed) for place in range(len(work))])
    return found[0], found[1]


def _share_near(work: Sequence[float], place: int, reach: int, width: float, elapsed: float, workers: float) -> float:
    first, last = max(0, place - reach), min(len(work), place + reach + 1)
    time = (elapsed if last == len(work) else last * width) - first * width
    return min(1.0, sum(work[first:last]) / (time * workers)) if time > 0 and workers > 0 else 0.0


def _columns(report: RunReport) -> tuple[list[Sequence[Period]], float]:
    least_seconds = _LEAST_SECONDS if report.elapsed_seconds >= 6 * _LEAST_SECONDS else 0.0
    joined = max(1, -(-len(report.periods) // _COLUMNS), math.ceil(least_seconds / report.period_seconds))
    groups: list[Sequence[Period]] = [
        report.periods[start : start + joined] for start in range(0, len(report.periods), joined)
    ]
    width = report.period_seconds * joined
    if len(groups) > 1 and report.elapsed_seconds - width * (len(groups) - 1) < width / 2:
        # What a moment holds says nothing of the rate: a batch of frames that was told in it took longer.
        rest = groups.pop()
        groups[-1] = [*groups[-1], *rest]
    return groups, width


def stage_rows(report: RunReport) -> list[tuple[str, list[Part]]]:
    """For readers, encoders and the driver, what their time went into; each adds up to all the time that there was."""
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
    return [(who, _parts(slots, done)) for who, slots, done in kinds if slots > 0]


def _parts(slots: float, done: Sequence[tuple[str, str, float]]) -> list[Part]:
    rest = max(0.0, slots - sum(seconds for _, _, seconds in done))
    kinds = [*done, ("idle", "idle", rest)]
    return [Part(name, colour, seconds, f"{name}: {clock(seconds)}") for name, colour, seconds in kinds]


def share_of_time(part: Part, parts: Sequence[Part]) -> str:
    """A part's share of all parts, as "12 %"."""
    whole = sum(each.value for each in parts)
    return f"{part.value / whole if whole else 0:.0%}".replace("%", " %")


def limit_of(report: RunReport) -> str:
    """A sentence on what set the pace, and what would change it."""
    stages = report.stages
    reading = stages.decode / stages.reader_slots if stages.reader_slots else 0.0
    encoding = stages.encode / stages.encoder_slots if stages.encoder_slots else 0.0
    loading = stages.load / stages.encoder_slots if stages.encoder_slots else 0.0
    said = f"readers decoded {reading:.0%} of their time, encoders encoded {encoding:.0%}".replace("%", " %")
    if not (stages.decode or stages.encode):
        return "Nothing had to be decoded or encoded."
    if loading > max(reading, encoding):
        return f"Loading the model took longest: {said}. Larger batches pay for it once."
    if max(reading, encoding) < 0.6:
        return f"No stage was at its limit: {said}. Short batches and few, long videos leave workers idle."
    if reading >= encoding:
        return f"Decoding set the pace: {said}. More processors make this batch faster; a faster encoder does not."
    return f"Encoding set the pace: {said}. More or faster GPUs make this batch faster; more readers do not."


def workers(report: RunReport) -> str:
    """How many there were on average, as "15 readers, 1 encoder"."""
    elapsed = max(report.elapsed_seconds, 1e-3)
    counts = [("reader", report.stages.reader_slots / elapsed), ("encoder", report.stages.encoder_slots / elapsed)]
    return ", ".join(f"{count:.0f} {kind}{'' if round(count) == 1 else 's'}" for kind, count in counts)


def clock(seconds: float) -> str:
    """As "42 s" or "0.4 s" below a minute, "1:05" below an hour, "2:03:04" and "3 d 04:05" above."""
    if seconds < 60:
        return f"{seconds:.1f} s" if 0 < seconds < 10 and seconds != int(seconds) else f"{seconds:.0f} s"
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes}:{whole:02d}"
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours < 72 else f"{hours // 24} d {hours % 24:02d}:{minutes:02d}"


def number(count: int) -> str:
    """With commas between the thousands."""
    return f"{count:,}"


def megabytes(size_bytes: int) -> str:
    """As "312 MB" or "1.4 GB"."""
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.1f} GB"
