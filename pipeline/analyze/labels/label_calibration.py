"""Label calibration: embed the labels of a label set, and calibrate them with a library's searcher."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.analyze.labels.label_scorer import Evidence, LabelScorer
from pipeline.analyze.labels.label_set import Label, LabelSet
from pipeline.encode import OpenEncoder
from pipeline.search.calibration import Calibration
from pipeline.search.searcher import Searcher

__all__ = ["calibrated_scorer", "unknown_words"]

_log = logging.getLogger(__name__)


def calibrated_scorer(searcher: Searcher, model: OpenEncoder, label_set: LabelSet) -> LabelScorer:
    """Make the scorer of a label set, calibrated for the searcher's library.

    Words that the model does not know are logged; `unknown_words` lists them.

    Raises:
        QueryError: An example names a video or part that is not there.
        VideoError: An example file cannot be read.
        TextTooLongError: A prompt does not fit the model's context.
    """
    labels = label_set.active
    for name, words in unknown_words(model, label_set).items():
        _log.warning("label %r: the model does not know %s; say it in other words", name, ", ".join(map(repr, words)))
    evidence: list[Evidence] = []
    for number, label in enumerate(labels):
        for kind, texts in (("prompts", label.texts), ("contrast", label.contrast_texts)):
            if texts:
                vector = _mean(model, texts)
                evidence.append(_evidence(number, kind, vector, searcher.calibrator.calibrate(vector)))
        terms = searcher.calibrated(label.examples)
        evidence += [_evidence(number, "example", term.vector, term.calibration) for term in terms]
    return LabelScorer([label.name for label in labels], evidence, label_set.active_groups)


def unknown_words(model: OpenEncoder, label_set: LabelSet) -> dict[str, tuple[str, ...]]:
    """Words of prompts and contrast prompts that a model does not know, by label; none is left out."""
    found = {label.name: _unknown_words(model, label) for label in label_set.active}
    return {name: words for name, words in found.items() if words}


def _unknown_words(model: OpenEncoder, label: Label) -> tuple[str, ...]:
    texts = (*label.texts, *label.contrast_texts)
    return tuple(dict.fromkeys(word for text in texts for word in model.unknown_words(text)))


def _mean(model: OpenEncoder, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """The normalised mean of the texts' unit vectors, float32 (D,)."""
    mean = model.encode_texts(texts).mean(axis=0, dtype=np.float64)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def _evidence(label: int, kind: str, vector: npt.NDArray[np.float32], calibration: Calibration) -> Evidence:
    offset = -calibration.scale * calibration.level - calibration.log_odds
    return Evidence(label, kind, vector, calibration.scale, offset)  # type: ignore[arg-type]
