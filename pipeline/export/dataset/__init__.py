"""Export of frames with texts as training data in the WebDataset format that open_clip's trainer reads."""

from __future__ import annotations

from pipeline.export.dataset.frame_selection import PickedFrame, TextInterval, pick_frames
from pipeline.export.dataset.settings import DatasetSettings
from pipeline.export.dataset.shards import DatasetWriter, Sample, Split, jpeg_of, split_of

__all__ = [
    "DatasetSettings",
    "DatasetWriter",
    "PickedFrame",
    "Sample",
    "Split",
    "TextInterval",
    "jpeg_of",
    "pick_frames",
    "split_of",
]
