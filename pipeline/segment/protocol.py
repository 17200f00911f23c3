"""Protocols of segmenters, aggregators, and of the labels that segments carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.types import FrameEmbeddings, LabelIntervals, Segment

__all__ = ["Aggregator", "LabelSource", "Segmenter"]


class Segmenter(Protocol):
    """Divides a video into the intervals that are indexed: a frozen, validated configuration."""

    @property
    def needs_cuts(self) -> bool:
        """Whether it can divide only videos whose cuts were detected during sampling."""

    def segments(self, frames: FrameEmbeddings) -> tuple[Segment, ...]:
        """Return segments ordered by start, then by end, with ordinals from 0.

        Each segment contains at least one sampled frame, and every sampled frame is in at least one segment.

        Raises:
            ConfigError: The segmenter needs cuts, and `frames` has none.
        """


class Aggregator(Protocol):
    """Combines several embeddings into one: a frozen, validated configuration."""

    def aggregate(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Aggregate float32 (N, D) unit vectors, N at least 1, into one float32 (D,) of unit length.

        If the rows cancel out, the first row is returned, so the result is never zero or NaN.
        """


class LabelSource(Protocol):
    """Knows where the videos of a library show the labels of its label set."""

    def intervals(self, frames: FrameEmbeddings) -> LabelIntervals | None:
        """The intervals of a video's labels; None where these frames of it are not labelled.

        Raises:
            StoreError: They cannot be read.
        """

    def label_sets(self) -> Mapping[str, str]:
        """The fingerprint of the label set of each labelled video, by video id; read without their intervals.

        Raises:
            StoreError: They cannot be listed.
        """
