"""Optional packages that some models need."""

from __future__ import annotations

from pipeline.encode.settings import Encoding
from pipeline.encode.weights.location import name_of
from pipeline.errors import EncoderError
from pipeline.optional_packages import is_installed, require

__all__ = ["check_packages"]

_FROM_TRANSFORMERS = ("hf_tokenizer_name", "hf_model_name")


def check_packages(settings: Encoding, network: str) -> None:
    """Reject a model whose tokenizer or text tower needs a package that is not installed.

    open_clip itself would notice this only after the weights are downloaded and loaded.

    Args:
        settings: The encoder's settings, for the message.
        network: The network's name in open_clip's registry.

    Raises:
        EncoderError: The package is missing; the message names the extra that installs it.
        MissingPackageError: open_clip is not installed.
    """
    require(f"loading {name_of(settings)}", "open_clip", "torch")
    import open_clip

    text = (open_clip.get_model_config(network) or {}).get("text_cfg", {})
    if any(text.get(name) for name in _FROM_TRANSFORMERS) and not is_installed("transformers"):
        raise EncoderError(
            f"{name_of(settings)}: its tokenizer needs the package transformers, which is not installed; run:"
            " pip install 'momentseek[siglip]'"
        )
