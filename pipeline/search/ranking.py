"""From all that was found to the list that is shown: what falls out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.search.answer import Dropped
from pipeline.search.clock import TimeOfDay
from pipeline.search.moments import Span
from pipeline.search.query import Query
from pipeline.types import Moment

__all__ = ["Found", "Ranking", "rank"]


@dataclass(frozen=True)
class Found:
    """A moment that was found.

    Attributes:
        moment: As it will be shown.
        log_odds: What it is ranked by; scores of the best are all nearly 1.
        picture: float32 (D,) embedding of its best frame.
        spans: What it is made of, one a step of the question.
    """

    moment: Moment
    log_odds: float
    picture: npt.NDArray[np.float32]
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Ranking:
    """A list of moments, and what was left out of it.

    Attributes:
        found: Best first, ties by video id and start.
        dropped: The others, with reasons.
        nearest: The best that fell short of the score alone.
    """

    found: tuple[Found, ...]
    dropped: tuple[Dropped, ...]
    nearest: Moment | None


def rank(found: Iterable[Found], query: Query, *, min_score: float, same_picture: float | None) -> Ranking:
    """Order what was found, and leave out what the question doesn't want.

    In this order: what is outside `after`, `before` and `time_of_day`; what scores too little; videos with too few
    moments; copies of a better moment; more of a video than is wanted.

    Args:
        found: In any order.
        query: The question.
        min_score: The score that it takes.
        same_picture: Cosine of two best frames from which on two moments of different videos, of about the same length,
            are copies; None for none.
    """
    dropped: list[Dropped] = []
    rest = sorted(found, key=lambda f: (-f.log_odds, f.moment.video_id, f.moment.start_seconds))
    rest = _kept(rest, lambda moment: _outside(moment, query), dropped)
    if query.time_of_day is not None:
        part = TimeOfDay.parse(query.time_of_day)
        rest = _kept(rest, lambda moment: _at_another_time(moment, part), dropped)
    short = [f.moment for f in rest if f.moment.score < min_score]
    rest = _kept(rest, lambda moment: _too_low(moment, min_score), dropped)
    counts = Counter(f.moment.video_id for f in rest)
    rest = _kept(rest, lambda moment: _too_few(counts[moment.video_id], query.at_least), dropped)
    if same_picture is not None:
        rest = _without_copies(rest, same_picture, dropped)
    rest = _spread(rest, query.per_video, dropped)
    return Ranking(tuple(rest), tuple(dropped), short[0] if short else None)


def _kept(found: Sequence[Found], problem_of: Callable[[Moment], str | None], dropped: list[Dropped]) -> list[Found]:
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


def _at_another_time(moment: Moment, part: TimeOfDay) -> str | None:
    if moment.recorded_at is None:
        return "its video's metadata does not say when it was recorded, as 2026-11-20T08:30 (search.recorded_at)"
    return None if moment.recorded_at in part else f"it was recorded at {moment.recorded_at:%H:%M:%S}"


def _too_low(moment: Moment, min_score: float) -> str | None:
    return f"its score is below {min_score:g}" if moment.score < min_score else None


def _too_few(count: int, at_least: int) -> str | None:
    return f"its video has {count} of {at_least} such moments" if count < at_least else None


def _without_copies(found: Sequence[Found], same_picture: float, dropped: list[Dropped]) -> list[Found]:
    kept: list[Found] = []
    copies: dict[int, list[Moment]] = {}
    for one in found:
        number = next((n for n, better in enumerate(kept) if _is_copy(one, better, same_picture)), None)
        if number is None:
            kept.append(one)
        else:
            copies.setdefault(number, []).append(one.moment)
            better = kept[number].moment
            dropped.append(Dropped(one.moment, f"a copy of {better.uri} at {better.start_seconds:.2f} s"))
    return [
        replace(one, moment=replace(one.moment, copies=tuple(copies[n]))) if n in copies else one
        for n, one in enumerate(kept)
    ]


def _is_copy(one: Found, better: Found, same_picture: float) -> bool:
    if one.moment.video_id == better.moment.video_id:
        return False
    lengths = [f.moment.end_seconds - f.moment.start_seconds for f in (one, better)]
    return max(lengths) <= 1.1 * min(lengths) + 0.5 and float(one.picture @ better.picture) >= same_picture


def _spread(found: Sequence[Found], per_video: int | None, dropped: list[Dropped]) -> list[Found]:
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
