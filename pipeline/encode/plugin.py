"""Encoders from other packages, and their validation."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Discriminator, Field, Tag

from pipeline.config import PLUGIN_TAG, Settings
from pipeline.encode.protocol import Encoder, OpenEncoder, Preprocessing
from pipeline.encode.settings import Encoding
from pipeline.errors import EncoderError
from pipeline.fingerprints import fingerprint
from pipeline.plugins import Plugin, Seam, missing_members

__all__ = ["ENCODERS", "EncoderSettings", "PluginEncoder", "encoder_faults"]

_MEMBERS = ("fingerprint", "description", "preprocessing", "open")
_OPEN_MEMBERS = (
    "dimension",
    "device",
    "precision",
    "logit_scale",
    "logit_bias",
    "encode_images",
    "encode_texts",
    "unknown_words",
)
_UNIT_TOLERANCE = 1e-3


def encoder_faults(encoder: Encoder) -> Iterator[str]:
    """Check an encoder without its weights.

    Yields:
        A description of each fault.
    """
    missing = missing_members(encoder, _MEMBERS)
    if missing:
        yield f"it lacks {', '.join(missing)}"
        return
    for name in ("fingerprint", "description"):
        text = getattr(encoder, name)
        if not isinstance(text, str) or not text:
            yield f"`{name}` is {text!r}, not a text"
    preprocessing = encoder.preprocessing()
    missing = missing_members(preprocessing, ("image_height", "image_width"))
    if not callable(preprocessing):
        missing.append("__call__")
    if missing:
        yield f"its preprocessing lacks {', '.join(missing)}"
        return
    for name in ("image_height", "image_width"):
        size = getattr(preprocessing, name)
        if not isinstance(size, int) or size < 1:
            yield f"`{name}` of its preprocessing is {size!r}, not a number of pixels"
    pickle.dumps(preprocessing)


ENCODERS = Seam(
    kind="encoder",
    section="encoder",
    field="class",
    group="momentseek.encoders",
    members=_MEMBERS,
    check=encoder_faults,
)


class PluginEncoder(Plugin):
    """An `Encoder` from another package; its settings are given beside `class`."""

    seam: ClassVar[Seam] = ENCODERS

    class_name: str = Field(alias="class", json_schema_extra={"not": {"const": "open_clip"}})
    """Import path of the class, as "my_package:MyEncoder", or name of an entry point."""

    @property
    def reference(self) -> str:
        """The import path or entry point that names the class."""
        return self.class_name

    @property
    def fingerprint(self) -> str:
        """Identity of the embedding space: class, version, settings, and the encoder's own fingerprint."""
        return fingerprint({**self.identity, "fingerprint": self.loaded().fingerprint})

    @property
    def description(self) -> str:
        """The encoder's own description, with its class and version."""
        return f"{self.loaded().description} ({self.class_path}, {self.version})"

    def preprocessing(self) -> Preprocessing:
        """The encoder's preprocessing."""
        preprocessing: Preprocessing = self.loaded().preprocessing()
        return preprocessing

    def open(self) -> OpenEncoder:
        """Load the weights, and check the model with one black image.

        Raises:
            EncoderError: The model lacks members, or returns invalid embeddings.
        """
        model: OpenEncoder = self.loaded().open()
        faults = list(_open_faults(model, self.preprocessing()))
        if faults:
            raise EncoderError(f"encoder.class: {self.reference!r}: the model that `open` returns {'; '.join(faults)}")
        return model


def _open_faults(model: OpenEncoder, preprocessing: Preprocessing) -> Iterator[str]:
    missing = missing_members(model, _OPEN_MEMBERS)
    if missing:
        yield f"lacks {', '.join(missing)}"
        return
    picture = np.zeros((1, preprocessing.image_height, preprocessing.image_width, 3), np.uint8)
    vectors: Any = model.encode_images(picture)
    if getattr(vectors, "dtype", None) != np.float32 or vectors.shape != (1, model.dimension):
        found = f"{getattr(vectors, 'dtype', type(vectors).__name__)} {getattr(vectors, 'shape', '')}".strip()
        yield f"gives {found} for one picture, not float32 (1, {model.dimension})"
    elif not abs(float(np.linalg.norm(vectors)) - 1) < _UNIT_TOLERANCE:
        yield f"gives embeddings of length {float(np.linalg.norm(vectors)):.3g}, not 1"


def _kind(value: object) -> str:
    if isinstance(value, Settings):
        return "open_clip" if type(value) is Encoding else PLUGIN_TAG
    named = value.get("class", "open_clip") if isinstance(value, dict) else "open_clip"
    return "open_clip" if named == "open_clip" else PLUGIN_TAG


EncoderSettings = Annotated[
    Annotated[Encoding, Tag("open_clip")] | Annotated[PluginEncoder, Tag(PLUGIN_TAG)], Discriminator(_kind)
]
"""Settings of open_clip's models or of an encoder from another package, distinguished by `class`."""
