"""Build the objects that a library works with: searcher, stages, video opener and recorded batches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pipeline.encode import Encoder, Encoding, OpenEncoder
from pipeline.index import MomentIndex
from pipeline.run_config import RunConfig, check_stages
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import FailureLog, ParquetStore, ReadableStore
from pipeline.types import Provenance, Source, VideoReport
from pipeline.video import IndexedVideos, make_decoder

if TYPE_CHECKING:
    from pipeline.execution import Executor, ExecutorChoice, OnProgress, Stages, StopRequest
    from pipeline.execution.executor_choice import EncodingLoad
    from pipeline.runs.recorder import RunRecorder
    from pipeline.search import QueryImages, Searcher
    from pipeline.search.filters.labels import LabelLookup
    from pipeline.search.filters.selection import Survey
    from pipeline.search.query_embedding import ResolvedConcept, TermEmbedder

__all__ = ["executor_of", "indexed_videos", "packages_of", "recorded", "searcher_of", "stages_of"]


def searcher_of(  # noqa: PLR0913 - the parts of a library, the last ones by name
    config: RunConfig,
    encoder: Encoder,
    opened: OpenEncoder,
    index: MomentIndex,
    store: ReadableStore,
    find: Callable[[str], tuple[str, ...]],
    videos: IndexedVideos,
    *,
    survey: Survey | None = None,
    labels: Callable[[], LabelLookup] | None = None,
) -> Searcher:
    """Build a searcher from the configuration.

    Args:
        config: The library's configuration.
        encoder: The encoder that made the library's vectors.
        opened: The same encoder, with its weights loaded.
        index: The index of the segments.
        store: The store of the frame embeddings.
        find: Returns the ids of the videos with a name.
        videos: Opens the library's videos.
        survey: Lists the library's videos; by default the store's records.
        labels: Returns the library's labels; None for a library without.

    Raises:
        MomentIndexError: The index cannot be counted.
        StoreError: Frame embeddings are broken.
    """
    from pipeline.search import Searcher

    def resolved(name: str, embedder: TermEmbedder) -> ResolvedConcept:
        from pipeline.analyze.concepts.concept_terms import ConceptTerms

        return ConceptTerms(config.library, store, encoder.fingerprint)(name, embedder)

    return Searcher(
        opened,
        index,
        store,
        config.search,
        find=find,
        survey=survey,
        labels=labels,
        pictures=partial(_pictures, config, encoder, videos),
        provenance=Provenance(
            sampling=config.sampling_fingerprint,
            encoder=encoder.fingerprint,
            segmentation=config.segmentation_fingerprint,
        ),
        concepts=resolved,
    )


def indexed_videos(config: RunConfig, store: ReadableStore) -> IndexedVideos:
    """Build the opener of a store's videos, which tries all of their names.

    Args:
        config: The configuration, which determines how videos are read.
        store: The store, which holds the names of the videos.
    """

    def names_of(video_id: str) -> tuple[str, ...]:
        record = store.record(video_id)
        # The video may be back at a former name.
        return () if record is None else (*record.former_names, *record.names)

    return IndexedVideos(make_decoder(config.decoding, config.fetching), config.fetching, names_of)


def _pictures(config: RunConfig, encoder: Encoder, videos: IndexedVideos) -> QueryImages:
    from pipeline.search import QueryImages

    decoder = make_decoder(config.decoding, config.fetching)
    return QueryImages(decoder, encoder.preprocessing(), config.fetching, videos)


def packages_of(config: RunConfig) -> tuple[str, ...]:
    """Return the modules of the optional packages that a batch needs for its decoder and executor."""
    decoding = {"pyav": (), "decord": ("decord",), "opencv": ("cv2",)}[config.decoding.backend]
    return ("av", *decoding, *(("ray",) if config.execution.executor == "ray" else ()))


def executor_of(
    config: RunConfig,
    batch: Sequence[Source],
    stages: Stages,
    *,
    on_choice: Callable[[ExecutorChoice], None] | None,
    on_progress: OnProgress,
    stop: StopRequest | None,
) -> Executor:
    """Make the executor that the configuration names, or else the one that finishes a batch sooner.

    Args:
        config: The library's configuration.
        batch: The sources.
        stages: The stages of the batch.
        on_choice: As for `choose_executor`.
        on_progress: Called while the batch runs.
        stop: A request to end the batch.

    Raises:
        ConfigError: The settings of two stages do not fit together.
    """
    from pipeline.execution import make_executor
    from pipeline.execution.executor_choice import choose_executor

    load = _encoding_load(config, stages)
    choice = choose_executor(config.execution, batch, stages.decoder, on_choice, encoding=load)
    executor = make_executor(choice.settings, stages, on_progress=on_progress, stop=stop)
    # An executor given by the caller may find cuts itself, so the configuration is checked only here.
    check_stages(config, f"the library {config.library!r}")
    return executor


def _encoding_load(config: RunConfig, stages: Stages) -> EncodingLoad | None:
    """Estimate the work of encoding; None for an encoder of another package, whose speed is unknown."""
    from pipeline.encode.processor_cost import processor_seconds_per_image
    from pipeline.execution.executor_choice import EncodingLoad

    if not isinstance(config.encoder, Encoding) or config.execution.executor != "auto":
        return None
    grid = stages.sampler.grid
    # Samplings without a grid select frames of shots or keyframes, and rarely more than one a second.
    rate = 1.0 if grid is None else float(grid.rate)
    return EncodingLoad(frames_per_second=rate, processor_seconds=processor_seconds_per_image(config.encoder))


def stages_of(
    config: RunConfig, encoder: Encoder, store: ParquetStore, index: MomentIndex, recipe: RowRecipe | None = None
) -> Stages:
    """Build the stages of a batch from the configuration; `recipe` makes the rows, None for the configuration's."""
    from pipeline.execution import LibrarySink, Stages

    return Stages(
        decoder=make_decoder(config.decoding, config.fetching),
        sampler=config.sampling,
        encoder=encoder,
        sink=LibrarySink(store=store, recipe=recipe or config.row_recipe, index=index),
        fetching=config.fetching,
    )


def recorded(
    executor: Executor, batch: Sequence[Source], recorder: RunRecorder, failures: FailureLog
) -> Generator[VideoReport]:
    """Run a batch, and yield each report after it is written to the run's report and the list of failures.

    Raises:
        StoreError: The failures of earlier runs cannot be listed.
    """
    failures.open()
    with recorder:
        reports = executor.run(batch)
        try:
            for report in reports:
                failures.remember(report)
                recorder.ended(report)
                yield report
        finally:
            if isinstance(reports, Generator):
                reports.close()
