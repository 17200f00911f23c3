"""The work behind the tools for agents, on one open `Library`; nothing here knows the protocol."""

from __future__ import annotations

import stat
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.errors import MissingPackageError, MomentseekError, QueryError
from pipeline.export.contact_sheet import contact_sheet
from pipeline.export.frame_sheet import SheetFrame, frame_sheet
from pipeline.library import Library
from pipeline.library.identity import local_folder
from pipeline.library.saved.named_documents import NO_VERSION
from pipeline.library.saved.saved_queries import LibraryQueries, SavedQuery
from pipeline.render.text import counted, file_name, score_text
from pipeline.search import Answer, Query
from pipeline.search.calibration import probability
from pipeline.search.explanation import unknown_words_of
from pipeline.search.query import Term, as_query
from pipeline.search.scoring import CalibratedStep
from pipeline.timecode import format_seconds
from pipeline.types import Moment, VideoRecord
from pipeline.types.moment_id import MomentId

__all__ = [
    "AgentLibrary",
    "CheckedMoment",
    "ShownMoment",
    "describe_coverage",
    "fields_of",
    "problem_text",
    "score_range",
]

_CLIPS_FOLDER = "clips"
_MAX_CLIP_SECONDS = 600.0


@dataclass(frozen=True)
class ShownMoment:
    """Frames of a moment.

    Attributes:
        record: The video's record.
        moment: The moment, of which what lies beyond the end of the video is cut off.
        sheet: The frames on one picture; None if this installation cannot decode videos.
        times_seconds: The frames' times.
        problem: Why there is no picture; empty if there is one.
    """

    record: VideoRecord
    moment: MomentId
    sheet: Image.Image | None
    times_seconds: tuple[float, ...]
    problem: str = ""


@dataclass(frozen=True)
class CheckedMoment:
    """How well a statement fits the sampled frames of a moment.

    Attributes:
        record: The video's record.
        moment: As for `ShownMoment`.
        highest: Highest score of a frame, 0 to 1.
        median: Median score.
        best_seconds: Time of the frame with the highest score.
        frame_count: Number of sampled frames in the moment.
        reaching: Number of these frames that reach `min_score`.
        min_score: The library's minimum score of a search result.
        unknown_words: Words of the statement that the model does not know.
    """

    record: VideoRecord
    moment: MomentId
    highest: float
    median: float
    best_seconds: float
    frame_count: int
    reaching: int
    min_score: float
    unknown_words: tuple[str, ...]


