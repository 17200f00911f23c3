"""The configuration of a run: the settings of each stage, the library, and the stages' fingerprints."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, field_validator

from pipeline.analyze.settings import Analysis, lasting_name
from pipeline.config import Settings, foreign_settings, validate, with_overrides
from pipeline.config_files import load_mapping
from pipeline.encode.architecture import resolved
from pipeline.encode.plugin import EncoderSettings
from pipeline.encode.settings import Encoding
from pipeline.errors import ConfigError
from pipeline.execution.settings import Execution
from pipeline.fingerprints import fingerprint
from pipeline.index.settings import Indexing
from pipeline.io.settings import Fetching
from pipeline.plugins import Plugin
from pipeline.quoted_commands import DEFAULT_LIBRARY
from pipeline.sampling import Composite, FixedRate, PluginSampler, SamplingSettings
from pipeline.search.settings import Searching
from pipeline.segment import AggregationSettings, FixedWindows, MeanPooling, SegmentationSettings
from pipeline.segment.row_recipe import RowRecipe
from pipeline.setting_descriptions import described_schema
from pipeline.uris import refusal_of_library
from pipeline.video import Decoding

__all__ = [
    "RunConfig",
    "check_classes",
    "check_stages",
    "json_schema",
    "load_run_config",
    "plugins_of",
    "to_yaml",
    "with_absolute_paths",
    "with_plugins",
]

# Increased by hand when a change to the code of a stage changes its results; a new package version does not do this.
_SAMPLING_REVISION = "2"
_SEGMENTATION_REVISION = "1"
_SEARCH_REVISION = "1"
_PRIVATE = "Whether only the owner can access the library: folders 0700, files 0600. null for no change."
_REMEMBERS = "Whether the embeddings of the latest questions are kept in the library, each under a hash of its text."


class RunConfig(Settings):
    """The configuration of a run; every default lives on the stage's own settings."""

    library: str = Field(default=DEFAULT_LIBRARY, min_length=1)
    """The library: a folder, or an fsspec URL if the index is on a server."""

    library_private: bool | None = None
    """Whether only the owner can access the library; `library.private` in files and overrides. None for no change."""

    library_remember_questions: bool = True
    """Whether the embeddings of the latest questions are kept in the library, so that a repeated question is answered
    sooner; `library.remember_questions` in files and overrides. A question is kept as a hash, not as text."""

    decoding: Decoding = Decoding()
    """Decoding of videos."""

    fetching: Fetching = Fetching()
    """Reading of remote videos."""

    sampling: SamplingSettings = FixedRate()
    """Selection of the frames that are embedded."""

    encoder: EncoderSettings = Encoding()
    """The embedding model."""

    segmentation: SegmentationSettings = FixedWindows()
    """Division of videos into indexed segments."""

    aggregation: AggregationSettings = MeanPooling()
    """Combination of a segment's frame embeddings into one."""

    index: Indexing = Indexing()
    """The index of segments."""

    search: Searching = Searching()
    """The search for moments."""

    analyze: Analysis = Analysis()
    """What is analysed of each video once it is indexed."""

    execution: Execution = Execution()
    """Execution of batches."""

    @field_validator("library")
    @classmethod
    def _is_a_location(cls, library: str) -> str:
        if (refusal := refusal_of_library(library)) is not None:
            raise ValueError(refusal)
        return library

    @property
    def sampling_fingerprint(self) -> str:
        """Identity of the sampled frames: sampling and decoder, but not the decoder's threads.

        Raises:
            ConfigError: A sampler from another package has not been loaded.
        """
        decoding = self.decoding.model_copy(update={"threads": 1})
        return fingerprint(*_identity(self.sampling), decoding, _SAMPLING_REVISION)

    @property
    def segmentation_fingerprint(self) -> str:
        """Identity of a video's rows for one encoder: sampling, segmentation and aggregation."""
        return fingerprint(self.sampling_fingerprint, self.segmentation, self.aggregation, _SEGMENTATION_REVISION)

    @property
    def search_fingerprint(self) -> str:
        """Identity of answers for one encoder: the rows and the search settings."""
        return fingerprint(self.segmentation_fingerprint, self.search, _SEARCH_REVISION)

    @property
    def row_recipe(self) -> RowRecipe:
        """The recipe that makes rows of the index from frame embeddings."""
        return RowRecipe(
            segmenter=self.segmentation, aggregator=self.aggregation, fingerprint=self.segmentation_fingerprint
        )


def _identity(sampling: SamplingSettings) -> list[Settings | dict[str, Any]]:
    """Return the parts of a sampling that count for a fingerprint; for a plugin, class and version, not its name."""
    if isinstance(sampling, PluginSampler):
        return [sampling.identity]
    if isinstance(sampling, Composite):
        parts = [part.identity for part in sampling.parts if isinstance(part, PluginSampler)]
        return [sampling, *parts]
    return [sampling]


def plugins_of(config: RunConfig) -> tuple[Plugin, ...]:
    """List the sections of a configuration that name classes from other packages."""
    parts = config.sampling.parts if isinstance(config.sampling, Composite) else (config.sampling,)
    return tuple(part for part in (*parts, config.encoder) if isinstance(part, Plugin))


