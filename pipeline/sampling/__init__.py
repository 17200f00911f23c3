"""Sampling strategies, which choose the frames to encode, and shot detection."""

from __future__ import annotations

from typing import Annotated

from pydantic import Tag

from pipeline.config import PLUGIN_TAG
from pipeline.sampling.composite import Composite
from pipeline.sampling.fixed_rate import FixedRate
from pipeline.sampling.keyframe import Keyframe
from pipeline.sampling.novelty import Novelty
from pipeline.sampling.plugin import PluginSampler, by_strategy
from pipeline.sampling.protocol import FrameSampler, SamplingPass
from pipeline.sampling.scene_change import SceneChange
from pipeline.sampling.shots.detector import CutDetection
from pipeline.sampling.shots.search import ShotList, find_shots
from pipeline.sampling.shots.transitions import Transition

__all__ = [
    "Composite",
    "CutDetection",
    "FixedRate",
    "FrameSampler",
    "Keyframe",
    "Novelty",
    "PluginSampler",
    "SamplingPass",
    "SamplingSettings",
    "SceneChange",
    "ShotList",
    "Transition",
    "find_shots",
]

SamplingSettings = Annotated[
    Annotated[FixedRate, Tag("fixed_rate")]
    | Annotated[Keyframe, Tag("keyframe")]
    | Annotated[SceneChange, Tag("scene_change")]
    | Annotated[Novelty, Tag("novelty")]
    | Annotated[Composite, Tag("composite")]
    | Annotated[PluginSampler, Tag(PLUGIN_TAG)],
    by_strategy(FixedRate, Keyframe, SceneChange, Novelty, Composite),
]
"""Settings of any strategy, including those from other packages, distinguished by `strategy`."""
