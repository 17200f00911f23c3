"""Labels of made-up videos, given by their intervals; they fit `LabelSource` and `LabelLookup`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.errors import StoreError
from pipeline.types import FrameEmbeddings, LabelIntervals, VideoRecord

Pairs = Sequence[tuple[float, float]]


@dataclass
class MadeLabels:
    """Intervals by video and label; a video that is not named is not labelled."""

    made: dict[str, Mapping[str, Pairs]]
    videos: tuple[str, ...] = ()
    label_set: str = "site1"
    name: str = "the label set site"
    labels: tuple[str, ...] = ("forklift", "person", "hard hat")
    scored_labels: tuple[str, ...] = ("dust",)
    command: str = "momentseek label site"
    broken: set[str] = field(default_factory=set)

    def intervals(self, frames: FrameEmbeddings) -> LabelIntervals | None:
        return self.of(frames.video_id)

    def intervals_of(self, record: VideoRecord) -> LabelIntervals | None:
        return self.of(record.video_id)

    def of(self, video_id: str) -> LabelIntervals | None:
        if video_id in self.broken:
            raise StoreError(f"{video_id}: the label file is broken")
        if video_id not in self.made:
            return None
        pairs = self.made[video_id].items()
        return LabelIntervals(self.label_set, {name: np.asarray(each, float).reshape(-1, 2) for name, each in pairs})

    def label_sets(self) -> Mapping[str, str]:
        return dict.fromkeys(self.made, self.label_set)

    def labelled(self) -> Sequence[str]:
        return list(self.made)

    def unlabelled(self) -> Sequence[str]:
        return [video_id for video_id in self.videos if video_id not in self.made]