@dataclass
class AgentLibrary:
    """Answers the tools, one call at a time; the model is loaded by the first question and stays loaded.

    Attributes:
        library: The open library.
        clips: Folder for clips; None for `clips/` in the library's folder.
    """

    library: Library
    clips: Path | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def search(self, fields: Mapping[str, Any]) -> tuple[Answer, Image.Image | None, str]:
        """Answer a question given as the fields of `Query`; return the answer, its contact sheet and its problem.

        Raises:
            MomentseekError: As for `Library.ask`.
        """
        answer = self.library.ask(as_query(fields))
        if not answer.moments and (answer.nearest is None or answer.found):
            return answer, None, ""
        try:
            return answer, contact_sheet(answer, self.library.indexed_videos, columns=3), ""
        except MissingPackageError as error:
            return answer, None, str(error)

    def check_names(self, names: Sequence[str]) -> None:
        """Refuse names of videos that are not indexed.

        Raises:
            QueryError: A video is not in the library.
        """
        try:
            self.library.find(*names)
        except QueryError as error:
            raise QueryError(
                f"not indexed: {error}. This is not a search without results: only the videos that list_videos lists"
                " can be searched"
            ) from error

    def view(self, moment: MomentId, frames: int) -> ShownMoment:
        """Show frames of a moment at equal distances.

        Args:
            moment: The moment.
            frames: Their number.

        Raises:
            QueryError: The video is not in the library, or ends before the moment.
        """
        record, moment = self.within_video(moment)
        length = moment.end_seconds - moment.start_seconds
        times = tuple(moment.start_seconds + length * (number + 0.5) / frames for number in range(frames))
        shown = [SheetFrame(moment.video_id, record.last_name, time, format_seconds(time)) for time in times]
        summary = f"{format_seconds(moment.start_seconds)} - {format_seconds(moment.end_seconds)}  ·  {moment}"
        try:
            sheet = frame_sheet(file_name(record.last_name), summary, shown, self.library.indexed_videos)
        except MissingPackageError as error:
            return ShownMoment(record, moment, None, times, str(error))
        return ShownMoment(record, moment, sheet, times)

    def check(self, moment: MomentId, statement: str) -> CheckedMoment:
        """Score the sampled frames of a moment by a statement, calibrated as in a search.

        Raises:
            QueryError: The statement is empty, or the moment has no sampled frame.
            MomentseekError: As for `Library.ask`.
        """
        record, moment = self.within_video(moment)
        step = CalibratedStep(tuple(self.library.searcher().calibrated([_text_term(statement)])))
        frames = self.library.store.read(moment.video_id)
        times = frames.times_seconds
        # A frame is on screen until the next one, so the frame before the start belongs to the moment as well.
        first = max(0, int(np.searchsorted(times, moment.start_seconds, side="right")) - 1)
        after = max(first + 1, int(np.searchsorted(times, moment.end_seconds)))
        scores = [probability(float(odds)) for odds in step.log_odds(frames.vectors[first:after])]
        if not scores:
            raise QueryError(f"no frame of {moment} was sampled; choose another interval of this video")
        best, min_score = int(np.argmax(scores)), self.library.config.search.min_score
        return CheckedMoment(
            record=record,
            moment=moment,
            highest=scores[best],
            median=float(np.median(scores)),
            best_seconds=float(times[first + best]),
            frame_count=len(scores),
            reaching=sum(score >= min_score for score in scores),
            min_score=min_score,
            unknown_words=unknown_words_of([step]),
        )

    def export(self, moment: MomentId) -> tuple[MomentId, str, int]:
        """Write a moment as MP4 into the folder of clips; return what was written, the file's name and size in bytes.

        Raises:
            QueryError: The moment is too long, its video is unknown, or there is no folder for clips.
            MomentseekError: The video cannot be read.
            OSError: The file cannot be written.
        """
        from pipeline.export.clips import export_clip

        record, moment = self.within_video(moment)
        start, end = moment.start_seconds, moment.end_seconds
        if end - start > _MAX_CLIP_SECONDS:
            raise QueryError(
                f"the moment lasts {end - start:.0f} s, a clip at most {_MAX_CLIP_SECONDS:.0f} s; export a part of it"
            )
        path = self._clips_folder() / f"{moment}.mp4"
        clip = Moment(
            video_id=moment.video_id,
            uri=record.last_name,
            start_seconds=start,
            end_seconds=end,
            best_seconds=start,
            score=0.0,
        )
        export_clip(self.library.indexed_videos, clip, path)
        return moment, path.name, path.stat().st_size

    def save(self, name: str, fields: Mapping[str, Any], *, replace: bool) -> SavedQuery:
        """Save a question, given as the fields of `Query`, under a name.

        Raises:
            QueryError: The name or the question is invalid, or the name is taken.
            StoreError: The library cannot be written.
        """
        queries, query = LibraryQueries(self.library), as_query(fields)
        existing = None if replace else queries.find(name)
        if existing is not None and existing.query != query:
            raise QueryError(
                f"there is a saved search {existing.name!r} with another question: {existing.query}; choose another"
                " name, or replace it"
            )
        return queries.put(name, query, expected=None if replace or existing is not None else NO_VERSION)[0]

    def within_video(self, moment: MomentId) -> tuple[VideoRecord, MomentId]:
        """Return the record of a moment's video, and the moment up to the end of the video.

        Raises:
            QueryError: The video is not in the library, or ends before the moment.
        """
        record = self.library.store.record(moment.video_id)
        if record is None:
            raise QueryError(
                f"no video {moment.video_id!r} is indexed in this library; it may have been removed: list_videos lists"
                " those there are"
            )
        if moment.start_seconds >= record.duration_seconds:
            raise QueryError(
                f"the video {moment.video_id!r} lasts {record.duration_seconds:.3f} s, so it has no moment at"
                f" {moment.start_seconds:g} s"
            )
        return record, moment._replace(end_seconds=min(moment.end_seconds, record.duration_seconds))

    def _clips_folder(self) -> Path:
        own = local_folder(self.library.config.library)
        folder = self.clips if self.clips is not None else own and own / _CLIPS_FOLDER
        if folder is None:
            raise QueryError(
                "this library is not a local folder, so there is no place for clips; start the server with --clips DIR"
            )
        folder.mkdir(exist_ok=True)
        if not stat.S_ISDIR(folder.lstat().st_mode) and self.clips is None:
            raise QueryError(f"{_CLIPS_FOLDER!r} in the library is not a folder; remove it, or use --clips DIR")
        return folder


