"""The searcher: embed a query, search the index, and localize moments on the frame embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice, repeat

import numpy as np

from pipeline.encode.protocol import OpenEncoder
from pipeline.errors import MomentseekError, QueryError, StoreError
from pipeline.index.protocol import Filter, Hit, MomentIndex
from pipeline.search.absence import find_absences, refuse_unknown_words
from pipeline.search.answer import Answer, Candidate, Dropped, Explanation, Skipped, TermMeaning
from pipeline.search.boundary_refinement import Refiner
from pipeline.search.calibration import Calibrator, probability
from pipeline.search.embedding_cache import EmbeddingCache
from pipeline.search.filters.labels import LabelCondition, LabelLookup
from pipeline.search.filters.selection import Selection, Survey, described_filters, filter_parts, select
from pipeline.search.filters.video_names import match_videos
from pipeline.search.query import Query, Step, Term
from pipeline.search.query_embedding import CalibratedTerm, TermEmbedder
from pipeline.search.query_images import QueryImages
from pipeline.search.ranking import FoundMoment, rank
from pipeline.search.scoring import CalibratedStep, ScoredVideo, moment_of
from pipeline.search.settings import Searching
from pipeline.search.video_scan import CandidateScan
from pipeline.store.protocol import ReadableStore
from pipeline.types import Moment, Provenance

__all__ = ["Searcher"]

_ASKED_AT_ONCE = 64
_DEEPER = 4
_DEEPEST = 16_384
"""Candidates of one request that a Milvus server allows."""
_IDS_A_FILTER = 1000
"""Videos of one request's filter: 20 kB of a Milvus expression."""


