"""What a search answers, and how it came to that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.search.moments import Curve
from pipeline.search.query import Query
from pipeline.types import Moment

__all__ = ["Answer", "Candidate", "Dropped", "Explanation", "Incomplete", "Skipped", "TermMeaning"]


@dataclass(frozen=True)
class TermMeaning:
    """What cosines with a term mean: log-odds = scale * (cosine - level) - log_odds."""

    term: str
    level: float
    scale: float
    log_odds: float


@dataclass(frozen=True)
class Candidate:
    """A segment that the index nominated.

    Attributes:
        term: By which term.
        video_id: Of which video.
        start_seconds: Where it begins.
        end_seconds: Where it ends, not included.
        cosine: Of its embedding with the term.
        score: What that cosine would mean of a frame, 0 to 1.
    """

    term: str
    video_id: str
    start_seconds: float
    end_seconds: float
    cosine: float
    score: float


@dataclass(frozen=True)
class Dropped:
    """A moment that was found and is not in the answer."""

    moment: Moment
    why: str


@dataclass(frozen=True)
class Skipped:
    """A video that was not looked at: its metadata rules an answer out, or its files are broken.

    Attributes:
        video_id: Its id.
        uri: A place where it was when it was indexed.
        why: The reason.
        is_broken: Whether its files cannot be read: it may well hold an answer.
    """

    video_id: str
    uri: str
    why: str
    is_broken: bool = False


@dataclass(frozen=True)
class Explanation:
    """How an answer came to be.

    Attributes:
        terms: What cosines with each term mean.
        filters: What the index was told to leave out, for people; empty where nothing.
        candidates: Segments that the index nominated, best first within a term.
        dropped: Moments that were found and left out.
        skipped: Videos with candidates that were not looked at.
    """

    terms: tuple[TermMeaning, ...]
    filters: str
    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class Incomplete:
    """An index that holds fewer videos than its library stores: moments of the others are missing from an answer.

    Attributes:
        stored_videos: Videos that the library stores.
        indexed_videos: Videos that the index holds.
        remedy: What to do about it, usually a command.
    """

    stored_videos: int
    indexed_videos: int
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to a question.

    Attributes:
        query: The question.
        moments: This page of those that answer it, best first, ties by video id and start. Later pages repeat and move
            none of it; for them the index is asked for more, and what that brings may be better than what was shown.
        found: How many do, on all pages, among the segments that the index was asked for.
        top: Most moments of a page.
        min_score: The score that it takes.
        nearest: The best of the moments that fell short, where there is any; what to show when nothing answers.
        curves: Of each video with a moment here, or of that of the nearest where there is none: the log-odds over time
            that its frames answer, a curve a step of the question.
        explanation: How it came to be.
        incomplete: What the index lacks; None if it has all videos of the library, or if nobody looked.
    """

    query: Query
    moments: tuple[Moment, ...]
    found: int
    top: int
    min_score: float
    nearest: Moment | None
    curves: Mapping[str, tuple[Curve, ...]] = field(repr=False)
    explanation: Explanation = field(repr=False)
    incomplete: Incomplete | None = None

    @property
    def first_rank(self) -> int:
        """The rank of this page's first moment among all, from 1."""
        return self.top * (self.query.page - 1) + 1
