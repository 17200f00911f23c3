"""Protocols of encoders and their preprocessing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.types import Frame

__all__ = ["Encoder", "OpenEncoder", "Preprocessing"]


class Preprocessing(Protocol):
    """Prepares a frame for a model's image tower; the model itself normalises the pixels, on its device."""

    @property
    def image_height(self) -> int:
        """Pixels down of the tower's input."""

    @property
    def image_width(self) -> int:
        """Pixels across of the tower's input."""

    def __call__(self, frame: Frame) -> npt.NDArray[np.uint8]:
        """Resize and crop as the model's own transform does: uint8 (image_height, image_width, 3) RGB."""


class OpenEncoder(Protocol):
    """A model whose weights are loaded."""

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""

    @property
    def device(self) -> str:
        """Where it runs, as "cpu" or "cuda:0"."""

    @property
    def precision(self) -> str:
        """Number format it computes in: "fp32", "bf16" or "fp16"."""

    @property
    def logit_scale(self) -> float:
        """Factor of cosines in the model's softmax or sigmoid; 100 for most CLIP models."""

    @property
    def logit_bias(self) -> float | None:
        """Bias that a sigmoid-trained model (SigLIP, arXiv:2303.15343) adds to the scaled cosine.

        The sum is the log-odds that text and picture belong together. None for a model that was trained with a softmax
        (CLIP, arXiv:2103.00020): its cosines compare pictures and say nothing by themselves.
        """

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed preprocessed images: uint8 (N, H, W, 3) RGB in, float32 (N, D) of unit length out."""

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts, prompts applied and averaged: float32 (N, D) of unit length, a row a text.

        Raises:
            TextTooLongError: A text does not fit the context and the configuration says to refuse it.
        """

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that the model does not know, as written; none without a vocabulary."""


class Encoder(Protocol):
    """A configured model: cheap to construct and to pickle; nothing is loaded before `open`."""

    @property
    def fingerprint(self) -> str:
        """Identity of the embedding space: model and weights; two encoders with the same one are comparable."""

    @property
    def description(self) -> str:
        """The model for people, as "ViT-B-32 (laion2b_s34b_b79k)"."""

    def preprocessing(self) -> Preprocessing:
        """The model's preprocessing, picklable, made without its weights."""

    def open(self) -> OpenEncoder:
        """Load the weights.

        Raises:
            WeightsUnavailableError: They are out of reach or broken; the message names the ways out.
        """
