"""Choosing the frames that are worth encoding."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.sampling.composite import Composite
from pipeline.sampling.cuts import CutDetection
from pipeline.sampling.fixed_rate import FixedRate
from pipeline.sampling.keyframe import Keyframe
from pipeline.sampling.novelty import Novelty
from pipeline.sampling.protocol import FrameSampler, SamplingPass
from pipeline.sampling.scene_change import SceneChange
from pipeline.sampling.shot_search import Shots, find_shots
from pipeline.sampling.transitions import Transition

__all__ = [
    "Composite",
    "CutDetection",
    "FixedRate",
    "FrameSampler",
    "Keyframe",
    "Novelty",
    "SamplingPass",
    "SamplingSettings",
    "SceneChange",
    "Shots",
    "Transition",
    "find_shots",
]

SamplingSettings = Annotated[FixedRate | Keyframe | SceneChange | Novelty | Composite, Field(discriminator="strategy")]
"""Any of the strategies, told apart by `strategy`."""
