"""Checks of the model for `momentseek doctor`: its device, its weights and its exported text tower."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.encode import make_encoder
from pipeline.errors import EncoderError
from pipeline.library.config_checks import holds_videos
from pipeline.library.doctor.finding import Finding
from pipeline.library.saved_config import SavedConfig
from pipeline.library.text_model import LibraryEncoder
from pipeline.library.text_model.stored_tower import StoredTower
from pipeline.plugins import Plugin
from pipeline.processors import usable_processors
from pipeline.render.text import counted
from pipeline.run_config import RunConfig

__all__ = ["check_model", "check_processor", "check_text_tower"]

_COST = "each text search loads the model, which takes seconds, about 1 GB of memory, torch and the weights"
_MIB = 2**20


def check_processor(config: RunConfig) -> Iterator[Finding]:
    """Report the device and the number format that the model runs with."""
    from pipeline.encode.device import select_device, select_precision

    if isinstance(config.encoder, Plugin):
        processors = counted(usable_processors(), "processor")
        yield Finding("processor", "ok", f"{processors}; {config.encoder.reference} chooses the model's device")
        return
    device = select_device(config.encoder.device)
    precision = select_precision(config.encoder.precision, device)
    reason = f"encoder.precision is {config.encoder.precision}"
    if config.encoder.precision == "auto":
        reason = "the device supports bf16" if precision == "bf16" else "the device does not support bf16"
    processors = counted(usable_processors(), "processor")
    yield Finding("processor", "ok", f"the model runs on {device} in {precision} ({reason}); {processors}")


def check_model(config: RunConfig) -> Iterator[Finding]:
    """Check whether the model's weights are within reach."""
    from pipeline.encode.requirements import check_packages
    from pipeline.encode.weights.location import name_of, weights_within_reach

    if isinstance(config.encoder, Plugin):
        config.encoder.open()
        yield Finding("model", "ok", f"{config.encoder.description}: opened, and returns embeddings")
        return
    if config.encoder.architecture is None:
        check_packages(config.encoder, config.encoder.model)
    yield Finding("model", "ok", f"{name_of(config.encoder)}: {weights_within_reach(config.encoder)}")


def check_text_tower(config: RunConfig) -> Iterator[Finding]:
    """Report whether the library has its exported text tower, and what its absence costs."""
    saved = SavedConfig(config.library)
    kept = saved.read()
    if kept is None or not holds_videos(kept):
        return
    if isinstance(config.encoder, Plugin):
        finding = f"texts are embedded by {config.encoder.reference}: a plugin's text tower is not exported"
        yield Finding("text tower", "ok", finding)
        return
    encoder = LibraryEncoder(make_encoder(config.encoder), config.encoder, saved)
    stored = StoredTower(config.library, encoder.fingerprint)
    reason = stored.why_impossible()
    if reason is not None:
        remedy = (
            "search with --queries or from Python, which load the model once for many questions; or index into another"
            " library with a model whose text tower can be exported, such as those of --config small or the default"
        )
        yield Finding("text tower", "note", f"it cannot be exported ({reason}): {_COST}", remedy)
        return
    again = (
        f"search once on a machine with the model and write access: momentseek search TEXT --library {config.library}"
    )
    try:
        tower = stored.load(config.encoder)
    except EncoderError as error:
        yield Finding("text tower", "note", f"it is damaged ({error}), so the next text search exports it again", again)
        return
    if tower is None:
        yield Finding("text tower", "note", f"it is not exported yet: {_COST}", again)
        return
    size = f"{tower.file.size_bytes / _MIB:.0f} MiB"
    yield Finding("text tower", "ok", f"exported ({size}): text searches need neither torch nor the weights")
