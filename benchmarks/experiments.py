"""What many samplings of the same videos cost together, against the dearest of them alone.

    python -m benchmarks.experiments [--repeats 3] [--output benchmarks/results/experiments.json]

The ten samplings of the experiment that comes along (`configs/experiments/sampling.yaml`), over the sample films:
their frame embeddings made at once, as `momentseek experiment` makes them, and each by itself. Once with the demo's
model, whose images cost next to nothing, so that decoding is measured; once with an image tower of ViT-B/32's size
and random weights, as encoding costs elsewhere. Everything runs on one Ray that is up before the clock starts. In the
first round each sampling is made alone, which says how long one after another would take, and which is the dearest;
that one and all together are then made in turn. Each run starts from an empty folder.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.setting import alternating, medians, random_model, rounded, write_result
from pipeline.execution import Execution, for_several_batches
from pipeline.experiments import load_experiment
from pipeline.experiments.embedding import EmbeddedVideos, embed_all
from pipeline.sources import expand

EXPERIMENT = Path("configs/experiments/sampling.yaml")


@dataclass(frozen=True)
class Run:
    """One making of embeddings."""

    seconds: float
    embedded: EmbeddedVideos


def main() -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/experiments.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, for_several_batches(Execution()):
        random = random_model(Path(folder))
        models = {
            "demo model": (),
            "size of ViT-B/32": tuple(
                f"encoder.{name}={value}"
                for name, value in random.model_dump(include={"model", "architecture", "checkpoint"}).items()
            ),
        }
        results = {name: compare(overrides, arguments.repeats) for name, overrides in models.items()}
    write_result(arguments.output, "benchmarks.experiments", {"results": results})
    print(json.dumps(results, indent=2))


def compare(overrides: Sequence[str], repeats: int) -> dict[str, Any]:
    """All together against the dearest alone, with one model."""
    names = [variant.name for variant in load_experiment(EXPERIMENT, "nowhere", overrides)[1]]
    alone = {name: made([name], overrides).seconds for name in names}
    dearest = max(alone, key=lambda name: alone[name])
    ways = {"together": partial(made, names, overrides), "dearest_alone": partial(made, [dearest], overrides)}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    work: dict[str, dict[str, int]] = {}
    for way, run in alternating(ways, repeats, warm_up=False):
        print(f"{way} {run.seconds:.1f} s", flush=True)
        seconds[way].append(run.seconds)
        work[way] = {"decoded": run.embedded.frames_decoded, "encoded": run.embedded.frames_encoded}
    middle = medians(seconds)
    found = {
        "samplings": len(names),
        "dearest": dearest,
        "frames": work,
        "seconds": seconds,
        "median_seconds": middle,
        "seconds_each_alone": alone,
        "together_over_dearest": middle["together"] / middle["dearest_alone"],
        "one_after_another_over_together": sum(alone.values()) / middle["together"],
    }
    return {name: rounded(value) for name, value in found.items()}


def made(names: Sequence[str], overrides: Sequence[str]) -> Run:
    """Make the embeddings of some samplings in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        experiment, variants = load_experiment(EXPERIMENT, folder, overrides)
        wanted = [variant for variant in variants if variant.name in names]
        sources = list(expand(experiment.videos, variants[0].config.fetching))
        started = time.perf_counter()
        embedded = embed_all(wanted, sources, Execution())
        return Run(time.perf_counter() - started, embedded)


if __name__ == "__main__":
    main()
