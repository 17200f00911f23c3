from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.submission.estimate import MEASURED, Measured, Rates, estimate

# Decoding an hour of 100 pixels takes 36 s, encoding its 3600 frames 360 s.
RATES = Rates(pixel_seconds_per_second=10_000, frames_per_second=10, overlap=0.5, model="any", source="a test")
HOUR = Measured(3600.0, 100)


def reckon(videos: int, looked_at: list[Measured], **changes: float):
    return estimate(videos, looked_at, frames_per_second=1.0, rows_per_second=0.5, dimension=4, rates=RATES, **changes)


def test_estimate_takes_the_slower_of_decoding_and_encoding():
    assert reckon(1, [HOUR]).work_seconds == 360 / 0.5
    assert reckon(1, [Measured(3600.0, 10_000)]).work_seconds == 3600 / 0.5


def test_estimate_counts_frames_and_bytes():
    found = reckon(1, [HOUR])
    assert (found.frames, found.store_bytes, found.index_bytes) == (3600, 3600 * (16 + 16), 1800 * (16 + 100))


def test_estimate_counts_videos_that_were_not_looked_at_as_their_average():
    found = reckon(10, [HOUR, Measured(1800.0, 100)])
    assert (found.videos, found.video_seconds, found.frames) == (10, 27_000, 27_000)


def test_estimate_by_a_rate_of_the_users_own():
    assert reckon(2, [HOUR], real_time=72.0).work_seconds == 100


def test_estimate_of_nothing_is_nothing():
    found = reckon(0, [])
    assert (found.video_seconds, found.work_seconds, found.store_bytes) == (0, 0, 0)


def test_measured_rates_give_back_the_benchmark_that_they_are_of():
    results = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "results" / "pipeline.json"
    clip = json.loads(results.read_text())["results"]["one-by-one-person-detection.mp4"]
    found = estimate(
        1,
        [Measured(clip["duration_seconds"], 768 * 432)],
        frames_per_second=1.0,
        rows_per_second=0.5,
        dimension=512,
        rates=MEASURED,
    )
    assert found.work_seconds == pytest.approx(clip["median_seconds"]["fixed_rate"], rel=0.02)
    assert MEASURED.frames_per_second == pytest.approx(140 / clip["median_seconds"]["encode_alone"])