def fields_of(  # noqa: PLR0913 - the parameters of a tool
    query: str,
    *,
    also: list[str] | None = None,
    without: list[str] | None = None,
    then: list[str] | None = None,
    videos: list[str] | None = None,
    where: dict[str, str | int | float | bool] | None = None,
    labels: list[str] | None = None,
    recorded_from: str | None = None,
    recorded_to: str | None = None,
    min_score: float | None = None,
) -> dict[str, Any]:
    """Convert a tool's parameters to the fields of `Query`, without unset parameters.

    Raises:
        QueryError: The question is empty.
    """
    if not query.strip():
        raise QueryError("the question is empty; describe what the moment shows, as 'a person in a hard hat'")
    given: dict[str, Any] = {
        "shows": [query, *(also or ())],
        "without": without,
        "then": [{"shows": text} for text in then or ()],
        "videos": videos,
        "where": where,
        "labels": labels,
        "recorded_from": recorded_from,
        "recorded_to": recorded_to,
        "min_score": min_score,
    }
    return {name: value for name, value in given.items() if value not in (None, [], {})}


def _text_term(statement: str) -> Term:
    (term,) = Query.model_validate(fields_of(statement)).shows
    return term


def describe_coverage(library: Library) -> str:
    """Describe what a search cannot find because it is not indexed; empty if everything is.

    Raises:
        MomentseekError: The library cannot be read.
    """
    said = []
    incomplete = library.incomplete()
    if incomplete is not None:
        said.append(
            f"Not searched: the index lacks {incomplete.stored_videos - incomplete.indexed_videos} of"
            f" {counted(incomplete.stored_videos, 'video')}. {incomplete.remedy}"
        )
    failures = library.failures()
    if failures:
        names = ", ".join(file_name(one.source.uri) for one in failures[:5])
        more = f" and {len(failures) - 5} more" if len(failures) > 5 else ""
        said.append(f"Not indexed: {counted(len(failures), 'source')} failed ({names}{more}).")
    return "\n".join(said)


def problem_text(error: MomentseekError | OSError) -> str:
    """Describe an error without the location of a video."""
    from pipeline.errors import VideoError
    from pipeline.uris import public_text

    if isinstance(error, VideoError):
        return f"{file_name(error.uri)}: {error.problem}"
    if isinstance(error, OSError) and not isinstance(error, MomentseekError):
        return f"the file cannot be written ({error.strerror or type(error).__name__})"
    return public_text(str(error))


def score_range(found: CheckedMoment) -> str:
    """Format the scores of a checked moment."""
    return f"highest {score_text(found.highest)}, median {score_text(found.median)}"
