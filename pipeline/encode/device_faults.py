"""Faults of a GPU within one process: smaller batches after running out of memory, an error where it is broken."""

from __future__ import annotations

import gc
import logging
import re
import sys
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.encode.protocol import OpenEncoder

__all__ = ["RecoveringEncoder", "fault_of"]

_log = logging.getLogger(__name__)

# What torch says is a RuntimeError for most of these; after all but out of memory, CUDA is unusable in the process.
_MEMORY = re.compile(
    r"(CUDA|HIP)( error:)? out of memory|CU(BLAS|DNN)_STATUS_ALLOC_FAILED|DefaultCPUAllocator: (can't|not enough)"
)
_DEVICE = re.compile(r"(CUDA|HIP) error:|(cuda|CUDA) (driver )?error|CU(BLAS|DNN)_STATUS_(?!NOT_SUPPORTED)\w+")


def fault_of(error: BaseException) -> Literal["memory", "device"] | None:
    """Classify an exception: "memory" for out of memory, "device" for an unusable device, else None.

    An exception that was raised from another one is that one.
    """
    seen: BaseException | None = error
    while seen is not None:
        found = _own_fault(seen)
        if found is not None:
            return found
        seen = seen.__cause__
    return None


def _own_fault(error: BaseException) -> Literal["memory", "device"] | None:
    torch = sys.modules.get("torch")
    said = str(error)
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return "memory"
    if not isinstance(error, RuntimeError):
        return None
    if _MEMORY.search(said):
        return "memory"
    is_accelerator = torch is not None and isinstance(error, getattr(torch, "AcceleratorError", ()))
    return "device" if is_accelerator or _DEVICE.search(said) else None


class RecoveringEncoder:
    """An `OpenEncoder` that shrinks its batches when out of memory and notes an unusable device.

    Once a batch had to be halved, later ones are as small from the start. What comes out is the same.

    Args:
        model: Does the work.

    Attributes:
        fault: The error after which this process can encode no more: of the device, or no memory for a single image.
    """

    def __init__(self, model: OpenEncoder) -> None:
        self._model = model
        self._most_images = sys.maxsize
        self.fault: Exception | None = None

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""
        return self._model.dimension

    @property
    def device(self) -> str:
        """Where it runs."""
        return self._model.device

    @property
    def precision(self) -> str:
        """Number format it computes in."""
        return self._model.precision

    @property
    def logit_scale(self) -> float:
        """By what the model was trained to multiply cosines."""
        return self._model.logit_scale

    @property
    def logit_bias(self) -> float | None:
        """What a sigmoid-trained model adds to the scaled cosine; None for others."""
        return self._model.logit_bias

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed preprocessed images, in batches that fit the device's memory.

        Raises:
            Exception: What the model raises; `fault` again once there is one.
        """
        if self.fault is not None:
            raise self.fault
        parts: list[npt.NDArray[np.float32]] = []
        first = 0
        while first < len(images) or not parts:
            some = images[first : first + self._most_images]
            vectors = self._vectors(some)
            if vectors is None:
                self._most_images = (len(some) + 1) // 2
                # Out of the handler: what it refers to could not be freed in there.
                _free_memory()
                _log.warning("too little memory for %d images at once; %d from now on", len(some), self._most_images)
                continue
            parts.append(vectors)
            first += len(some)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts."""
        return self._model.encode_texts(texts)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """The words of a text that the model does not know."""
        return self._model.unknown_words(text)

    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32] | None:
        """None where there is too little memory for so many."""
        try:
            return self._model.encode_images(images)
        except Exception as error:
            fault = fault_of(error)
            if fault == "memory" and len(images) > 1:
                return None
            if fault is not None:
                self.fault = error
            raise


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
