"""Makes a library's review queue, decodes the frames of its items, and writes its answers as marks."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.labels.label_scorer import LabelScorer
from pipeline.analyze.labels.label_set import LabelSet
from pipeline.analyze.marks.mark import Mark, Verdict, mark_from
from pipeline.analyze.protocol import FrameScorer
from pipeline.analyze.review import QueueSettings, ReviewItem, review_queue
from pipeline.analyze.review.review_item import is_marked
from pipeline.errors import QueryError, StoreError
from pipeline.library.analysis.concepts import concept_states, concept_store
from pipeline.library.analysis.label_scoring import label_scorer
from pipeline.library.analysis.marks import mark_store, user_name, write_marks
from pipeline.library.library import Library
from pipeline.search.query import Term
from pipeline.search.query_embedding import CalibratedTerm
from pipeline.types import FrameEmbeddings, Scalar
from pipeline.types.record_json import parsed
from pipeline.video.frame_at import picture_at

__all__ = [
    "Review",
    "flagged_review",
    "item_pictures",
    "open_review",
    "prepared_review",
    "read_answers",
    "write_answers",
]

_MOST_PICTURES = 4


@dataclass(frozen=True)
class Review:
    """A review queue.

    Attributes:
        subject: Subject of the marks that it writes.
        scored_by: Description of the scorer.
        items: The items, in the order of review.
        notes: Messages to the user about unreadable videos and words that the model does not know.
    """

    subject: str
    scored_by: str
    items: tuple[ReviewItem, ...]
    notes: tuple[str, ...] = ()


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
    """Queue the unmarked frames of a library that are most uncertain for a subject.

    Args:
        library: The library of the videos and marks.
        subject: The subject, or "concept:NAME" for the subject of a concept.
        settings: Settings of the selection.
        text: Text that scores frames; None for the concept with this subject or, if there is none, the subject.
        labels: A label set with the subject as a label, which scores frames; None for none.
        videos: Names, paths, URIs, ids or patterns of the videos; empty for all.
        where: Metadata entries of the videos.

    Raises:
        QueryError: A video, concept or label is unknown, or the subject or the text is empty.
        StoreError: Marks cannot be read. Videos with broken files are listed in the notes.
    """
    return prepared_review(library, subject, settings, text=text, labels=labels, videos=videos, where=where)()


def prepared_review(
    library: Library,
    subject: str,
    settings: QueueSettings,
    *,
    text: str | None = None,
    labels: LabelSet | None = None,
    videos: Sequence[str] = (),
    where: dict[str, Scalar] | None = None,
) -> Callable[[], Review]:
    """Do the part of `open_review` that needs the model; return a function that reads the frames and does the rest.

    A server runs that function, which takes long, beside the thread that the model belongs to.

    Raises:
        QueryError: A concept or label is unknown, or the subject or the text is empty.
        StoreError: A concept cannot be read.
    """
    if not subject.strip():
        raise QueryError("the subject is empty; give the question's subject, such as 'person in hard hat'")
    if text is not None and not text.strip():
        raise QueryError("the text that scores the frames is empty; describe the subject, or leave the text out")
    name, scored_by, scorer, messages = _scorer(library, subject, text, labels)

    def review() -> Review:
        notes = [*messages, *(f"not scored: {error}" for error in library.survey()[1].values())]

        def frames() -> Iterator[FrameEmbeddings]:
            for record in library.select(*videos, where=where).records:
                try:
                    yield library.store.read(record.video_id)
                except StoreError as error:
                    notes.append(f"not scored: {error}")

        items = review_queue(frames(), scorer, name, mark_store(library).marks(name), settings)
        return Review(name, scored_by, tuple(items), tuple(notes))

    return review


def _notes(term: CalibratedTerm) -> tuple[str, ...]:
    unknown = f"the model does not know: {', '.join(term.unknown_words)}; rephrase it with --text"
    return tuple(note for note, is_told in ((term.note, term.note), (unknown, term.unknown_words)) if is_told)


@dataclass(frozen=True)
class _SingleLabelScorer:
    """A frame scorer for one label of a label set."""

    scorer: LabelScorer
    column: int

    def log_odds(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Compute float64 (N,) log-odds that frames with these float32 (N, D) embeddings show the label."""
        return np.asarray(self.scorer.log_odds(vectors)[:, self.column], np.float64)


