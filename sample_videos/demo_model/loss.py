"""open_clip's sigmoid loss, told the whole truth of a batch."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.loss import SigLipLoss

__all__ = ["TruthLoss"]


class TruthLoss(SigLipLoss):  # type: ignore[misc]  # open_clip ships no types
    """The pairwise sigmoid loss (SigLIP, arXiv 2303.15343) with a truth known for every pair of picture and sentence.

    Where a web-crawled batch must take every sentence but a picture's own as false, the sample world knows which
    sentences hold of which pictures: 1 and -1 say so, and 0 (cannot be said) has no gradient.
    """

    def __init__(self) -> None:
        super().__init__()
        self._truth = torch.empty(0)

    def tell(self, truth: torch.Tensor) -> None:
        """Set the truth of the next batch: float (pictures, sentences) of 1, -1 and 0."""
        self._truth = truth

    def get_ground_truth(
        self, device: torch.device, dtype: torch.dtype, num_logits: int, negative_only: bool = False
    ) -> torch.Tensor:
        """The truth that was told, in place of the diagonal."""
        if negative_only or self._truth.shape[0] != num_logits:
            raise ValueError(f"truth of {tuple(self._truth.shape)} told for {num_logits} pictures on one device")
        return self._truth.to(device=device, dtype=dtype)

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Mean over the pictures of the summed losses of their pairs."""
        loss: torch.Tensor = super().forward(*args, **kwargs)
        return loss
