"""Frame embeddings for all variants: every video decoded once, and every frame encoded once an encoder.

What is one: variants that differ in segmentation, aggregation, search or prompts share their embeddings; those that
differ in sampling share one pass over a video (`pipeline.sampling.shared`), and the embeddings of the frames that they
have in common. What the stores hold already is neither decoded nor encoded again, so that a variant that comes later
costs the frames that nobody had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.encode import OpenClipEncoder
from pipeline.errors import ConfigError, ExecutionError, VideoError
from pipeline.execution import Execution, OnProgress, Stages, make_executor
from pipeline.execution.stage_times import Stopwatch
from pipeline.experiments.settings import Variant
from pipeline.index import MemoryIndex
from pipeline.rows import RowRecipe
from pipeline.run_config import RunConfig
from pipeline.sampling import SceneChange
from pipeline.sampling.shared import Shared
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.store import ParquetStore, SharedStore
from pipeline.types import Source, Status
from pipeline.uris import kept_name, place_of
from pipeline.video import Fetching, identify, make_decoder

__all__ = ["Embedded", "embed_all", "store_of"]


@dataclass(frozen=True)
class Embedded:
    """What it took to have all embeddings.

    Attributes:
        video_ids: Of the experiment's videos, by source.
        seconds: Wall time.
        frames_decoded: Pictures that were decoded.
        frames_encoded: Frames that were encoded.
        videos_read: Videos that were decoded; the others were known.
    """

    video_ids: Mapping[str, str]
    seconds: float = 0.0
    frames_decoded: int = 0
    frames_encoded: int = 0
    videos_read: int = 0


def store_of(config: RunConfig) -> ParquetStore:
    """Where a configuration's frame embeddings are."""
    return ParquetStore(config.library, config.sampling_fingerprint, OpenClipEncoder(config.encoder).fingerprint)


def embed_all(
    variants: Sequence[Variant],
    sources: Sequence[Source],
    execution: Execution,
    *,
    also: Sequence[Variant] = (),
    on_progress: OnProgress | None = None,
) -> Embedded:
    """Make the frame embeddings of all variants that are not there yet.

    Args:
        variants: Whose embeddings are wanted.
        sources: The videos.
        execution: How the batch is run.
        also: Others, whose embeddings are taken where they are there.
        on_progress: Told how far it is.

    Raises:
        ConfigError: A sampling cannot share a pass.
        ExecutionError: Videos failed; the message has the causes, and what is done of the others stays done.
        WeightsUnavailableError: A model cannot be had.
    """
    video_ids, failed = _identified(sources, variants[0].config.fetching)
    sound = [source for source in sources if source.uri in video_ids]
    embedded = Embedded(video_ids)
    watch = Stopwatch()
    with watch:
        for key, group in _groups(variants).items():
            others = _groups(also).get(key, [])
            embedded, more = _embed_group(group, others, sound, execution, embedded, on_progress)
            failed |= more
            _note_names(map(store_of, group), video_ids)
    if failed:
        some = "; ".join(f"{place_of(uri)}: {problem}" for uri, problem in list(failed.items())[:3])
        raise ExecutionError(
            f"{len(failed)} of {len(sources)} videos failed: {some}; mend them or leave them out, and run the"
            " experiment again: what is done is not done again"
        )
    return replace(embedded, seconds=watch.seconds)


def _identified(sources: Sequence[Source], fetching: Fetching) -> tuple[dict[str, str], dict[str, str]]:
    """By source the ids of the videos, and what is wrong with those that cannot be read at all."""
    video_ids, failed = {}, {}
    for source in sources:
        try:
            video_ids[source.uri] = identify(source.uri, fetching).video_id
        except VideoError as error:
            failed[source.uri] = error.problem
    return video_ids, failed