def with_plugins(config: RunConfig) -> RunConfig:
    """Import and check the classes from other packages that a configuration names.

    Call this only for classes that the user named or trusts, since importing a module runs its code.

    Returns:
        The configuration with all settings of these classes, including defaults.

    Raises:
        ConfigError: A class cannot be imported or used; the message states what is missing.
    """
    if not plugins_of(config):
        return config
    sampling, encoder = config.sampling, config.encoder
    if isinstance(sampling, Composite):
        parts = tuple(part.load() if isinstance(part, PluginSampler) else part for part in sampling.parts)
        sampling = sampling.model_copy(update={"parts": parts})
    elif isinstance(sampling, PluginSampler):
        sampling = sampling.load()
    if isinstance(encoder, Plugin):
        encoder = encoder.load()
    return config.model_copy(update={"sampling": sampling, "encoder": encoder})


def load_run_config(path_or_name: str | Path | None = None, overrides: Iterable[str] = ()) -> RunConfig:
    """Load a run's configuration from a YAML file and `a.b=c` overrides.

    The combination of stages is not checked here (see `check_stages`), since further settings may follow.

    Args:
        path_or_name: A file, or the name of a bundled configuration; None for the defaults.
        overrides: Settings that override those of the file, in order.

    Raises:
        ConfigError: The file cannot be read; a setting is unknown, has the wrong type or is out of range; or a class
            from another package cannot be used.
    """
    data = {} if path_or_name is None else load_mapping(path_or_name)
    origin = "configuration" if path_or_name is None else str(path_or_name)
    return with_plugins(validate(RunConfig, with_overrides(data, overrides), origin))


def check_classes(config: RunConfig) -> RunConfig:
    """Check that a configuration made in Python can be written to a file and read again, and return it.

    Raises:
        ConfigError: A section has a class that a file cannot name, such as a subclass of a sampler.
    """
    for path, part, allowed in foreign_settings(config):
        raise ConfigError(
            f"{path}: a library's file cannot name the class {type(part).__name__}, so the library could not be opened"
            f" again; use one of these classes: {', '.join(allowed)}"
        )
    return config


def check_stages(config: RunConfig, origin: str = "configuration") -> RunConfig:
    """Check that the settings of the stages are compatible, and return them.

    This is not part of `RunConfig`'s own validation, because a library's saved configuration must stay readable so that
    overrides can correct it.

    Args:
        config: The configuration.
        origin: Name of the configuration in error messages.

    Raises:
        ConfigError: The segmentation needs cuts, but the sampling does not detect them.
    """
    if config.segmentation.needs_cuts and not config.sampling.finds_cuts:
        raise ConfigError(
            f"{origin}: segmentation.strategy: {config.segmentation.strategy!r} needs cuts, and sampling.strategy"
            f" {config.sampling.strategy!r} as configured detects none; set segmentation.strategy=fixed_windows, or"
            " sample with cuts (sampling.strategy=fixed_rate with sampling.cuts=adaptive, or"
            " sampling.strategy=scene_change)"
        )
    return config


def with_absolute_paths(config: RunConfig) -> RunConfig:
    """Return the configuration with absolute paths, for a process with another working directory.

    URLs, and values that are not paths, are not changed.
    """
    data = config.model_dump(mode="json")
    paths = [(data, "library"), (data["index"], "uri")]
    if isinstance(config.encoder, Encoding):
        paths.append((data["encoder"], "cache_dir"))
        for name in ("checkpoint", "architecture"):
            path = data["encoder"][name]
            data["encoder"][name] = path and str(resolved(path).absolute())
    if data["analyze"]["labels"] is not None:
        data["analyze"]["labels"] = lasting_name(data["analyze"]["labels"])
    for settings, name in paths:
        path = settings[name]
        if path is not None and "://" not in path:
            settings[name] = str(Path(path).expanduser().absolute())
    return validate(RunConfig, data)


def to_yaml(config: RunConfig) -> str:
    """Write the configuration with every default as YAML that `load_run_config` reads."""
    data = config.model_dump(mode="json")
    private, remembers = data.pop("library_private"), data.pop("library_remember_questions")
    parts = ({} if private is None else {"private": private}) | ({} if remembers else {"remember_questions": False})
    if parts:
        data["library"] = {"path": config.library, **parts}
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of configuration files, for editors."""
    schema = described_schema(RunConfig)
    fields = schema["properties"]
    path = fields["library"]
    del fields["library_private"], fields["library_remember_questions"]
    place = {name: path[name] for name in ("type", "minLength", "default")}
    is_private = {"type": ["boolean", "null"], "default": None, "description": _PRIVATE}
    remembers = {"type": "boolean", "default": True, "description": _REMEMBERS}
    inside = {"path": place, "private": is_private, "remember_questions": remembers}
    parts = {"type": "object", "additionalProperties": False, "properties": inside}
    fields["library"] = {"anyOf": [place, parts], "default": path["default"], "description": path["description"]}
    return schema
