"""What an experiment found, and how it is kept: a JSON file a variant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError
from pipeline.evaluate import Evaluation
from pipeline.evaluate.restoring import restored
from pipeline.experiments.costs import DecodingCost, Kept
from pipeline.experiments.embedding import Embedded
from pipeline.experiments.settings import Experiment, Variant

__all__ = ["ExperimentResult", "VariantResult", "read_result", "write_result"]

_FORMAT = 1


@dataclass(frozen=True)
class VariantResult:
    """What one variant found, and what it costs.

    Attributes:
        name: Of the variant.
        changes: What it changes of the base.
        config: The whole configuration, as JSON can hold it.
        evaluation: How well it answers the labelled set.
        kept: Frames and bytes.
        decoding: What its sampling's decoding takes alone; None where that was not measured.
        segments: Rows of its index.
        search_seconds: Of one question, on the average.
        versions: Of what made it.
        made_at: When, in UTC.
    """

    name: str
    changes: Mapping[str, Any]
    config: Mapping[str, Any]
    evaluation: Evaluation
    kept: Kept
    decoding: DecodingCost | None
    segments: int
    search_seconds: float
    versions: Mapping[str, str]
    made_at: str


@dataclass(frozen=True)
class ExperimentResult:
    """What an experiment found.

    Attributes:
        experiment: What was asked.
        variants: In the order of the experiment's file.
        embedded: What it took to have all embeddings, this time.
        seconds: Wall time of all of it, this time.
        data_fingerprint: Of the videos' contents and the labels.
    """

    experiment: Experiment
    variants: tuple[VariantResult, ...]
    embedded: Embedded
    seconds: float
    data_fingerprint: str

    def pareto(self, metric: str) -> frozenset[str]:
        """Names of the variants that no other beats in both quality and frames to encode.

        Args:
            metric: By name, as "MR-full-R1@0.5"; more is better.
        """
        points = {v.name: (v.evaluation.metrics.get(metric, 0.0), -v.kept.frames) for v in self.variants}
        return frozenset(
            name
            for name, point in points.items()
            if not any(other != point and other[0] >= point[0] and other[1] >= point[1] for other in points.values())
        )


def write_result(folder: Path, variant: Variant, data_fingerprint: str, result: VariantResult) -> None:
    """Keep a variant's result, whole or not at all.

    Raises:
        StoreError: It cannot be written.
    """
    fields = {
        "format": _FORMAT,
        "name": result.name,
        "changes": dict(result.changes),
        "config": dict(result.config),
        "kept": asdict(result.kept),
        "decoding": None if result.decoding is None else asdict(result.decoding),
        "segments": result.segments,
        "search_seconds": result.search_seconds,
        "versions": dict(result.versions),
        "made_at": result.made_at,
        "evaluation": result.evaluation.as_json(),
    }
    path = _path(folder, variant, data_fingerprint)
    partial = path.with_suffix(".partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: the result cannot be written: {error}") from error


def read_result(folder: Path, variant: Variant, data_fingerprint: str) -> VariantResult | None:
    """A variant's result over the same data, if it was kept; one that cannot be read is found again."""
    try:
        fields = json.loads(_path(folder, variant, data_fingerprint).read_text(encoding="utf-8"))
        if fields["format"] != _FORMAT:
            return None
        return VariantResult(
            name=variant.name,
            changes=variant.changes,
            config=fields["config"],
            evaluation=restored(fields["evaluation"]),
            kept=Kept(**fields["kept"]),
            decoding=None if fields["decoding"] is None else DecodingCost(**fields["decoding"]),
            segments=fields["segments"],
            search_seconds=fields["search_seconds"],
            versions=fields["versions"],
            made_at=fields["made_at"],
        )
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _path(folder: Path, variant: Variant, data_fingerprint: str) -> Path:
    return folder / f"{variant.fingerprint}-{data_fingerprint}.json"
