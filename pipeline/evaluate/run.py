"""Run an evaluation: search a library for each labelled query and score the answers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.errors import QueryError
from pipeline.evaluate.bootstrap import intervals, resampling_of
from pipeline.evaluate.concepts import concept_scores
from pipeline.evaluate.evaluation import Evaluation, ScoredAnswer
from pipeline.evaluate.highlights import Saliency, highlight_scores
from pipeline.evaluate.labels import LabelledQuery
from pipeline.evaluate.metrics import as_columns, means, moment_scores, window_ious
from pipeline.evaluate.rejection import TopAnswer, rejection_curve
from pipeline.evaluate.video_ranking import DEPTH, VIDEO_RANKING, ranking_column, texts_of
from pipeline.index.protocol import MomentIndex
from pipeline.types import Moment

__all__ = ["NamedVideos", "OnSearch", "SearchableLibrary", "evaluate", "split_missing", "video_ids_of"]

Floats = npt.NDArray[np.float64]

OnSearch = Callable[[int, int], None]
"""Told how many searches are done, of how many."""
T = TypeVar("T")

_FIRST_MOMENTS, _MOST_MOMENTS = 100, 1000


class SearchableLibrary(Protocol):
    """The methods of a library that an evaluation needs."""

    def search(
        self, question: str, *, top: int | None = None, videos: Iterable[str] = (), min_score: float | None = None
    ) -> list[Moment]:
        """Return the moments that answer a text, best first, none with a lower score than `min_score`."""

    def find(self, *names: str) -> tuple[str, ...]:
        """Return the ids of the videos with these names; QueryError where there is none."""

    def moment_index(self) -> MomentIndex:
        """Open the index of the videos' segments."""


def evaluate(
    library: SearchableLibrary,
    queries: Sequence[LabelledQuery],
    *,
    top: int = 10,
    min_score: float = 0.0,
    ranks_videos: bool = True,
    saliency: Saliency | None = None,
    on_search: OnSearch | None = None,
) -> Evaluation:
    """Search for each query in its video, and for each text in the whole library, and score the answers.

    Args:
        library: What is scored.
        queries: The labelled set.
        top: Most moments of an answer within a video; metrics take ten at most.
        min_score: The score that an answer takes. Rankings are scored whole, whatever it is; by it questions count as
            answered with nothing.
        ranks_videos: Whether texts are asked of the whole library, too, which costs a search each.
        saliency: Predicts how good clips are, where queries have saliency labels; without it, they aren't scored.
        on_search: Told how many searches are done, of how many.

    Raises:
        QueryError: There is no query, or the library or its index misses videos of the set or has several by one name;
            the message names the first. A library with nothing in it is no library that scores 0.
    """
    if not queries:
        raise QueryError("the labelled set holds no query")
    ids = video_ids_of(library, (query.video for query in queries))
    video_ids = [ids[query.video] for query in queries]
    indexed = library.moment_index().videos()
    _check_indexed(indexed, ids)
    ranks_videos = ranks_videos and len(indexed) > 1
    told = _told(on_search, len(queries) + (len(texts_of(queries)) if ranks_videos else 0))
    moments = [
        told(tuple(library.search(query.text, top=top, videos=[video_id], min_score=0.0)))
        for query, video_id in zip(queries, video_ids, strict=True)
    ]
    columns = _moment_columns(queries, moments, min_score)
    if ranks_videos:
        columns[VIDEO_RANKING] = ranking_column(
            queries, video_ids, lambda text: told(_ranked(library, text, len(indexed)))
        )
    if saliency is not None:
        columns |= _highlight_columns(queries, video_ids, saliency)
    return replace(_evaluation(queries, video_ids, moments, columns), min_score=min_score)


def _told(on_search: OnSearch | None, total: int) -> Callable[[T], T]:
    """Make a function that reports each search and returns its result."""
    counted = itertools.count(1)

    def tell(found: T) -> T:
        if on_search is not None:
            on_search(next(counted), total)
        return found

    return tell


def split_missing(
    library: SearchableLibrary, queries: Sequence[LabelledQuery]
) -> tuple[list[LabelledQuery], list[LabelledQuery]]:
    """Split queries into those about videos of the library and those about missing videos."""
    held = set()
    for video in dict.fromkeys(query.video for query in queries):
        with suppress(QueryError):
            library.find(video)
            held.add(video)
    return [query for query in queries if query.video in held], [query for query in queries if query.video not in held]


class NamedVideos(Protocol):
    """What it takes to look up the videos that a labelled set names."""

    def find(self, *names: str) -> tuple[str, ...]:
        """Return the ids of the videos with these names; QueryError where there is none."""


