"""Model architectures: finds a model's network and preprocessing without its weights."""

from __future__ import annotations

import difflib
import hashlib
import json
import stat
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.bundled import PACKAGES_FOLDER
from pipeline.encode.model_tables import model_tables
from pipeline.encode.preprocess import ClipPreprocessing
from pipeline.encode.settings import Encoding
from pipeline.encode.vocabulary import Vocabulary, vocabulary_from
from pipeline.errors import ConfigError
from pipeline.parsing import open_file

__all__ = ["Architecture", "architecture_of", "check_model", "content_hash", "register", "resolved"]

_OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
_OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network and the preprocessing of its images.

    Attributes:
        name: The network's name in open_clip's registry.
        dimension: Length of the embeddings.
        preprocessing: Resizing and cropping.
        mean: Mean of each channel (0 to 1), which is subtracted; by default that of OpenAI's CLIP.
        std: Standard deviation of each channel, by which the difference is divided; by default that of OpenAI's CLIP.
        quick_gelu: Whether the weights need QuickGELU although the network's own configuration does not state it.
        timm_tower: timm's name of the image tower; None if the tower is open_clip's own.
        vocabulary: The declared vocabulary; None if the model takes any text.
        network: The network's configuration if it was read from a file, for `register`; None for registered networks.
    """

    name: str
    dimension: int
    preprocessing: ClipPreprocessing
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    quick_gelu: bool = False
    timm_tower: str | None = None
    vocabulary: Vocabulary | None = None
    network: Mapping[str, Any] | None = field(default=None, repr=False)


def architecture_of(settings: Encoding) -> Architecture:
    """Find the network that the settings name, without importing torch or open_clip.

    Raises:
        ConfigError: open_clip has no such model or tag, or the architecture file is missing or invalid.
    """
    if settings.architecture is not None:
        return _from_file(resolved(settings.architecture))
    return _from_registry(settings.model, settings.pretrained)


def check_model(settings: Encoding) -> None:
    """Reject a model or tag that open_clip does not have; files named in the settings are not checked.

    Raises:
        ConfigError: There is no such model or tag; the message suggests similar names.
    """
    if settings.architecture is None:
        _from_registry(settings.model, settings.pretrained)


def resolved(path: str) -> Path:
    """Resolve the path in a setting; a relative path that does not exist is resolved from the packages' folder."""
    given = Path(path).expanduser()
    bundled = PACKAGES_FOLDER / given
    return bundled if not given.exists() and bundled.exists() else given


