"""What is shown of each benchmark's result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["CHARTS", "Bar", "Chart", "Panel", "Point", "Result"]

# The goal of keyframe sampling is meant for long films.
_LONG_SECONDS = 600

Result = dict[str, Any]


@dataclass(frozen=True)
class Bar:
    """A labelled value.

    Attributes:
        label: What it is of.
        value: Its length.
        is_ours: Whether it is this project's, and not what it is compared with.
        goal: What is aimed at.
    """

    label: str
    value: float
    is_ours: bool = True
    goal: float | None = None


@dataclass(frozen=True)
class Point:
    """What a setting finds, and what that costs.

    Attributes:
        label: The setting.
        cost: On the axis from left to right, in powers of ten.
        value: On the axis upwards.
        is_default: Whether it is the one that comes along.
    """

    label: str
    cost: float
    value: float
    is_default: bool


@dataclass(frozen=True)
class Panel:
    """Bars of one measure, how it went while something else grew, or what settings trade for what.

    Attributes:
        title: What is shown, and for what.
        good: Which way is better, in words.
        bars: From top to bottom.
        form: How a value is written.
        curve: In place of bars, points from left to right.
        trades: In place of bars, a line a kind, through what its settings find and cost.
    """

    title: str
    good: str
    bars: tuple[Bar, ...] = ()
    form: str = "{:.2f}"
    curve: tuple[tuple[float, float], ...] = ()
    trades: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Chart:
    """Everything in one picture; with one scale, bars of all panels can be compared."""

    title: str
    panels: tuple[Panel, ...]
    has_one_scale: bool = False


def pipeline_chart(result: Result) -> Chart:
    """Times faster than the plain loop, a panel a video."""
    named = {
        "fixed_rate": "fixed rate, exact",
        "fixed_rate_tolerant": "fixed rate, within half a second",
        "keyframe": "keyframes",
        "clip_video_encode": "clip-video-encode",
    }
    panels = []
    for video, found in result["results"].items():
        faster = found["times_faster_than_plain_loop"]
        goals = {"fixed_rate": 3.0, "fixed_rate_tolerant": 4.0}
        if found["duration_seconds"] > _LONG_SECONDS:
            goals["keyframe"] = 8.0
        bars = [
            Bar(named[name], faster[name], name != "clip_video_encode", goals.get(name))
            for name in named
            if name in faster
        ]
        bars.append(Bar("plain loop", 1.0, is_ours=False))
        panels.append(Panel(video, "times faster than the plain loop; longer is better", tuple(bars), "{:.2f}x"))
    return Chart(f"From file to stored embeddings ({result['precision']})", tuple(panels))


def decode_chart(result: Result) -> Chart:
    """Processor seconds for an hour of video, a panel a backend."""
    named = {
        "plain_decoding": "all frames, none scaled",
        "every_frame": "every frame",
        "scene_change": "scene change",
        "composite": "composite",
        "fixed_rate_with_cuts": "fixed rate, 1/s, and cuts",
        "fixed_rate": "fixed rate, 1/s, exact",
        "novelty": "novelty",
        "fixed_rate_tolerant": "fixed rate, 1/s, within 0.5 s",
        "keyframe": "keyframes",
    }
    backends = {"pyav": "PyAV", "decord": "decord", "opencv": "OpenCV"}
    panels = tuple(
        Panel(
            backends[backend],
            "processor seconds an hour of video, shorter is better",
            tuple(
                Bar(named[name], found[name]["cpu_seconds_per_hour"], name != "plain_decoding")
                for name in named
                if name in found
            ),
            form="{:.1f} s",
        )
        for backend, found in result["overall"].items()
    )
    return Chart("Decoding, sampling and scaling", panels, has_one_scale=True)


def scenes_chart(result: Result) -> Chart:
    """F1 and speed, two panels a set of films."""
    panels = []
    for labels, found in result["results"].items():
        figures, where = found["overall"], Path(labels).parent.name or labels
        names = {"ours": "momentseek", "scenedetect": "PySceneDetect"}
        quality = [
            Bar(f"{names[name]}, {what}", figures[key][name], name == "ours")
            for key, what in (("f1", "all"), ("hard_cuts_f1", "hard cuts"))
            for name in names
        ]
        wall = figures["wall"]
        speed = [
            Bar("than PySceneDetect", wall["times_faster_than_scenedetect"], goal=3.0),
            Bar("than PySceneDetect less its start-up", wall["times_faster_than_scenedetect_without_start_up"]),
            Bar("than plain decoding", wall["speed_over_decoding"], goal=0.9),
        ]
        panels.append(Panel(f"{where}: F1", "longer is better", tuple(quality), form="{:.3f}"))
        panels.append(Panel(f"{where}: times faster", "longer is better", tuple(speed), "{:.2f}x"))
    return Chart("Finding cuts", tuple(panels))


def encode_chart(result: Result) -> Chart:
    """The share of the matrix rate, and images a second."""
    shares, rates = [], []
    for tower, formats in result["results"].items():
        for precision, found in formats.items():
            shares.append(Bar(f"{tower}, {precision}", found["share_of_matmul_rate"], goal=0.8))
            rates.append(Bar(f"{tower}, {precision}", found["median_images_per_second"]))
    share = Panel("Share of the machine's matrix-product rate", "longer is better", tuple(shares))
    return Chart(
        f"Encoding on {result['hardware']['name']}",
        (share, Panel("Images a second", "longer is better", tuple(rates), form="{:,.0f}")),
    )


def memory_chart(result: Result) -> Chart:
    """Ratios of peaks, and the peaks."""
    extent, found = result["extent"], result["results"]
    minutes = extent["base_seconds"] // 60
    long = f"{minutes * extent['times_longer'] / 60:g} h"
    cases = {
        "fixed_rate_short": f"fixed rate, {minutes} min",
        "fixed_rate_long": f"fixed rate, {long}",
        "keyframe_short": f"keyframes, {minutes} min",
        "keyframe_long": f"keyframes, {long}",
        "batch_small": f"{extent['few']:,} short videos",
        "batch_large": f"{extent['many']:,} short videos",
        "1080p": "1920 x 1080",
        "8k": "7680 x 4320",
    }
    pairs = {
        "fixed_rate_long_over_short": f"fixed rate, {long} : {minutes} min",
        "keyframe_long_over_short": f"keyframes, {long} : {minutes} min",
        "batch_large_over_small": f"batch, {extent['many']:,} : {extent['few']:,} videos",
    }
    ratios = tuple(Bar(label, found["ratios"][name], goal=1.1) for name, label in pairs.items())
    peaks = tuple(Bar(label, found["median_peak_mib"][name]) for name, label in cases.items())
    return Chart(
        "Memory of indexing",
        (
            Panel("Peak against peak", "shorter is better", ratios, "{:.3f}"),
            Panel("Peak of resident memory", "shorter is better", peaks, form="{:,.0f} MiB"),
        ),
    )


def executors_chart(result: Result) -> Chart:
    """Seconds of each way, a panel a batch."""
    named = {
        "tasks_and_actors": "tasks and actors (momentseek)",
        "ray_data": "Ray Data",
        "ray_data_fused": "Ray Data, stages fused",
    }
    panels = tuple(
        Panel(
            batch.replace("_", " "),
            "seconds, shorter is better",
            tuple(Bar(named[name], found["median_seconds"][name], name == "tasks_and_actors") for name in named),
            form="{:.1f} s",
        )
        for batch, found in result["results"].items()
    )
    return Chart("A batch through Ray", panels)


def sampling_chart(result: Result) -> Chart:
    """Recall and cost of each strategy, two panels a folder of films."""
    panels = []
    for folder, of_folder in result["results"].items():
        names = [(name, name.replace("_", " ")) for name in of_folder]
        recalls = tuple(Bar(label, of_folder[name]["MR-full-R1@0.7"]) for name, label in names)
        frames = tuple(Bar(label, of_folder[name]["encoded"] / of_folder[name]["hours"]) for name, label in names)
        panels.append(Panel(f"{folder}: R1@0.7", "per cent, longer is better", recalls, "{:.1f}"))
        panels.append(Panel(f"{folder}: frames encoded for an hour", "shorter is better", frames, "{:,.0f}"))
    return Chart("What a sampling finds, and what it costs", tuple(panels))


def scaling_chart(result: Result) -> Chart:
    """Throughput with one reader and with two."""
    rates = result["median_steady_rate"]
    bars = tuple(Bar(f"{name.rpartition('_')[2]} at once", rate) for name, rate in rates.items())
    faster = (
        Bar("two readers against one", result["times_faster_with_two_readers"], goal=1.8),
        Bar("with the start of workers and model", result["times_faster_with_start"]),
        Bar("two processes that decode and no more", result["machine_times_faster"], False),
    )
    length = f"{result['pieces']} videos, {result['video_seconds'] / 60:.0f} minutes in all"
    panels = (
        Panel(length, "times real time, longer is better", bars, "{:.0f}x"),
        Panel("", "longer is better", faster, "{:.2f}x"),
    )
    return Chart("Videos read at once", panels)


def simulation_chart(result: Result) -> Chart:
    """What a video took, and what the driver held, while the batch went on."""
    measures = {
        "ms_a_video": ("milliseconds a video", "{:.1f} ms"),
        "driver_mib": ("memory of the driver", "{:,.0f} MiB"),
        "object_store_mib": ("Ray's object store", "{:,.1f} MiB"),
        "most_being_read": ("videos being read, at most", "{:.0f}"),
    }
    panels = [
        Panel(title, "flat is good", form=form, curve=tuple((note["videos"], note[name]) for note in result["notes"]))
        for name, (title, form) in measures.items()
    ]
    return Chart(f"{result['work']['videos']:,} videos in one batch", tuple(panels))


def recall_chart(result: Result) -> Chart:
    """What approximate search finds, and what a question costs, a panel a number of rows."""
    panels = []
    for size, found in result["results"].items():
        trades: dict[str, tuple[Point, ...]] = {}
        for note in found["indexes"]:
            if "refused" not in note:
                point = Point(_effort(note), note["median_ms"], note["recall_at_10"], note["is_default"])
                trades[note["index"]] = (*trades.get(note["index"], ()), point)
        good = "upwards: recall at 10; to the right: milliseconds a question"
        panels.append(Panel(f"{int(size):,} rows", good, form="{:.3f}", trades=trades))
    return Chart("What an approximate search finds, and how long it takes", tuple(panels))


def _effort(note: Result) -> str:
    """The parameter of an index's effort."""
    efforts = ("ef_search", "nprobe", "search_list")
    return ", ".join(f"{name} {note['parameters'][name]}" for name in efforts if name in note["parameters"])


