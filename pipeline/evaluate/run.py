"""Runs an evaluation: searches a library for each labelled query and scores the answers."""

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
from pipeline.render.text import counted
from pipeline.types import Moment

__all__ = ["NamedVideos", "OnSearch", "SearchableLibrary", "evaluate", "split_missing", "video_ids_of"]

Floats = npt.NDArray[np.float64]

OnSearch = Callable[[int, int], None]
"""Called with the number of searches done and their total."""
T = TypeVar("T")

_FIRST_MOMENTS, _MOST_MOMENTS = 100, 1000


class SearchableLibrary(Protocol):
    """The methods of a library that an evaluation needs."""

    def search(
        self, question: str, *, top: int | None = None, videos: Iterable[str] = (), min_score: float | None = None
    ) -> list[Moment]:
        """Return the moments that answer a text and score at least `min_score`, best first."""

    def find(self, *names: str) -> tuple[str, ...]:
        """Return the ids of the videos with these names; QueryError if a name is unknown."""

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
    """Search for each query in its video and for each text in the whole library, and score the answers.

    Args:
        library: The library to score.
        queries: The labelled set.
        top: Maximum number of moments of an answer within a video; metrics use at most ten.
        min_score: Minimum score of an answer. It decides which questions count as answered with nothing; rankings are
            scored in full regardless of it.
        ranks_videos: Whether to search the whole library for each text, too, at the cost of one search per text.
        saliency: Predicts the saliency of clips for queries with saliency labels; None to leave these unscored.
        on_search: Called with the number of searches done and their total.

    Raises:
        QueryError: There is no query, or videos of the set are missing in the library or its index, or a name fits
            several; the message names the first. An empty library is an error, not a score of 0.
    """
    if not queries:
        raise QueryError("the labelled set contains no query")
    ids = video_ids_of(library, (query.video for query in queries))
    video_ids = [ids[query.video] for query in queries]
    indexed = library.moment_index().videos()
    _check_indexed(indexed, ids)
    ranks_videos = ranks_videos and len(indexed) > 1
    counted = _counting(on_search, len(queries) + (len(texts_of(queries)) if ranks_videos else 0))
    moments = [
        counted(tuple(library.search(query.text, top=top, videos=[video_id], min_score=0.0)))
        for query, video_id in zip(queries, video_ids, strict=True)
    ]
    columns = _moment_columns(queries, moments, min_score)
    if ranks_videos:
        columns[VIDEO_RANKING] = ranking_column(
            queries, video_ids, lambda text: counted(_ranked(library, text, len(indexed)))
        )
    if saliency is not None:
        columns |= _highlight_columns(queries, video_ids, saliency)
    return replace(_evaluation(queries, video_ids, moments, columns), min_score=min_score)


def _counting(on_search: OnSearch | None, total: int) -> Callable[[T], T]:
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
    """Split queries into those about videos in the library and those about missing videos."""
    held = set()
    for video in dict.fromkeys(query.video for query in queries):
        with suppress(QueryError):
            library.find(video)
            held.add(video)
    return [query for query in queries if query.video in held], [query for query in queries if query.video not in held]


class NamedVideos(Protocol):
    """The methods of a library that a look-up of videos needs."""

    def find(self, *names: str) -> tuple[str, ...]:
        """Return the ids of the videos with these names; QueryError if a name is unknown."""


def video_ids_of(library: NamedVideos, videos: Iterable[str]) -> dict[str, str]:
    """Look up the ids of the videos named in a labelled set.

    Raises:
        QueryError: A name fits no video of the library, or several; the message names the first.
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
                f"{len(found)} videos of the library have the name {video!r} of the labelled set; use the id of one of"
                f" them there: {', '.join(found)}"
            )
        ids[video] = found[0]
    if missing:
        raise QueryError(
            f"not in the library: {counted(len(missing), 'video')} of the labelled set, first: {missing[0]};"
            " index them, or leave out what is about them (--skip-missing)"
        )
    return ids


def _check_indexed(indexed: Mapping[str, int], ids: Mapping[str, str]) -> None:
    """Check that every video has rows in the index. Without this, a lost index would score as a poor one."""
    lost = [video for video, video_id in ids.items() if not indexed.get(video_id)]
    if lost:
        raise QueryError(
            f"no row in the index: {counted(len(lost), 'video')} of the labelled set, first: {lost[0]!r}; list the"
            " missing rows with: momentseek index verify, and make the index again with: momentseek index rebuild"
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
    """Return the first ten videos found for a text. More moments are requested until there are ten videos."""
    wanted, top = min(DEPTH, videos), _FIRST_MOMENTS
    while True:
        moments = library.search(text, top=top, min_score=0.0)
        # A copy is as good an answer as the moment that replaces it.
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
