"""Fits, lists and removes the concepts of a library."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.analyze.concepts.concept import Concept
from pipeline.analyze.concepts.concept_store import ConceptStore
from pipeline.analyze.concepts.fitting import ConceptFitter, ConceptSource, marks_digest
from pipeline.errors import QueryError
from pipeline.library.analysis.marks import mark_store
from pipeline.library.index_handle import check_writable
from pipeline.library.library import Library
from pipeline.library.privacy import apply_privacy

__all__ = ["ConceptState", "concept_source", "concept_states", "concept_store", "fit_concept", "refit_changed"]


@dataclass(frozen=True)
class ConceptState:
    """A concept and its state in the library.

    Attributes:
        concept: The concept.
        is_current: Whether its marks are unchanged since it was fitted.
        is_of_encoder: Whether it was fitted to embeddings of the library's encoder.
    """

    concept: Concept
    is_current: bool
    is_of_encoder: bool


def concept_store(library: Library) -> ConceptStore:
    """Return the store of a library's concepts."""
    return ConceptStore(library.store.root_url)


def concept_source(library: Library, name: str, *, subject: str | None, text: str | None) -> ConceptSource:
    """Determine the subject and the text of a concept; missing ones are taken from the existing concept.

    Args:
        library: The library.
        name: The concept's name.
        subject: Subject of its marks; None for that of the existing concept or, for a new one, its name.
        text: Text to start from; None for that of the existing concept; empty for none.

    Raises:
        QueryError: The name is invalid, or easily confused with that of another concept.
        StoreError: The concept cannot be read.
    """
    store = concept_store(library)
    store.check_new_name(name)
    known = store.find(name)
    own_subject, own_text = (name, None) if known is None else (known.subject, known.text)
    if text is not None and text.startswith("concept:"):
        raise QueryError(f"a concept starts from a text, not from {text!r}; describe it in words")
    wanted = own_text if text is None else text.strip() or None
    return ConceptSource(name, " ".join((subject or own_subject).split()), wanted)


def fit_concept(library: Library, source: ConceptSource) -> Concept:
    """Fit a concept to the marks of its subject, and store it.

    Raises:
        QueryError: There are too few marks, or a mark's video is not in the library.
        StoreError: The library is read-only, or cannot be read or written.
    """
    check_writable(library.config.library)
    apply_privacy(library.config)
    encoder = library.store.encoder_fingerprint
    fitter = ConceptFitter(library.store, library.searcher().embedder, encoder)
    concept = fitter.fit(source, mark_store(library).marks(source.subject))
    concept_store(library).write(concept)
    return concept


def concept_states(library: Library) -> list[ConceptState]:
    """List concepts by name.

    Raises:
        StoreError: A concept cannot be read.
    """
    store, marks = concept_store(library), mark_store(library)
    encoder = library.store.encoder_fingerprint
    states = []
    for name in store.names():
        concept = store.find(name)
        if concept is None:
            continue
        source = ConceptSource(concept.name, concept.subject, concept.text)
        is_current = marks_digest(source, marks.marks(concept.subject)) == concept.marks_digest
        states.append(ConceptState(concept, is_current, concept.encoder_fingerprint == encoder))
    return states


def refit_changed(library: Library, subject: str) -> list[Concept]:
    """Refit the concepts of a subject whose marks changed; a concept that cannot be refitted stays unchanged.

    Raises:
        StoreError: The library cannot be read or written.
    """
    fitted = []
    for state in concept_states(library):
        concept = state.concept
        if concept.subject.casefold() != subject.casefold() or (state.is_current and state.is_of_encoder):
            continue
        try:
            fitted.append(fit_concept(library, ConceptSource(concept.name, concept.subject, concept.text)))
        except QueryError:
            # The error is reported when the concept is used.
            continue
    return fitted
