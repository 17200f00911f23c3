"""Ranking of found moments: order, filter, remove copies, and say why moments were dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.search.answer import Dropped
from pipeline.search.filters.recording_time import RecordingTimes, recorded_at
from pipeline.search.localization import Span
from pipeline.search.query import Query
from pipeline.types import Moment

__all__ = ["FoundMoment", "Ranking", "rank"]

_COMPARED_AT_ONCE = 512
"""Moments whose pictures are compared with all others at once, which takes 2 kB for each of those."""


@dataclass(frozen=True)
class FoundMoment:
    """A found moment with the data that ranking needs.

    Attributes:
        moment: As it will be shown.
        log_odds: What it is ranked by; scores of the best are all nearly 1.
        picture: float32 (D,) embedding of its best frame.
        spans: What it is made of, one a step of the question.
        shown_seconds: The first and the last time at which its best frame is known to be on screen; None where that is
            known of the frame's own time alone.
    """

    moment: Moment
    log_odds: float
    picture: npt.NDArray[np.float32]
    spans: tuple[Span, ...] = ()
    shown_seconds: tuple[float, float] | None = None


@dataclass(frozen=True)
class Ranking:
    """Ranked moments, and those that were dropped with the reasons.

    Attributes:
        found: Best first, ties by video id and start, behind those whose place was fixed before.
        dropped: The others, with reasons.
        nearest: The best that fell short of the score alone.
    """

    found: tuple[FoundMoment, ...]
    dropped: tuple[Dropped, ...]
    nearest: Moment | None


def rank(
    found: Iterable[FoundMoment],
    query: Query,
    *,
    min_score: float,
    same_picture: float | None,
    first: Sequence[FoundMoment] = (),
) -> Ranking:
    """Rank found moments, and drop those that the question excludes.

    In this order: what is outside `after` and `before`; what was recorded at another time; what scores too little;
    videos with too few moments; copies of a better moment; more of a video than is wanted. A best frame that stays on
    screen counts at the first of its seconds that the question allows.

    Args:
        found: In any order.
        query: The question.
        min_score: The score that it takes.
        same_picture: Cosine of two best frames from which on two moments of different videos, of about the same length,
            are copies; None for none.
        first: The beginning of the list, from a ranking of less: it stays, and what overlaps it is no moment.
    """
    dropped: list[Dropped] = []
    rest = sorted(found, key=lambda f: (-f.log_odds, f.moment.video_id, f.moment.start_seconds))
    times = query.recording_times
    rest = [_placed(one, query, times) for one in _beside(rest, first)]
    rest = _kept(rest, lambda moment: _outside(moment, query), dropped)
    if times is not None:
        rest = _kept(rest, lambda moment: _at_another_time(moment, times), dropped)
    short = [f.moment for f in rest if f.moment.score < min_score]
    rest = _kept(rest, lambda moment: _too_low(moment, min_score), dropped)
    counts = Counter(f.moment.video_id for f in (*first, *rest))
    rest = _kept(rest, lambda moment: _too_few(counts[moment.video_id], query.at_least), dropped)
    rest = [*first, *rest]
    if same_picture is not None:
        rest = _without_copies(rest, same_picture, dropped)
    rest = _spread(rest, query.per_video, dropped)
    return Ranking(tuple(rest), tuple(dropped), short[0] if short else None)


def _beside(found: Sequence[FoundMoment], first: Sequence[FoundMoment]) -> list[FoundMoment]:
    """What overlaps none of the first in any step."""
    of_video: dict[str, list[FoundMoment]] = {}
    for one in first:
        of_video.setdefault(one.moment.video_id, []).append(one)
    return [one for one in found if not any(_overlap(one, each) for each in of_video.get(one.moment.video_id, ()))]


def _overlap(one: FoundMoment, other: FoundMoment) -> bool:
    pairs = zip(one.spans, other.spans, strict=True)
    return any(a.start_seconds < b.end_seconds and b.start_seconds < a.end_seconds for a, b in pairs)


def _placed(one: FoundMoment, query: Query, times: RecordingTimes | None) -> FoundMoment:
    """Move the time of a best frame that stays on screen to where the question allows it, if it does at any."""
    moment = one.moment
    if one.shown_seconds is None or not (_outside(moment, query) or (times and _at_another_time(moment, times))):
        return one
    seconds = max(one.shown_seconds[0], query.after or 0.0)
    if times is not None and moment.recorded_at is not None:
        there = recorded_at(moment.recorded_at, seconds - moment.best_seconds)
        waited = None if there is None else times.seconds_until(there)
        if waited is None:
            return one
        seconds += waited
    if seconds > one.shown_seconds[1] or (query.before is not None and seconds >= query.before):
        return one
    shown_at = recorded_at(moment.recorded_at, seconds - moment.best_seconds)
    return replace(one, moment=replace(moment, best_seconds=seconds, recorded_at=shown_at))


def _kept(
    found: Sequence[FoundMoment], problem_of: Callable[[Moment], str | None], dropped: list[Dropped]
) -> list[FoundMoment]:
    kept = []
    for one in found:
        problem = problem_of(one.moment)
        if problem is None:
            kept.append(one)
        else:
            dropped.append(Dropped(one.moment, problem))
    return kept


def _outside(moment: Moment, query: Query) -> str | None:
    if query.after is not None and moment.best_seconds < query.after:
        return f"its best frame is before {query.after:g} s"
    if query.before is not None and moment.best_seconds >= query.before:
        return f"its best frame is not before {query.before:g} s"
    return None


def _at_another_time(moment: Moment, times: RecordingTimes) -> str | None:
    if moment.recorded_at is None:
        return "when it was recorded is not known"
    if moment.recorded_at in times:
        return None
    return f"it was recorded at {moment.recorded_at:{'%Y-%m-%d ' if times.has_dates else ''}%H:%M:%S}"


def _too_low(moment: Moment, min_score: float) -> str | None:
    return f"its score is below {min_score:g}" if moment.score < min_score else None


def _too_few(count: int, at_least: int) -> str | None:
    return f"its video has {count} of {at_least} such moments" if count < at_least else None


def _without_copies(found: Sequence[FoundMoment], same_picture: float, dropped: list[Dropped]) -> list[FoundMoment]:
    is_kept = np.ones(len(found), np.bool_)
    copies: dict[int, list[Moment]] = {}
    for number, same in enumerate(_same(found, same_picture)):
        better = np.flatnonzero(same & is_kept[:number])
        if len(better):
            is_kept[number] = False
            original, copy = found[better[0]].moment, found[number].moment
            copies.setdefault(int(better[0]), []).append(copy)
            dropped.append(Dropped(copy, f"a copy of {original.uri} at {original.start_seconds:.2f} s"))
    return [
        replace(one, moment=replace(one.moment, copies=tuple(copies.get(number, ()))))
        for number, one in enumerate(found)
        if is_kept[number]
    ]


def _same(found: Sequence[FoundMoment], same_picture: float) -> Iterator[npt.NDArray[np.bool_]]:
    """For each moment, which of those before it show the same in another video, about as long: bool (its number,)."""
    if not found:
        return
    pictures = np.stack([one.picture for one in found])
    lengths = np.asarray([one.moment.end_seconds - one.moment.start_seconds for one in found])
    _, videos = np.unique([one.moment.video_id for one in found], return_inverse=True)
    for start in range(0, len(found), _COMPARED_AT_ONCE):
        # One product for many moments, in place of one for each.
        alike = pictures[start : start + _COMPARED_AT_ONCE] @ pictures.T >= same_picture
        for number, is_alike in enumerate(alike, start):
            before = slice(number)
            longer = np.maximum(lengths[before], lengths[number])
            is_as_long = longer <= 1.1 * np.minimum(lengths[before], lengths[number]) + 0.5
            yield is_alike[before] & is_as_long & (videos[before] != videos[number])


def _spread(found: Sequence[FoundMoment], per_video: int | None, dropped: list[Dropped]) -> list[FoundMoment]:
    if per_video is None:
        return list(found)
    counts: Counter[str] = Counter()
    kept = []
    for one in found:
        counts[one.moment.video_id] += 1
        if counts[one.moment.video_id] <= per_video:
            kept.append(one)
        else:
            dropped.append(Dropped(one.moment, f"its video has {per_video} better ones"))
    return kept
