"""Aggregate progress and reports of a run in bounded memory, however many videos it has."""

from __future__ import annotations

import heapq
import itertools
import re
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.execution.progress import ProgressEvent
from pipeline.execution.stage_times import StageSeconds
from pipeline.runs.report import Cause, Outcome, Period, ProblemExample, RunFacts, RunReport, SlowVideo
from pipeline.types import Status, VideoReport

__all__ = ["RunAggregator", "cause_of"]

_PERIODS = 200
_SLOWEST = 20
_CAUSES = 50
_EXAMPLES = 5
_OTHER_CAUSES = "other causes"
_MAX_PROBLEM_LENGTH = 1000


class RunAggregator:
    """Aggregates the events of a run, and builds its report at any time.

    Args:
        facts: The facts that are known when the run begins.
        clock: A monotonic clock, in seconds.
        name_of: Returns the name of a source in the report, from its URI, without credentials.
        began: When the run began, by `clock`; None for now.
    """

    def __init__(
        self,
        facts: RunFacts,
        *,
        clock: Callable[[], float] = time.monotonic,
        name_of: Callable[[str], str] = str,
        began: float | None = None,
    ) -> None:
        self._facts = facts
        self._clock = clock
        self._name_of = name_of
        now = clock()
        self._started = now if began is None else began
        self._started_at = _now(before_seconds=now - self._started)
        self._counts: Counter[str] = Counter()
        self._sums: Counter[str] = Counter()
        self._video_seconds = 0.0
        self._progress: ProgressEvent | None = None
        self._periods = _Periods()
        self._slowest = _Slowest()
        self._failures, self._damage = _Causes(), _Causes()

    def add_progress(self, event: ProgressEvent) -> None:
        """Add a progress event of the batch."""
        before, self._progress = self._progress, event
        stages = StageSeconds() if before is None else before.stages
        self._periods.add(
            self._clock() - self._started,
            Period(
                seconds_decoded=event.seconds_decoded - (0.0 if before is None else before.seconds_decoded),
                frames_sampled=event.frames_sampled - (0 if before is None else before.frames_sampled),
                decode_seconds=event.stages.decode - stages.decode,
                encode_seconds=event.stages.encode - stages.encode,
            ),
        )

    def add_report(self, report: VideoReport) -> None:
        """Add the report of a source."""
        self._counts[report.status.value] += 1
        self._periods.add(self._clock() - self._started, Period(videos_ended=1))
        name, problem = self._name(report.source.uri), _text(report.problem or "")[:_MAX_PROBLEM_LENGTH]
        if report.status is Status.FAILED:
            self._failures.add(name, problem)
        if report.status is Status.PARTIAL:
            self._damage.add(name, problem)
        if report.status is Status.SKIPPED:
            return
        self._slowest.add(name, report)
        if report.status is not Status.FAILED:
            self._video_seconds += report.duration_seconds
            for count in ("frames_decoded", "frames_seen", "frames_sampled", "segments"):
                self._sums[count] += getattr(report, count)

    def _name(self, uri: str) -> str:
        return _text(self._name_of(uri))

    def report(self, outcome: Outcome, problem: str | None = None, *, heartbeat_seconds: float = 60.0) -> RunReport:
        """Build the report of the run so far.

        Args:
            outcome: The state of the run.
            problem: Why it failed.
            heartbeat_seconds: The interval at which the report is written while the run lasts.
        """
        elapsed = self._clock() - self._started
        first = tuple(map(self._name, self._facts.first_sources))
        facts = self._facts.model_copy(update={"first_sources": first})
        return RunReport(
            **facts.model_dump(),
            outcome=outcome,
            problem=problem,
            heartbeat_seconds=heartbeat_seconds,
            started_at=self._started_at,
            updated_at=_now(),
            elapsed_seconds=elapsed,
            counts={status.value: self._counts[status.value] for status in Status},
            video_seconds=self._video_seconds,
            frames_decoded=self._sums["frames_decoded"],
            frames_seen=self._sums["frames_seen"],
            frames_sampled=self._sums["frames_sampled"],
            segments=self._sums["segments"],
            stages=StageSeconds() if self._progress is None else self._progress.stages,
            period_seconds=self._periods.length_seconds,
            periods=tuple(self._periods.until(elapsed)),
            slowest=tuple(self._slowest),
            failures=tuple(self._failures),
            damage=tuple(self._damage),
            peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        )


