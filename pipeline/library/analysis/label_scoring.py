"""Makes the scorer of a label set for a library."""

from __future__ import annotations

from pipeline.analyze.labels import label_calibration
from pipeline.analyze.labels.label_scorer import LabelScorer
from pipeline.analyze.labels.label_set import LabelSet
from pipeline.library.library import Library

__all__ = ["label_scorer", "unknown_words"]


def label_scorer(library: Library, label_set: LabelSet) -> LabelScorer:
    """Make the scorer of a label set, calibrated for a library.

    Words that the model does not know are logged; `unknown_words` lists them.

    Raises:
        QueryError: The library has no video yet, or an example names a missing video or part.
        VideoError: An example file cannot be read.
        TextTooLongError: A prompt does not fit the model's context.
        WeightsUnavailableError: The weights of the model are not available.
    """
    return label_calibration.calibrated_scorer(library.searcher(), library.model(), label_set)


def unknown_words(library: Library, label_set: LabelSet) -> dict[str, tuple[str, ...]]:
    """List the words in prompts and contrast prompts that the library's model does not know, by label."""
    return label_calibration.unknown_words(library.model(), label_set)
