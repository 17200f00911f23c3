"""Matching of predicted intervals and events in one video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.evaluate.intervals.case import Interval, Prediction, overlapping

__all__ = ["EventMatches", "match_events"]


@dataclass(frozen=True)
class EventMatches:
    """The result of matching the events of a video with predictions.

    Attributes:
        delays_seconds: For each event, the delay of its detection, 0 or more; None for a missed event.
        outcomes: For each prediction, whether it is right; None if the truth is unknown.
    """

    delays_seconds: tuple[float | None, ...]
    outcomes: tuple[bool | None, ...]


def match_events(
    events: Sequence[Interval], unknown: Sequence[Interval], predictions: Sequence[Prediction]
) -> EventMatches:
    """Match predictions with events that they overlap.

    An event is found if a prediction overlaps it; a prediction is right if it overlaps an event. A prediction that
    overlaps no event but an interval of unknown truth counts neither as right nor as wrong. One prediction may find
    several events, and one event may make several predictions right. The delay of a found event is the time from its
    start to the first second at which one of its predictions could be made, or 0 if that is earlier than its start.

    Args:
        events: True intervals, joined.
        unknown: Intervals of unknown truth, joined.
        predictions: Predicted intervals, in any order.
    """
    delays: list[float | None] = [None] * len(events)
    outcomes: list[bool | None] = []
    for one in predictions:
        found = overlapping(one.start_seconds, one.end_seconds, events)
        for number in found:
            delay = max(0.0, one.decided_seconds - events[number][0])
            before = delays[number]
            delays[number] = delay if before is None else min(before, delay)
        is_unknown = not found and overlapping(one.start_seconds, one.end_seconds, unknown)
        outcomes.append(None if is_unknown else bool(found))
    return EventMatches(tuple(delays), tuple(outcomes))
