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
from pipeline.experiments.embedding import Embedded, embed_all, store_of
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
"""Told which variant is scored, how many are done, of how many."""


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
    """Embed what is not embedded yet, and score every variant that was not scored over the same data.

    It can be ended and begun again: videos and variants that are done are not done again.

    Args:
        experiment: What is asked.
        variants: The configurations, from `load_experiment`.
        work: Folder of the results; the variants' configurations say where embeddings are.
        only: Names of the variants that are wanted; none for all.
        execution: How videos are read and encoded; None for the first variant's.
        on_progress: Told how far the embedding is.
        on_variant: Told how far the scoring is.

    Raises:
        ConfigError: A setting is wrong, or a labelled set cannot be read.
        QueryError: A labelled set is about other videos.
        SourceError: A list of videos cannot be read.
        ExecutionError: Videos failed, or there are none.
        WeightsUnavailableError: A model cannot be had.
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
        # Results that are compared come from their files, all of them.
        results.append(result if result is before else write_result(Path(work), variant, data, result))
    frames = distinct_frames([variant.config for variant in wanted], tuple(dict.fromkeys(embedded.video_ids.values())))
    return ExperimentResult(experiment, tuple(results), embedded, time.perf_counter() - started, data, frames)


def data_fingerprint(videos: StoreView, queries: Sequence[LabelledQuery]) -> str:
    """Identity of the videos' contents, of the labels, and of which video each label means."""
    records = list(videos.records())
    meant = {name: _meant(records, name) for name in dict.fromkeys(query.video for query in queries)}
    labels = [[str(q.query_id), q.text, q.video, meant[q.video], [list(w) for w in q.windows]] for q in queries]
    return fingerprint({"videos": sorted(videos.names), "labels": labels})


def _meant(records: Sequence[VideoRecord], name: str) -> list[str]:
    """The videos that go by a name; to refuse a name that means none or several is left to the scoring."""
    try:
        return list(match_videos(records, name))
    except QueryError:
        return []


def _labelled(paths: Sequence[str]) -> list[LabelledQuery]:
    """All sets as one; ids that two sets share are told apart by the set's number."""
    sets = [read_labelled(path) for path in paths]
    if len(sets) == 1:
        return sets[0]
    return [replace(q, query_id=f"{number}:{q.query_id}") for number, one in enumerate(sets, 1) for q in one]


class _Scorer:
    """Scores variants; what a sampling costs is measured once."""

    def __init__(
        self, sources: Sequence[Source], embedded: Embedded, queries: Sequence[LabelledQuery], cost_videos: int
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
        """Build the index of the variant and the experiment's videos in memory, and ask it everything."""
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
        """A result that was kept, its sampling's cost measured if that was not done on so many videos."""
        wanted = min(self._cost_videos, len(self._sources))
        measured = 0 if result.decoding is None else result.decoding.videos
        return result if wanted in (0, measured) else replace(result, decoding=self._cost(variant))

    def _encoder(self, settings: EncoderSettings) -> OpenEncoder:
        """An open encoder: that of the variant before, where it is the same, for it knows the questions already."""
        if self._opened is None or self._encoding != settings:
            # Two models need not fit into memory.
            self._opened = None
            self._encoding, self._opened = settings, make_encoder(settings).open()
            # Else the variant that comes first would pay for all: a text is embedded once.
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
