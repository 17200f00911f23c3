"""The answer of a search, with its explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pipeline.errors import MissingPackageError
from pipeline.search.query import Query
from pipeline.types import Moment, Provenance

if TYPE_CHECKING:
    from pipeline.search.localization import Curve

__all__ = ["Absence", "Answer", "Candidate", "Dropped", "Explanation", "Incomplete", "Skipped", "TermMeaning"]


@dataclass(frozen=True, kw_only=True)
class Absence:
    """An interval of a video in which no sampled frame answers a question.

    Attributes:
        video_id: The video's id.
        uri: The video's last known location.
        start_seconds: Start of the interval.
        end_seconds: End of the interval, exclusive.
        is_whole: Whether no sampled frame answers anywhere in the part of the video that the question allows.
        frames: Number of sampled frames in the interval; a picture that stays on screen counts once per sampling step.
        largest_gap_seconds: The longest time in the interval without a sampled frame.
        unsampled_seconds: How much of the whole video, within what the question allows, no sampled frame covers.
        nearest_seconds: Time of the frame in the interval with the highest score.
        nearest_score: The score of that frame; below the minimum score.
        start_uncertainty_seconds: How far the preceding answer may extend into the interval.
        end_uncertainty_seconds: How far the following answer may extend into the interval.
        recorded_at: When the start of the interval was recorded; None if unknown.
        is_gone: Whether `uri` now holds another video and no other location of this one is known.
        provenance: Provenance of the video's frames.
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
    """A segment that the index returned as near to a term.

    Attributes:
        term: The term.
        video_id: The id of the segment's video.
        start_seconds: Start of the segment.
        end_seconds: End of the segment, exclusive.
        cosine: Cosine of the segment's embedding with the term.
        score: The score that a frame with this cosine would have, 0 to 1.
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
        uri: The video's last known location.
        why: The reason.
        is_broken: Whether its files cannot be read; the video may still contain an answer.
        has_no_date: Whether the question asks for a recording time and the video's metadata has none that can be
            compared with it; the video may still contain an answer.
        is_unlabelled: Whether the question names labels and the video is not labelled; it may still contain an answer.
    """

    video_id: str
    uri: str
    why: str
    is_broken: bool = False
    has_no_date: bool = False
    is_unlabelled: bool = False


@dataclass(frozen=True)
class Explanation:
    """The explanation of an answer.

    Attributes:
        terms: The calibration of each term.
        filters: Readable description of the question's filters; empty if it has none.
        candidates: Segments that the index returned, best first within a term.
        dropped: Moments that were found but left out of the answer.
        skipped: Videos that were not searched. A question with recording times lists all of them, a question with
            labels all that are not labelled, any other question those with candidates.
        hint: Readable reason why no video passes the metadata filter; empty if one does.
    """

    terms: tuple[TermMeaning, ...]
    filters: str
    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]
    skipped: tuple[Skipped, ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class Incomplete:
    """Report of an index with fewer videos than its library: answers lack the moments of the other videos.

    Attributes:
        stored_videos: Number of videos in the library.
        indexed_videos: Number of videos in the index.
        remedy: How to complete the index, usually a command.
    """

    stored_videos: int
    indexed_videos: int
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to a question.

    Attributes:
        query: The question.
        moments: The requested page of moments, best first, ties by video id and start. Earlier pages stay as they were
            shown. A later page requests more candidates from the index, so it may hold better moments than they do.
        found: Number of moments on all pages, among the candidates requested so far.
        top: Maximum number of moments on a page.
        min_score: The minimum score of a moment.
        nearest: The best moment below the minimum score, to be shown if nothing answers; None if there is none.
        curves: By video id, the log-odds over time that its frames answer, one curve per step of the question. The
            videos are those of `moments`, or that of `nearest` if there are no moments.
        explanation: How the answer was found.
        unknown_words: Words of the question that the model does not know, as written and without duplicates; terms
            with such a word match nothing.
        notes: What a user should be told, as that a concept was fitted again because its marks changed.
        absences: Only for a question with `none`: this page of the intervals in which no frame answers, starting with
            videos in which no frame answers at all. `moments` is then empty, and `found` counts absences.
        videos: Only for a question with `none`: number of videos searched.
        videos_without: Only for a question with `none`: number of these videos in which no frame answers.
        incomplete: What the index lacks; None if it holds all videos of the library, or if that was not checked.
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
    notes: tuple[str, ...] = ()
    absences: tuple[Absence, ...] = ()
    videos: int = 0
    videos_without: int = 0
    incomplete: Incomplete | None = None

    @property
    def first_rank(self) -> int:
        """Rank of this page's first moment among all pages, counted from 1."""
        return self.top * (self.query.page - 1) + 1

    def to_pandas(self) -> Any:
        """Return the moments as a pandas DataFrame, one row per moment, best first; the columns are always the same.

        The columns are `rank` (int64, from 1), `video_id` and `uri` (text), `start_seconds`, `end_seconds` (not
        included), `best_seconds`, `score` (0 to 1), `cosine` (-1 to 1; all float64), and `recorded_at` (objects:
        datetime or None). Steps and copies of moments are not included.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        import numpy as np

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
