"""Totals of labels: number and length of their intervals, by video, camera or hour of the day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.analyze.labels.tracks import LabelTrack

__all__ = ["LabelCounter", "LabelTotal", "seconds_by_hour"]

_HOUR_SECONDS = 3600
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class LabelTotal:
    """Totals of one label, in one group of videos or hours.

    Attributes:
        group: The group: a video's id, a value of metadata, or an hour; None for the whole library.
        label: The label.
        videos: Number of videos that show it.
        intervals: Number of its intervals; one that extends over several hours counts in each.
        seconds: Total time for which it is shown.
        share: Share of the group's total time, 0 to 1.
    """

    group: str | int | None
    label: str
    videos: int
    intervals: int
    seconds: float
    share: float


class LabelCounter:
    """Sums the tracks of videos; its memory depends only on the numbers of groups and labels.

    Args:
        labels: The labels to count, in the order of the totals.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self._whole: dict[str | int | None, float] = defaultdict(float)
        self._found: dict[tuple[str | int | None, str], list[float]] = defaultdict(lambda: [0, 0, 0.0])

    def add(self, group: str | int | None, duration_seconds: float, tracks: Sequence[LabelTrack]) -> None:
        """Add a video to a group."""
        self._whole[group] += duration_seconds
        for track in tracks:
            if track.intervals:
                self._add(group, track.label, len(track.intervals), track.duration_seconds)

    def add_by_hour(self, begins: datetime, duration_seconds: float, tracks: Sequence[LabelTrack]) -> None:
        """Add a video to the hours of the day in which it was recorded, in local time.

        Args:
            begins: Recording time of the start of playback.
            duration_seconds: The video's length.
            tracks: The video's tracks.
        """
        for hour, seconds in seconds_by_hour(begins, 0.0, duration_seconds):
            self._whole[hour] += seconds
        for track in tracks:
            counts: dict[int, list[float]] = defaultdict(lambda: [0, 0.0])
            for interval in track.intervals:
                for hour, seconds in seconds_by_hour(begins, interval.start_seconds, interval.end_seconds):
                    counts[hour][0] += 1
                    counts[hour][1] += seconds
            for hour, (intervals, seconds) in counts.items():
                self._add(hour, track.label, int(intervals), seconds)

    def totals(self, *, with_absent: bool) -> list[LabelTotal]:
        """Return the totals by group, and in each group by label.

        Args:
            with_absent: Whether to include labels that a group does not show.
        """
        groups = sorted(
            self._whole, key=lambda group: (group is None, isinstance(group, str), 0 if group is None else group)
        )
        found = []
        for group in groups:
            for label in self._labels:
                if with_absent or (group, label) in self._found:
                    videos, intervals, seconds = self._found.get((group, label), (0, 0, 0.0))
                    share = min(1.0, seconds / self._whole[group]) if self._whole[group] > 0 else 0.0
                    found.append(LabelTotal(group, label, int(videos), int(intervals), seconds, share))
        return found

    def _add(self, group: str | int | None, label: str, intervals: int, seconds: float) -> None:
        counted = self._found[group, label]
        counted[0] += 1
        counted[1] += intervals
        counted[2] += seconds


def seconds_by_hour(begins: datetime, start_seconds: float, end_seconds: float) -> Iterator[tuple[int, float]]:
    """Yield the seconds of a part of a recording in each hour of the day, 0 to 23; each hour at most once.

    Args:
        begins: Recording time of the start of playback, in local time.
        start_seconds: Start of the part.
        end_seconds: End of the part, excluded.
    """
    first = begins.hour * _HOUR_SECONDS + begins.minute * 60 + begins.second + begins.microsecond / 1e6
    days, rest = divmod(end_seconds - start_seconds, _DAY_SECONDS)
    start = (first + start_seconds) % _DAY_SECONDS
    for hour in range(24):
        seconds = days * _HOUR_SECONDS
        for day in (0, _DAY_SECONDS):
            begin = day + hour * _HOUR_SECONDS
            seconds += max(0.0, min(start + rest, begin + _HOUR_SECONDS) - max(start, begin))
        if seconds > 0:
            yield hour, seconds
