"""Results of an experiment, and the JSON files that store the result of each variant."""

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
from pipeline.experiments.embedding import EmbeddedVideos
from pipeline.experiments.settings import Experiment, Variant
from pipeline.parsing import MOST_JSON_BYTES, parse_json

__all__ = ["FRONT_METRIC", "ExperimentResult", "VariantResult", "pareto_front", "read_result", "select", "write_result"]

FRONT_METRIC = "MR-full-mAP"
"""The metric of the Pareto front: it depends on all ten moments and all thresholds."""
_FORMAT = 3


@dataclass(frozen=True)
class VariantResult:
    """The scores and costs of one variant.

    Attributes:
        name: Name of the variant.
        changes: Its changes to the base configuration.
        config: Its complete configuration, as JSON types.
        evaluation: Its evaluation on the labelled set.
        kept: Number and size of its stored embeddings.
        decoding: Decoding cost of its sampling alone; None if not measured.
        segments: Number of rows of its index.
        search_seconds: Mean search time per question, without embedding its text.
        versions: Versions of the software that made it.
        made_at: Time of its evaluation, in UTC.
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
        experiment: The experiment's settings.
        variants: The results of its variants, in the order of the experiment's file.
        embedded: The embedding work of this run.
        seconds: Wall time of this run.
        data_fingerprint: Fingerprint of the videos' contents and the labels.
        distinct_frames: Number of frames sampled by any variant, each counted once per encoder.
    """

    experiment: Experiment
    variants: tuple[VariantResult, ...]
    embedded: EmbeddedVideos
    seconds: float
    data_fingerprint: str
    distinct_frames: int

    def pareto(self, metric: str) -> frozenset[str]:
        """Return the names of the variants on the Pareto front of quality and number of frames.

        Args:
            metric: Name of the metric, such as "MR-full-R1@0.5"; higher is better.
        """
        return pareto_front({v.name: (v.evaluation.metrics.get(metric, 0.0), v.kept.frames) for v in self.variants})

    def variant(self, name: str) -> VariantResult:
        """Return the result of a variant by its name.

        Raises:
            ConfigError: There is no such variant; the message has the nearest names.
        """
        [found] = select(self.variants, [name])
        return found

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON types, without the answers to single questions."""
        front = self.pareto(FRONT_METRIC)
        return {
            "title": self.experiment.title,
            "data_fingerprint": self.data_fingerprint,
            "seconds": self.seconds,
            "embedded": asdict(self.embedded),
            "distinct_frames": self.distinct_frames,
            "variants": [_summary(variant, is_on_front=variant.name in front) for variant in self.variants],
        }


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_HasName)


def select(variants: Sequence[N], names: Sequence[str]) -> tuple[N, ...]:
    """Return the variants with these names in the order of `variants`, or all if `names` is empty.

    Raises:
        ConfigError: A name is unknown; the message has the nearest ones.
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
    """Write a variant's result atomically, and return it in the form that `read_result` returns.

    Raises:
        StoreError: The file cannot be written.
    """
    content = json.dumps({"format": _FORMAT, **_said(result), "evaluation": result.evaluation.as_json()}, indent=1)
    path = _path(folder, variant, data_fingerprint)
    # Two experiments may share a folder and score the same variant at the same time.
    partial = path.with_suffix(f".{uuid4().hex}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(content + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: the result cannot be written: {error}") from error
    return _result(content, variant)


def read_result(folder: Path, variant: Variant, data_fingerprint: str) -> VariantResult | None:
    """Read a variant's stored result on the same data; None if there is none, or if it cannot be read."""
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
    """Return the names of the points that are not dominated by another, in quality (higher is better) and cost.

    Args:
        points: Quality and cost by name.
    """
    return frozenset(
        name
        for name, (quality, cost) in points.items()
        if not any(other[0] >= quality and other[1] <= cost and other != (quality, cost) for other in points.values())
    )
