"""Cuts: how many are found, and how fast, against plain decoding and against PySceneDetect's command line.

    python -m benchmarks.scenes [--labels cuts.json ...] [--repeats 5] [--output benchmarks/results/scenes.json]

Labels are files named `cuts.json`: for each film beside them, by its name without suffix, either a list of cuts in
seconds, or {"cuts": [...], "fades": [[start, end], ...], "dissolves": [...]}. By default those of `sample_videos`.

Scoring. A hard cut is found if a cut is reported at most `--tolerance` seconds from it (0.05 by default, a frame or
so); cuts and reports are matched one to one, in time. A fade or dissolve is one label: it is found if a report that
matches no hard cut lies within it, a tolerance to either side; more reports within it are neither right nor wrong.
All other reports are false. F1 is over all films of a file together, once with fades and dissolves and once of hard
cuts alone, where what is reported within a fade or dissolve does not count; precision and recall are of hard cuts.
Transitions, which only ours reports, are counted apart: a fade or dissolve is found as a transition if one overlaps it,
and a transition that overlaps none is false.

Speed. Ours and plain decoding run in this process, by the same decoder with a thread a processor: for ours
`find_shots` as `momentseek cuts` calls it, which leaves out what it can, for plain decoding all frames and nothing done
with them. The peer is `scenedetect -i FILE detect-adaptive list-scenes`, its defaults, which decodes with a thread a
processor, too, a process a film; its start-up is what the same command takes on a generated film of one second, and
figures are given with it and without. Wall and processor seconds (all threads and processes) of both. Ways alternate
within a film; the first round is a warm-up and is thrown away. Ratios are of sums over films of the medians of each.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np

from benchmarks.setting import alternating, rounded, write_result
from pipeline.sampling import CutDetection, find_shots
from pipeline.video import Decoding, make_decoder

DEFAULT_LABELS = Path("sample_videos/cuts.json")
ALL_PROCESSORS = Decoding(threads=min(8, len(os.sched_getaffinity(0))))
WAYS = ("ours", "decoding", "scenedetect")


@dataclass(frozen=True)
class Labels:
    """What is true of a film: hard cuts in seconds, and the windows of fades and dissolves, all increasing."""

    cuts: tuple[float, ...]
    gradual: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Score:
    """Counts of a film or of several.

    Attributes:
        hard_found: Hard cuts that were found.
        hard_missed: Hard cuts that were not.
        gradual_found: Fades and dissolves within which a cut was reported.
        gradual_missed: Those without.
        false: Reports that are neither.
        transitions_found: Fades and dissolves that a reported transition overlaps.
        transitions_missed: Those that none does.
        transitions_false: Reported transitions that overlap no fade or dissolve.
    """

    hard_found: int = 0
    hard_missed: int = 0
    gradual_found: int = 0
    gradual_missed: int = 0
    false: int = 0
    transitions_found: int = 0
    transitions_missed: int = 0
    transitions_false: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(*(one + more for one, more in zip(asdict(self).values(), asdict(other).values(), strict=True)))

    @property
    def f1(self) -> float:
        """With fades and dissolves; 1 where there was nothing to find and nothing was reported."""
        return _f1(
            self.hard_found + self.gradual_found, missed=self.hard_missed + self.gradual_missed, false=self.false
        )

    @property
    def hard_f1(self) -> float:
        """Of hard cuts alone."""
        return _f1(self.hard_found, missed=self.hard_missed, false=self.false)

    @property
    def precision(self) -> float:
        """Of hard cuts; 1 where nothing was reported."""
        return self.hard_found / max(1, self.hard_found + self.false) if self.hard_found or self.false else 1.0

    @property
    def recall(self) -> float:
        """Of hard cuts; 1 where there was nothing to find."""
        wanted = self.hard_found + self.hard_missed
        return self.hard_found / wanted if wanted else 1.0


def _f1(found: int, *, missed: int, false: int) -> float:
    return 2 * found / (2 * found + missed + false) if found or missed or false else 1.0


@dataclass(frozen=True)
class Timed:
    """One way through one film."""

    cuts: tuple[float, ...]
    wall_seconds: float
    cpu_seconds: float
    transitions: tuple[tuple[float, float], ...] = ()


def score(
    reported: Sequence[float],
    labels: Labels,
    tolerance_seconds: float,
    transitions: Sequence[tuple[float, float]] = (),
) -> Score:
    """Match reports to labels, one to one; see the module's text for the rules."""
    reports, hard, left = sorted(reported), list(labels.cuts), []
    hard_found = 0
    for report in reports:
        while hard and hard[0] < report - tolerance_seconds:
            hard.pop(0)
        if hard and hard[0] <= report + tolerance_seconds:
            hard.pop(0)
            hard_found += 1
        else:
            left.append(report)
    windows = [(start - tolerance_seconds, end + tolerance_seconds) for start, end in labels.gradual]
    gradual_found = sum(any(start <= report <= end for report in left) for start, end in windows)
    gradual_seen = sum(any(_overlap(each, label) for each in transitions) for label in labels.gradual)
    return Score(
        transitions_found=gradual_seen,
        transitions_missed=len(labels.gradual) - gradual_seen,
        transitions_false=sum(not any(_overlap(each, label) for label in labels.gradual) for each in transitions),
        hard_found=hard_found,
        hard_missed=len(labels.cuts) - hard_found,
        gradual_found=gradual_found,
        gradual_missed=len(windows) - gradual_found,
        false=sum(not any(start <= report <= end for start, end in windows) for report in left),
    )


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def labels_of(file: Path) -> dict[Path, Labels]:
    """The films beside a file of labels, and what is true of them.

    Raises:
        FileNotFoundError: A film is not there.
    """
    labelled = {}
    for name, said in json.loads(file.read_text(encoding="utf-8")).items():
        films = sorted(path for path in file.parent.glob(f"{name}.*") if path.suffix not in (".json", ".jsonl"))
        if not films:
            raise FileNotFoundError(f"{file} labels {name!r}, and there is no such film beside it")
        whole: Mapping[str, Any] = said if isinstance(said, dict) else {"cuts": said}
        gradual = [*whole.get("fades", []), *whole.get("dissolves", [])]
        windows = sorted((float(start), float(end)) for start, end in gradual)
        labelled[films[0]] = Labels(tuple(sorted(map(float, whole["cuts"]))), tuple(windows))
    return labelled


