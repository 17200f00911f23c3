"""The searcher: embeds a query, searches the index, and localizes moments in the frame embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, repeat

import numpy as np

from pipeline.encode.protocol import OpenEncoder
from pipeline.errors import MomentseekError, QueryError, StoreError
from pipeline.index.protocol import Filter, Hit, MomentIndex
from pipeline.search.absence import find_absences, refuse_unknown_words
from pipeline.search.answer import Answer, Candidate, Skipped
from pipeline.search.boundary_refinement import Refiner
from pipeline.search.calibration import Calibrator, probability
from pipeline.search.embedding_cache import EmbeddingCache
from pipeline.search.explanation import explanation_of, notes_of, unknown_words_of
from pipeline.search.filters.labels import LabelCondition, LabelLookup
from pipeline.search.filters.selection import Selection, Survey, described_filters, filter_parts, select
from pipeline.search.filters.video_names import match_videos
from pipeline.search.query import Query, Term
from pipeline.search.query_embedding import CalibratedTerm, ConceptResolver, TermEmbedder
from pipeline.search.query_images import QueryImages
from pipeline.search.ranking import FoundMoment, Ranking, rank
from pipeline.search.scoring import CalibratedStep, ScoredVideo, calibrated_steps, moment_of
from pipeline.search.settings import Searching
from pipeline.search.video_scan import CandidateScan
from pipeline.store.protocol import ReadableStore
from pipeline.types import Moment, Provenance

__all__ = ["Searcher"]

_QUESTION_BATCH = 64
_DEPTH_FACTOR = 4
_MAX_CANDIDATES = 16_384
"""The most results that a Milvus server returns for one request."""
_MAX_FILTER_IDS = 1000
"""Maximum number of videos in the filter of one request; so many take 20 kB of a Milvus expression."""


class Searcher:
    """Answers questions with moments.

    The index nominates videos: it finds the segments whose pooled vectors are nearest to the question. Then every frame
    of these videos is scored, and moments are ranked by their best frames.

    Args:
        encoder: The open encoder that made the index's vectors.
        index: The index of segments.
        store: The store of frame embeddings.
        settings: Settings of the search.
        pictures: Makes the reader of files that a question names; None if questions must not name files.
        find: Returns the ids of the videos with a name; None to search the store's records.
        survey: Lists the library's videos; None to list the store's records, all of which must then be readable.
        labels: Returns the library's labels, or raises a QueryError that says how to make some; None for no library.
        provenance: Provenance of the library's contents, copied to each moment.
        concepts: Looks up the concepts that a question names; None if questions must not name concepts.

    Attributes:
        embedder: Embeds and calibrates terms.
    """

    def __init__(  # noqa: PLR0913 - each is a part of its own
        self,
        encoder: OpenEncoder,
        index: MomentIndex,
        store: ReadableStore,
        settings: Searching,
        *,
        pictures: Callable[[], QueryImages] | None = None,
        find: Callable[[str], tuple[str, ...]] | None = None,
        survey: Survey | None = None,
        labels: Callable[[], LabelLookup] | None = None,
        provenance: Provenance | None = None,
        concepts: ConceptResolver | None = None,
    ) -> None:
        self._encoder = encoder
        self._pictures = pictures
        self._labels = labels
        self._index = index
        self._settings = settings
        self._provenance = provenance
        self._embeddings = EmbeddingCache(store, settings.cache_mebibytes * 2**20, encoder.dimension)
        self._find = find or (lambda name: match_videos(list(store.records()), name))
        self._survey: Survey = survey or (lambda: (list(store.records()), {}))
        sample = store.frame_sample(index.count())
        if len(sample.vectors) and sample.vectors.shape[1] != encoder.dimension:
            raise StoreError(
                f"the library's embeddings have {sample.vectors.shape[1]} dimensions, but this encoder's have"
                f" {encoder.dimension}; open the library with the encoder that made it, or index its videos again"
            )
        self._calibrator = Calibrator(
            sample,
            encoder.encode_texts,
            texts=settings.background,
            logit_scale=encoder.logit_scale,
            logit_bias=encoder.logit_bias,
            odds=settings.odds,
            base_quantile=settings.base_quantile,
        )
        self.embedder = TermEmbedder(encoder, pictures, self._embeddings, self._find, self._calibrator, concepts)

    def ask(self, query: Query) -> Answer:
        """Answer a question.

        Raises:
            QueryError: The question names an unknown video, an unknown metadata entry, a label that the library does
                not have or a part of a video without a frame, or searches for absences with words that the model does
                not know.
            TextTooLongError: A text does not fit the model's context.
            VideoError: A file that the question names cannot be read.
            MomentIndexError: The index cannot be searched.
            StoreError: The frame embeddings of a video that the question names are broken. Other videos with broken
                embeddings are skipped, and the explanation lists them.
        """
        (steps,) = self._calibrate_steps([query])
        return self._answer(query, steps)

    def calibrated(self, terms: Sequence[Term]) -> list[CalibratedTerm]:
        """Embed and calibrate terms, which then score frames; all texts are embedded in one batch.

        Raises:
            QueryError: A video of the library that one names is not there, or not alone, or has no frame there.
            VideoError: A file that one names cannot be read.
            TextTooLongError: A text does not fit the model's context.
        """
        return self.embedder.embed(terms)

    @property
    def calibrator(self) -> Calibrator:
        """Calibrates vectors for the library."""
        return self._calibrator

    def ask_all(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Answer questions lazily, one after another; the texts of several questions are embedded in one batch.

        For this, up to 64 questions are read before the first of them is answered. If a question depends on the
        previous answer, use `ask`.

        Raises:
            MomentseekError: As for `ask`, after all earlier questions have been answered; later questions are not
                answered. A QueryError names the question.
        """
        remaining = iter(queries)
        number = 0
        while batch := list(islice(remaining, _QUESTION_BATCH)):
            try:
                calibrated: Iterable[tuple[CalibratedStep, ...] | None] = self._calibrate_steps(batch)
            except MomentseekError:
                # One question of the batch fails; its error is raised after the questions before it are answered.
                calibrated = repeat(None, len(batch))
            for query, steps in zip(batch, calibrated, strict=True):
                number += 1
                try:
                    answer = self.ask(query) if steps is None else self._answer(query, steps)
                except QueryError as error:
                    raise QueryError(f"question {number} ({query}): {error}") from error
                yield answer

    def prepared(self, queries: Sequence[Query]) -> list[Callable[[], Answer]]:
        """Embed the texts of several questions in one batch; return for each question a function that answers it.

        A question that cannot be embedded fails when its own function is called.

        Raises:
            MomentseekError: By the returned functions, as for `ask`.
        """
        try:
            calibrated = self._calibrate_steps(queries)
        except MomentseekError:
            return [partial(self.ask, query) for query in queries]
        return [partial(self._answer, query, steps) for query, steps in zip(queries, calibrated, strict=True)]

    def _answer_absences(self, query: Query, step: CalibratedStep) -> Answer:
        refuse_unknown_words(step)
        labels = LabelCondition.of(query, self._labels)
        where = Filter(self._find_ids(query.videos), dict(query.where))
        selection = self._select(query, where)
        min_score = self._settings.min_score if query.min_score is None else query.min_score
        top = query.top or self._settings.top
        absences = find_absences(
            query,
            step,
            selection,
            self._embeddings,
            min_score=min_score,
            settings=self._settings,
            provenance=self._provenance,
            labels=labels,
        )
        return Answer(
            query=query,
            moments=(),
            found=len(absences.found),
            top=top,
            min_score=min_score,
            nearest=None,
            curves={},
            explanation=replace(
                explanation_of([step], ()),
                filters=described_filters(query, where, _text_of(labels)),
                skipped=absences.skipped,
                hint=selection.hint,
            ),
            absences=absences.found[top * (query.page - 1) : top * query.page],
            videos=absences.videos,
            videos_without=absences.videos_without,
            notes=notes_of([step]),
        )

    def _answer(self, query: Query, steps: tuple[CalibratedStep, ...]) -> Answer:
        if query.none:
            return self._answer_absences(query, steps[0])
        labels = LabelCondition.of(query, self._labels)
        filtered = None if labels is None else labels.index_filter
        where = Filter(self._find_ids(query.videos), dict(query.where), filtered)
        selection = None if query.recording_times is None else self._select(query, where)
        min_score = self._settings.min_score if query.min_score is None else query.min_score
        top = query.top or self._settings.top
        parts = filter_parts(where, selection, labels, _MAX_FILTER_IDS)
        scan = CandidateScan(query, steps, self._embeddings, self._settings, self._provenance, labels)
        ranking, candidates = self._ranked(query, steps, scan, parts, top=top, min_score=min_score)
        if not candidates and selection is None:
            selection = self._select(query, where)
        page = ranking.found[top * (query.page - 1) : top * query.page]
        shown = self._refine(page, scan.scored, steps) if query.refine else tuple(found.moment for found in page)
        return Answer(
            query=query,
            moments=shown,
            found=len(ranking.found),
            top=top,
            min_score=min_score,
            nearest=ranking.nearest,
            curves={
                moment.video_id: scan.scored[moment.video_id].curves for moment in shown or _as_tuple(ranking.nearest)
            },
            explanation=replace(
                explanation_of(steps, candidates, (*ranking.dropped, *scan.left_out)),
                filters=described_filters(query, where, _text_of(labels)),
                skipped=self._skipped(query, where, labels, selection, scan),
                hint="" if selection is None else selection.hint,
            ),
            unknown_words=unknown_words_of(steps),
            notes=notes_of(steps),
        )

    def _ranked(
        self,
        query: Query,
        steps: tuple[CalibratedStep, ...],
        scan: CandidateScan,
        parts: Sequence[Filter],
        *,
        top: int,
        min_score: float,
    ) -> tuple[Ranking, tuple[Candidate, ...]]:
        """Scan candidates, and more of them until the page is full; return the ranking and the last candidates."""
        depth = max(top, self._settings.candidates)
        same = self._settings.same_picture
        first: tuple[FoundMoment, ...] = ()
        while True:
            candidates, is_all = self._find_candidates(steps, depth, parts)
            scan.scan(candidates)
            ranking = rank(scan.found, query, min_score=min_score, same_picture=same, first=first)
            # Full pages do not change when more candidates are requested for later pages.
            full_pages = min(len(ranking.found) // top, query.page)
            first = ranking.found[: top * full_pages]
            # Further candidates of a term score no higher than the worst one returned, and further terms only lower
            # the score of a moment.
            is_exhausted = min((c.score for c in candidates), default=0.0) < min_score
            if is_all or full_pages == query.page or is_exhausted or depth >= _MAX_CANDIDATES:
                return ranking, candidates
            depth = min(depth * _DEPTH_FACTOR, _MAX_CANDIDATES)

    def _refine(
        self, page: Sequence[FoundMoment], scored: Mapping[str, ScoredVideo], steps: Sequence[CalibratedStep]
    ) -> tuple[Moment, ...]:
        if self._pictures is None:
            raise QueryError("this search cannot read video files, so it cannot refine moments")
        refiner = Refiner(self._encoder, self._pictures())
        moments = []
        for found in page:
            moment = found.moment
            spans = [
                refiner.refined(moment.uri, moment.video_id, span, step.log_odds)
                for span, step in zip(found.spans, steps, strict=True)
            ]
            moments.append(replace(moment_of(scored[moment.video_id], spans, steps), copies=moment.copies))
        return tuple(moments)

    def _calibrate_steps(self, queries: Sequence[Query]) -> list[tuple[CalibratedStep, ...]]:
        return calibrated_steps(queries, self.embedder.embed)

    def _find_ids(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(video_id for name in names for video_id in self._find(name)))

    def _select(self, query: Query, where: Filter) -> Selection:
        return select(query, where.video_ids, self._settings.recorded_at, self._survey)

    def _skipped(
        self,
        query: Query,
        where: Filter,
        labels: LabelCondition | None,
        selection: Selection | None,
        scan: CandidateScan,
    ) -> tuple[Skipped, ...]:
        """List the videos that were not searched: by what the scan met, by recording time, and those without labels."""
        skipped = {one.video_id: one for one in scan.skipped.values()}
        if selection is not None:
            skipped |= {one.video_id: one for one in selection.skipped}
        if labels is not None:
            unlabelled = labels.unlabelled(query, where.video_ids, self._embeddings.record)
            skipped = {one.video_id: one for one in unlabelled} | skipped
        return tuple(skipped.values())

    def _find_candidates(
        self, steps: Sequence[CalibratedStep], depth: int, parts: Sequence[Filter]
    ) -> tuple[tuple[Candidate, ...], bool]:
        """Search the index for the segments nearest to each term; return them, and whether these are all segments."""
        terms = [term for step in steps for term in step.shows]
        vectors = np.stack([term.vector for term in terms])
        hits_by_term: list[list[Hit]] = [[] for _ in terms]
        for part in parts:
            found = self._index.search(vectors, top=depth, where=part)
            hits_by_term = [[*before, *hits] for before, hits in zip(hits_by_term, found, strict=True)]
        candidates = tuple(
            Candidate(
                str(term.term),
                hit.segment.video_id,
                hit.segment.start_seconds,
                hit.segment.end_seconds,
                hit.score,
                probability(float(term.calibration(np.asarray([hit.score]))[0])),
            )
            for term, hits in zip(terms, hits_by_term, strict=True)
            for hit in sorted(hits, key=lambda hit: (-hit.score, hit.key))[:depth]
        )
        return candidates, all(len(hits) < depth for hits in hits_by_term)


def _as_tuple(moment: Moment | None) -> tuple[Moment, ...]:
    return () if moment is None else (moment,)


def _text_of(labels: LabelCondition | None) -> str:
    return "" if labels is None else str(labels)
