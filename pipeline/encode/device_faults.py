"""Faults and loss of a GPU within one process: smaller batches when out of memory, an error if it is lost."""

from __future__ import annotations

import gc
import logging
import re
import sys
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.encode.protocol import OpenEncoder

__all__ = ["RecoveringEncoder", "fault_of"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

# torch raises most of these as RuntimeError. After any of them except out of memory, CUDA is unusable in the process.
_MEMORY = re.compile(
    r"(CUDA|HIP)( error:)? out of memory|CU(BLAS|DNN)_STATUS_ALLOC_FAILED|DefaultCPUAllocator: (can't|not enough)"
)
_DEVICE = re.compile(r"(CUDA|HIP) error:|(cuda|CUDA) (driver )?error|CU(BLAS|DNN)_STATUS_(?!NOT_SUPPORTED)\w+")


def fault_of(error: BaseException) -> Literal["memory", "device"] | None:
    """Classify an exception: "memory" for out of memory, "device" for an unusable device, else None.

    The causes of the exception (`__cause__`) are examined, too.
    """
    cause: BaseException | None = error
    while cause is not None:
        found = _own_fault(cause)
        if found is not None:
            return found
        cause = cause.__cause__
    return None


def _own_fault(error: BaseException) -> Literal["memory", "device"] | None:
    torch = sys.modules.get("torch")
    message = str(error)
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return "memory"
    if not isinstance(error, RuntimeError):
        return None
    if _MEMORY.search(message):
        return "memory"
    is_accelerator = torch is not None and isinstance(error, getattr(torch, "AcceleratorError", ()))
    return "device" if is_accelerator or _DEVICE.search(message) else None


class RecoveringEncoder:
    """An `OpenEncoder` that shrinks its batches when out of memory and records when the device becomes unusable.

    Once a batch had to be halved, later batches have that size from the start. Embeddings do not change.

    Args:
        model: The model that computes the embeddings.

    Attributes:
        fault: The error after which this process can no longer encode: a device fault, or out of memory with a batch of
            one image. None if there was none.
    """

    def __init__(self, model: OpenEncoder) -> None:
        self._model = model
        self._max_images = sys.maxsize
        self.fault: Exception | None = None

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""
        return self._model.dimension

    @property
    def device(self) -> str:
        """Device that the model runs on."""
        return self._model.device

    @property
    def precision(self) -> str:
        """Number format of the model."""
        return self._model.precision

    @property
    def logit_scale(self) -> float:
        """Factor of cosines that the model was trained with."""
        return self._model.logit_scale

    @property
    def logit_bias(self) -> float | None:
        """Bias that a sigmoid-trained model adds to the scaled cosine; None for other models."""
        return self._model.logit_bias

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed preprocessed images, in batches that fit the device's memory.

        Raises:
            Exception: Any exception of the model; after a fault, `fault` again.
        """
        if self.fault is not None:
            raise self.fault
        parts: list[npt.NDArray[np.float32]] = []
        first = 0
        while first < len(images) or not parts:
            batch = images[first : first + self._max_images]
            vectors = self._vectors(batch)
            if vectors is None:
                size = len(batch)
                self._max_images = (size + 1) // 2
                # Not in the exception handler, where the traceback would keep the tensors alive.
                _free_memory()
                _log.warning("out of memory with batches of %d images; using %d from now on", size, self._max_images)
                continue
            parts.append(vectors)
            first += len(batch)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts."""
        return self._model.encode_texts(texts)

    def run(self, task: Callable[[OpenEncoder], T]) -> T:
        """Return the result of a task on the model itself."""
        return task(self._model)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that the model does not know."""
        return self._model.unknown_words(text)

    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32] | None:
        """Embed one batch; None if it must be made smaller because memory is short."""
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
