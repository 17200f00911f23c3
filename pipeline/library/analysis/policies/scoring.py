"""Makes the scorer of a policy's phrases, labels and concepts, calibrated for a library."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field

from pipeline.analyze.labels.label_scorer import LabelScorer
from pipeline.analyze.labels.label_set import LabelSet, read_label_set
from pipeline.analyze.labels.library_examples import example_terms
from pipeline.analyze.policies.condition import Condition
from pipeline.analyze.policies.part_scoring import CalibratedPart, PartScorer
from pipeline.analyze.policies.policy import Policy
from pipeline.config import LEAST_LIKENESS
from pipeline.errors import ConfigError, QueryError
from pipeline.fingerprints import fingerprint
from pipeline.library.analysis.label_scoring import label_scorer
from pipeline.library.analysis.label_scoring import unknown_words as unknown_words_of_labels
from pipeline.library.library import Library
from pipeline.search.query import Term

__all__ = ["PolicyParts", "policy_scorer"]


@dataclass(frozen=True)
class PolicyParts:
    """The scorer of a policy's parts, with its identity.

    Attributes:
        scorer: Scores the parts.
        identity: Identity of policy, labels, concepts, encoder and sampling.
        encoder: Fingerprint of the encoder.
        labels: Fingerprint of the label set; None if the policy names none.
        concepts: Fingerprints of the concepts, by name; for a concept on which a label is based, by label and name.
    """

    scorer: PartScorer
    identity: str
    encoder: str
    labels: str | None = None
    concepts: Mapping[str, str] = field(default_factory=dict)


def policy_scorer(library: Library, policy: Policy) -> PolicyParts:
    """Embed and calibrate the parts of a policy's conditions for a library.

    Raises:
        ConfigError: The label file cannot be read, or the policy names a missing label or concept, or one of another
            encoder.
        QueryError: The library has no video yet.
        TextTooLongError: A phrase does not fit the model's context.
        WeightsUnavailableError: The weights of the model are not available.
    """
    label_set = None if policy.labels is None else read_label_set(policy.labels)
    wanted = [part for part in policy.parts if part.label is not None]
    if label_set is not None:
        for part in wanted:
            _check_label(part, label_set, str(policy.labels))
    embedded_parts = [part for part in policy.parts if part.label is None]
    try:
        terms = library.searcher().calibrated([_term(part) for part in embedded_parts])
    except QueryError as error:
        if not any(part.concept is not None for part in embedded_parts):
            raise
        raise ConfigError(f"a concept that the policy names cannot be used: {error}") from error
    parts = {
        part.name: CalibratedPart(term.vector, term.calibration)
        for part, term in zip(embedded_parts, terms, strict=True)
    }
    unknown = {
        part.name: term.unknown_words for part, term in zip(embedded_parts, terms, strict=True) if term.unknown_words
    }
    labels: LabelScorer | None = None
    if label_set is not None and wanted:
        labels = label_scorer(library, label_set)
        words = unknown_words_of_labels(library, label_set)
        unknown |= {part.name: words[str(part.label)] for part in wanted if str(part.label) in words}
    concepts = {
        part.name: _concept_fingerprint(parts[part.name]) for part in embedded_parts if part.concept is not None
    }
    if label_set is not None and labels is not None:
        concepts |= _label_concepts(label_set, labels, {str(part.label) for part in wanted})
    of_labels = None if label_set is None else label_set.fingerprint
    store, search = library.store, library.config.search
    identity = fingerprint(
        policy.fingerprint,
        {"labels": of_labels, "concepts": concepts, "encoder": store.encoder_fingerprint},
        {"sampling": store.sampling_fingerprint, "odds": search.odds, "background": list(search.background)},
    )
    return PolicyParts(PartScorer(parts, labels, unknown), identity, store.encoder_fingerprint, of_labels, concepts)


def _term(part: Condition) -> Term:
    return Term(text=part.text) if part.concept is None else Term(concept=part.concept)


def _concept_fingerprint(part: CalibratedPart) -> str:
    """Return the identity of a fitted concept, which changes with its marks: a hash of its vector and calibration."""
    return fingerprint({"vector": part.vector.tolist(), **asdict(part.calibration)})


def _label_concepts(label_set: LabelSet, scorer: LabelScorer, used: Collection[str]) -> dict[str, str]:
    """Return the identities of the fitted concepts that labels are based on, by label and concept.

    Args:
        label_set: The labels.
        scorer: The labels' scorer.
        used: Names of the labels that the policy uses.
    """
    examples = [one for one in scorer.vectors if one.kind == "example"]
    return {
        f"label:{scorer.names[number]} {term}": fingerprint(
            {"vector": one.vector.tolist(), "scale": one.scale, "offset": one.offset}
        )
        for (number, term), one in zip(example_terms(label_set), examples, strict=True)
        if term.concept is not None and scorer.names[number] in used
    }


def _check_label(part: Condition, label_set: LabelSet, file: str) -> None:
    name = str(part.label)
    active = [label.name for label in label_set.active]
    if name in active:
        return
    if name in {label.name for label in label_set.labels}:
        raise ConfigError(f"the policy names the label {name!r}, which is off in {file!r}; turn it on (mode: on)")
    near = difflib.get_close_matches(name, active, n=1, cutoff=LEAST_LIKENESS)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(
        f"the policy names the label {name!r}, which {file!r} does not have; {hint}it has: {', '.join(active)}"
    )
