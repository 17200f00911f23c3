"""Compares the examples of labels with the library's concepts and videos that they were made from.

A stored scorer contains the vector and the calibration of each concept that a label is based on, and the vector of each
example video part (`like`). Comparing these with the library detects refitted concepts and replaced videos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.concepts.concept import Concept
from pipeline.analyze.concepts.concept_store import ConceptStore
from pipeline.analyze.concepts.fitting import ConceptSource, marks_digest
from pipeline.analyze.labels.label_scorer import LabelScorer, LabelVector
from pipeline.analyze.labels.label_set import LabelSet
from pipeline.analyze.marks.mark_store import MarkStore
from pipeline.errors import QueryError
from pipeline.parsing import shown
from pipeline.search.calibration import Calibration
from pipeline.search.query import Term
from pipeline.search.query_embedding import library_vectors, mean_vector
from pipeline.store import ParquetStore
from pipeline.types import FrameEmbeddings

__all__ = ["LibraryExamples", "changed_concepts", "example_terms", "example_vector", "outdated_terms"]


def example_terms(label_set: LabelSet) -> Iterator[tuple[int, Term]]:
    """Yield the terms whose vectors are examples of labels, each with its label's position among the active labels.

    A scorer's vectors of the kind "example" are in this order.
    """
    for number, label in enumerate(label_set.active):
        for term in (*label.examples, *(Term(text=text) for text in label.concepts)):
            yield number, term


def example_vector(label: int, vector: npt.NDArray[np.float32], calibration: Calibration) -> LabelVector:
    """Make an example's label vector from a float32 (D,) unit vector and its calibration."""
    offset = -calibration.scale * calibration.level - calibration.log_odds
    return LabelVector(label, "example", vector, calibration.scale, offset)


def outdated_terms(
    label_set: LabelSet, scorer: LabelScorer, is_current: Callable[[Term, LabelVector], bool]
) -> list[tuple[int, Term]]:
    """List the examples of a scorer whose vectors are no longer those of the library.

    Args:
        label_set: The labels of the scorer.
        scorer: A scorer stored by an earlier labelling.
        is_current: Returns whether a term still has this vector.

    Returns:
        Positions in `scorer.vectors`, with their terms.
    """
    places = [place for place, one in enumerate(scorer.vectors) if one.kind == "example"]
    terms = (term for _, term in example_terms(label_set))
    pairs = zip(places, terms, strict=True)
    return [(place, term) for place, term in pairs if not is_current(term, scorer.vectors[place])]


@dataclass(frozen=True)
class LibraryExamples:
    """Compares a scorer's vectors with a library's current concepts and videos.

    Attributes:
        store: The frame embeddings.
        find: Returns the ids of the videos with a name, or raises a QueryError.
    """

    store: ParquetStore
    find: Callable[[str], tuple[str, ...]]

    def is_current(self, term: Term, label_vector: LabelVector) -> bool:
        """Whether a term still has this label vector in the library; no model is loaded.

        A concept whose marks have changed is not current. An example from a removed video remains valid.

        Raises:
            StoreError: A concept, its marks or the frames of a video cannot be read.
        """
        if term.concept is not None:
            concept = ConceptStore(self.store.root_url).find(term.concept)
            return (
                concept is not None
                and _is_vector_of(concept, label_vector, self.store.encoder_fingerprint)
                and self._has_present_marks(concept)
            )
        if term.like is None:
            return True
        try:
            vectors = library_vectors(term, self.find, self._frames)
        except QueryError:
            return True
        return np.array_equal(mean_vector(vectors, str(term))[0], label_vector.vector)

    def _has_present_marks(self, concept: Concept) -> bool:
        marks = MarkStore(self.store.root_url).marks(concept.subject)
        source = ConceptSource(concept.name, concept.subject, concept.text)
        return marks_digest(source, marks) == concept.marks_digest

    def _frames(self, video_id: str) -> FrameEmbeddings:
        return self.store.read(video_id)


def changed_concepts(label_set: LabelSet, scorer: LabelScorer, store: ParquetStore) -> list[str]:
    """Describe the concepts that have changed since a scorer was made; marks are not read.

    Raises:
        StoreError: A concept cannot be read.
    """
    concepts = ConceptStore(store.root_url)
    found: dict[str, Concept | None] = {}

    def is_current(term: Term, label_vector: LabelVector) -> bool:
        if term.concept is None:
            return True
        found[term.concept] = concept = concepts.find(term.concept)
        return concept is not None and _is_vector_of(concept, label_vector, store.encoder_fingerprint)

    outdated = outdated_terms(label_set, scorer, is_current)
    names: Sequence[str] = [label.name for label in label_set.active]
    said = []
    for place, term in outdated:
        label = shown(names[scorer.vectors[place].label])
        if found[str(term.concept)] is None:
            said.append(
                f"the label {label} is based on the concept {shown(term.concept)}, which the library no longer has"
            )
        else:
            said.append(
                f"the label {label} is based on the concept {shown(term.concept)}, which has been refitted since"
            )
    return said


def _is_vector_of(concept: Concept, label_vector: LabelVector, encoder_fingerprint: str) -> bool:
    """Whether a label vector has the vector, threshold and encoder of a concept's current state."""
    if concept.encoder_fingerprint != encoder_fingerprint or concept.vector.shape != label_vector.vector.shape:
        return False
    now = example_vector(label_vector.label, concept.vector, concept.calibration)
    return np.array_equal(now.vector, label_vector.vector) and (now.scale, now.offset) == (
        label_vector.scale,
        label_vector.offset,
    )
