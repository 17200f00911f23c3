"""Fitting of a concept to marks: looks up their frames, cross-validates, and sets the threshold."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.analyze.concepts.concept import Concept
from pipeline.analyze.concepts.cross_validation import example_groups, judge
from pipeline.analyze.concepts.examples import Example, examples_of
from pipeline.analyze.concepts.linear_probe import FrameStatistics, LinearProbe, fit_probe, frame_statistics, probe_of
from pipeline.analyze.marks.mark import Mark, now
from pipeline.errors import QueryError
from pipeline.search.query import Term
from pipeline.search.query_embedding import TermEmbedder
from pipeline.store.protocol import ReadableStore

__all__ = ["LEAST_MARKS", "ConceptFitter", "ConceptSource", "marks_digest"]

_log = logging.getLogger(__name__)

LEAST_MARKS = 3
"""Minimum number of marks of each verdict: cross-validation leaves one out and needs two others."""
LEAST_SCENES = 2
"""Minimum number of groups of marks of each verdict, see `example_groups`."""


@dataclass(frozen=True)
class ConceptSource:
    """The source of a concept: its subject and text.

    Attributes:
        name: Name of the concept.
        subject: Subject of its marks.
        text: Text from which fitting starts; None to start from the yes marks.
    """

    name: str
    subject: str
    text: str | None = None


def marks_digest(source: ConceptSource, marks: Sequence[Mark]) -> str:
    """Compute the identity of a concept's marks and text: 16 hex digits."""
    verdicts = sorted((mark.video_id, mark.start_seconds, mark.end_seconds, str(mark.verdict)) for mark in marks)
    return hashlib.sha256(json.dumps([source.subject.casefold(), source.text, verdicts]).encode()).hexdigest()[:16]


class ConceptFitter:
    """Fits concepts of one library.

    Args:
        store: The frame embeddings.
        embedder: Embeds and calibrates texts as the search does.
        encoder_fingerprint: Fingerprint of the encoder of both.
    """

    def __init__(self, store: ReadableStore, embedder: TermEmbedder, encoder_fingerprint: str) -> None:
        self._store = store
        self._embedder = embedder
        self._encoder_fingerprint = encoder_fingerprint

    def fit(self, source: ConceptSource, marks: Sequence[Mark]) -> Concept:
        """Fit a concept.

        Args:
            source: The concept's name, subject and text.
            marks: The marks of the subject.

        Raises:
            QueryError: There are too few marks, or a mark's video is not in the library.
            StoreError: Frame embeddings cannot be read.
        """
        examples = self._examples(source, marks)
        groups = example_groups(examples) if examples else np.empty(0, np.intp)
        _check_enough(source, examples, [int(group) for group in groups], unseen=len(marks) - len(examples))
        statistics = self._statistics(examples)

        def fit(known: Sequence[Example]) -> LinearProbe:
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
            LinearProbe(probe.weights, probe.bias - judgement.threshold),
            yes=sum(example.is_shown for example in examples),
            no=sum(not example.is_shown for example in examples),
            precision=judgement.precision,
            recall=judgement.recall,
            digest=marks_digest(source, marks),
        )

    def _examples(self, source: ConceptSource, marks: Sequence[Mark]) -> list[Example]:
        of_video: dict[str, list[Mark]] = {}
        for mark in marks:
            of_video.setdefault(mark.video_id, []).append(mark)
        found: list[Example] = []
        for video_id, own in of_video.items():
            if self._store.record(video_id) is None:
                raise QueryError(
                    f"the concept {source.name!r} has marks of the video {video_id}, which is not in this library;"
                    f" index it again, or remove them: momentseek marks --remove {source.subject!r} --video {video_id}"
                )
            examples, without = examples_of(own, self._store.read(video_id))
            found += examples
            for mark in without:
                _log.warning("%s: no frame was sampled for the mark at %.3f s", video_id, mark.start_seconds)
        return found

    def _statistics(self, examples: Sequence[Example]) -> FrameStatistics:
        sample = self._embedder.calibrator.sample.vectors
        # The sample of a new library may be empty.
        vectors = sample if len(sample) > 1 else np.concatenate([example.vectors for example in examples])
        return frame_statistics(vectors)

    def _start(self, source: ConceptSource, examples: Sequence[Example]) -> LinearProbe:
        if source.text is not None:
            (term,) = self._embedder.embed([Term(text=source.text)])
            return probe_of(term.vector, term.calibration)
        shown = np.concatenate([example.vectors for example in examples if example.is_shown])
        return probe_of(*self._embedder.of_pictures(shown, f"the yes marks of {source.name!r}"))

    def _concept(
        self,
        source: ConceptSource,
        probe: LinearProbe,
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


def _check_enough(source: ConceptSource, examples: Sequence[Example], groups: Sequence[int], *, unseen: int) -> None:
    """Reject too few marks with a message that states the missing ones."""
    lacking = []
    for verdict, is_shown in (("yes", True), ("no", False)):
        own = [group for example, group in zip(examples, groups, strict=True) if example.is_shown is is_shown]
        few = max(LEAST_MARKS - len(own), LEAST_SCENES - len(set(own)))
        if few > 0:
            scenes = " from another scene" if len(own) >= LEAST_MARKS else ""
            lacking.append(f"{few} more {verdict}{scenes}")
    if lacking:
        yes = sum(example.is_shown for example in examples)
        has = f"{yes} yes and {len(examples) - yes} no{_without_frame(unseen)}"
        raise QueryError(
            f"the concept {source.name!r} needs {' and '.join(lacking)}: at least {LEAST_MARKS} marks of each kind,"
            f" from {LEAST_SCENES} scenes or more; it has {has}."
            f" The marks are kept; add some by momentseek mark or momentseek review {source.subject!r}"
        )


def _without_frame(count: int) -> str:
    return f", and {count} for which no frame was sampled" if count else ""
