"""The labelling of a library's videos: the configured label file, and scorers that follow changed examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.analyze.labels.label_calibration import refreshed_scorer
from pipeline.analyze.labels.label_set import LabelSet, read_label_set
from pipeline.analyze.labels.library_examples import LibraryExamples, outdated_terms

if TYPE_CHECKING:
    from pipeline.analyze.labels.label_scorer import LabelScorer
    from pipeline.analyze.labels.label_session import LabelSession
    from pipeline.library.stored_library import StoredLibrary
    from pipeline.search import Searcher

__all__ = ["configured_session", "current_scorer"]


def configured_session(
    name: str, library: StoredLibrary, begin: Callable[[LabelSet, str], LabelSession]
) -> LabelSession:
    """Read the label file that videos are labelled with as they are indexed, before anything is done.

    Args:
        name: The label file.
        library: The library, which warns if the file has changed.
        begin: Begins a session.

    Raises:
        ConfigError: The label file cannot be used.
    """
    session = begin(read_label_set(name), name)
    session.load()
    library.labels.warn_of_changes(session.labels)
    return session


def current_scorer(
    library: StoredLibrary, searcher: Callable[[], Searcher], label_set: LabelSet, scorer: LabelScorer
) -> LabelScorer:
    """Return a scorer whose terms follow the examples in the library; the same one if none has changed."""
    outdated = outdated_terms(label_set, scorer, LibraryExamples(library.store, library.find).is_current)
    return refreshed_scorer(searcher(), scorer, outdated) if outdated else scorer
