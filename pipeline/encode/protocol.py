"""Protocols of encoders and their preprocessing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.types import Frame

__all__ = ["Encoder", "OpenEncoder", "Preprocessing"]


class Preprocessing(Protocol):
    """Prepares a frame for a model's image tower; the model itself normalises the pixels on its device."""

    @property
    def image_height(self) -> int:
        """Height of the tower's input in pixels."""

    @property
    def image_width(self) -> int:
        """Width of the tower's input in pixels."""

    def __call__(self, frame: Frame) -> npt.NDArray[np.uint8]:
        """Resize and crop as the model's own transform does: uint8 (image_height, image_width, 3) RGB."""


class OpenEncoder(Protocol):
    """A model with loaded weights."""

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""

    @property
    def device(self) -> str:
        """Device that the model runs on, as "cpu" or "cuda:0"."""

    @property
    def precision(self) -> str:
        """Number format of the model: "fp32", "bf16" or "fp16"."""

    @property
    def logit_scale(self) -> float:
        """Factor of cosines in the model's softmax or sigmoid; 100 for most CLIP models."""

    @property
    def logit_bias(self) -> float | None:
        """Bias that a sigmoid-trained model (SigLIP, arXiv:2303.15343) adds to the scaled cosine.

        The sum is the log-odds that text and picture belong together. None for a model trained with a softmax (CLIP,
        arXiv:2103.00020), whose cosines are only meaningful in comparison with each other.
        """

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed preprocessed images, uint8 (N, H, W, 3) RGB, as float32 (N, D) with rows of unit length."""

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts as float32 (N, D), one row of unit length per text; prompts are applied and averaged.

        Raises:
            TextTooLongError: A text exceeds the context, and the configuration is to reject it.
        """

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that the model does not know, as written; none without a vocabulary."""


class Encoder(Protocol):
    """A configured model: cheap to construct and pickle; nothing is loaded before `open`."""

    @property
    def fingerprint(self) -> str:
        """Identity of the embedding space: embeddings of two encoders with the same fingerprint can be compared."""

    @property
    def description(self) -> str:
        """Readable name of the model, as "ViT-B-32 (laion2b_s34b_b79k)"."""

    def preprocessing(self) -> Preprocessing:
        """Make the model's preprocessing, which can be pickled; the weights are not needed."""

    def open(self) -> OpenEncoder:
        """Load the weights.

        Raises:
            WeightsUnavailableError: The weights are unavailable or broken; the message states remedies.
        """
