"""Encoders: embed pictures and texts in one vector space.

torch and open_clip are imported when a model is opened, not with this package.
"""

from __future__ import annotations

import os

from pipeline.encode.open_clip import OpenClipEncoder
from pipeline.encode.plugin import EncoderSettings, PluginEncoder, encoder_faults
from pipeline.encode.preprocess import ClipPreprocessing
from pipeline.encode.protocol import Encoder, OpenEncoder, Preprocessing
from pipeline.encode.settings import Encoding

# OpenMP reads this variable when torch loads it. By default, torch's threads spin while they wait for each other, which
# takes processor time from the decoders: on two processors, a film of 20 minutes took 39 s instead of 30
# (benchmarks.pipeline, medians of five).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = [
    "ClipPreprocessing",
    "Encoder",
    "EncoderSettings",
    "Encoding",
    "OpenClipEncoder",
    "OpenEncoder",
    "PluginEncoder",
    "Preprocessing",
    "encoder_faults",
    "make_encoder",
]


def make_encoder(settings: Encoding | PluginEncoder) -> Encoder:
    """Make the encoder that the settings describe; its weights are loaded on `open`."""
    return settings if isinstance(settings, PluginEncoder) else OpenClipEncoder(settings)
