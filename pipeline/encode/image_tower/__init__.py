"""The image tower on a processor."""

from __future__ import annotations

from pipeline.encode.image_tower.packed_weights import pack_weights

__all__ = ["pack_weights"]
