"""Pictures and text to embeddings.

torch and open_clip are imported when a model is opened, not with this package.
"""

from __future__ import annotations

from pipeline.encode.open_clip_encoder import OpenClipEncoder
from pipeline.encode.preprocess import ClipPreprocessing
from pipeline.encode.protocol import Encoder, OpenEncoder, Preprocessing
from pipeline.encode.settings import Encoding

__all__ = ["ClipPreprocessing", "Encoder", "Encoding", "OpenClipEncoder", "OpenEncoder", "Preprocessing"]
