"""Label calibration: embed the labels of a label set, and calibrate them with a library's searcher."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.analyze.labels.label import Label
from pipeline.analyze.labels.label_scorer import Evidence, EvidenceKind, LabelScorer
from pipeline.analyze.labels.label_set import LabelSet
from pipeline.encode import OpenEncoder
from pipeline.search.calibration import Calibration, Calibrator
from pipeline.search.query import Term
from pipeline.search.searcher import Searcher

__all__ = ["calibrated_scorer", "unknown_words"]

Vector = npt.NDArray[np.float32]

_log = logging.getLogger(__name__)


def calibrated_scorer(searcher: Searcher, model: OpenEncoder, label_set: LabelSet) -> LabelScorer:
    """Make the scorer of a label set, calibrated for the searcher's library.

    Words that the model does not know are logged; `unknown_words` lists them.

    Raises:
        QueryError: An example names a video or part that is not there.
        VideoError: An example file cannot be read.
        TextTooLongError: A prompt does not fit the model's context.
    """
    for name, words in unknown_words(model, label_set).items():
        _log.warning("label %r: the model does not know %s; say it in other words", name, ", ".join(map(repr, words)))
    labels = label_set.active
    vectors = _vectors(model, [text for label in labels for text in (*label.texts, *label.contrast_texts)])
    evidence: list[Evidence] = []
    for number, label in enumerate(labels):
        described: dict[EvidenceKind, tuple[str, ...]] = {"prompts": label.texts, "contrast": label.contrast_texts}
        for kind, texts in described.items():
            if texts:
                of_texts = [vectors[text] for text in texts]
                evidence.append(_of_texts(number, kind, of_texts, searcher.calibrator, model))
        terms = searcher.calibrated([*label.examples, *(Term(text=text) for text in label.concepts)])
        evidence += [_evidence(number, "example", term.vector, term.calibration) for term in terms]
    return LabelScorer([label.name for label in labels], evidence, label_set.active_groups)


def unknown_words(model: OpenEncoder, label_set: LabelSet) -> dict[str, tuple[str, ...]]:
    """Words of prompts and contrast prompts that a model does not know, by label; none is left out."""
    found = {label.name: _unknown_words(model, label) for label in label_set.active}
    return {name: words for name, words in found.items() if words}


def _unknown_words(model: OpenEncoder, label: Label) -> tuple[str, ...]:
    texts = (*label.texts, *label.contrast_texts)
    return tuple(dict.fromkeys(word for text in texts for word in model.unknown_words(text)))


def _vectors(model: OpenEncoder, texts: Sequence[str]) -> dict[str, Vector]:
    """The vectors of texts, float32 (D,) of unit length, embedded in one batch."""
    several = list(dict.fromkeys(texts))
    return dict(zip(several, model.encode_texts(several), strict=True)) if several else {}


def _of_texts(
    label: int, kind: EvidenceKind, vectors: Sequence[Vector], calibrator: Calibrator, model: OpenEncoder
) -> Evidence:
    """Evidence of an ensemble of texts: their normalised mean, calibrated as a text of its own.

    The mean's cosines are those of its texts, on average, divided by its length before. A level that is measured grows
    with them. The bias of a sigmoid-trained model doesn't: there the scale shrinks by the length instead, and the
    log-odds are the mean of the texts' own.
    """
    mean = np.mean(vectors, axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    vector = np.asarray(mean / length, np.float32)
    calibration = calibrator.calibrate(vector)
    scale = calibration.scale if model.logit_bias is None else calibration.scale * length
    offset = -calibration.scale * calibration.level - calibration.log_odds
    return Evidence(label, kind, vector, scale, offset)


def _evidence(label: int, kind: EvidenceKind, vector: Vector, calibration: Calibration) -> Evidence:
    offset = -calibration.scale * calibration.level - calibration.log_odds
    return Evidence(label, kind, vector, calibration.scale, offset)
