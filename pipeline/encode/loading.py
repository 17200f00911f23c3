"""Loading of open_clip networks and tokenizers; broken files are refused with advice."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.encode.architecture import Architecture
from pipeline.encode.checkpoint import check_network_size, check_weights_file
from pipeline.encode.settings import Encoding
from pipeline.encode.weights import name_of, unavailable, weights_file
from pipeline.errors import EncoderError

__all__ = ["LOADING_ERRORS", "loaded_network", "loaded_tokenizer", "refusing_broken"]

# What torch, safetensors and open_clip raise for a file that is cut short, of another kind or of another model.
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
    """Load a network with its weights in fp32 on the CPU; half-precision files are widened.

    Raises:
        WeightsUnavailableError: The weights are out of reach, broken, or another model's.
    """
    import open_clip

    # Absolute, since open_clip takes a name that is one of its tags for that tag.
    path = weights_file(settings).absolute()
    options = {"force_quick_gelu": True} if architecture.quick_gelu else {}
    with refusing_broken(settings, path):
        check_weights_file(path)
        if settings.architecture is not None:
            check_network_size(architecture.name, path)
        return open_clip.create_model(
            architecture.name, pretrained=str(path), precision="fp32", device="cpu", weights_only=True, **options
        )


@contextmanager
def refusing_broken(settings: Encoding, path: Path) -> Iterator[None]:
    """Turn the errors that a broken weights file raises into WeightsUnavailableError."""
    from safetensors import SafetensorError

    try:
        yield
    except (pickle.UnpicklingError, EOFError) as error:
        # torch's own text advises to load it unsafely; that would run whatever code the file holds.
        raise unavailable(settings, f"{str(path)!r} is not a file of tensors alone, or is broken") from error
    except (*LOADING_ERRORS, SafetensorError) as error:
        cause = " ".join(str(error).split())
        cause = cause if len(cause) <= 400 else f"{cause[:400]}..."
        problem = f"{str(path)!r} is broken or of another model ({type(error).__name__}: {cause})"
        raise unavailable(settings, problem) from error


def loaded_tokenizer(settings: Encoding, architecture: Architecture) -> Any:
    """Load a model's tokenizer.

    Raises:
        EncoderError: A package that it needs is not installed, or its files cannot be had.
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
            f"{name_of(settings)}: its tokenizer cannot be loaded ({' '.join(str(error).split())}); where there is no"
            " network, fill a cache elsewhere and set encoder.cache_dir"
        ) from error
    if hasattr(tokenizer, "tokenizer"):
        # Those of Hugging Face. All of open_clip's models were trained with the padding on the right; transformers 5
        # puts that of Gemma, which SigLIP 2 uses, on the left where the model's files do not say.
        tokenizer.tokenizer.padding_side = "right"
    return tokenizer
