"""Loading of open_clip networks and tokenizers, with errors that state remedies for broken files."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.encode.architecture import Architecture
from pipeline.encode.settings import Encoding
from pipeline.encode.startup.random_weights import without_random_weights
from pipeline.encode.weights.checkpoint import check_network_size, check_weights_file
from pipeline.encode.weights.location import name_of, unavailable, weights_file
from pipeline.errors import EncoderError

__all__ = ["LOADING_ERRORS", "fused", "loaded_network", "loaded_tokenizer", "refusing_broken"]

# Exceptions of torch, safetensors and open_clip for a file that is truncated, has another format or another model.
LOADING_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)


def loaded_network(settings: Encoding, architecture: Architecture) -> Any:
    """Load a network with its weights in fp32 on the CPU; half-precision weights are converted.

    Raises:
        WeightsUnavailableError: The weights are unavailable, broken, or those of another model.
    """
    import open_clip

    # Absolute, because open_clip would take a relative path equal to one of its tags for the tag.
    path = weights_file(settings).absolute()
    options = {"force_quick_gelu": True} if architecture.quick_gelu else {}
    with refusing_broken(settings, path):
        check_weights_file(path)
        if settings.architecture is not None:
            check_network_size(architecture.name, path)
        with without_random_weights():
            return open_clip.create_model(
                architecture.name, pretrained=str(path), precision="fp32", device="cpu", weights_only=True, **options
            )


@contextmanager
def refusing_broken(settings: Encoding, path: Path) -> Iterator[None]:
    """Convert the errors of a broken weights file to WeightsUnavailableError."""
    from safetensors import SafetensorError

    try:
        yield
    except (pickle.UnpicklingError, EOFError) as error:
        # torch's own message is not shown: it advises unsafe loading, which would run code in the file.
        raise unavailable(settings, f"{str(path)!r} contains more than tensors, or is broken") from error
    except (*LOADING_ERRORS, SafetensorError) as error:
        cause = " ".join(str(error).split())
        cause = cause if len(cause) <= 400 else f"{cause[:400]}..."
        problem = f"{str(path)!r} is broken or belongs to another model ({type(error).__name__}: {cause})"
        raise unavailable(settings, problem) from error


def loaded_tokenizer(settings: Encoding, architecture: Architecture) -> Any:
    """Load a model's tokenizer.

    Raises:
        EncoderError: A package that the tokenizer needs is not installed, or its files are unavailable.
    """
    import open_clip

    try:
        tokenizer = open_clip.get_tokenizer(architecture.name, cache_dir=settings.cache_dir)
    except ImportError as error:
        raise EncoderError(
            f"{name_of(settings)}: its tokenizer needs another package ({error}); run: pip install 'momentseek[siglip]'"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise EncoderError(
            f"{name_of(settings)}: its tokenizer cannot be loaded ({' '.join(str(error).split())}); without a network"
            " connection, fill a cache on another machine, copy it here and set encoder.cache_dir"
        ) from error
    if hasattr(tokenizer, "tokenizer"):
        # A Hugging Face tokenizer. All of open_clip's models were trained with padding on the right, but transformers 5
        # pads Gemma's tokens (SigLIP 2) on the left unless the model's files state the side.
        tokenizer.tokenizer.padding_side = "right"
    return tokenizer


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
