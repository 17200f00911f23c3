"""Segments: intervals of video that are indexed, each with one embedding."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.segment.aggregation import MaxPooling, MeanPooling, Medoid, segment_key, segment_vectors
from pipeline.segment.protocol import Aggregator, Segmenter
from pipeline.segment.shots import Shots
from pipeline.segment.windows import FixedWindows, Scales

__all__ = [
    "AggregationSettings",
    "Aggregator",
    "FixedWindows",
    "MaxPooling",
    "MeanPooling",
    "Medoid",
    "Scales",
    "SegmentationSettings",
    "Segmenter",
    "Shots",
    "segment_key",
    "segment_vectors",
]

SegmentationSettings = Annotated[FixedWindows | Scales | Shots, Field(discriminator="strategy")]
AggregationSettings = Annotated[MeanPooling | MaxPooling | Medoid, Field(discriminator="strategy")]
