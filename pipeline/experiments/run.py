"""Runs an experiment: embeds its videos and scores its variants."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pipeline.encode import EncoderSettings, OpenEncoder, make_encoder
from pipeline.errors import ExecutionError, QueryError
from pipeline.evaluate import LabelledQuery, OnSearch, evaluate, read_labelled
from pipeline.execution import Execution, OnProgress
from pipeline.experiments.costs import DecodingCost, decoding_cost, distinct_frames, stored_size
from pipeline.experiments.embedding import EmbeddedVideos, embed_all, store_of
from pipeline.experiments.results import ExperimentResult, VariantResult, read_result, select, write_result
from pipeline.experiments.scored_library import ScoredLibrary, selected_videos
from pipeline.experiments.settings import Experiment, Variant
from pipeline.experiments.stores import StoreView
from pipeline.fingerprints import fingerprint
from pipeline.search.filters.video_names import match_videos
from pipeline.sources import expand
from pipeline.types import Source, VideoRecord

__all__ = ["OnVariant", "run_experiment"]

_PACKAGES = ("momentseek", "av", "open_clip_torch", "torch", "numpy")

OnVariant = Callable[[str, int, int], None]
"""Called with the variant being scored, the number of variants done and their total."""


def run_experiment(
    experiment: Experiment,
    variants: Sequence[Variant],
    work: str | Path,
    *,
    only: Sequence[str] = (),
    execution: Execution | None = None,
    on_progress: OnProgress | None = None,
    on_variant: OnVariant | None = None,
) -> ExperimentResult:
    """Embed the videos and score every variant, except for results that are already stored for the same data.

    An interrupted experiment can be run again; completed videos and variants are not repeated.

    Args:
        experiment: The experiment's settings.
        variants: The variants, from `load_experiment`.
        work: Folder of the results. The variants' configurations name the folders of the embeddings.
        only: Names of the variants to run; empty for all.
        execution: Execution settings; None for those of the first variant.
        on_progress: Called with the progress of the embedding.
        on_variant: Called with the progress of the scoring.

    Raises:
        ConfigError: A setting is wrong, or a labelled set cannot be read.
        QueryError: A labelled set names videos that are not in the experiment.
        SourceError: A list of videos cannot be read.
        ExecutionError: Videos failed, or there are none.
        WeightsUnavailableError: The weights of a model are not available.
        StoreError: Embeddings or a result cannot be read or written.
    """
    started = time.perf_counter()
    wanted = select(variants, only)
    config = variants[0].config
    sources = list(expand(experiment.videos, config.fetching))
    if not sources:
        raise ExecutionError(f"there are no videos in {', '.join(experiment.videos)}")
    queries = _labelled(experiment.labelled)
    embedded = embed_all(wanted, sources, execution or config.execution, also=variants, on_progress=on_progress)
    data = data_fingerprint(selected_videos(wanted[0].config, embedded.video_ids), queries)
    scorer = _Scorer(sources, embedded, queries, experiment.cost_videos)
    results = []
    for number, variant in enumerate(wanted):
        if on_variant is not None:
            on_variant(variant.name, number, len(wanted))
        before = read_result(Path(work), variant, data)
        result = scorer.scored(variant) if before is None else scorer.with_cost(before, variant)
        # All results are read back from their files, so that new and stored ones compare equal.
        results.append(result if result is before else write_result(Path(work), variant, data, result))
    frames = distinct_frames([variant.config for variant in wanted], tuple(dict.fromkeys(embedded.video_ids.values())))
    return ExperimentResult(experiment, tuple(results), embedded, time.perf_counter() - started, data, frames)


def data_fingerprint(videos: StoreView, queries: Sequence[LabelledQuery]) -> str:
    """Return the identity of the videos' contents, the labels, and the videos that the labels refer to."""
    records = list(videos.records())
    meant = {name: _meant(records, name) for name in dict.fromkeys(query.video for query in queries)}
    labels = [[str(q.query_id), q.text, q.video, meant[q.video], [list(w) for w in q.windows]] for q in queries]
    return fingerprint({"videos": sorted(videos.names), "labels": labels})


