"""Does `momentseek unusual` find what was planted? Hours of a fixed camera with five planted events each.

    python -m benchmarks.unusual [--seeds 9401 9402 9403] [--output benchmarks/results/unusual.json]

The camera, what usually happens and what is planted are those of `benchmarks.watched_hours`: an hour in which nothing
else happens, and one in which people come and go, for each seed. Frames are sampled once a second and embedded by the
demo model. An event is found if a moment that is listed among the first ten overlaps it; `rank` is the place of the
last of the five. Constants of `pipeline.analyze.unusual` were chosen on seeds 711 to 713.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.setting import rounded, write_result
from benchmarks.watched_hours import Usual, WatchedHour, embed_hour, write_hour
from pipeline.encode import OpenEncoder, make_encoder
from pipeline.library import Library
from pipeline.library.analysis.unusual import find_unusual
from pipeline.run_config import RunConfig, load_run_config
from pipeline.types import FrameEmbeddings, Status, VideoInfo, VideoRecord

__all__ = ["main", "score_hour"]

LISTED = 10


def score_hour(library: Library, hour: WatchedHour) -> dict[str, Any]:
    """Score the first moments of a library that holds one hour."""
    moments = [found.moment for found in find_unusual(library, top=LISTED).moments]
    ranks = []
    for start, end in hour.planted:
        hits = [n for n, one in enumerate(moments, 1) if one.start_seconds < end and one.end_seconds > start]
        ranks.append(hits[0] if hits else None)
    best = [one for one in ranks if one is not None]
    edges = [
        (abs(moments[rank - 1].start_seconds - start), abs(moments[rank - 1].end_seconds - end))
        for rank, (start, end) in zip(ranks, hour.planted, strict=True)
        if rank is not None
    ]
    return {
        "events": list(hour.kinds),
        "ranks": ranks,
        "found": len(best),
        "rank": max(best, default=None),
        "median_edge_error_seconds": float(np.median(edges)) if edges else None,
    }


def _library(folder: str, config: RunConfig, frames: FrameEmbeddings) -> Library:
    library = Library(config.model_copy(update={"library": folder}))
    info = VideoInfo(
        uri="hour.mp4",
        container="mp4",
        codec="h264",
        width=448,
        height=252,
        rotation_degrees=0,
        time_base=frames.time_base,
        start_time=Fraction(0),
        average_rate=None,
        duration_seconds=frames.duration_seconds,
    )
    record = VideoRecord(
        video_id=frames.video_id,
        names=("hour.mp4",),
        status=Status.DONE,
        info=info,
        duration_seconds=frames.duration_seconds,
        covered_seconds=frames.duration_seconds,
        frame_count=len(frames),
    )
    library.store.write(record, frames)
    return library


def _scored(seed: int, usual: Usual, config: RunConfig, model: OpenEncoder, size: tuple[int, int]) -> dict[str, Any]:
    hour = write_hour(seed, usual)
    frames = embed_hour(hour, model, size)
    with tempfile.TemporaryDirectory() as folder, _library(folder, config, frames) as library:
        return {"seed": seed, "usual": usual, **score_hour(library, hour)}


def main() -> None:
    """Run it and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[9401, 9402, 9403])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/unusual.json"))
    arguments = parser.parse_args()
    config = load_run_config("demo", ["index.backend=memory"])
    encoder = make_encoder(config.encoder)
    preprocessing, model = encoder.preprocessing(), encoder.open()
    size = preprocessing.image_width, preprocessing.image_height
    hours = []
    usuals: tuple[Usual, ...] = ("nothing", "people")
    for seed in arguments.seeds:
        for usual in usuals:
            hours.append(rounded(_scored(seed, usual, config, model, size)))
            print(json.dumps(hours[-1]), flush=True)
    planted = sum(len(hour["events"]) for hour in hours)
    totals = {"planted": planted, "found_among_first_ten": sum(hour["found"] for hour in hours)}
    write_result(arguments.output, "benchmarks.unusual", {"totals": totals, "hours": hours})


if __name__ == "__main__":
    main()
