"""Embeds the frames of all variants: each video is decoded once, and each frame is encoded once per encoder.

What is one: variants that differ in segmentation, aggregation, search or prompts share their embeddings; those that
differ in sampling share one pass over a video (`pipeline.experiments.joint_sampling`), and the embeddings of the frames
that they have in common. Those that leave the decoder a tolerance share no frames (`sharing_key`). Cuts are looked for
once, by whichever of them they are wanted. What the stores hold already is neither decoded nor encoded again, so that a
variant that comes later costs the frames that nobody had.
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
from pipeline.execution.stage_times import Stopwatch
from pipeline.experiments.joint_sampling import JointSampling, JointSplitter, Known
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

__all__ = ["Embedded", "embed_all", "sharing_key", "store_of"]


@dataclass(frozen=True)
class Embedded:
    """The embedded videos of an experiment, and the work that this took.

    Attributes:
        video_ids: Of the experiment's videos, by source.
        seconds: Wall time.
        frames_decoded: Pictures that were decoded, in all passes.
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
    return ParquetStore(config.library, config.sampling_fingerprint, make_encoder(config.encoder).fingerprint)


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
        ExecutionError: Videos failed; the message has the causes, and what is done of the others stays done.
        WeightsUnavailableError: A model cannot be had.
    """
    video_ids, failed = _identified(sources, variants[0].config.fetching)
    passes = list(_passes(variants, also, set(video_ids.values())))
    every = [variant.config for variant in (*variants, *also)]
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
            f"{len(failed)} of {len(sources)} videos failed: {some}; mend them or leave them out, and run the"
            " experiment again: what is done is not done again"
        )
    return Embedded(video_ids, watch.seconds, totals.decoded, totals.encoded, len(totals.read))


class _PassTotals:
    """Adds up the work of several passes."""

    def __init__(self) -> None:
        self.decoded = 0
        self.encoded = 0
        self.read: set[str | None] = set()

    def note(self, report: VideoReport) -> dict[str, str]:
        """What went wrong, by source."""
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
    """What is embedded together, whose stores lack a video; and the others whose embeddings may be used."""
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
    """By source the ids of the videos, and what is wrong with those that cannot be read at all."""
    video_ids, failed = {}, {}
    for source in sources:
        try:
            video_ids[source.uri] = identify(source.uri, fetching).video_id
        except VideoError as error:
            failed[source.uri] = error.problem
    return video_ids, failed


def _groups(variants: Sequence[Variant]) -> dict[str, list[RunConfig]]:
    """Configurations whose embeddings of the same frame are the same, one a sampling."""
    groups: dict[str, dict[str, RunConfig]] = {}
    for variant in variants:
        config = variant.config
        groups.setdefault(sharing_key(config), {}).setdefault(config.sampling_fingerprint, config)
    return {key: list(group.values()) for key, group in groups.items()}


def sharing_key(config: RunConfig) -> str:
    """Identity of what a frame's embedding depends on: encoder, decoder, and how exactly it decodes.

    A tolerance is the decoder's to use: it gives out other frames then, and coarser ones, which are nobody else's.
    """
    grid = config.sampling.grid
    own = config.sampling_fingerprint if grid is not None and grid.tolerance > 0 else ""
    return f"{make_encoder(config.encoder).fingerprint} {config.decoding.model_dump_json()} {own}"


def _embed_together(
    configs: Sequence[RunConfig],
    others: Sequence[RunConfig],
    sources: Sequence[Source],
    known: Mapping[str, Known],
    execution: Execution,
    on_progress: OnProgress | None,
    kept: IdleEncoders | None,
) -> Iterator[VideoReport]:
    """Fill the stores of some samplings in one pass; `others` have embeddings that may be used."""
    stores, found = tuple(map(store_of, configs)), tuple(map(store_of, others))
    config = configs[0]
    stages = Stages(
        decoder=make_decoder(config.decoding, config.fetching),
        sampler=JointSampling(tuple(each.sampling for each in configs), known),
        encoder=make_encoder(config.encoder),
        # Rows are made of each sampling's own frames later on.
        sink=StoreSink(JointStore(stores, found)),
        fetching=config.fetching,
        splitter=JointSplitter(),
    )
    yield from make_executor(execution, stages, on_progress=on_progress, idle_encoders=kept).run(sources)


def _known(group: Sequence[RunConfig], every: Sequence[RunConfig], video_ids: Mapping[str, str]) -> dict[str, Known]:
    """By source, what is in the stores.

    A source is known by what is in it now, not by the name under which that was read: files move, and are replaced.

    Args:
        group: Those whose embeddings may be used.
        every: Those whose cuts may be used, where the same decoder found them; `group` is among them.
        video_ids: By source.
    """
    of_group = set(map(store_of, group))
    samplings = {
        store: config.sampling
        for config in every
        if config.decoding == group[0].decoding
        and ((store := store_of(config)) in of_group or _search_of(config.sampling))
    }
    found: dict[str, Known] = {}
    for video_id in dict.fromkeys(video_ids.values()):
        outlines = {store: store.outline(video_id) for store in samplings if store.record(video_id) is not None}
        pts = [outline.pts for store, outline in outlines.items() if store in of_group]
        cuts = _found_cuts((samplings[store], outline) for store, outline in outlines.items())
        if pts or cuts:
            found[video_id] = Known(np.unique(np.concatenate(pts)) if pts else np.empty(0, np.int64), cuts)
    return {uri: found[video_id] for uri, video_id in video_ids.items() if video_id in found}


def _found_cuts(outlines: Iterable[tuple[FrameSampler, Outline]]) -> dict[CutDetection, tuple[Fraction, ...]]:
    """What searches for cuts have found in a video, from what is kept of each sampling."""
    found: dict[CutDetection, tuple[Fraction, ...]] = {}
    for sampling, outline in outlines:
        search = _search_of(sampling)
        if search is not None and outline.cuts_seconds is not None:
            found[search] = tuple(map(Fraction, outline.cuts_seconds))
    return found


def _search_of(sampling: FrameSampler) -> CutDetection | None:
    """Which search its cuts are of; a composite's may be of several, and scene changes know no gradual transitions."""
    return sampling.cuts if isinstance(sampling, FixedRate) else None