def _meant(records: Sequence[VideoRecord], name: str) -> list[str]:
    """Return the ids of the videos with a name; names that fit none or several are rejected by the scoring."""
    try:
        return list(match_videos(records, name))
    except QueryError:
        return []


def _labelled(paths: Sequence[str]) -> list[LabelledQuery]:
    """Read all labelled sets as one; ids that occur in two sets get the number of the set as a prefix."""
    sets = [read_labelled(path) for path in paths]
    if len(sets) == 1:
        return sets[0]
    return [replace(q, query_id=f"{number}:{q.query_id}") for number, one in enumerate(sets, 1) for q in one]


class _Scorer:
    """Scores variants, and measures the cost of each sampling once."""

    def __init__(
        self, sources: Sequence[Source], embedded: EmbeddedVideos, queries: Sequence[LabelledQuery], cost_videos: int
    ) -> None:
        self._sources = sources
        self._video_ids = tuple(dict.fromkeys(embedded.video_ids.values()))
        self._embedded = embedded
        self._queries = queries
        self._cost_videos = cost_videos
        self._costs: dict[str, DecodingCost | None] = {}
        self._encoding: EncoderSettings | None = None
        self._opened: OpenEncoder | None = None

    def scored(self, variant: Variant) -> VariantResult:
        """Build a variant's index in memory and evaluate all questions on it."""
        config = variant.config
        searches: list[float] = []
        library = ScoredLibrary(config, self._embedded.video_ids, self._encoder(config.encoder))
        evaluation = evaluate(library, self._queries, min_score=config.search.min_score, on_search=_timed(searches))
        return VariantResult(
            name=variant.name,
            changes=variant.changes,
            config=config.model_dump(mode="json"),
            evaluation=evaluation,
            kept=stored_size(config, self._video_ids),
            decoding=self._cost(variant),
            segments=library.moment_index().count(),
            search_seconds=(searches[-1] - searches[0]) / max(1, len(searches) - 1) if searches else 0.0,
            versions={name: version(name) for name in _PACKAGES},
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def with_cost(self, result: VariantResult, variant: Variant) -> VariantResult:
        """Add the cost of the sampling to a stored result, unless it was measured on as many videos."""
        wanted = min(self._cost_videos, len(self._sources))
        measured = 0 if result.decoding is None else result.decoding.videos
        return result if wanted in (0, measured) else replace(result, decoding=self._cost(variant))

    def _encoder(self, settings: EncoderSettings) -> OpenEncoder:
        """Return an open encoder, the previous one if the settings are equal, since it caches embedded questions."""
        if self._opened is None or self._encoding != settings:
            # Close the previous one first, because two models may not fit into memory.
            self._opened = None
            self._encoding, self._opened = settings, make_encoder(settings).open()
            # Embed the questions in advance; otherwise their time would count for the first variant only.
            self._opened.encode_texts(list(dict.fromkeys(query.text for query in self._queries)))
        return self._opened

    def _cost(self, variant: Variant) -> DecodingCost | None:
        config = variant.config
        key = config.sampling_fingerprint
        if key not in self._costs:
            store = store_of(config)
            records = {vid: record for vid in self._video_ids if (record := store.record(vid)) is not None}
            longest = sorted(
                self._sources, key=lambda source: -records[self._embedded.video_ids[source.uri]].duration_seconds
            )
            self._costs[key] = decoding_cost(config, [source.uri for source in longest[: self._cost_videos]])
        return self._costs[key]


def _timed(moments: list[float]) -> OnSearch:
    def note(done: int, total: int) -> None:  # noqa: ARG001 - of the protocol
        moments.append(time.perf_counter())

    return note