def content_hash(path: Path, check: Callable[[Path], None] | None = None) -> str:
    """Compute the SHA-256 of a file in hex; cached until the file's size or time changes.

    Args:
        path: The file.
        check: Rejects a file before it is read whole; cached like the hash.

    Raises:
        OSError: The file cannot be read.
        ValueError: The check rejects the file.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{str(path)!r} is not a regular file; copy its content into one")
    return _content_hash(path, status.st_size, status.st_mtime_ns, check)


@lru_cache(maxsize=64)
def _content_hash(
    path: Path,
    size_bytes: int,  # noqa: ARG001 - size and time are the cache's key
    modified_ns: int,  # noqa: ARG001
    check: Callable[[Path], None] | None,
) -> str:
    if check is not None:
        check(path)
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_registry(model: str, tag: str | None) -> Architecture:
    tables = model_tables()
    config = tables.get_model_config(model)
    if config is None:
        known = tables.list_models()
        raise ConfigError(f"encoder.model: unknown model {model!r}; {_nearest(model, known)}")
    preferences: Mapping[str, Any]
    if tag is None:
        preferences = _common_preferences(model)
    else:
        preferences = tables.get_pretrained_cfg(model, tag)
        if not preferences:
            tags = tables.list_pretrained_tags_by_model(model)
            raise ConfigError(
                f"encoder.pretrained: {model} has no weights named {tag!r}; {_nearest(tag, tags)} (null for weights of"
                " your own)"
            )
    quick_gelu = bool(preferences.get("quick_gelu")) and not config.get("quick_gelu", False)
    return _architecture(model, config, preferences, quick_gelu=quick_gelu)


def _common_preferences(model: str) -> Mapping[str, Any]:
    """Return the preprocessing that all published weights of a network share; empty if they differ or there are none.

    Users' own weights are mostly converted or fine-tuned from these. With other preprocessing (MobileCLIP2-S0 without
    its mean of 0, PE-Core without squashing), the embeddings seem plausible but searches find less.
    """
    tables = model_tables()
    kinds = ("mean", "std", "interpolation", "resize_mode", "fill_color")
    tags = tables.list_pretrained_tags_by_model(model)
    preferences = [{kind: tables.get_pretrained_cfg(model, tag).get(kind) for kind in kinds} for tag in tags]
    return preferences[0] if preferences and all(one == preferences[0] for one in preferences) else {}


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    shown = difflib.get_close_matches(name, names, n=8, cutoff=0.0) if len(names) > 20 else names
    return f"{hint}{'among the known' if len(shown) < len(names) else 'known'}: {', '.join(shown)}"


def _from_file(path: Path) -> Architecture:
    from pipeline.encode.architecture_file import read_architecture

    where = f"encoder.architecture: {str(path)!r}"
    try:
        config, preferences, declared = read_architecture(path, where)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{where}: no such file, neither from {str(Path.cwd())!r} nor {str(PACKAGES_FOLDER)!r}"
        ) from error
    try:
        vocabulary = vocabulary_from(declared)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
    try:
        found = _architecture(_name_of_content(config), config, preferences)
        return replace(found, vocabulary=vocabulary, network=config)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: preprocess_cfg cannot be used: {error}") from error


def register(architecture: Architecture) -> None:
    """Register a network from an architecture file with open_clip; others are registered already.

    Raises:
        ConfigError: timm does not have the image tower that the file names.
    """
    import open_clip

    if architecture.network is None or architecture.name in open_clip.list_models():
        return
    tower = architecture.timm_tower
    if tower is not None:
        import timm

        if not timm.is_model(tower):
            raise ConfigError(
                f"encoder.architecture: model_cfg.vision_cfg.timm_model_name: {tower!r} is not in timm's own registry"
            )
    # The registry keeps the content in memory, so the file is needed only for this call.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"{architecture.name}.json"
        copy.write_text(json.dumps(architecture.network, sort_keys=True), encoding="utf-8")
        open_clip.add_model_config(copy)


def _name_of_content(config: Mapping[str, Any]) -> str:
    """Make a unique registry name for a network.

    It does not include the file's name, because open_clip interprets names: it downloads models named "hf-hub:...",
    and a tokenizer for names that contain "siglip".
    """
    text = json.dumps(config, sort_keys=True)
    return f"file-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _architecture(
    name: str, config: Mapping[str, Any], preferences: Mapping[str, Any], *, quick_gelu: bool = False
) -> Architecture:
    # The tower's own input size takes precedence over "size" in the preferences, as in open_clip's create_model.
    size = config["vision_cfg"].get("image_size", 224)
    height, width = (size, size) if isinstance(size, int) else (int(side) for side in size)
    return Architecture(
        name=name,
        dimension=int(config["embed_dim"]),
        preprocessing=ClipPreprocessing(
            image_height=height,
            image_width=width,
            resize_mode=preferences.get("resize_mode") or "shortest",
            interpolation=preferences.get("interpolation") or "bicubic",
            fill_color=preferences.get("fill_color") or 0,
        ),
        mean=_channels(preferences.get("mean") or _OPENAI_MEAN),
        std=_channels(preferences.get("std") or _OPENAI_STD),
        quick_gelu=quick_gelu,
        timm_tower=config["vision_cfg"].get("timm_model_name"),
    )


def _channels(value: Any) -> tuple[float, float, float]:
    values = value if isinstance(value, list | tuple) else (value,) * 3
    red, green, blue = (float(v) for v in values)
    return red, green, blue
