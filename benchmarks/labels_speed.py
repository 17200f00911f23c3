"""How much longer labelling a library takes than reading its frame embeddings, and whether memory grows with it.

    python -m benchmarks.labels_speed [--short] [--repeats 3] [--work DIR] [--output FILE]

The library has a million made frame embeddings of 512 numbers, in 250 videos: shots of ten frames, each of one of 300
topics. The 100 labels are the first 100 topics; every other one has contrast prompts, and eight are in groups of four.
So a label is shown in one of 300 shots, and a video has some 130 intervals.

- `read`: each video's embeddings are read from the store (`ParquetStore.read`), and nothing else is done.
- `label`: the same store is labelled (`label_records`, in process): embeddings are read, scored, made into tracks, and
  both are written to a label store.

Both run in turn, each in a fresh process, after a round that is thrown away; told are wall and processor seconds, and
the peak of resident memory (VmHWM). `label` also runs on the first 25 videos, for the memory.

With `--short`: 25 videos, and 5 for the memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from benchmarks.setting import alternating, rounded, write_result
from pipeline.analyze.labels.label_scorer import LabelScorer, LabelVector
from pipeline.analyze.labels.label_set import as_label_set
from pipeline.analyze.labels.label_store import LabelStore
from pipeline.analyze.labels.labelling import VideoLabeller, label_records
from pipeline.analyze.labels.snapshot import LabelSnapshot
from pipeline.execution import Execution
from pipeline.store import ParquetStore
from pipeline.testing.store import made_record
from pipeline.types import FrameEmbeddings

VIDEOS, FEW, FRAMES, DIMENSION, LABELS = 250, 25, 4000, 512, 100
_TOPICS, _SHOT_FRAMES, _SEED, _SCALE, _LEVEL = 300, 10, 2026, 100.0, 0.3
_MEBIBYTE = 2**20

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Run:
    """What one process needed.

    Attributes:
        seconds: Wall time, without the start of the process.
        cpu_seconds: Processor time of all its threads, without the start of the process.
        peak_mib: Most resident memory, in mebibytes.
        frames: Frames that were read.
        intervals: Intervals that were found.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    frames: int
    intervals: int


def topics() -> Vectors:
    """The directions of the topics: float32 (300, 512), of unit length."""
    return _unit(np.random.default_rng(_SEED).standard_normal((_TOPICS, DIMENSION), np.float32))


def made_frames(number: int, directions: Vectors) -> FrameEmbeddings:
    """The frames of one video, a second apart."""
    rng = np.random.default_rng([_SEED, number])
    shown = np.repeat(rng.integers(_TOPICS, size=FRAMES // _SHOT_FRAMES), _SHOT_FRAMES)
    noise = rng.standard_normal((FRAMES, DIMENSION), np.float32) / np.float32(DIMENSION**0.5)
    return FrameEmbeddings(
        video_id=f"v{number:04d}",
        pts=np.arange(FRAMES),
        time_base=Fraction(1),
        times_seconds=np.arange(FRAMES, dtype=np.float64),
        vectors=_unit(directions[shown] + noise),
        cuts_seconds=None,
        duration_seconds=float(FRAMES),
        step_seconds=1.0,
    )


def write_library(folder: Path, videos: int) -> None:
    """Write the made videos into a store."""
    store, directions = _store(folder), topics()
    for number in range(videos):
        frames = made_frames(number, directions)
        record = replace(
            made_record(frames.video_id, FRAMES),
            names=(f"/videos/{number}.mp4",),
            duration_seconds=float(FRAMES),
            covered_seconds=float(FRAMES),
        )
        store.write(record, frames)


def snapshot() -> LabelSnapshot:
    """The labels and their scorer."""
    directions = topics()
    names = [f"topic {number}" for number in range(LABELS)]
    offset = -_SCALE * _LEVEL - np.log(1000.0)
    evidence = [LabelVector(number, "prompts", directions[number], _SCALE, offset) for number in range(LABELS)]
    contrasts = ((number, directions[LABELS + number]) for number in range(0, LABELS, 2))
    evidence += [LabelVector(number, "contrast", vector, _SCALE, offset) for number, vector in contrasts]
    groups = {"first": names[:4], "second": names[4:8]}
    label_set = as_label_set({"labels": {name: {"prompts": name} for name in names}, "groups": groups})
    scorer = LabelScorer(names, evidence, label_set.active_groups)
    return LabelSnapshot("topics", label_set, scorer, VIDEOS, "benchmark")


def read(folder: Path, videos: int) -> tuple[int, int]:
    """Read the first videos; their frames, and no intervals."""
    store = _store(folder)
    return sum(len(store.read(video_id)) for video_id in store.video_ids()[:videos]), 0


def label(folder: Path, videos: int) -> tuple[int, int]:
    """Label the first videos; their frames and intervals."""
    store, kept = _store(folder), snapshot()
    records = list(store.records())[:videos]
    with tempfile.TemporaryDirectory(dir=folder) as root:
        labels = LabelStore(root, kept.label_set.fingerprint, store.encoder_fingerprint)
        execution = Execution(executor="in_process")
        reports = list(label_records(labels, VideoLabeller(store, kept), records, execution, again=True))
    if problems := [report.problem for report in reports if report.problem is not None]:
        raise RuntimeError(problems[0])
    return sum(report.frames for report in reports), sum(report.intervals for report in reports)


WAYS = {"read": read, "label": label}


def measured(way: str, folder: Path, videos: int) -> Run:
    """Run a way in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.labels_speed", "--child", way, str(folder), str(videos)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return Run(**json.loads(found.stdout))


def _child(way: str, folder: Path, videos: int) -> None:
    began, began_cpu = time.perf_counter(), time.process_time()
    frames, intervals = WAYS[way](folder, videos)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    print(json.dumps(asdict(Run(seconds, cpu_seconds, _peak_mib(), frames, intervals))))


def _peak_mib() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / _MEBIBYTE
    raise RuntimeError("this system does not tell a process's peak of memory")


def _store(folder: Path) -> ParquetStore:
    return ParquetStore(str(folder), "benchmark", "benchmark")


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="25 videos")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder of the made library, kept and used again")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/labels_speed.json"))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        way, folder, videos = given.child
        _child(way, Path(folder), int(videos))
        return
    many, few = (FEW, FEW // 5) if given.short else (VIDEOS, FEW)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.work or Path(temporary)
        if len(_store(folder).video_ids()) < many:
            write_library(folder, many)
        ways = {
            "read": partial(measured, "read", folder, many),
            "label": partial(measured, "label", folder, many),
            "label_few": partial(measured, "label", folder, few),
        }
        runs: dict[str, list[Run]] = {way: [] for way in ways}
        for way, run in alternating(ways, given.repeats):
            runs[way].append(run)
            print(way, rounded(asdict(run)), flush=True)
    ratios = [label.seconds / read.seconds for read, label in zip(runs["read"], runs["label"], strict=True)]
    peaks = {way: median(run.peak_mib for run in of_way) for way, of_way in runs.items()}
    content = {
        "frames": many * FRAMES,
        "labels": LABELS,
        "runs": {way: [asdict(run) for run in of_way] for way, of_way in runs.items()},
        "label_over_read": {"ratios": ratios, "median": median(ratios)},
        "peak_mib": peaks,
        "peak_over_few": peaks["label"] / peaks["label_few"],
    }
    write_result(given.output, "benchmarks.labels_speed", rounded(content))
    print(f"label over read: {median(ratios):.2f}; peak MiB {rounded(peaks, 0)}")


if __name__ == "__main__":
    main()
