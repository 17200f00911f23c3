"""Fit a concept to marks: look up their frames, cross-validate, and set the threshold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.analyze.concepts.concept import Concept
from pipeline.analyze.concepts.cross_validation import example_groups, judge
from pipeline.analyze.concepts.examples import Example, examples_of
from pipeline.analyze.concepts.probe import FrameStatistics, Probe, fit_probe, frame_statistics, probe_of
from pipeline.analyze.marks.mark import Mark, now
from pipeline.errors import QueryError
from pipeline.search.query import Term
from pipeline.search.query_embedding import TermEmbedder
from pipeline.store.protocol import ReadableStore

__all__ = ["LEAST_MARKS", "ConceptFitter", "ConceptSource", "marks_digest"]

LEAST_MARKS = 3
"""Marks of each verdict: one is left out to judge by, and two others are of more than one scene."""
LEAST_SCENES = 2
"""Groups of marks of each verdict, see `example_groups`."""


@dataclass(frozen=True)
class ConceptSource:
    """What a concept is fitted from.

    Attributes:
        name: Name of the concept.
        subject: Subject of its marks.
        text: Text that it starts from; None to start from the yes marks.
    """

    name: str
    subject: str
    text: str | None = None


def marks_digest(source: ConceptSource, marks: Sequence[Mark]) -> str:
    """Identify the marks and the text that a concept is fitted to: 16 hex digits."""
    said = sorted((mark.video_id, mark.start_seconds, mark.end_seconds, str(mark.verdict)) for mark in marks)
    return hashlib.sha256(json.dumps([source.subject.casefold(), source.text, said]).encode()).hexdigest()[:16]


class ConceptFitter:
    """Fits concepts of one library.

    Args:
        store: The frame embeddings.
        embedder: Embeds and calibrates texts as the search does.
        encoder_fingerprint: Of the encoder of both.
    """

    def __init__(self, store: ReadableStore, embedder: TermEmbedder, encoder_fingerprint: str) -> None:
        self._store = store
        self._embedder = embedder
        self._encoder_fingerprint = encoder_fingerprint

    def fit(self, source: ConceptSource, marks: Sequence[Mark]) -> Concept:
        """Fit a concept.

        Args:
            source: Its name, subject and text.
            marks: The marks of the subject.

        Raises:
            QueryError: The marks are too few, or of a video that the library does not hold.
            StoreError: Frame embeddings cannot be read.
        """
        examples = self._examples(source, marks)
        groups = example_groups(examples) if examples else np.empty(0, np.intp)
        _check_enough(source, examples, [int(group) for group in groups])
        statistics = self._statistics(examples)

        def fit(known: Sequence[Example]) -> Probe:
            vectors = np.concatenate([example.vectors for example in known])
            counts = [len(example.vectors) for example in known]
            is_shown = np.repeat([example.is_shown for example in known], counts)
            weights = np.repeat([1 / count for count in counts], counts)
            start = self._start(source, known)
            return fit_probe(vectors, is_shown, weights, start=start, statistics=statistics)

        judgement = judge(examples, groups, fit)
        probe = fit(examples)
        return self._concept(
            source,
            Probe(probe.weights, probe.bias - judgement.threshold),
            yes=sum(example.is_shown for example in examples),
            no=sum(not example.is_shown for example in examples),
            precision=judgement.precision,
            recall=judgement.recall,
            digest=marks_digest(source, marks),
        )

    def _examples(self, source: ConceptSource, marks: Sequence[Mark]) -> list[Example]:
        videos = {}
        for video_id in dict.fromkeys(mark.video_id for mark in marks):
            if self._store.record(video_id) is None:
                raise QueryError(
                    f"the concept {source.name!r} has marks of the video {video_id}, which this library does not hold;"
                    f" index it again, or remove them: momentseek marks --remove {source.subject!r} --video {video_id}"
                )
            videos[video_id] = self._store.read(video_id)
        return examples_of(marks, videos)[0]

    def _statistics(self, examples: Sequence[Example]) -> FrameStatistics:
        sample = self._embedder.calibrator.sample.vectors
        # A sample may be empty in a library that was only just made.
        vectors = sample if len(sample) > 1 else np.concatenate([example.vectors for example in examples])
        return frame_statistics(vectors)

    def _start(self, source: ConceptSource, examples: Sequence[Example]) -> Probe:
        if source.text is not None:
            (term,) = self._embedder.embed([Term(text=source.text)])
            return probe_of(term.vector, term.calibration)
        shown = np.concatenate([example.vectors for example in examples if example.is_shown])
        return probe_of(*self._embedder.of_pictures(shown, f"the yes marks of {source.name!r}"))

    def _concept(
        self,
        source: ConceptSource,
        probe: Probe,
        *,
        yes: int,
        no: int,
        precision: float | None,
        recall: float,
        digest: str,
    ) -> Concept:
        scale = float(np.linalg.norm(probe.weights))
        vector = (probe.weights / scale).astype(np.float32)
        calibrator = self._embedder.calibrator
        level = -(probe.bias + calibrator.log_odds) / scale
        sample = calibrator.sample.vectors
        base = float(np.quantile(sample @ vector, calibrator.base_quantile)) if len(sample) else level
        return Concept(
            name=source.name,
            subject=source.subject,
            text=source.text,
            vector=vector,
            level=level,
            scale=scale,
            log_odds=calibrator.log_odds,
            base=min(base, level),
            encoder_fingerprint=self._encoder_fingerprint,
            yes=yes,
            no=no,
            precision=precision,
            recall=recall,
            marks_digest=digest,
            fitted_at=now(),
        )


def _check_enough(source: ConceptSource, examples: Sequence[Example], groups: Sequence[int]) -> None:
    """Refuse what too few marks cannot support, and say which are lacking."""
    lacking = []
    for verdict, is_shown in (("yes", True), ("no", False)):
        own = [group for example, group in zip(examples, groups, strict=True) if example.is_shown is is_shown]
        few = max(LEAST_MARKS - len(own), LEAST_SCENES - len(set(own)))
        if few > 0:
            scenes = " from another scene" if len(own) >= LEAST_MARKS else ""
            lacking.append(f"{few} more {verdict}{scenes}")
    if lacking:
        raise QueryError(
            f"the concept {source.name!r} needs {' and '.join(lacking)}: at least {LEAST_MARKS} marks of each kind,"
            f" from {LEAST_SCENES} scenes or more; it has {sum(example.is_shown for example in examples)} yes and"
            f" {sum(not example.is_shown for example in examples)} no. The marks are kept; add some by momentseek mark"
            f" or momentseek review {(source.text or source.subject)!r}"
        )
