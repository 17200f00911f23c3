"""Ranking of found moments: orders and filters them, removes copies, and records why moments were dropped."""

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

_COMPARISON_BATCH = 512
"""Number of moments that are compared with all moments in one matrix product, which takes 2 kB per moment."""


@dataclass(frozen=True)
class FoundMoment:
    """A found moment with the data that ranking needs.

    Attributes:
        moment: The moment as it will be shown.
        log_odds: The key of the ranking; scores do not serve for this, since those of the best are all nearly 1.
        picture: float32 (D,) embedding of the best frame.
        spans: The moment's spans, one per step of the question.
        shown_seconds: The first and last time at which the best frame is known to be on screen; None if only the
            frame's own time is known.
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
        found: The ranked moments: first those of an earlier ranking, then the rest, best first, ties by video id and
            start.
        dropped: The dropped moments, with reasons.
        nearest: The best moment that was dropped only for its score; None if there is none.
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

    Moments are dropped in this order: outside `after` and `before`; recorded at another time; score below the minimum;
    too few moments in the video; copy of a better moment; more than `per_video` in one video. If the best frame stays
    on screen, its time is the first one that the question allows.

    Args:
        found: The moments, in any order.
        query: The question.
        min_score: The minimum score.
        same_picture: Two moments of different videos and similar length are copies if the cosine of their best frames
            is at least this; None to keep copies.
        first: Result of an earlier ranking with fewer candidates. It stays at the start of the list, and moments that
            overlap one of it are left out.
    """
    dropped: list[Dropped] = []
    rest = sorted(found, key=lambda f: (-f.log_odds, f.moment.video_id, f.moment.start_seconds))
    times = query.recording_times
    rest = [_with_allowed_time(one, query, times) for one in _without_overlaps(rest, first)]
    rest = _filtered(rest, lambda moment: _outside(moment, query), dropped)
    if times is not None:
        rest = _filtered(rest, lambda moment: _at_another_time(moment, times), dropped)
    too_low = [f.moment for f in rest if f.moment.score < min_score]
    rest = _filtered(rest, lambda moment: _too_low(moment, min_score), dropped)
    counts = Counter(f.moment.video_id for f in (*first, *rest))
    rest = _filtered(rest, lambda moment: _too_few(counts[moment.video_id], query.at_least), dropped)
    rest = [*first, *rest]
    if same_picture is not None:
        rest = _without_copies(rest, same_picture, dropped)
    rest = _limited_per_video(rest, query.per_video, dropped)
    return Ranking(tuple(rest), tuple(dropped), too_low[0] if too_low else None)


def _without_overlaps(found: Sequence[FoundMoment], first: Sequence[FoundMoment]) -> list[FoundMoment]:
    """Leave out moments that overlap one of the first in any step."""
    first_by_video: dict[str, list[FoundMoment]] = {}
    for one in first:
        first_by_video.setdefault(one.moment.video_id, []).append(one)
    return [
        one for one in found if not any(_overlap(one, each) for each in first_by_video.get(one.moment.video_id, ()))
    ]


def _overlap(one: FoundMoment, other: FoundMoment) -> bool:
    pairs = zip(one.spans, other.spans, strict=True)
    return any(a.start_seconds < b.end_seconds and b.start_seconds < a.end_seconds for a, b in pairs)


def _with_allowed_time(one: FoundMoment, query: Query, times: RecordingTimes | None) -> FoundMoment:
    """Move the time of a best frame that stays on screen to the first allowed one, if any of its times is allowed."""
    moment = one.moment
    if one.shown_seconds is None or not (_outside(moment, query) or (times and _at_another_time(moment, times))):
        return one
    seconds = max(one.shown_seconds[0], query.after or 0.0)
    if times is not None and moment.recorded_at is not None:
        shown_at = recorded_at(moment.recorded_at, seconds - moment.best_seconds)
        delay = None if shown_at is None else times.seconds_until(shown_at)
        if delay is None:
            return one
        seconds += delay
    if seconds > one.shown_seconds[1] or (query.before is not None and seconds >= query.before):
        return one
    shown_at = recorded_at(moment.recorded_at, seconds - moment.best_seconds)
    return replace(one, moment=replace(moment, best_seconds=seconds, recorded_at=shown_at))


