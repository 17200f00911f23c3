"""Fusion of layers that a network needs only for training."""

from __future__ import annotations

from typing import Any

__all__ = ["fused"]


def fused(network: Any) -> Any:
    """Merge the parallel branches of an image tower into single convolutions, in place.

    MobileCLIP's towers are trained with parallel branches (MobileOne, arXiv:2206.04040, section 3.2) whose sum is
    equivalent to one convolution, and their checkpoints contain the branches. The merged network is faster and gives
    the same embeddings up to rounding. Other networks are not changed.

    Args:
        network: open_clip's model with its weights, in fp32.

    Returns:
        The same model.
    """
    if any(hasattr(module, "reparameterize") for module in network.visual.modules()):
        from timm.utils import reparameterize_model

        network.visual = reparameterize_model(network.visual, inplace=True)
    return network
