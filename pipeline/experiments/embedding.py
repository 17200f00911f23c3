"""Embeds the frames of all variants: each video is decoded once, and each frame is encoded once per encoder.

Variants that differ only in segmentation, aggregation, search or prompts share their embeddings. Variants that differ
in sampling share one pass over a video (`pipeline.experiments.joint_sampling`) and the embeddings of their common
frames, unless they leave the decoder a tolerance (`sharing_key`). Each search for cuts runs once for all variants that
need it. Contents of the stores are neither decoded nor encoded again, so a variant that is added later costs only the
frames that no other variant has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from pipeline.encode import make_encoder
from pipeline.errors import ExecutionError, VideoError
from pipeline.execution import Execution, OnProgress, Stages, StoreSink, for_several_batches, make_executor
from pipeline.execution.executor_choice import choose_executor
from pipeline.execution.stage_times import Stopwatch
from pipeline.experiments.joint_sampling import JointSampling, JointSplitter, StoredFrames
from pipeline.experiments.settings import Variant
from pipeline.experiments.stores import JointStore
from pipeline.io.settings import Fetching
from pipeline.run_config import RunConfig
from pipeline.sampling import FixedRate, FrameSampler
from pipeline.sampling.shots.detector import CutDetection
from pipeline.store import Outline, ParquetStore
from pipeline.types import Source, Status, VideoReport
from pipeline.uris import kept_name
from pipeline.video import identify, make_decoder

if TYPE_CHECKING:
    from pipeline.execution.ray.encoder_actors import IdleEncoders

__all__ = ["EmbeddedVideos", "embed_all", "sharing_key", "store_of"]


@dataclass(frozen=True)
class EmbeddedVideos:
    """The embedded videos of an experiment and the work done for them.

    Attributes:
        video_ids: Video ids by source.
        seconds: Wall time.
        frames_decoded: Number of decoded frames, over all passes.
        frames_encoded: Number of encoded frames.
        videos_read: Number of decoded videos; the others were already stored.
    """

    video_ids: Mapping[str, str]
    seconds: float = 0.0
    frames_decoded: int = 0
    frames_encoded: int = 0
    videos_read: int = 0


def store_of(config: RunConfig) -> ParquetStore:
    """Open the store of a configuration's frame embeddings."""
    return ParquetStore(config.library, config.sampling_fingerprint, make_encoder(config.encoder).fingerprint)


def embed_all(
    variants: Sequence[Variant],
    sources: Sequence[Source],
    execution: Execution,
    *,
    also: Sequence[Variant] = (),
    on_progress: OnProgress | None = None,
) -> EmbeddedVideos:
    """Make the missing frame embeddings of all variants.

    Args:
        variants: The variants to embed.
        sources: The videos.
        execution: Execution settings of the batch.
        also: Other variants whose stored embeddings may be reused.
        on_progress: Called with the progress.

    Raises:
        ExecutionError: Videos failed. The message has the causes; the other videos stay embedded.
        WeightsUnavailableError: The weights of a model are not available.
    """
    video_ids, failed = _identified(sources, variants[0].config.fetching)
    passes = list(_passes(variants, also, set(video_ids.values())))
    every = [variant.config for variant in (*variants, *also)]
    config = variants[0].config
    execution = choose_executor(execution, sources, make_decoder(config.decoding, config.fetching)).settings
    totals = _PassTotals()
    watch = Stopwatch()
    with watch, for_several_batches(execution) if passes else nullcontext() as kept:
        for configs, others in passes:
            sound = [source for source in sources if source.uri in video_ids.keys() - failed.keys()]
            known = _known((*configs, *others), every, video_ids)
            for report in _embed_together(configs, others, sound, known, execution, on_progress, kept):
                failed |= totals.note(report)
    if failed:
        some = "; ".join(f"{kept_name(uri)}: {problem}" for uri, problem in list(failed.items())[:3])
        raise ExecutionError(
            f"{len(failed)} of {len(sources)} videos failed: {some}; repair or remove them and run the"
            " experiment again: completed work is not repeated"
        )
    return EmbeddedVideos(video_ids, watch.seconds, totals.decoded, totals.encoded, len(totals.read))


class _PassTotals:
    """Sums the work of several passes."""

    def __init__(self) -> None:
        self.decoded = 0
        self.encoded = 0
        self.read: set[str | None] = set()

    def note(self, report: VideoReport) -> dict[str, str]:
        """Add the report of a video; return its problem by source, if it failed."""
        if report.status is Status.FAILED:
            return {report.source.uri: report.problem or "unknown"}
        if report.status is not Status.SKIPPED:
            self.decoded += report.frames_decoded
            self.encoded += report.frames_sampled
            self.read.add(report.video_id)
        return {}