def _filtered(
    found: Sequence[FoundMoment], reason_of: Callable[[Moment], str | None], dropped: list[Dropped]
) -> list[FoundMoment]:
    """Return the moments without a reason to drop them; add the others to `dropped`."""
    remaining = []
    for one in found:
        reason = reason_of(one.moment)
        if reason is None:
            remaining.append(one)
        else:
            dropped.append(Dropped(one.moment, reason))
    return remaining


def _outside(moment: Moment, query: Query) -> str | None:
    if query.after is not None and moment.best_seconds < query.after:
        return f"its best frame is before {query.after:g} s"
    if query.before is not None and moment.best_seconds >= query.before:
        return f"its best frame is not before {query.before:g} s"
    return None


def _at_another_time(moment: Moment, times: RecordingTimes) -> str | None:
    if moment.recorded_at is None:
        return "its recording time is unknown"
    if moment.recorded_at in times:
        return None
    return f"it was recorded at {moment.recorded_at:{'%Y-%m-%d ' if times.has_dates else ''}%H:%M:%S}"


def _too_low(moment: Moment, min_score: float) -> str | None:
    return f"its score is below {min_score:g}" if moment.score < min_score else None


def _too_few(count: int, at_least: int) -> str | None:
    return f"its video has {count} of {at_least} such moments" if count < at_least else None


def _without_copies(found: Sequence[FoundMoment], same_picture: float, dropped: list[Dropped]) -> list[FoundMoment]:
    is_original = np.ones(len(found), np.bool_)
    copies: dict[int, list[Moment]] = {}
    for number, similar in _similar_before(found, same_picture):
        better = similar[is_original[similar]]
        if len(better):
            is_original[number] = False
            original, copy = found[better[0]].moment, found[number].moment
            copies.setdefault(int(better[0]), []).append(copy)
            dropped.append(Dropped(copy, f"a copy of {original.uri} at {original.start_seconds:.2f} s"))
    return [_with_copies(one, copies.get(number, ())) for number, one in enumerate(found) if is_original[number]]


def _with_copies(one: FoundMoment, copies: Sequence[Moment]) -> FoundMoment:
    if one.moment.copies == tuple(copies):
        return one
    return replace(one, moment=replace(one.moment, copies=tuple(copies)))


def _similar_before(found: Sequence[FoundMoment], same_picture: float) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """Yield the number of each moment for which earlier ones have the same picture and a similar length, and theirs.

    Moments of the same video are never among them.
    """
    if not found:
        return
    pictures = np.stack([one.picture for one in found])
    lengths = np.asarray([one.moment.end_seconds - one.moment.start_seconds for one in found])
    _, videos = np.unique([one.moment.video_id for one in found], return_inverse=True)
    for start in range(0, len(found), _COMPARISON_BATCH):
        # One matrix product for many moments is faster than one product for each.
        same_pictures = pictures[start : start + _COMPARISON_BATCH] @ pictures.T >= same_picture
        # Hardly any pictures are the same, so comparisons of lengths and videos are made only for those.
        is_earlier = np.tri(len(same_pictures), len(found), start - 1, dtype=np.bool_)
        same_pictures &= is_earlier
        for place in np.flatnonzero(same_pictures.any(axis=1)).tolist():
            number = start + place
            earlier = np.flatnonzero(same_pictures[place])
            longer = np.maximum(lengths[earlier], lengths[number])
            has_similar_length = longer <= 1.1 * np.minimum(lengths[earlier], lengths[number]) + 0.5
            yield number, earlier[has_similar_length & (videos[earlier] != videos[number])]


def _limited_per_video(
    found: Sequence[FoundMoment], per_video: int | None, dropped: list[Dropped]
) -> list[FoundMoment]:
    if per_video is None:
        return list(found)
    counts: Counter[str] = Counter()
    remaining = []
    for one in found:
        counts[one.moment.video_id] += 1
        if counts[one.moment.video_id] <= per_video:
            remaining.append(one)
        else:
            dropped.append(Dropped(one.moment, f"its video has {per_video} better ones"))
    return remaining