def experiments_chart(result: Result) -> Chart:
    """Many samplings together, and the dearest of them alone; a panel a model, and one for all."""
    panels = []
    for model, found in result["results"].items():
        bars = (
            Bar(f"{found['samplings']} samplings together", found["median_seconds"]["together"]),
            Bar(f"the dearest alone ({found['dearest']})", found["median_seconds"]["dearest_alone"], False),
            Bar("one after another", sum(found["seconds_each_alone"].values()), False),
        )
        panels.append(Panel(model, "seconds, shorter is better", bars, "{:.1f} s"))
    ratios = tuple(Bar(model, found["together_over_dearest"], goal=1.5) for model, found in result["results"].items())
    panels.append(Panel("Together, over the dearest alone", "shorter is better", ratios, "{:.2f}x"))
    return Chart("Embeddings for an experiment", tuple(panels))


def search_chart(result: Result) -> Chart:
    """What each part of a search adds."""
    rows = {name.replace("_", " "): row for name, row in result["results"].items()}

    def bars(measure: str, factor: float = 1.0, goal: float | None = None) -> tuple[Bar, ...]:
        ours = set(rows) - {"segments", "scales", "shots", "truth"}
        return tuple(Bar(name, factor * row[measure], name in ours, goal) for name, row in rows.items())

    found = "per cent of questions, longer is better"
    panels = (
        Panel("First moment right, IoU 0.5 or more", found, bars("MR-full-R1@0.5", goal=85.0), "{:.1f}"),
        Panel("First moment right, IoU 0.7 or more", found, bars("MR-full-R1@0.7", goal=65.0), "{:.1f}"),
        Panel("Start is off by", "shorter is better", bars("MR-full-start-error-seconds", goal=0.5), "{:.2f} s"),
        Panel(
            "Nothing answered where nothing was to be found",
            "per cent, a tenth of the others lost",
            bars("absent_rejected", 100.0, 90.0),
            "{:.1f}",
        ),
    )
    return Chart("What each part of a search adds", panels)


CHARTS: dict[str, Callable[[Result], Chart]] = {
    "pipeline": pipeline_chart,
    "pipeline_peer": pipeline_chart,
    "decode": decode_chart,
    "scenes": scenes_chart,
    "encode": encode_chart,
    "memory": memory_chart,
    "executors": executors_chart,
    "sampling": sampling_chart,
    "scaling": scaling_chart,
    "simulation": simulation_chart,
    "recall": recall_chart,
    "search": search_chart,
    "experiments": experiments_chart,
}