def video_ids_of(library: NamedVideos, videos: Iterable[str]) -> dict[str, str]:
    """Look up the library's id of each video that a labelled set names.

    Raises:
        QueryError: The library has no video of a name, or several; the message names the first.
    """
    ids, missing = {}, []
    for video in dict.fromkeys(videos):
        try:
            found = library.find(video)
        except QueryError as error:
            missing.append(error)
            continue
        if len(found) > 1:
            raise QueryError(
                f"{len(found)} videos of the library go by {video!r}, which the labelled set names; name one of them by"
                f" its id there: {', '.join(found)}"
            )
        ids[video] = found[0]
    if missing:
        raise QueryError(
            f"{len(missing)} videos of the labelled set are not in the library, first: {missing[0]}; index them,"
            " or leave out what is about them (--skip-missing)"
        )
    return ids


def _check_indexed(indexed: Mapping[str, int], ids: Mapping[str, str]) -> None:
    """Check that every video has rows in the index: a lost index must not pass for a bad one."""
    lost = [video for video, video_id in ids.items() if not indexed.get(video_id)]
    if lost:
        raise QueryError(
            f"{len(lost)} videos of the labelled set have no row in the index, first: {lost[0]!r}; see what is missing"
            " with: momentseek index verify, and make it anew with: momentseek index rebuild"
        )


def _moment_columns(
    queries: Sequence[LabelledQuery], moments: Sequence[Sequence[Moment]], min_score: float
) -> dict[str, Floats]:
    found = [[(moment.start_seconds, moment.end_seconds, moment.score) for moment in answer] for answer in moments]
    columns = moment_scores(found, [query.windows for query in queries])
    tops = [answer[0].score if answer else -math.inf for answer in moments]
    is_empty = np.asarray([score < min_score or score == -math.inf for score in tops], np.float64)
    is_absent = np.asarray([query.is_absent for query in queries])
    columns["absent-rejected"] = np.where(is_absent, is_empty, np.nan)
    columns["true-lost"] = np.where(is_absent, np.nan, is_empty)
    return columns


def _ranked(library: SearchableLibrary, text: str, videos: int) -> list[str]:
    """The first ten videos that a text brings: several moments may be of one, so more are asked for until they do."""
    wanted, top = min(DEPTH, videos), _FIRST_MOMENTS
    while True:
        moments = library.search(text, top=top, min_score=0.0)
        # A copy answers as well as the moment that it was left out for.
        ranked = list(dict.fromkeys(each.video_id for moment in moments for each in (moment, *moment.copies)))
        if len(ranked) >= wanted or len(moments) < top or top >= _MOST_MOMENTS:
            return ranked
        top = _MOST_MOMENTS


def _highlight_columns(
    queries: Sequence[LabelledQuery], video_ids: Sequence[str], saliency: Saliency
) -> dict[str, Floats]:
    rows: list[dict[str, float]] = []
    for query, video_id in zip(queries, video_ids, strict=True):
        labels = query.saliency
        rows.append({} if labels is None else highlight_scores(saliency(query.text, video_id, labels.clips), labels))
    return as_columns(rows)


def _evaluation(
    queries: Sequence[LabelledQuery],
    video_ids: Sequence[str],
    moments: Sequence[tuple[Moment, ...]],
    columns: Mapping[str, Floats],
) -> Evaluation:
    answers = tuple(
        _answer(query, video_id, answer, {name: float(column[number]) for name, column in columns.items()})
        for number, (query, video_id, answer) in enumerate(zip(queries, video_ids, moments, strict=True))
    )
    metrics = means(columns)
    how = resampling_of(video_ids)
    tops = [
        TopAnswer(answer.moments[0].score if answer.moments else None, answer.is_absent, answer.first_iou >= 0.5)
        for answer in answers
    ]
    return Evaluation(
        metrics=metrics,
        intervals=intervals(columns, how),
        counts={name: int((~np.isnan(columns[name])).sum()) for name in metrics},
        resampling=how,
        rejection=rejection_curve(tops),
        concepts=concept_scores(queries, video_ids, columns),
        concepts_are_named=any(query.concepts for query in queries),
        answers=answers,
    )


def _answer(
    query: LabelledQuery, video_id: str, moments: tuple[Moment, ...], scores: Mapping[str, float]
) -> ScoredAnswer:
    first = [(moment.start_seconds, moment.end_seconds) for moment in moments[:1]]
    return ScoredAnswer(
        query_id=query.query_id,
        text=query.text,
        video=query.video,
        video_id=video_id,
        truth=query.windows,
        moments=moments,
        first_iou=float(window_ious(first, query.windows).max(initial=0.0)),
        duration_seconds=query.duration_seconds,
        scores={name: score for name, score in scores.items() if not math.isnan(score)},
    )
