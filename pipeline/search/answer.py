"""The answer of a search, with its explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any

import numpy as np

from pipeline.errors import MissingPackageError
from pipeline.search.localization import Curve
from pipeline.search.query import Query
from pipeline.types import Moment, Provenance

__all__ = ["Absence", "Answer", "Candidate", "Dropped", "Explanation", "Incomplete", "Skipped", "TermMeaning"]


@dataclass(frozen=True, kw_only=True)
class Absence:
    """An interval of a video in which no sampled frame answers a question.

    Attributes:
        video_id: Of which video.
        uri: A place where it was when it was indexed.
        start_seconds: Where it begins.
        end_seconds: Where it ends, not included.
        is_whole: Whether no sampled frame answers in all that the question allows of the video.
        frames: Sampled frames in the stretch; one that stays on screen counts once for each step of that time.
        largest_gap_seconds: The longest time in it without a sampled frame.
        unsampled_seconds: Of the whole video, as far as the question allows it: for how long no sampled frame stands.
        nearest_seconds: Time of the frame in it that scores most.
        nearest_score: What that frame scores; less than the score that it takes.
        start_uncertainty_seconds: How far what answers may reach into it at its start.
        end_uncertainty_seconds: The same at its end.
        recorded_at: When its start was recorded, where that is known.
        is_gone: Whether `uri` holds another video by now and no other place of this one is known.
        provenance: What its frames are of.
    """

    video_id: str
    uri: str
    start_seconds: float
    end_seconds: float
    is_whole: bool
    frames: int
    largest_gap_seconds: float
    unsampled_seconds: float
    nearest_seconds: float
    nearest_score: float
    start_uncertainty_seconds: float = 0.0
    end_uncertainty_seconds: float = 0.0
    recorded_at: datetime | None = None
    is_gone: bool = False
    provenance: Provenance | None = None


_TEXTS = ("video_id", "uri")


@dataclass(frozen=True)
class TermMeaning:
    """Calibration of a term: log-odds = scale * (cosine - level) - log_odds."""

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
    """A moment that was found but left out of the answer, with the reason."""

    moment: Moment
    why: str


@dataclass(frozen=True)
class Skipped:
    """A video that was not searched, with the reason: excluded by its metadata, or broken files.

    Attributes:
        video_id: Its id.
        uri: A place where it was when it was indexed.
        why: The reason.
        is_broken: Whether its files cannot be read: it may well hold an answer.
        has_no_date: Whether the question is for a time of recording, and its metadata does not say one that can be
            compared: it may well hold an answer.
    """

    video_id: str
    uri: str
    why: str
    is_broken: bool = False
    has_no_date: bool = False


@dataclass(frozen=True)
class Explanation:
    """The explanation of an answer.

    Attributes:
        terms: What cosines with each term mean.
        filters: What restricts where the question looks, for people; empty where nothing does.
        candidates: Segments that the index nominated, best first within a term.
        dropped: Moments that were found and left out.
        skipped: Videos that were not searched: all for a question with recording times, else those with candidates.
        hint: Why no video passes the filter of metadata, for people; empty where one does.
    """

    terms: tuple[TermMeaning, ...]
    filters: str
    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]
    skipped: tuple[Skipped, ...] = ()
    hint: str = ""


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
        unknown_words: Words of the question that the model does not know, as they are written, each once: what has one
            of them is found nowhere.
        absences: Of a question for what is not there: this page of the stretches of video in which nothing answers,
            those of videos in which nothing does first; `moments` is empty then, and `found` counts these.
        videos: Of such a question: number of videos that were searched.
        videos_without: Of such a question: in how many of them nothing answers.
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
    unknown_words: tuple[str, ...] = ()
    absences: tuple[Absence, ...] = ()
    videos: int = 0
    videos_without: int = 0
    incomplete: Incomplete | None = None

    @property
    def first_rank(self) -> int:
        """Rank of this page's first moment among all, from 1."""
        return self.top * (self.query.page - 1) + 1

    def to_pandas(self) -> Any:
        """Return the moments as a pandas DataFrame, best first, a row each; the columns are always the same.

        Its columns are `rank` (int64, from 1), `video_id` and `uri` (text), `start_seconds`, `end_seconds` (not
        included), `best_seconds`, `score` (0 to 1), `cosine` (-1 to 1; all float64), and `recorded_at` (objects:
        datetime or None). Steps and copies of moments are left out.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            raise MissingPackageError(f"`to_pandas` needs the package pandas ({error}); pip install pandas") from error
        numbers = ("start_seconds", "end_seconds", "best_seconds", "score", "cosine")
        columns = {
            "rank": np.arange(self.first_rank, self.first_rank + len(self.moments), dtype=np.int64),
            **{name: pandas.Series([getattr(moment, name) for moment in self.moments], dtype=str) for name in _TEXTS},
            **{name: np.array([getattr(moment, name) for moment in self.moments], np.float64) for name in numbers},
            "recorded_at": pandas.Series([moment.recorded_at for moment in self.moments], dtype=object),
        }
        return pandas.DataFrame(columns)

    def __repr__(self) -> str:
        best = f", best score {self.moments[0].score:.2f}" if self.moments else ""
        return f"Answer({str(self.query)!r}: {len(self.moments)} of {self.found} moments{best})"

    def _repr_html_(self) -> str:
        from pipeline.render.moments_html import moments_html

        return str(
            moments_html(
                str(self.query),
                self.moments,
                found=self.found,
                first_rank=self.first_rank,
                nearest=self.nearest,
                min_score=self.min_score,
            )
        )
