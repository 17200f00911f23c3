"""Make a library's review queue, look up the frames of its items, and write its answers as marks."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.labels.label_scorer import LabelScorer
from pipeline.analyze.labels.label_set import LabelSet
from pipeline.analyze.marks.mark import Mark, Verdict, mark_from
from pipeline.analyze.protocol import FrameScorer
from pipeline.analyze.review import QueueSettings, ReviewItem, review_queue
from pipeline.analyze.review.review_item import is_marked
from pipeline.errors import QueryError
from pipeline.library.analysis.concepts import concept_states, concept_store
from pipeline.library.analysis.label_scoring import label_scorer
from pipeline.library.analysis.marks import mark_store, user_name, write_marks
from pipeline.library.library import Library
from pipeline.search.query import Term
from pipeline.store.record_json import parsed
from pipeline.types import FrameEmbeddings, Scalar
from pipeline.video.frame_at import picture_at

__all__ = ["Review", "flagged_review", "item_pictures", "open_review", "read_answers", "write_answers"]

_MOST_PICTURES = 4


@dataclass(frozen=True)
class Review:
    """A review queue.

    Attributes:
        subject: Subject of the marks that it writes.
        scored_by: What the frames were scored by; empty for flagged parts.
        items: In the order in which they should be looked at.
    """

    subject: str
    scored_by: str
    items: tuple[ReviewItem, ...]


def open_review(
    library: Library,
    subject: str,
    settings: QueueSettings,
    *,
    text: str | None = None,
    labels: LabelSet | None = None,
    videos: Sequence[str] = (),
    where: dict[str, Scalar] | None = None,
) -> Review:
    """Queue the frames of a library that are most uncertain for a subject and not marked yet.

    Args:
        library: Holds the videos and marks.
        subject: What is asked, or "concept:NAME" for the subject of a concept.
        settings: Which frames wait.
        text: What to score frames by; None for the concept of this subject where there is one, else the subject.
        labels: A label set, one of whose labels is the subject, by which frames are scored.
        videos: Only these: names, paths, URIs, ids or patterns; empty for all.
        where: Only videos whose metadata has these entries.

    Raises:
        QueryError: A video, concept or label is unknown, or the subject is empty.
        StoreError: Frame embeddings or marks cannot be read.
    """
    if not subject.strip():
        raise QueryError("the subject is empty; say what is asked, as 'person in hard hat'")
    name, scored_by, scorer = _scorer(library, subject, text, labels)
    records = library.select(*videos, where=where).records if videos or where else library.videos()

    def frames() -> Iterator[FrameEmbeddings]:
        return (library.store.read(record.video_id) for record in records)

    items = review_queue(frames(), scorer, name, mark_store(library).marks(name), settings)
    return Review(name, scored_by, tuple(items))


@dataclass(frozen=True)
class _OneLabel:
    """A frame scorer of one label of a set."""

    scorer: LabelScorer
    column: int

    def log_odds(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Log-odds of the label, float64 (N,), of float32 (N, D) embeddings."""
        return np.asarray(self.scorer.log_odds(vectors)[:, self.column], np.float64)


