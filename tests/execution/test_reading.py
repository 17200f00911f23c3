from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.execution.reading import Reading, sampled_batches
from pipeline.execution.video_work import FrameBatch, VideoEnd
from pipeline.sampling import CutDetection, FixedRate, SceneChange
from pipeline.types import Frame
from pipeline.video import Decoding, make_decoder

SAMPLES = Path(__file__).resolve().parents[2] / "sample_videos"


@dataclass(frozen=True)
class Tiny:
    """A preprocessing to 8 x 8 pixels."""

    image_width: int = 8
    image_height: int = 8

    def __call__(self, frame: Frame) -> npt.NDArray[np.uint8]:
        return frame.rgb(8, 8)


def read(sampler: FixedRate | SceneChange) -> tuple[list[float], VideoEnd]:
    """Times of the sampled frames of a film, and its end."""
    reading = Reading(decoder=make_decoder(Decoding()), sampler=sampler, preprocessing=Tiny(), batch_frames=16)
    *batches, end = sampled_batches(reading, str(SAMPLES / "concrete-evening.mkv"))
    assert isinstance(end, VideoEnd)
    return [time for batch in batches if isinstance(batch, FrameBatch) for time in batch.times.times_seconds], end


def test_cuts_are_searched_for_beside_the_frames_of_a_grid() -> None:
    labels = json.loads((SAMPLES / "cuts.json").read_text())["concrete-evening"]["cuts"]
    times, end = read(FixedRate(fps=2.0, cuts=CutDetection()))
    times_without, end_without = read(FixedRate(fps=2.0))
    assert end.cuts_seconds == pytest.approx(labels, abs=0.05)
    assert (times, end_without.cuts_seconds) == (times_without, None)
    assert (end.duration_seconds, end.damage) == (end_without.duration_seconds, ())
    assert end.frames_seen == end_without.frames_seen
    assert end.frames_decoded > end_without.frames_decoded
    assert end.cuts_seconds == read(SceneChange())[1].cuts_seconds