def _passes(
    variants: Sequence[Variant], also: Sequence[Variant], video_ids: set[str]
) -> Iterator[tuple[list[RunConfig], list[RunConfig]]]:
    """Yield the groups of configurations to embed in one pass, each with others whose embeddings may be reused."""
    groups_of_also = _groups(also)
    for key, group in _groups(variants).items():
        missing = [
            config for config in group if not video_ids <= {record.video_id for record in store_of(config).records()}
        ]
        if missing:
            others = {each.sampling_fingerprint: each for each in (*group, *groups_of_also.get(key, []))}
            for config in missing:
                del others[config.sampling_fingerprint]
            yield missing, list(others.values())


def _identified(sources: Sequence[Source], fetching: Fetching) -> tuple[dict[str, str], dict[str, str]]:
    """Identify the videos: ids by source, and the problems of unreadable videos by source."""
    video_ids, failed = {}, {}
    for source in sources:
        try:
            video_ids[source.uri] = identify(source.uri, fetching).video_id
        except VideoError as error:
            failed[source.uri] = error.problem
    return video_ids, failed


def _groups(variants: Sequence[Variant]) -> dict[str, list[RunConfig]]:
    """Group the configurations with equal embeddings of equal frames by sharing key, one for each sampling."""
    groups: dict[str, dict[str, RunConfig]] = {}
    for variant in variants:
        config = variant.config
        groups.setdefault(sharing_key(config), {}).setdefault(config.sampling_fingerprint, config)
    return {key: list(group.values()) for key, group in groups.items()}


def sharing_key(config: RunConfig) -> str:
    """Return the identity of everything that a frame's embedding depends on: encoder, decoder and its tolerance.

    With a tolerance, the decoder may return other, coarser frames, which no other sampling can share.
    """
    grid = config.sampling.grid
    own = config.sampling_fingerprint if grid is not None and grid.tolerance > 0 else ""
    return f"{make_encoder(config.encoder).fingerprint} {config.decoding.model_dump_json()} {own}"


def _embed_together(
    configs: Sequence[RunConfig],
    others: Sequence[RunConfig],
    sources: Sequence[Source],
    known: Mapping[str, StoredFrames],
    execution: Execution,
    on_progress: OnProgress | None,
    kept: IdleEncoders | None,
) -> Iterator[VideoReport]:
    """Fill the stores of several samplings in one pass, reusing embeddings from `others`."""
    stores, found = tuple(map(store_of, configs)), tuple(map(store_of, others))
    config = configs[0]
    stages = Stages(
        decoder=make_decoder(config.decoding, config.fetching),
        sampler=JointSampling(tuple(each.sampling for each in configs), known),
        encoder=make_encoder(config.encoder),
        # Rows of the index are made later from the frames of each sampling.
        sink=StoreSink(JointStore(stores, found)),
        fetching=config.fetching,
        splitter=JointSplitter(),
    )
    yield from make_executor(execution, stages, on_progress=on_progress, idle_encoders=kept).run(sources)


def _known(
    group: Sequence[RunConfig], every: Sequence[RunConfig], video_ids: Mapping[str, str]
) -> dict[str, StoredFrames]:
    """Look up the stored frames and cuts by source.

    A source is identified by its current content, not by its name: files may be moved and replaced.

    Args:
        group: Configurations whose embeddings may be reused.
        every: Configurations whose cuts may be reused if the same decoder found them; includes `group`.
        video_ids: Video ids by source.
    """
    of_group = set(map(store_of, group))
    samplings = {
        store: config.sampling
        for config in every
        if config.decoding == group[0].decoding
        and ((store := store_of(config)) in of_group or _search_of(config.sampling))
    }
    found: dict[str, StoredFrames] = {}
    for video_id in dict.fromkeys(video_ids.values()):
        outlines = {store: store.outline(video_id) for store in samplings if store.record(video_id) is not None}
        pts = [outline.pts for store, outline in outlines.items() if store in of_group]
        cuts = _found_cuts((samplings[store], outline) for store, outline in outlines.items())
        if pts or cuts:
            found[video_id] = StoredFrames(np.unique(np.concatenate(pts)) if pts else np.empty(0, np.int64), cuts)
    return {uri: found[video_id] for uri, video_id in video_ids.items() if video_id in found}


def _found_cuts(outlines: Iterable[tuple[FrameSampler, Outline]]) -> dict[CutDetection, tuple[Fraction, ...]]:
    """Return the cuts found in a video by each search, from the stored outlines of the samplings."""
    found: dict[CutDetection, tuple[Fraction, ...]] = {}
    for sampling, outline in outlines:
        search = _search_of(sampling)
        if search is not None and outline.cuts_seconds is not None:
            found[search] = tuple(map(Fraction, outline.cuts_seconds))
    return found


def _search_of(sampling: FrameSampler) -> CutDetection | None:
    """Return the search for the cuts of a fixed-rate sampling; None for others, whose cuts may have other sources."""
    return sampling.cuts if isinstance(sampling, FixedRate) else None
