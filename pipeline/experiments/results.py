"""Results of an experiment, and the JSON file that stores each variant's result."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from pipeline.errors import ConfigError, StoreError
from pipeline.evaluate import Evaluation
from pipeline.evaluate.evaluation import restored
from pipeline.experiments.costs import DecodingCost, StoredSize
from pipeline.experiments.embedding import Embedded
from pipeline.experiments.settings import Experiment, Variant
from pipeline.parsing import MOST_JSON_BYTES, parse_json

__all__ = ["FRONT_METRIC", "ExperimentResult", "VariantResult", "pareto_front", "read_result", "select", "write_result"]

FRONT_METRIC = "MR-full-mAP"
"""By which variants are told to be worth their cost: it counts all ten moments, and all thresholds."""
_FORMAT = 3


@dataclass(frozen=True)
class VariantResult:
    """The scores and costs of one variant.

    Attributes:
        name: Of the variant.
        changes: What it changes of the base.
        config: The whole configuration, as JSON can hold it.
        evaluation: How well it answers the labelled set.
        kept: Frames and bytes.
        decoding: What its sampling's decoding takes alone; None where that was not measured.
        segments: Rows of its index.
        search_seconds: Of one question, on the average, its text embedded before.
        versions: Of what made it.
        made_at: When, in UTC.
    """

    name: str
    changes: Mapping[str, Any]
    config: Mapping[str, Any]
    evaluation: Evaluation
    kept: StoredSize
    decoding: DecodingCost | None
    segments: int
    search_seconds: float
    versions: Mapping[str, str]
    made_at: str


@dataclass(frozen=True)
class ExperimentResult:
    """The results of an experiment.

    Attributes:
        experiment: What was asked.
        variants: In the order of the experiment's file.
        embedded: What it took to have all embeddings, this time.
        seconds: Wall time of all of it, this time.
        data_fingerprint: Of the videos' contents and the labels.
        distinct_frames: What all samplings take together, each frame counted once an encoder.
    """

    experiment: Experiment
    variants: tuple[VariantResult, ...]
    embedded: Embedded
    seconds: float
    data_fingerprint: str
    distinct_frames: int

    def pareto(self, metric: str) -> frozenset[str]:
        """Names of the variants that no other beats in both quality and frames to encode.

        Args:
            metric: By name, as "MR-full-R1@0.5"; more is better.
        """
        return pareto_front({v.name: (v.evaluation.metrics.get(metric, 0.0), v.kept.frames) for v in self.variants})

    def variant(self, name: str) -> VariantResult:
        """What the variant of this name found.

        Raises:
            ConfigError: There is none; the message has the nearest names.
        """
        [found] = select(self.variants, [name])
        return found

    def as_json(self) -> dict[str, Any]:
        """All of it but the answers to single questions, as JSON can hold it."""
        front = self.pareto(FRONT_METRIC)
        return {
            "title": self.experiment.title,
            "data_fingerprint": self.data_fingerprint,
            "seconds": self.seconds,
            "embedded": asdict(self.embedded),
            "distinct_frames": self.distinct_frames,
            "variants": [_summary(variant, is_on_front=variant.name in front) for variant in self.variants],
        }


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


def select(variants: Sequence[N], names: Sequence[str]) -> tuple[N, ...]:
    """The variants of these names, in the order of `variants`; all where no name is given.

    Raises:
        ConfigError: No variant has one of the names; the message has the nearest ones.
    """
    known = [variant.name for variant in variants]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
            hint = f"nearest: {', '.join(map(repr, near))}" if near else f"there are: {', '.join(map(repr, known))}"
            raise ConfigError(f"no variant {name!r}; {hint}")
    return tuple(variant for variant in variants if not names or variant.name in names)


def _summary(result: VariantResult, *, is_on_front: bool) -> dict[str, Any]:
    evaluation = result.evaluation
    return {
        **_said(result),
        "pareto": is_on_front,
        "metrics": dict(evaluation.metrics),
        "intervals": dict(evaluation.intervals),
        "questions": len(evaluation.answers),
    }


def _said(result: VariantResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "changes": dict(result.changes),
        "config": dict(result.config),
        "kept": asdict(result.kept),
        "decoding": None if result.decoding is None else asdict(result.decoding),
        "segments": result.segments,
        "search_seconds": result.search_seconds,
        "versions": dict(result.versions),
        "made_at": result.made_at,
    }


def write_result(folder: Path, variant: Variant, data_fingerprint: str, result: VariantResult) -> VariantResult:
    """Write a variant's result atomically, and return it as `read_result` will.

    Raises:
        StoreError: It cannot be written.
    """
    content = json.dumps({"format": _FORMAT, **_said(result), "evaluation": result.evaluation.as_json()}, indent=1)
    path = _path(folder, variant, data_fingerprint)
    # Two experiments may share a folder, and score the same variant at once.
    partial = path.with_suffix(f".{uuid4().hex}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(content + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: the result cannot be written: {error}") from error
    return _result(content, variant)


def read_result(folder: Path, variant: Variant, data_fingerprint: str) -> VariantResult | None:
    """A variant's result over the same data, if it was kept; one that cannot be read is found again."""
    try:
        return _result(_path(folder, variant, data_fingerprint).read_text(encoding="utf-8"), variant)
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _result(content: str, variant: Variant) -> VariantResult:
    fields = parse_json(content, most_bytes=MOST_JSON_BYTES, allows_nan=True)
    if fields["format"] != _FORMAT:
        raise ValueError(f"the result has format {fields['format']} instead of {_FORMAT}")
    return VariantResult(
        name=variant.name,
        changes=variant.changes,
        config=fields["config"],
        evaluation=restored(fields["evaluation"]),
        kept=StoredSize(**fields["kept"]),
        decoding=None if fields["decoding"] is None else DecodingCost(**fields["decoding"]),
        segments=fields["segments"],
        search_seconds=fields["search_seconds"],
        versions=fields["versions"],
        made_at=fields["made_at"],
    )


def _path(folder: Path, variant: Variant, data_fingerprint: str) -> Path:
    return folder / f"{variant.fingerprint}-{data_fingerprint}.json"


def pareto_front(points: Mapping[str, tuple[float, float]]) -> frozenset[str]:
    """Names of the points that no other beats: none is at least as good and as cheap, and better in one of the two.

    Args:
        points: By name quality, of which more is better, and cost, of which less is.
    """
    return frozenset(
        name
        for name, (quality, cost) in points.items()
        if not any(other[0] >= quality and other[1] <= cost and other != (quality, cost) for other in points.values())
    )