def _note_names(stores: Iterable[ParquetStore], video_ids: Mapping[str, str]) -> None:
    """What is known already may have another name now, by which the labels call it."""
    for store in stores:
        for uri, video_id in video_ids.items():
            record = store.record(video_id)
            if record is not None and kept_name(uri) not in record.names:
                store.add_name(video_id, kept_name(uri))


def _groups(variants: Sequence[Variant]) -> dict[str, list[RunConfig]]:
    """Configurations that one pass serves, one a sampling, by what they share: encoder and decoder."""
    groups: dict[str, dict[str, RunConfig]] = {}
    for variant in variants:
        config = variant.config
        key = f"{variant.encoder_fingerprint} {config.decoding.model_dump_json()}"
        groups.setdefault(key, {}).setdefault(config.sampling_fingerprint, config)
    return {key: list(group.values()) for key, group in groups.items()}


def _embed_group(
    group: Sequence[RunConfig],
    also: Sequence[RunConfig],
    sources: Sequence[Source],
    execution: Execution,
    embedded: Embedded,
    on_progress: OnProgress | None,
) -> tuple[Embedded, dict[str, str]]:
    """What it took, and by source what went wrong."""
    wanted = set(embedded.video_ids.values())
    held = {config.sampling_fingerprint: _held(store_of(config)) for config in group}
    missing = [config for config in group if not wanted <= held[config.sampling_fingerprint]]
    if not missing:
        return embedded, {}
    if len(missing) > 1:
        _check_bounded(missing)
    stores = tuple(store_of(config) for config in missing)
    names = {config.sampling_fingerprint for config in missing}
    having = {config.sampling_fingerprint: config for config in (*group, *also)}
    others = tuple(store_of(config) for name, config in having.items() if name not in names)
    known = _known_pts((*others, *stores), embedded.video_ids)
    config = missing[0]
    stages = Stages(
        decoder=make_decoder(config.decoding, config.fetching),
        sampler=Shared(tuple(each.sampling for each in missing), known),
        encoder=OpenClipEncoder(config.encoder),
        store=SharedStore(stores, others),
        # Rows are made of each sampling's own frames later on; an executor wants to write some.
        recipe=RowRecipe(segmenter=FixedWindows(length_seconds=3600.0), aggregator=MeanPooling(), fingerprint="none"),
        index=MemoryIndex(),
        fetching=config.fetching,
    )
    failed = {}
    for report in make_executor(execution, stages, on_progress=on_progress).run(sources):
        if report.status is Status.FAILED:
            failed[report.source.uri] = report.problem or "unknown"
        elif report.status is not Status.SKIPPED:
            embedded = replace(
                embedded,
                frames_decoded=embedded.frames_decoded + report.frames_decoded,
                frames_encoded=embedded.frames_encoded + report.frames_sampled,
                videos_read=embedded.videos_read + 1,
            )
    return embedded, failed


def _check_bounded(configs: Sequence[RunConfig]) -> None:
    for config in configs:
        if isinstance(config.sampling, SceneChange) and config.sampling.max_gap_seconds is None:
            raise ConfigError(
                "sampling.max_gap_seconds: scene_change without it waits for the end of a shot, however long, and the"
                " frames of the other variants wait with it; set it, as to 60"
            )


def _held(store: ParquetStore) -> set[str]:
    return {record.video_id for record in store.records()}


def _known_pts(stores: Sequence[ParquetStore], video_ids: Mapping[str, str]) -> dict[str, npt.NDArray[np.int64]]:
    """By source, the frames of which some store has the embeddings.

    A source is known by what is in it now, not by the name under which that was read: files move, and are replaced.
    """
    found: dict[str, npt.NDArray[np.int64]] = {}
    for video_id in dict.fromkeys(video_ids.values()):
        parts = [store.read(video_id).pts for store in stores if store.record(video_id) is not None]
        if parts:
            found[video_id] = np.unique(np.concatenate(parts))
    return {uri: found[video_id] for uri, video_id in video_ids.items() if video_id in found}
