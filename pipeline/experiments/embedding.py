"""Frame embeddings for all variants: every video decoded once, and every frame encoded once an encoder.

What is one: variants that differ in segmentation, aggregation, search or prompts share their embeddings; those that
differ in sampling share one pass over a video (`pipeline.sampling.shared`), and the embeddings of the frames that they
have in common. Samplings that wait for the end of a shot get a pass of their own (`_passes`), and those that leave the
decoder a tolerance share nothing at all (`sharing_key`). What the stores hold already is neither decoded nor encoded
again, so that a variant that comes later costs the frames that nobody had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.encode import OpenClipEncoder
from pipeline.errors import ExecutionError, VideoError
from pipeline.execution import Execution, OnProgress, Stages, make_executor
from pipeline.execution.stage_times import Stopwatch
from pipeline.experiments.settings import Variant
from pipeline.index import MemoryIndex
from pipeline.rows import RowRecipe
from pipeline.run_config import RunConfig
from pipeline.sampling.shared import Shared
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.store import ParquetStore, SharedStore
from pipeline.types import Skip, Source, Status, VideoReport
from pipeline.uris import place_of
from pipeline.video import Fetching, identify, make_decoder

__all__ = ["Embedded", "embed_all", "sharing_key", "store_of"]


@dataclass(frozen=True)
class Embedded:
    """What it took to have all embeddings.

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
        ExecutionError: Videos failed; the message has the causes, and what is done of the others stays done.
        WeightsUnavailableError: A model cannot be had.
    """
    video_ids, failed = _identified(sources, variants[0].config.fetching)
    account = _Account()
    watch = Stopwatch()
    with watch:
        for key, group in _groups(variants).items():
            having = {each.sampling_fingerprint: each for each in (*group, *_groups(also).get(key, []))}
            for configs in _passes(_missing(group, set(video_ids.values()))):
                others = [having[name] for name in having if name not in {c.sampling_fingerprint for c in configs}]
                sound = [source for source in sources if source.uri in video_ids.keys() - failed.keys()]
                for report in _embed_together(configs, others, sound, video_ids, execution, on_progress):
                    failed |= account.note(report)
    if failed:
        some = "; ".join(f"{place_of(uri)}: {problem}" for uri, problem in list(failed.items())[:3])
        raise ExecutionError(
            f"{len(failed)} of {len(sources)} videos failed: {some}; mend them or leave them out, and run the"
            " experiment again: what is done is not done again"
        )
    return Embedded(video_ids, watch.seconds, account.decoded, account.encoded, len(account.read))


class _Account:
    """What passes took together."""

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


def _missing(configs: Iterable[RunConfig], video_ids: set[str]) -> list[RunConfig]:
    """Those whose stores lack a video."""
    return [config for config in configs if not video_ids <= {record.video_id for record in store_of(config).records()}]


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
    return f"{OpenClipEncoder(config.encoder).fingerprint} {config.decoding.model_dump_json()} {own}"


def _passes(configs: Iterable[RunConfig]) -> list[list[RunConfig]]:
    """What is decoded together: all but what waits for something in the pictures, as for the end of a shot.

    Whatever the others took meanwhile would wait with it, in full size. Those alone come first, since frames that the
    many know already would leave them none to give out.
    """
    alone, together = [], []
    for config in configs:
        sampler = config.sampling
        if sampler.grid is None and sampler.skip is Skip.NOTHING:
            alone.append([config])
        else:
            together.append(config)
    return [*alone, together] if together else alone


def _embed_together(
    configs: Sequence[RunConfig],
    others: Sequence[RunConfig],
    sources: Sequence[Source],
    video_ids: Mapping[str, str],
    execution: Execution,
    on_progress: OnProgress | None,
) -> Iterator[VideoReport]:
    """Fill the stores of some samplings in one pass; `others` have embeddings that may be used."""
    stores, found = tuple(map(store_of, configs)), tuple(map(store_of, others))
    config = configs[0]
    stages = Stages(
        decoder=make_decoder(config.decoding, config.fetching),
        sampler=Shared(tuple(each.sampling for each in configs), _known_pts((*found, *stores), video_ids)),
        encoder=OpenClipEncoder(config.encoder),
        store=SharedStore(stores, found),
        # Rows are made of each sampling's own frames later on; an executor wants to write some.
        recipe=RowRecipe(segmenter=FixedWindows(length_seconds=3600.0), aggregator=MeanPooling(), fingerprint="none"),
        index=MemoryIndex(),
        fetching=config.fetching,
    )
    yield from make_executor(execution, stages, on_progress=on_progress).run(sources)


def _known_pts(stores: Sequence[ParquetStore], video_ids: Mapping[str, str]) -> dict[str, npt.NDArray[np.int64]]:
    """By source, the frames of which some store has the embeddings.

    A source is known by what is in it now, not by the name under which that was read: files move, and are replaced.
    """
    found: dict[str, npt.NDArray[np.int64]] = {}
    for video_id in dict.fromkeys(video_ids.values()):
        parts = [store.outline(video_id).pts for store in stores if store.record(video_id) is not None]
        if parts:
            found[video_id] = np.unique(np.concatenate(parts))
    return {uri: found[video_id] for uri, video_id in video_ids.items() if video_id in found}
