"""Label calibration: embeds the labels of a label set and calibrates them with a library's searcher."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.analyze.labels.label import Label
from pipeline.analyze.labels.label_scorer import LabelScorer, LabelVector, VectorKind
from pipeline.analyze.labels.label_set import LabelSet
from pipeline.analyze.labels.library_examples import example_terms, example_vector
from pipeline.encode import OpenEncoder
from pipeline.search.calibration import Calibrator
from pipeline.search.query import Term
from pipeline.search.searcher import Searcher

__all__ = ["calibrated_scorer", "refreshed_scorer", "unknown_words"]

Vector = npt.NDArray[np.float32]

_log = logging.getLogger(__name__)


def calibrated_scorer(searcher: Searcher, model: OpenEncoder, label_set: LabelSet) -> LabelScorer:
    """Make the scorer of a label set, calibrated for the searcher's library.

    Words that the model does not know are logged; `unknown_words` lists them.

    Raises:
        QueryError: An example names a missing video or part.
        VideoError: An example file cannot be read.
        TextTooLongError: A prompt does not fit the model's context.
    """
    for name, words in unknown_words(model, label_set).items():
        _log.warning("label %r: the model does not know %s; rephrase it", name, ", ".join(map(repr, words)))
    labels = label_set.active
    vectors = _vectors(model, [text for label in labels for text in (*label.texts, *label.contrast_texts)])
    label_vectors: list[LabelVector] = []
    for number, label in enumerate(labels):
        described: dict[VectorKind, tuple[str, ...]] = {"prompts": label.texts, "contrast": label.contrast_texts}
        for kind, texts in described.items():
            if texts:
                of_texts = [vectors[text] for text in texts]
                label_vectors.append(_of_texts(number, kind, of_texts, searcher.calibrator, model))
        terms = searcher.calibrated([term for place, term in example_terms(label_set) if place == number])
        label_vectors += [example_vector(number, term.vector, term.calibration) for term in terms]
    return LabelScorer([label.name for label in labels], label_vectors, label_set.active_groups)


def refreshed_scorer(searcher: Searcher, scorer: LabelScorer, outdated: Sequence[tuple[int, Term]]) -> LabelScorer:
    """Replace the vectors of some examples by what the searcher's library gives now; all else stays as it is.

    Args:
        searcher: Of the library.
        scorer: Stored by an earlier labelling.
        outdated: From `library_examples.outdated_terms`.

    Raises:
        QueryError: An example names a concept, a video or a part that is not there, or a concept cannot be used.
    """
    terms = searcher.calibrated([term for _, term in outdated])
    places = [place for place, _ in outdated]
    return scorer.with_vectors(
        {
            place: example_vector(scorer.vectors[place].label, term.vector, term.calibration)
            for place, term in zip(places, terms, strict=True)
        }
    )


def unknown_words(model: OpenEncoder, label_set: LabelSet) -> dict[str, tuple[str, ...]]:
    """List the words in prompts and contrast prompts that a model does not know, by label."""
    found = {label.name: _unknown_words(model, label) for label in label_set.active}
    return {name: words for name, words in found.items() if words}


def _unknown_words(model: OpenEncoder, label: Label) -> tuple[str, ...]:
    texts = (*label.texts, *label.contrast_texts)
    return tuple(dict.fromkeys(word for text in texts for word in model.unknown_words(text)))


def _vectors(model: OpenEncoder, texts: Sequence[str]) -> dict[str, Vector]:
    """Embed texts in one batch: by text, float32 (D,) of unit length."""
    several = list(dict.fromkeys(texts))
    return dict(zip(several, model.encode_texts(several), strict=True)) if several else {}


def _of_texts(
    label: int, kind: VectorKind, vectors: Sequence[Vector], calibrator: Calibrator, model: OpenEncoder
) -> LabelVector:
    """Make the vector of an ensemble of texts: their normalised mean, calibrated like a single text.

    The cosines of the mean are the average cosines of its texts, divided by its length before normalisation. A measured
    level grows by the same factor. The bias of a sigmoid-trained model does not: the scale is then multiplied by the
    length instead, which makes the log-odds the mean of those of the texts.
    """
    mean = np.mean(vectors, axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    vector = np.asarray(mean / length, np.float32)
    calibration = calibrator.calibrate(vector)
    scale = calibration.scale if model.logit_bias is None else calibration.scale * length
    offset = -calibration.scale * calibration.level - calibration.log_odds
    return LabelVector(label, kind, vector, scale, offset)
