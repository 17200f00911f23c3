"""Experiments that tests write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.experiments import Experiment, ExperimentResult, Variant, load_experiment, run_experiment

WINDOWS = {"strategy": "fixed_windows", "length_seconds": 2.0, "overlap_seconds": 1.0}
SAMPLINGS: dict[str, dict[str, Any]] = {
    "one": {"sampling": {"fps": 1.0}},
    "two": {"sampling": {"fps": 2.0}},
    "two with cuts": {"sampling": {"fps": 2.0, "cuts": "adaptive"}, "segmentation": {"strategy": "shots"}},
    "keyframes": {"sampling": {"strategy": "keyframe"}},
    "scene changes": {"sampling": {"strategy": "scene_change", "max_gap_seconds": 3.0}},
    "novelty": {"sampling": {"strategy": "novelty", "fps": 5.0, "max_gap_seconds": 4.0}},
}


def labels(folder: Path) -> Path:
    """Two questions about each of the small films, and one about nothing."""
    path = folder / "moments.jsonl"
    asked = [(video, text) for video in ("yard", "gate", "late") for text in ("a dog", "a red car")]
    lines = [
        {"qid": number, "query": text, "vid": video, "duration": 9.5, "relevant_windows": [[0.0, 3.0]]}
        for number, (video, text) in enumerate(asked)
    ]
    lines.append({"qid": 99, "query": "a lion", "vid": "yard", "relevant_windows": []})
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def plan(
    folder: Path,
    films: Path,
    model: Mapping[str, str],
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    name: str = "plan",
    **others: Any,
) -> Path:
    """Write an experiment; what it says besides replaces what is said here."""
    base = folder / "base.yaml"
    base.write_text(
        yaml.safe_dump({"encoder": dict(model), "segmentation": WINDOWS, "execution": {"executor": "in_process"}})
    )
    said = {
        "title": "Which is best",
        "base": "base.yaml",
        "videos": [str(films)],
        "labelled": [str(labels(folder))],
        "variants": dict(SAMPLINGS if variants is None else variants),
        "cost_videos": 0,
        **others,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in said.items() if value is not None}, sort_keys=False))
    return path


def loaded(path: Path) -> tuple[Experiment, tuple[Variant, ...]]:
    return load_experiment(path, str(path.parent / "work" / "library"))


def results_of(path: Path) -> Path:
    return path.parent / "work" / "results"


def ran(path: Path, **others: Any) -> ExperimentResult:
    return run_experiment(*loaded(path), results_of(path), **others)
