"""Encoders for open_clip's CLIP models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline import allocator
from pipeline.encode.architecture import Architecture, architecture_of, content_hash, register, resolved
from pipeline.encode.device import Precision, select_device, select_precision
from pipeline.encode.loading import LOADING_ERRORS, fused, loaded_network, loaded_tokenizer, refusing_broken
from pipeline.encode.preprocess import ClipPreprocessing
from pipeline.encode.prompts import PromptedTexts
from pipeline.encode.requirements import check_packages
from pipeline.encode.settings import Encoding
from pipeline.encode.startup.open_clip_import import import_open_clip
from pipeline.encode.weights.checkpoint import check_extent, check_weights_file
from pipeline.encode.weights.location import name_of, unavailable, weights_file
from pipeline.errors import EncoderError
from pipeline.fingerprints import fingerprint
from pipeline.optional_packages import require

if TYPE_CHECKING:
    import torch

    from pipeline.encode.text_tower import TextTowerFile

__all__ = ["OpenClipEncoder", "OpenClipModel"]

_PACKAGES = ("torch", "torchvision", "open_clip")
# Size of the cache of text embeddings: 8 MiB at 512 dimensions.
_MAX_CACHED_TEXTS = 4096


@dataclass(frozen=True)
class OpenClipEncoder:
    """An encoder for open_clip models, given by name and tag, by a checkpoint, or by an architecture file.

    It contains only its settings, so it is cheap to construct and pickle. torch is imported by `open`, and by
    `find_weights` if the weights are not .safetensors.
    """

    settings: Encoding

    def __getstate__(self) -> dict[str, Encoding]:
        # A worker may have another working directory, and only this package of the project.
        paths = {name: getattr(self.settings, name) for name in ("checkpoint", "architecture", "cache_dir")}
        absolute = {name: str(resolved(path).absolute()) for name, path in paths.items() if path is not None}
        return {"settings": self.settings.model_copy(update=absolute)}

    @property
    def fingerprint(self) -> str:
        """Identity of the embedding space: model and tag, and the content of checkpoint and architecture file.

        Device, precision and batch size are not included, since they change embeddings only by rounding; nor are
        prompts, which do not affect images.

        Raises:
            WeightsUnavailableError: The checkpoint or the architecture file cannot be read.
        """
        settings = self.settings
        parts = {"model": settings.model, "pretrained": None if settings.architecture else settings.pretrained}
        for name in ("checkpoint", "architecture"):
            path = getattr(settings, name)
            try:
                parts[name] = path and content_hash(resolved(path), check_extent if name == "checkpoint" else None)
            except (OSError, ValueError) as error:
                raise unavailable(settings, f"encoder.{name} cannot be read ({error})") from error
        return fingerprint(parts)

    @property
    def description(self) -> str:
        """Readable name of the model, as "ViT-B-32 (laion2b_s34b_b79k)"."""
        return name_of(self.settings)

    def preprocessing(self) -> ClipPreprocessing:
        """Make the model's preprocessing, which can be pickled; the weights are not needed.

        Raises:
            ConfigError: open_clip has no such model or tag, or the architecture file cannot be used.
        """
        return architecture_of(self.settings).preprocessing

    def find_weights(self) -> None:
        """Find the weights, download them if necessary, and check the file, without loading it.

        Raises:
            ConfigError: open_clip has no such model or tag, or the architecture file cannot be used.
            WeightsUnavailableError: The weights are unavailable, or the file is not a weights file.
        """
        architecture_of(self.settings)
        path = weights_file(self.settings).absolute()
        with refusing_broken(self.settings, path):
            check_weights_file(path)

    def open(self) -> OpenClipModel:
        """Load the weights.

        Raises:
            ConfigError: open_clip has no such model or tag, or this machine has no such device.
            WeightsUnavailableError: The weights are unavailable, broken, or those of another model.
            EncoderError: The tokenizer cannot be loaded, or a package that the model needs is not installed.
            MissingPackageError: torch or open_clip is not installed.
        """
        require(f"loading {self.description}, for pictures or for a library without its text tower,", *_PACKAGES)
        architecture = architecture_of(self.settings)
        import_open_clip(with_timm=architecture.timm_tower is not None)
        import torch

        device = select_device(self.settings.device)
        precision = select_precision(self.settings.precision, device)
        if self.settings.threads is not None:
            torch.set_num_threads(self.settings.threads)
        if device.type == "cpu":
            allocator.keep()
        register(architecture)
        check_packages(self.settings, architecture.name)
        network = fused(loaded_network(self.settings, architecture))
        return OpenClipModel(self.settings, architecture, network, device=device, precision=precision)


class OpenClipModel:
    """A model with loaded weights; made by `OpenClipEncoder.open`.

    The image tower, with its weights and input, uses the selected precision; the text tower uses fp32, since there are
    few texts. Embeddings are normalised in fp32.
    """

    def __init__(
        self,
        settings: Encoding,
        architecture: Architecture,
        network: Any,
        *,
        device: torch.device,
        precision: Precision,
    ) -> None:
        import torch

        self._dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        self._precision = precision
        self._device = device
        self._network = network.eval().requires_grad_(requires_grad=False).to(device)
        self._network.visual.to(dtype=self._dtype)
        if device.type == "cpu" and precision == "bf16":
            from pipeline.encode.image_tower import pack_weights

            pack_weights(self._network.visual)
        self._mean = torch.tensor(architecture.mean, device=device).view(1, 3, 1, 1) * 255
        self._std = torch.tensor(architecture.std, device=device).view(1, 3, 1, 1) * 255
        self._shape = architecture.preprocessing.image_height, architecture.preprocessing.image_width, 3
        self._batch_size = settings.batch_size
        self._tokenizer = tokenizer = loaded_tokenizer(settings, architecture)
        self._vocabulary = architecture.vocabulary
        self._texts = PromptedTexts(settings, tokenizer, int(network.context_length), architecture.vocabulary)
        self._text_cache: dict[str, npt.NDArray[np.float32]] = {}
        self._logit_scale = float(network.logit_scale.exp())
        # Only models trained with a sigmoid have a bias. If a checkpoint lacks it, open_clip sets it to 0.
        bias = getattr(network, "logit_bias", None)
        self._logit_bias = None if bias is None else float(bias) or None
        try:
            self._dimension = int(self._text_features(tokenizer(["a"])).shape[1])
        except LOADING_ERRORS as error:
            cause = " ".join(str(error).split())[:200]
            raise EncoderError(
                f"{name_of(settings)}: its text tower cannot embed a text ({type(error).__name__}: {cause}); check"
                " vocab_size and context_length of its architecture"
            ) from error

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""
        return self._dimension

    @property
    def device(self) -> str:
        """Device that the model runs on, as "cpu" or "cuda:0"."""
        return str(self._device)

    @property
    def precision(self) -> str:
        """Number format of the image tower: "fp32", "bf16" or "fp16"."""
        return self._precision

    @property
    def logit_scale(self) -> float:
        """Factor of cosines that the model was trained with; about 100 for most models."""
        return self._logit_scale

    @property
    def logit_bias(self) -> float | None:
        """Bias that a sigmoid-trained model adds to the scaled cosine; None for other models."""
        return self._logit_bias

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed preprocessed images.

        Args:
            images: uint8 (N, image_height, image_width, 3) RGB.

        Returns:
            float32 (N, D), each row of unit length.

        Raises:
            ValueError: `images` has another type or shape.
            EncoderError: An image's embedding is not finite or is zero.
        """
        import torch

        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != self._shape:
            raise ValueError(f"expected uint8 images (N, {self._shape}), got {images.dtype} {images.shape}")
        if not len(images):
            return np.empty((0, self.dimension), np.float32)
        firsts = range(0, len(images), self._batch_size)
        # Results are fetched once, after all batches were queued, so that the GPU does not wait between batches.
        features = [self._image_features(images[first : first + self._batch_size]) for first in firsts]
        return _normalised(torch.cat(features), [f"image {row}" for row in range(len(images))])

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts: the embeddings of a text's prompts are averaged and normalised; recent texts are cached.

        Returns:
            float32 (N, D), one row of unit length per text.

        Raises:
            TextTooLongError: A text exceeds the context, and `long_text` is "refuse".
            EncoderError: A text's embedding is not finite or is zero.
        """
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        vectors = {text: vector for text in texts if (vector := self._text_cache.get(text)) is not None}
        missing = [text for text in dict.fromkeys(texts) if text not in vectors]
        if missing:
            vectors |= zip(missing, self._embedded(missing), strict=True)
            if len(self._text_cache) > _MAX_CACHED_TEXTS:
                self._text_cache = {}
            self._text_cache |= vectors
        return np.stack([vectors[text] for text in texts])

    def too_long(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Return the texts that exceed the context; `encode_texts` rejects or truncates them, as `long_text` states."""
        return self._texts.too_long(texts)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words of a text, as written, that are not in the vocabulary declared by the architecture file."""
        return self._texts.unknown_words(text)

    def export_text_tower(self, fingerprint: str) -> tuple[TextTowerFile, bytes]:
        """Export the text tower; return its description, and the content of its ONNX file.

        Args:
            fingerprint: Fingerprint of the encoder.

        Raises:
            EncoderError: It is of a kind that cannot be exported, or differs after its export.
        """
        from pipeline.encode.text_tower.export import export_text_tower

        return export_text_tower(
            self._network,
            self._tokenizer,
            fingerprint=fingerprint,
            vocabulary=self._vocabulary,
            logit_scale=self._logit_scale,
            logit_bias=self._logit_bias,
        )

    def _embedded(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        import torch

        tokens = torch.cat([self._texts.tokens(text) for text in texts])
        parts = [tokens[first : first + self._batch_size] for first in range(0, len(tokens), self._batch_size)]
        features = torch.cat([self._text_features(part).float() for part in parts])
        prompt_count = len(tokens) // len(texts)
        names = [f"text {text!r}" for text in texts]
        prompted = _normalised(features, [name for name in names for _ in range(prompt_count)])
        averages = prompted.reshape(len(texts), prompt_count, self.dimension).mean(axis=1)
        return _normalised(torch.from_numpy(averages), names)

    def _image_features(self, images: npt.NDArray[np.uint8]) -> torch.Tensor:
        import torch

        # torch cannot share read-only memory, so the batch is copied.
        batch = torch.from_numpy(np.array(images))
        if self._device.type == "cuda":
            batch = batch.pin_memory()
        with torch.inference_mode():
            pixels = batch.to(self._device, non_blocking=True).permute(0, 3, 1, 2).float()
            pixels = ((pixels - self._mean) / self._std).to(self._dtype)
            features: torch.Tensor = self._network.encode_image(pixels)
        return features

    def _text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        import torch

        with torch.inference_mode():
            features: torch.Tensor = self._network.encode_text(tokens.to(self._device))
        return features


def _normalised(features: torch.Tensor, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Normalise rows and move them to the CPU; a row that is zero or not finite raises an error with its name."""
    import torch

    features = features.float()
    lengths = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    bad = ~(torch.isfinite(lengths) & (lengths > 0)).squeeze(1)
    if bool(bad.any()):
        row = int(bad.nonzero()[0])
        raise EncoderError(
            f"{names[row]}: the model's embedding has length {float(lengths[row])}, so it cannot be normalised; the"
            " weights are broken, or too large for this precision: try encoder.precision=fp32"
        )
    vectors: npt.NDArray[np.float32] = (features / lengths).cpu().numpy()
    return vectors
