"""Choosing the frames that are worth encoding."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.sampling.cuts import CutDetection
from pipeline.sampling.fixed_rate import FixedRate
from pipeline.sampling.keyframe import Keyframe
from pipeline.sampling.protocol import FrameSampler, SamplingPass

__all__ = ["CutDetection", "FixedRate", "FrameSampler", "Keyframe", "SamplingPass", "SamplingSettings"]

SamplingSettings = Annotated[FixedRate | Keyframe, Field(discriminator="strategy")]
"""Any of the strategies, told apart by `strategy`."""