_NAMES = re.compile(r"'[^']*'|\"[^\"]*\"|\b[a-z][a-z0-9+.-]*://\S+|(?<![\w/])/[^\s:;,]+")
_NUMBERS = re.compile(r"(?<![A-Za-z\d])(?:0x[0-9a-fA-F]++|[-+]?\d++(?:[.,:]\d++)*+)(?![A-Za-z])")


def cause_of(problem: str) -> str:
    """Reduce a problem to its cause: names and numbers, which differ between videos, become "…"."""
    return " ".join(_NUMBERS.sub("…", _NAMES.sub("…", problem)).split()) or "without a message"


class _Causes:
    """Counts problems by their cause; the rarest of very many share one entry."""

    def __init__(self) -> None:
        self._videos: Counter[str] = Counter()
        self._examples: dict[str, list[ProblemExample]] = {}

    def add(self, uri: str, problem: str) -> None:
        cause = cause_of(problem)
        if cause not in self._videos and len(self._videos) >= _CAUSES:
            cause = _OTHER_CAUSES
        self._videos[cause] += 1
        examples = self._examples.setdefault(cause, [])
        if len(examples) < _EXAMPLES:
            examples.append(ProblemExample(uri=uri, problem=problem))

    def __iter__(self) -> Any:
        for cause, videos in self._videos.most_common():
            yield Cause(cause=cause, videos=videos, examples=tuple(self._examples[cause]))


@dataclass
class _Slowest:
    """The videos that took the longest time."""

    _heap: list[tuple[float, int, SlowVideo]] = field(default_factory=list)
    _number: itertools.count[int] = field(default_factory=itertools.count)

    def add(self, name: str, report: VideoReport) -> None:
        if len(self._heap) == _SLOWEST and report.elapsed_seconds <= self._heap[0][0]:
            return
        video = SlowVideo(
            uri=name,
            video_id=report.video_id,
            status=report.status.value,
            elapsed_seconds=report.elapsed_seconds,
            duration_seconds=report.duration_seconds,
            frames_sampled=report.frames_sampled,
        )
        # The number breaks ties: videos themselves cannot be compared.
        heapq.heappush(self._heap, (report.elapsed_seconds, -next(self._number), video))
        if len(self._heap) > _SLOWEST:
            heapq.heappop(self._heap)

    def __iter__(self) -> Any:
        return (video for _, _, video in sorted(self._heap, reverse=True))


class _Periods:
    """The work in a limited number of periods of equal length; when the run outlasts them, pairs are merged."""

    def __init__(self) -> None:
        self.length_seconds = 1.0
        self._periods: list[Period] = []

    def add(self, time_seconds: float, done: Period) -> None:
        while time_seconds >= _PERIODS * self.length_seconds:
            pairs = itertools.zip_longest(self._periods[::2], self._periods[1::2], fillvalue=Period())
            self._periods = [_sum(first, second) for first, second in pairs]
            self.length_seconds *= 2
        number = int(time_seconds / self.length_seconds)
        self._periods.extend(Period() for _ in range(number + 1 - len(self._periods)))
        self._periods[number] = _sum(self._periods[number], done)

    def until(self, time_seconds: float) -> list[Period]:
        """All periods up to a time, including those without work at the end."""
        self.add(time_seconds, Period())
        return self._periods


def _sum(first: Period, second: Period) -> Period:
    return Period(
        seconds_decoded=first.seconds_decoded + second.seconds_decoded,
        frames_sampled=first.frames_sampled + second.frames_sampled,
        videos_ended=first.videos_ended + second.videos_ended,
        decode_seconds=first.decode_seconds + second.decode_seconds,
        encode_seconds=first.encode_seconds + second.encode_seconds,
    )


def _text(text: str) -> str:
    """Make text that can be encoded as UTF-8; other bytes of a file name become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _now(*, before_seconds: float = 0.0) -> str:
    return f"{datetime.now(UTC) - timedelta(seconds=before_seconds):%Y-%m-%dT%H:%M:%SZ}"