class Searcher:
    """Answers questions with moments.

    Segments nominate: their pooled vectors decide which videos are scored. Then each frame of these videos is scored,
    and moments are ranked by their best frame: a user sees first the frame that answers best.

    Args:
        encoder: The open encoder that made the index's vectors.
        index: The index of segments.
        store: The store of frame embeddings.
        settings: Settings of the search.
        pictures: Makes the reader of files that a question names; None where it may name none.
        find: Returns the ids of the videos with a name; None to search the store's records.
        survey: Lists the library's videos; None for the store's records, all of which must be readable then.
        labels: Returns the library's labels, or raises a QueryError that says how to make some; None for no library.
        provenance: Of what the library holds; each moment gets it.
    """

    def __init__(  # noqa: PLR0913 - what a library hands on, each part by name
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
                f"the library's embeddings have {sample.vectors.shape[1]} numbers, and this encoder's have"
                f" {encoder.dimension}; open it with the encoder that it was made with, or index its videos again"
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
        self._embedder = TermEmbedder(encoder, pictures, self._embeddings, self._find, self._calibrator)

    def ask(self, query: Query) -> Answer:
        """Answer a question.

        Raises:
            QueryError: No video goes by a name in it, no video has metadata of a name in it, a part of a video that it
                names has no frame, it names a label that the library does not have, or it asks for what is not there
                with words that the model does not know.
            TextTooLongError: A text does not fit the model's context.
            VideoError: A file that it names cannot be read.
            MomentIndexError: The index cannot be asked.
            StoreError: The frame embeddings of a video that it names are broken. Others that are broken are not looked
                at: the explanation lists them.
        """
        (steps,) = self._calibrated([query])
        return self._answered(query, steps)

    def calibrated(self, terms: Sequence[Term]) -> list[CalibratedTerm]:
        """Embed and calibrate terms, which then score frames; all texts are embedded in one batch.

        Raises:
            QueryError: A video of the library that one names is not there, or not alone, or has no frame there.
            VideoError: A file that one names cannot be read.
            TextTooLongError: A text does not fit the model's context.
        """
        return self._embedder.embed(terms)

    @property
    def calibrator(self) -> Calibrator:
        """Calibrates vectors for the library."""
        return self._calibrator

    def ask_all(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Answer questions one after another, as the answers are taken; texts of several are embedded at once.

        For that, up to 64 questions are taken before the first of them is answered. If a question depends on the
        previous answer, use `ask`.

        Raises:
            MomentseekError: As `ask` does, when all questions before that one are answered; those after it are not. A
                QueryError names the question.
        """
        waiting = iter(queries)
        number = 0
        while batch := list(islice(waiting, _ASKED_AT_ONCE)):
            try:
                calibrated: Iterable[tuple[CalibratedStep, ...] | None] = self._calibrated(batch)
            except MomentseekError:
                # One of them cannot be asked; its error is raised when those before it are answered.
                calibrated = repeat(None, len(batch))
            for query, steps in zip(batch, calibrated, strict=True):
                number += 1
                try:
                    answer = self.ask(query) if steps is None else self._answered(query, steps)
                except QueryError as error:
                    raise QueryError(f"question {number} ({query}): {error}") from error
                yield answer

    def _absent(self, query: Query, step: CalibratedStep) -> Answer:
        refuse_unknown_words(step)
        labels = LabelCondition.of(query, self._labels)
        where = Filter(self._ids(query.videos), dict(query.where))
        selection = self._selected(query, where)
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
                _explained([step], ()),
                filters=described_filters(query, where, _text_of(labels)),
                skipped=absences.skipped,
                hint=selection.hint,
            ),
            absences=absences.found[top * (query.page - 1) : top * query.page],
            videos=absences.videos,
            videos_without=absences.videos_without,
        )

    def _answered(self, query: Query, steps: tuple[CalibratedStep, ...]) -> Answer:
        if query.none:
            return self._absent(query, steps[0])
        labels = LabelCondition.of(query, self._labels)
        filtered = None if labels is None else labels.index_filter
        where = Filter(self._ids(query.videos), dict(query.where), filtered)
        selection = None if query.recording_times is None else self._selected(query, where)
        min_score = self._settings.min_score if query.min_score is None else query.min_score
        top = query.top or self._settings.top
        asked = max(top, self._settings.candidates)
        parts = filter_parts(where, selection, labels, _IDS_A_FILTER)
        scan = CandidateScan(query, steps, self._embeddings, self._settings, self._provenance, labels)
        first: tuple[FoundMoment, ...] = ()
        while True:
            candidates, is_all = self._nominated(steps, asked, parts)
            scan.scan(candidates)
            same = self._settings.same_picture
            ranking = rank(scan.found, query, min_score=min_score, same_picture=same, first=first)
            # Pages that are full stay as they are, whatever is found for later ones.
            full = min(len(ranking.found) // top, query.page)
            first = ranking.found[: top * full]
            # Of what the index did not tell yet, nothing scores more than the worst that it told of each term, and all
            # else that is asked for only lowers what a moment scores.
            is_spent = min((c.score for c in candidates), default=0.0) < min_score
            if is_all or full == query.page or is_spent or asked >= _DEEPEST:
                break
            asked = min(asked * _DEEPER, _DEEPEST)
        if not candidates and selection is None:
            selection = self._selected(query, where)
        page = ranking.found[top * (query.page - 1) : top * query.page]
        shown = self._refined(page, scan.scored, steps) if query.refine else tuple(found.moment for found in page)
        return Answer(
            query=query,
            moments=shown,
            found=len(ranking.found),
            top=top,
            min_score=min_score,
            nearest=ranking.nearest,
            curves={moment.video_id: scan.scored[moment.video_id].curves for moment in shown or _only(ranking.nearest)},
            explanation=replace(
                _explained(steps, candidates, (*ranking.dropped, *scan.left_out)),
                filters=described_filters(query, where, _text_of(labels)),
                skipped=self._skipped(query, where, labels, selection, scan),
                hint="" if selection is None else selection.hint,
            ),
            unknown_words=_unknown_words(steps),
        )

    def _refined(
        self, page: Sequence[FoundMoment], seen: Mapping[str, ScoredVideo], steps: Sequence[CalibratedStep]
    ) -> tuple[Moment, ...]:
        if self._pictures is None:
            raise QueryError("this search reads no files, and can refine no moment")
        refiner = Refiner(self._encoder, self._pictures())
        moments = []
        for found in page:
            moment = found.moment
            spans = [
                refiner.refined(moment.uri, moment.video_id, span, step.log_odds)
                for span, step in zip(found.spans, steps, strict=True)
            ]
            moments.append(replace(moment_of(seen[moment.video_id], spans, steps), copies=moment.copies))
        return tuple(moments)

    def _calibrated(self, queries: Sequence[Query]) -> list[tuple[CalibratedStep, ...]]:
        """Embed and calibrate the steps of questions, all texts in one batch."""
        steps = [query.steps for query in queries]
        said = [term for step in chain.from_iterable(steps) for term in (*step.shows, *step.without)]
        terms = iter(self._embedder.embed(said))

        def calibrated(step: Step) -> CalibratedStep:
            return CalibratedStep(tuple(islice(terms, len(step.shows))), tuple(islice(terms, len(step.without))))

        return [tuple(map(calibrated, of_query)) for of_query in steps]

    def _ids(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(video_id for name in names for video_id in self._find(name)))

    def _selected(self, query: Query, where: Filter) -> Selection:
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

    def _nominated(
        self, steps: Sequence[CalibratedStep], asked: int, parts: Sequence[Filter]
    ) -> tuple[tuple[Candidate, ...], bool]:
        """Search the index for segments near the terms of the steps; tell whether it has no more of them."""
        terms = [term for step in steps for term in step.shows]
        vectors = np.stack([term.vector for term in terms])
        answers: list[list[Hit]] = [[] for _ in terms]
        for part in parts:
            found = self._index.search(vectors, top=asked, where=part)
            answers = [[*before, *hits] for before, hits in zip(answers, found, strict=True)]
        candidates = tuple(
            Candidate(
                str(term.term),
                hit.segment.video_id,
                hit.segment.start_seconds,
                hit.segment.end_seconds,
                hit.score,
                probability(float(term.calibration(np.asarray([hit.score]))[0])),
            )
            for term, hits in zip(terms, answers, strict=True)
            for hit in sorted(hits, key=lambda hit: (-hit.score, hit.key))[:asked]
        )
        return candidates, all(len(hits) < asked for hits in answers)


def _only(moment: Moment | None) -> tuple[Moment, ...]:
    return () if moment is None else (moment,)


def _text_of(labels: LabelCondition | None) -> str:
    return "" if labels is None else str(labels)


def _terms_of(steps: Sequence[CalibratedStep]) -> list[CalibratedTerm]:
    return [term for step in steps for term in (*step.shows, *step.without)]


def _unknown_words(steps: Sequence[CalibratedStep]) -> tuple[str, ...]:
    """Collect the unknown words of all terms, in order, each once, ignoring case."""
    words: dict[str, str] = {}
    for word in (word for term in _terms_of(steps) for word in term.unknown_words):
        words.setdefault(word.casefold(), word)
    return tuple(words.values())


def _explained(
    steps: Sequence[CalibratedStep], candidates: tuple[Candidate, ...], dropped: tuple[Dropped, ...] = ()
) -> Explanation:
    terms = _terms_of(steps)
    meanings = tuple(
        TermMeaning(str(term.term), term.calibration.level, term.calibration.scale, term.calibration.log_odds)
        for term in terms
    )
    return Explanation(meanings, "", candidates, dropped)