def by_us(path: str) -> Timed:
    """Our cuts, and what they cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    with make_decoder(ALL_PROCESSORS).open(path) as stream:
        shots = find_shots(stream, CutDetection())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    transitions = [(float(each.start_seconds), float(each.end_seconds)) for each in shots.transitions]
    return Timed(tuple(map(float, shots.cuts)), wall, cpu, tuple(transitions))


def by_decoding(path: str) -> Timed:
    """All frames, none of them looked at."""
    wall, cpu = time.perf_counter(), time.process_time()
    with make_decoder(ALL_PROCESSORS).open(path) as stream:
        for _ in stream.frames():
            pass
    return Timed((), time.perf_counter() - wall, time.process_time() - cpu)


def by_scenedetect(path: str) -> Timed:
    """The cuts of PySceneDetect's command line, and what its process cost.

    Raises:
        RuntimeError: It failed.
    """
    program = Path(sys.executable).with_name("scenedetect")
    with tempfile.TemporaryDirectory() as folder:
        command = [str(program), "-i", path, "-o", folder, "detect-adaptive", "list-scenes"]
        wall = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - wall
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
        cuts = listed_cuts(Path(folder))
    return Timed(cuts, seconds, usage.ru_utime + usage.ru_stime)


def listed_cuts(folder: Path) -> tuple[float, ...]:
    """The first line of the one list of scenes in a folder, which names the cuts, in seconds."""
    files = list(folder.glob("*-Scenes.csv"))
    if not files:
        return ()
    with files[0].open(newline="", encoding="utf-8") as file:
        first = next(csv.reader(file))
    return tuple(seconds_of(timecode) for timecode in first[1:] if timecode)


def seconds_of(timecode: str) -> float:
    """Seconds of HH:MM:SS.mmm."""
    hours, minutes, seconds = timecode.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def write_second(path: Path) -> str:
    """A film of one second, 640 x 360, in which a colour changes slowly."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(25):
            picture = np.full((360, 640, 3), 100 + number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return str(path)


def film(path: Path, labels: Labels, *, tolerance_seconds: float, repeats: int) -> dict[str, Any]:
    """Scores and times of one film."""
    ways: dict[str, Callable[[], Timed]] = {
        "ours": partial(by_us, str(path)),
        "decoding": partial(by_decoding, str(path)),
        "scenedetect": partial(by_scenedetect, str(path)),
    }
    runs: dict[str, list[Timed]] = {name: [] for name in ways}
    for name, run in alternating(ways, repeats):
        runs[name].append(run)
    return {
        "labels": asdict(labels),
        "cuts": {name: runs[name][0].cuts for name in ("ours", "scenedetect")},
        "transitions": runs["ours"][0].transitions,
        "scores": {
            name: asdict(score(runs[name][0].cuts, labels, tolerance_seconds, runs[name][0].transitions))
            for name in ("ours", "scenedetect")
        },
        "wall_seconds": {name: [run.wall_seconds for run in of_way] for name, of_way in runs.items()},
        "median_wall_seconds": {name: median(run.wall_seconds for run in of_way) for name, of_way in runs.items()},
        "median_cpu_seconds": {name: median(run.cpu_seconds for run in of_way) for name, of_way in runs.items()},
    }


def start_up(repeats: int) -> dict[str, float]:
    """What the command line takes on a film of one second."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_second(Path(folder) / "second.mp4")
        runs = [run for _, run in alternating({"scenedetect": partial(by_scenedetect, path)}, repeats)]
    return {
        "median_wall_seconds": median(run.wall_seconds for run in runs),
        "median_cpu_seconds": median(run.cpu_seconds for run in runs),
    }


def overall(films: Iterable[Mapping[str, Any]], start: Mapping[str, float]) -> dict[str, Any]:
    """F1 over all films together, and ratios of times."""
    films = list(films)
    scores = {name: sum((Score(**film["scores"][name]) for film in films), Score()) for name in ("ours", "scenedetect")}
    found: dict[str, Any] = {
        "counts": {name: asdict(each) for name, each in scores.items()},
        "f1": {name: each.f1 for name, each in scores.items()},
        "hard_cuts_f1": {name: each.hard_f1 for name, each in scores.items()},
        "precision": {name: each.precision for name, each in scores.items()},
        "recall": {name: each.recall for name, each in scores.items()},
    }
    for clock in ("wall", "cpu"):
        sums = {name: sum(film[f"median_{clock}_seconds"][name] for film in films) for name in WAYS}
        without = sums["scenedetect"] - len(films) * start[f"median_{clock}_seconds"]
        found[clock] = {
            "seconds": sums,
            "speed_over_decoding": sums["decoding"] / sums["ours"],
            "times_faster_than_scenedetect": sums["scenedetect"] / sums["ours"],
            "times_faster_than_scenedetect_without_start_up": without / sums["ours"],
        }
    return found


def main() -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, nargs="+", default=[DEFAULT_LABELS])
    parser.add_argument("--films", type=int, help="at most so many films of each file of labels")
    parser.add_argument("--tolerance", type=float, default=0.05, help="seconds by which a hard cut may be missed")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/scenes.json"))
    arguments = parser.parse_args()
    if not shutil.which("scenedetect", path=str(Path(sys.executable).parent)):
        parser.error("PySceneDetect's command line, scenedetect, is not beside this interpreter")
    start = start_up(arguments.repeats)
    results: dict[str, Any] = {}
    for file in arguments.labels:
        labelled = list(labels_of(file).items())[: arguments.films]
        films = {
            path.name: film(path, labels, tolerance_seconds=arguments.tolerance, repeats=arguments.repeats)
            for path, labels in labelled
        }
        name = f"{file.resolve().parent.name}/{file.name}"
        results[name] = {"overall": overall(films.values(), start), "films": films}
        print(name, json.dumps(rounded(results[name]["overall"]), indent=1), flush=True)
    content = {"tolerance_seconds": arguments.tolerance, "scenedetect_start_up": start, "results": results}
    write_result(arguments.output, "benchmarks.scenes", rounded(content, 4))


if __name__ == "__main__":
    main()
