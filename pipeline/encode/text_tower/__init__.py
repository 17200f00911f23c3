"""Exports a model's text tower to ONNX, and runs it without torch, open_clip or the model's weights."""

from __future__ import annotations

from pipeline.encode.text_tower.tower import TextTower
from pipeline.encode.text_tower.tower_file import MAX_DESCRIPTION_BYTES, TextTowerFile

__all__ = ["MAX_DESCRIPTION_BYTES", "TextTower", "TextTowerFile"]
