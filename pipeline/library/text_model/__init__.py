"""Embeds query texts without loading the model: with the library's exported text tower, or from a cache."""

from __future__ import annotations

from pipeline.library.text_model.encoder import LibraryEncoder
from pipeline.library.text_model.model import TextTowerExport, open_model, prepare_text_tower

__all__ = ["LibraryEncoder", "TextTowerExport", "open_model", "prepare_text_tower"]
