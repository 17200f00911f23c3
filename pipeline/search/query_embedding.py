"""Embedding of query terms: converts texts, pictures, clips, library frames and concepts to vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.encode.protocol import OpenEncoder
from pipeline.errors import QueryError
from pipeline.search.calibration import Calibration, Calibrator
from pipeline.search.embedding_cache import EmbeddingCache
from pipeline.search.query import Term
from pipeline.search.query_images import QueryImages
from pipeline.types import FrameEmbeddings

__all__ = ["CalibratedTerm", "ConceptResolver", "ResolvedConcept", "TermEmbedder", "library_vectors", "mean_vector"]

Vector = npt.NDArray[np.float32]
Vectors = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CalibratedTerm:
    """A query term with its vector and calibration.

    Attributes:
        term: The term of the question.
        vector: float32 (D,), of unit length.
        calibration: Maps cosines with the vector to log-odds.
        unknown_words: Words of the term's text that the model does not know.
        note: What a user should be told of it, as that a concept was fitted again; may be empty.
    """

    term: Term
    vector: Vector
    calibration: Calibration
    unknown_words: tuple[str, ...] = ()
    note: str = ""

    def log_odds(self, vectors: npt.NDArray[np.float32]) -> Floats:
        """Compute float64 (N,) log-odds that frames with these float32 (N, D) embeddings show the term."""
        return self.calibration(vectors @ self.vector)


@dataclass(frozen=True)
class ResolvedConcept:
    """A concept as a question uses it.

    Attributes:
        vector: float32 (D,), of unit length.
        calibration: Maps cosines with the vector to log-odds.
        note: What a user should be told of it; may be empty.
    """

    vector: Vector
    calibration: Calibration
    note: str = ""


class ConceptResolver(Protocol):
    """Looks up the concepts that questions name."""

    def __call__(self, name: str, embedder: TermEmbedder) -> ResolvedConcept:
        """Resolve a concept.

        Args:
            name: Its name.
            embedder: Embeds and calibrates the text that it may have to be fitted from again.

        Raises:
            QueryError: There is no such concept, or it cannot be used in this library.
        """


class TermEmbedder:
    """Embeds and calibrates query terms.

    Args:
        encoder: The open encoder.
        pictures: Makes the reader of image files and video clips; None if terms must not name files.
        embeddings: Frame embeddings of the library.
        find: Returns the ids of the videos with a name.
        calibrator: Makes the calibration of each term.
        concepts: Looks up concepts; None if terms must not name concepts.

    Attributes:
        calibrator: As given.
    """

    def __init__(
        self,
        encoder: OpenEncoder,
        pictures: Callable[[], QueryImages] | None,
        embeddings: EmbeddingCache,
        find: Callable[[str], tuple[str, ...]],
        calibrator: Calibrator,
        concepts: ConceptResolver | None = None,
    ) -> None:
        self._encoder = encoder
        self._pictures = pictures
        self._embeddings = embeddings
        self._find = find
        self.calibrator = calibrator
        self._concepts = concepts

    def embed(self, terms: Sequence[Term]) -> list[CalibratedTerm]:
        """Embed and calibrate terms; all texts are embedded in one batch.

        Raises:
            QueryError: A term names an unknown or ambiguous video, a time at which the video has no frame, or a concept
                that does not exist or cannot be used in this library.
            VideoError: A file named by a term cannot be read.
            TextTooLongError: A text does not fit the model's context.
        """
        texts = list(dict.fromkeys(term.text.strip() for term in terms if term.text is not None))
        text_vectors = dict(zip(texts, self._encoder.encode_texts(texts), strict=True)) if texts else {}
        return [self._embedded(term, text_vectors) for term in terms]

    def _embedded(self, term: Term, text_vectors: Mapping[str, Vector]) -> CalibratedTerm:
        if term.text is not None:
            vector = text_vectors[term.text.strip()]
            unknown = self._encoder.unknown_words(term.text.strip())
            return CalibratedTerm(term, vector, self.calibrator.calibrate(vector), unknown)
        if term.concept is not None:
            return self._of_concept(term, term.concept)
        vectors = self._of_file(term) if term.like is None else self._of_library(term)
        return CalibratedTerm(term, *self.of_pictures(vectors, str(term)))

    def of_pictures(self, vectors: Vectors, name: str) -> tuple[Vector, Calibration]:
        """Combine the embeddings of pictures into one vector, and calibrate it.

        Args:
            vectors: float32 (N, D), N at least 1.
            name: What to call them in errors.

        Raises:
            QueryError: They have nothing in common.
        """
        vector, length = mean_vector(vectors, name)
        return vector, self.calibrator.calibrate(vector, is_picture=True, mean_length=length)

    def _of_concept(self, term: Term, name: str) -> CalibratedTerm:
        if self._concepts is None:
            raise QueryError(f"{term}: this search knows no concepts; ask by text")
        found = self._concepts(name, self)
        if len(found.vector) != self._encoder.dimension:
            raise QueryError(
                f"{term}: it has {len(found.vector)} numbers, and this encoder's embeddings have"
                f" {self._encoder.dimension}; fit it again: momentseek concept {name} --refit"
            )
        return CalibratedTerm(term, found.vector, found.calibration, note=found.note)

    def _of_library(self, term: Term) -> Vectors:
        def frames(video_id: str) -> FrameEmbeddings | None:
            stored = self._embeddings.get(video_id)
            return None if stored is None else stored[1]

        return library_vectors(term, self._find, frames)

    def _of_file(self, term: Term) -> Vectors:
        """Return the embeddings of the pictures in the file that the term names, float32 (N, D)."""
        if self._pictures is None:
            raise QueryError(f"{term}: this search cannot read files; use a text or `like`")
        if term.image is not None:
            pictures = self._pictures().first(term.image)
        else:
            pictures = self._pictures().within(str(term.clip), term.start, term.end)
        return self._encoder.encode_images(pictures)


def library_vectors(
    term: Term, find: Callable[[str], tuple[str, ...]], read: Callable[[str], FrameEmbeddings | None]
) -> Vectors:
    """Return the embeddings of the sampled frames that a `like` term refers to, float32 (N, D).

    Args:
        term: The term.
        find: Returns the ids of the videos with a name.
        read: Returns the frames of a video; None where there are none.

    Raises:
        QueryError: The video is unknown or ambiguous, or has no frame there.
    """
    name = str(term.like)
    found = find(name)
    if len(found) > 1:
        raise QueryError(f"{len(found)} videos are named {name!r}; use one of their ids: {', '.join(found)}")
    frames = read(found[0])
    if frames is None:
        raise QueryError(f"{name!r} has no frame embeddings in this library; index it again")
    times = frames.times_seconds
    if term.at is not None:
        if not len(times) or term.at > frames.duration_seconds:
            raise QueryError(
                f"{name!r} ends at {frames.duration_seconds:.3f} s, before the given time of {term.at:g} s"
            )
        nearest = int(np.abs(times - term.at).argmin())
        return frames.vectors[nearest : nearest + 1]
    end = np.inf if term.end is None else term.end
    rows = (times >= (term.start or 0.0)) & (times < end)
    if not rows.any():
        raise QueryError(f"{term}: no frame was sampled there; the video ends at {frames.duration_seconds:.3f} s")
    return frames.vectors[rows]


def mean_vector(vectors: Vectors, name: str) -> tuple[Vector, float]:
    """Return the normalised mean of unit vectors, and its length before normalisation: their average cosine with it.

    Args:
        vectors: float32 (N, D), N at least 1.
        name: What to call them in errors.

    Raises:
        QueryError: They have nothing in common.
    """
    if len(vectors) == 1:
        return np.asarray(vectors[0], np.float32), 1.0
    mean = vectors.mean(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    if length == 0:
        raise QueryError(f"{name}: the mean of its pictures' embeddings is zero; choose a shorter part")
    return np.asarray(mean / length, np.float32), min(length, 1.0)
