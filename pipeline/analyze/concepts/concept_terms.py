"""Concepts as terms of questions, read when a question names them and refitted if their marks changed."""

from __future__ import annotations

import logging

from pipeline.analyze.concepts.concept import Concept
from pipeline.analyze.concepts.concept_store import ConceptStore
from pipeline.analyze.concepts.fitting import ConceptFitter, ConceptSource, marks_digest
from pipeline.analyze.marks.mark_store import MarkStore
from pipeline.errors import QueryError, StoreError
from pipeline.search.query_embedding import ResolvedConcept, TermEmbedder
from pipeline.store.protocol import ReadableStore

__all__ = ["ConceptTerms"]

_log = logging.getLogger(__name__)


class ConceptTerms:
    """Resolves the concepts of a library for its searcher; a `ConceptResolver`.

    Args:
        root_url: The library's folder or URL.
        store: The library's frame embeddings.
        encoder_fingerprint: Fingerprint of the library's encoder.
    """

    def __init__(self, root_url: str, store: ReadableStore, encoder_fingerprint: str) -> None:
        self._concepts = ConceptStore(root_url)
        self._marks = MarkStore(root_url)
        self._store = store
        self._encoder_fingerprint = encoder_fingerprint

    def __call__(self, name: str, embedder: TermEmbedder) -> ResolvedConcept:
        """Resolve a concept. If its marks changed, it is refitted, and stored if the library is writable.

        Raises:
            QueryError: There is no concept with this name, it was fitted to another encoder, or too few marks are left.
            StoreError: The concept or its marks cannot be read.
        """
        concept = self._concepts.read(name)
        if concept.encoder_fingerprint != self._encoder_fingerprint:
            raise QueryError(
                f"the concept {name!r} was fitted to embeddings of another encoder ({concept.encoder_fingerprint}; this"
                f" library's is {self._encoder_fingerprint}); fit it again: momentseek concept {name} --refit"
            )
        source = ConceptSource(concept.name, concept.subject, concept.text)
        marks = self._marks.marks(concept.subject)
        if marks_digest(source, marks) == concept.marks_digest:
            return _resolved(concept)
        fitted = ConceptFitter(self._store, embedder, self._encoder_fingerprint).fit(source, marks)
        note = f"the marks of the concept {name!r} changed; it was fitted again, to {fitted.yes} yes and {fitted.no} no"
        try:
            self._concepts.write(fitted)
        except StoreError as error:
            _log.info("%s", error)
            note += " (not stored: the library is read-only)"
        return _resolved(fitted, note)


def _resolved(concept: Concept, note: str = "") -> ResolvedConcept:
    return ResolvedConcept(concept.vector, concept.calibration, note)