def _scorer(library: Library, subject: str, text: str | None, labels: LabelSet | None) -> tuple[str, str, FrameScorer]:
    """The subject of the marks, what frames are scored by in words, and the scorer."""
    if labels is None:
        name, term = _scored_by(library, subject, text)
        (scorer,) = library.searcher().calibrated([term])
        return name, str(term), scorer
    names = [label.name for label in labels.active]
    wanted = " ".join(subject.split())
    if wanted not in names:
        near = difflib.get_close_matches(wanted, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
        raise QueryError(f"no label {wanted!r} in this label file that is on; {hint}")
    scorer_of_all = label_scorer(library, labels)
    return wanted, f"the label {wanted!r}", _OneLabel(scorer_of_all, scorer_of_all.names.index(wanted))


def _scored_by(library: Library, subject: str, text: str | None) -> tuple[str, Term]:
    """The subject of the marks, and the term by which frames are scored."""
    asked = Term(text=subject)
    if asked.concept is not None:
        return concept_store(library).read(asked.concept).subject, Term(text=text) if text else asked
    name = " ".join(subject.split())
    if text is not None:
        return name, Term(text=text)
    for state in concept_states(library):
        if state.concept.subject.casefold() == name.casefold() and state.is_of_encoder:
            return name, Term(concept=state.concept.name)
    return name, asked


def flagged_review(library: Library, items: Iterable[ReviewItem], *, subject: str | None = None) -> list[ReviewItem]:
    """Keep the flagged parts that are not marked yet, each once; greatest score first.

    Args:
        library: Holds the videos and marks.
        items: As read from a file.
        subject: Only those of this subject; None for all.

    Raises:
        QueryError: A part is of a video that the library does not hold.
        StoreError: Marks cannot be read.
    """
    known: dict[str, list[Mark]] = {}
    waiting: dict[tuple[str, float, float, str], ReviewItem] = {}
    for item in items:
        if subject is not None and item.subject.casefold() != " ".join(subject.split()).casefold():
            continue
        if item.video_id not in known:
            if library.store.record(item.video_id) is None:
                raise QueryError(f"a part of the video {item.video_id} is flagged, which this library does not hold")
            known[item.video_id] = mark_store(library).marks(video_id=item.video_id)
        if not is_marked(item, known[item.video_id]):
            waiting.setdefault((item.video_id, item.start_seconds, item.end_seconds, item.subject.casefold()), item)
    return sorted(waiting.values(), key=lambda item: -1.0 if item.score is None else -item.score)


def item_pictures(library: Library, item: ReviewItem) -> list[tuple[float, npt.NDArray[np.uint8]]]:
    """Decode the frames of an item: one of a point in time, up to four of an interval.

    Returns:
        Time in seconds and uint8 (H, W, 3) RGB picture of each.

    Raises:
        VideoError: The video is not there, cannot be read, or is another one by now.
    """
    length = item.end_seconds - item.start_seconds
    count = min(_MOST_PICTURES, max(1, int(length)))
    times = [item.start_seconds + length * (number + 0.5) / count for number in range(count)]
    with library.indexed_videos.open(item.video_id) as stream:
        return [(time, picture_at(stream, time)) for time in times]


def read_answers(lines: Iterable[str | bytes], origin: str, *, subject: str) -> tuple[list[Mark], int]:
    """Read answers to a queue from JSON Lines: items with a verdict yes, no or skip.

    Args:
        lines: Objects with the fields of an item, of which score and reason are ignored, a verdict, and, if wanted,
            `by` and `note`.
        origin: What to call them in errors.
        subject: Subject of lines that name none.

    Returns:
        The marks, and the number of skipped items.

    Raises:
        QueryError: A line is not an answer; the message names it.
    """
    marks: list[Mark] = []
    skipped = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields = {"subject": subject, "by": user_name(), **parsed(line)}
            for name in ("score", "reason", "sheet", "uri"):
                fields.pop(name, None)
            if fields.get("verdict") == "skip":
                mark_from({**fields, "verdict": str(Verdict.NO)})
                skipped += 1
            else:
                marks.append(mark_from(fields))
        except ValueError as error:
            raise QueryError(f"{origin}, line {number}: not an answer: {error}; nothing was written") from error
    return marks, skipped


def write_answers(library: Library, marks: Sequence[Mark]) -> None:
    """Write answers as marks; all are checked before the first is written.

    Raises:
        QueryError: One is of a video that the library does not hold.
        StoreError: The library is read-only, or a mark cannot be written.
    """
    for mark in marks:
        if library.store.record(mark.video_id) is None:
            raise QueryError(f"an answer is about the video {mark.video_id}, which this library does not hold")
    write_marks(library, marks)
