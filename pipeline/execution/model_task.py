"""A task on the loaded model at the end of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.encode.protocol import OpenEncoder

__all__ = ["ModelTask"]


@dataclass(frozen=True, kw_only=True)
class ModelTask:
    """A task on the loaded model, done once after a batch in which frames were encoded; the model is not loaded again.

    Attributes:
        work: Runs in the encoder's process, and pickles, as does what it returns. Errors are returned as values.
        take: Gets the result in this process.
    """

    work: Callable[[OpenEncoder], Any]
    take: Callable[[Any], None]