def _scorer(
    library: Library, subject: str, text: str | None, labels: LabelSet | None
) -> tuple[str, str, FrameScorer, tuple[str, ...]]:
    """Return the subject of the marks, a description of the scorer, the scorer, and messages to the user."""
    if labels is None:
        name, term = _scored_by(library, subject, text)
        (scorer,) = library.searcher().calibrated([term])
        return name, str(term), scorer, _notes(scorer)
    names = [label.name for label in labels.active]
    wanted = " ".join(subject.split())
    if wanted not in names:
        near = difflib.get_close_matches(wanted, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
        raise QueryError(f"no label {wanted!r} in this label file that is on; {hint}")
    scorer_of_all = label_scorer(library, labels)
    return wanted, f"the label {wanted!r}", _SingleLabelScorer(scorer_of_all, scorer_of_all.names.index(wanted)), ()


def _scored_by(library: Library, subject: str, text: str | None) -> tuple[str, Term]:
    """Return the subject of the marks and the term that scores frames."""
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
    """Return the distinct flagged parts that are not marked yet, highest score first.

    Args:
        library: The library of the videos and marks.
        items: The flagged parts.
        subject: Subject of the parts; None for all.

    Raises:
        QueryError: The video of a part is not in the library.
        StoreError: Marks cannot be read.
    """
    known: dict[str, list[Mark]] = {}
    waiting: dict[tuple[str, float, float, str], ReviewItem] = {}
    for item in items:
        if subject is not None and item.subject.casefold() != " ".join(subject.split()).casefold():
            continue
        if item.video_id not in known:
            if library.store.record(item.video_id) is None:
                raise QueryError(f"a part of the video {item.video_id} is flagged, which is not in this library")
            known[item.video_id] = mark_store(library).marks(video_id=item.video_id)
        if not is_marked(item, known[item.video_id]):
            waiting.setdefault((item.video_id, item.start_seconds, item.end_seconds, item.subject.casefold()), item)
    return sorted(waiting.values(), key=lambda item: -1.0 if item.score is None else -item.score)


def item_pictures(library: Library, item: ReviewItem) -> list[tuple[float, npt.NDArray[np.uint8]]]:
    """Decode the frames of an item: one for a point in time, up to four for an interval.

    Returns:
        Time in seconds and uint8 (H, W, 3) RGB picture of each.

    Raises:
        VideoError: The video is gone, cannot be read, or has other content now.
    """
    length = item.end_seconds - item.start_seconds
    count = min(_MOST_PICTURES, max(1, int(length)))
    times = [item.start_seconds + length * (number + 0.5) / count for number in range(count)]
    with library.indexed_videos.open(item.video_id) as stream:
        return [(time, picture_at(stream, time)) for time in times]


def read_answers(lines: Iterable[str | bytes], origin: str, *, subject: str) -> tuple[list[Mark], int]:
    """Read answers to a queue from JSON Lines: items with a verdict yes, no or skip.

    Args:
        lines: Objects with the fields of an item (score and reason are ignored), a verdict and, optionally, `by` and
            `note`.
        origin: Name of the source in messages.
        subject: Subject of lines without one.

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
        QueryError: The video of an answer is not in the library.
        StoreError: The library is read-only, or a mark cannot be written.
    """
    for mark in marks:
        if library.store.record(mark.video_id) is None:
            raise QueryError(f"an answer refers to the video {mark.video_id}, which is not in this library")
    write_marks(library, marks)
