"""What each sampling costs and what it finds: films with labelled moments, indexed anew with each strategy.

    python -m benchmarks.sampling FOLDER... [--config demo] [--output benchmarks/results/sampling.json]

A folder holds videos and their `moments.jsonl`, as `sample_videos.generate` writes them. Each is indexed by the
in-process executor, with one configuration but for `sampling`, and with segments of fixed length; each labelled
question is asked within its film. A recall is a count of questions, so runs are not repeated; `decoded` and `encoded`
are frames, summed over the films.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.setting import rounded, write_result
from pipeline.evaluate import evaluate, read_labelled
from pipeline.library import Library
from pipeline.run_config import RunConfig, load_run_config
from pipeline.sampling import FixedRate, FrameSampler, Keyframe, Novelty, SceneChange
from pipeline.segment import FixedWindows
from pipeline.sources import expand
from pipeline.types import Status

METRICS = ("MR-full-R1@0.5", "MR-full-R1@0.7", "MR-full-mAP")
STRATEGIES: dict[str, FrameSampler] = {
    "fixed_rate": FixedRate(fps=2.0),
    "fixed_rate_tolerant": FixedRate(fps=2.0, tolerance_seconds=0.25),
    "fixed_rate_slow": FixedRate(fps=1.0),
    "novelty": Novelty(fps=2.0),
    "keyframe": Keyframe(),
    "scene_change": SceneChange(),
}


def measured(folder: Path, config: RunConfig, sampler: FrameSampler) -> dict[str, float]:
    """Frames and recalls of one strategy on one folder."""
    queries = read_labelled(folder / "moments.jsonl")
    with tempfile.TemporaryDirectory() as place:
        changes = {"library": place, "sampling": sampler, "segmentation": FixedWindows()}
        with Library(config.model_copy(update=changes)) as library:
            reports = list(library.index([source.uri for source in expand([str(folder)])]))
            failed = [report for report in reports if report.status is not Status.DONE]
            if failed:
                raise RuntimeError(f"{failed[0].source.uri}: {failed[0].problem}")
            metrics = evaluate(library, queries, ranks_videos=False).metrics
    return {
        "decoded": sum(report.frames_decoded for report in reports),
        "encoded": sum(report.frames_sampled for report in reports),
        "hours": sum(report.duration_seconds for report in reports) / 3600,
        "largest_gap_seconds": max(report.largest_gap_seconds for report in reports),
        "questions": sum(not query.is_absent for query in queries),
        **{name: metrics[name] for name in METRICS},
    }


def main() -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--config", default="demo", help="the model and all else (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=STRATEGIES, default=list(STRATEGIES), help="these strategies")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/sampling.json"))
    arguments = parser.parse_args()
    config = load_run_config(arguments.config, ["execution.executor=in_process"])
    results: dict[str, dict[str, Any]] = {}
    for folder in arguments.folders:
        results[folder.name] = {}
        for name in arguments.only:
            found = results[folder.name][name] = rounded(measured(folder, config, STRATEGIES[name]), 4)
            recalls = "  ".join(f"{metric} {found[metric]:.1f}" for metric in METRICS)
            print(f"{folder.name:<16}{name:<22}{found['decoded']:>8}{found['encoded']:>7}  {recalls}", flush=True)
    write_result(arguments.output, "benchmarks.sampling", {"config": arguments.config, "results": results})


if __name__ == "__main__":
    main()
