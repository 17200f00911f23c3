"""Answers questions: embeds them, asks the index, and refines what it found on the frames themselves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice

import numpy as np

from pipeline.encode.protocol import OpenEncoder
from pipeline.errors import QueryError
from pipeline.index.protocol import Filter, MomentIndex
from pipeline.search.answer import Answer, Candidate, Explanation, TermMeaning
from pipeline.search.background import Background, probability
from pipeline.search.clock import recording_begins
from pipeline.search.evidence import JudgedStep, SeenVideo, curve_of, found_in, moment_of
from pipeline.search.frames import FramesCache
from pipeline.search.names import match_videos
from pipeline.search.pictures import Pictures
from pipeline.search.query import Query, Step
from pipeline.search.ranking import Found, Ranking, rank
from pipeline.search.refine import Refiner
from pipeline.search.settings import Searching
from pipeline.search.terms import Terms
from pipeline.store.protocol import EmbeddingStore
from pipeline.types import Moment, Provenance

__all__ = ["Searcher"]

_log = logging.getLogger(__name__)

_ASKED_AT_ONCE = 64
_DEEPER = 4
_DEEPEST = 16_384
"""Candidates of one request that a Milvus server allows."""


class Searcher:
    """Turns a question into moments.

    Segments nominate: their pooled vectors decide which videos are looked at. There the frames are judged, one by one,
    and moments are ranked by their best frame: what a person is shown first is the frame that answers best.

    Args:
        encoder: The open encoder that made the index's vectors.
        index: Where segments are looked for.
        store: Where the frame embeddings of their videos are.
        settings: How hits become moments.
        pictures: Makes what reads files that a question names; None where it may name none.
        find: The ids of the videos that go by a name; None to look through the store's records.
        provenance: Of what the library holds; each moment gets it.
    """

    def __init__(
        self,
        encoder: OpenEncoder,
        index: MomentIndex,
        store: EmbeddingStore,
        settings: Searching,
        *,
        pictures: Callable[[], Pictures] | None = None,
        find: Callable[[str], tuple[str, ...]] | None = None,
        provenance: Provenance | None = None,
    ) -> None:
        self._encoder = encoder
        self._pictures = pictures
        self._index = index
        self._settings = settings
        self._provenance = provenance
        self._frames = FramesCache(store, settings.cache_mebibytes * 2**20)
        self._find = find or (lambda name: match_videos(list(store.records()), name))
        background = Background(
            store.background(index.count()),
            encoder.encode_texts,
            texts=settings.background,
            logit_scale=encoder.logit_scale,
            odds=settings.odds,
        )
        self._terms = Terms(encoder, pictures, self._frames, self._find, background)

    def ask(self, query: Query) -> Answer:
        """Answer a question.

        Raises:
            MomentseekError: As `ask_all` does.
        """
        return next(self.ask_all([query]))

    def ask_all(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Answer questions one after another, as the answers are taken; texts of several are embedded at once.

        Raises:
            QueryError: No video goes by a name in it, or a part of a video that it names has no frame.
            TextTooLongError: A text does not fit the model's context.
            VideoError: A file that it names cannot be read.
            MomentIndexError: The index cannot be asked.
            StoreError: A video's frame embeddings are broken.
        """
        waiting = iter(queries)
        while batch := list(islice(waiting, _ASKED_AT_ONCE)):
            for query, steps in zip(batch, self._judged(batch), strict=True):
                yield self._answered(query, steps)

    def _answered(self, query: Query, steps: tuple[JudgedStep, ...]) -> Answer:
        where = Filter(self._ids(query.videos), dict(query.where))
        min_score = self._settings.min_score if query.min_score is None else query.min_score
        top = query.top or self._settings.top
        gaps = [then.within for then in query.then]
        asked = max(top, self._settings.candidates)
        seen: dict[str, SeenVideo] = {}
        while True:
            candidates, is_all = self._nominated(steps, asked, where)
            seen = self._looked_at(steps, candidates, before=seen)
            found = found_in(seen.values(), steps, gaps, self._settings, min_score)
            ranking = rank(found, query, min_score=min_score, same_picture=self._settings.same_picture)
            is_enough = len(ranking.found) >= top * query.page
            # Of what the index did not tell yet, the best scores no more than the worst that it told.
            is_spent = not _is_selective(query) and min((c.score for c in candidates), default=0.0) < min_score
            if is_all or is_enough or is_spent or asked >= _DEEPEST:
                break
            asked = min(asked * _DEEPER, _DEEPEST)
        page = ranking.found[top * (query.page - 1) : top * query.page]
        shown = self._refined(page, seen, steps) if query.refine else tuple(found.moment for found in page)
        return Answer(
            query=query,
            moments=shown,
            found=len(ranking.found),
            top=top,
            min_score=min_score,
            nearest=ranking.nearest,
            curves={moment.video_id: seen[moment.video_id].curves for moment in shown or _only(ranking.nearest)},
            explanation=_explained(steps, where, candidates, ranking),
        )

    def _refined(
        self, page: Sequence[Found], seen: Mapping[str, SeenVideo], steps: Sequence[JudgedStep]
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

    def _judged(self, queries: Sequence[Query]) -> list[tuple[JudgedStep, ...]]:
        """The steps of questions, all their texts embedded at once."""
        steps = [query.steps for query in queries]
        said = [term for step in chain.from_iterable(steps) for term in (*step.shows, *step.without)]
        terms = iter(self._terms.judged(said))

        def judged(step: Step) -> JudgedStep:
            return JudgedStep(tuple(islice(terms, len(step.shows))), tuple(islice(terms, len(step.without))))

        return [tuple(map(judged, of_query)) for of_query in steps]

    def _ids(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(video_id for name in names for video_id in self._find(name)))

    def _nominated(self, steps: Sequence[JudgedStep], asked: int, where: Filter) -> tuple[tuple[Candidate, ...], bool]:
        """Segments near what the steps want to be shown, and whether the index has no more of them."""
        terms = [term for step in steps for term in step.shows]
        answers = self._index.search(np.stack([term.vector for term in terms]), top=asked, where=where)
        candidates = tuple(
            Candidate(
                str(term.term),
                hit.segment.video_id,
                hit.segment.start_seconds,
                hit.segment.end_seconds,
                hit.score,
                probability(float(term.judge(np.asarray([hit.score]))[0])),
            )
            for term, hits in zip(terms, answers, strict=True)
            for hit in hits
        )
        return candidates, all(len(hits) < asked for hits in answers)

    def _looked_at(
        self, steps: Sequence[JudgedStep], candidates: Sequence[Candidate], *, before: Mapping[str, SeenVideo]
    ) -> dict[str, SeenVideo]:
        """The videos of the candidates; those that were looked at before are not judged again."""
        places: dict[str, list[tuple[float, float]]] = {}
        for candidate in candidates:
            places.setdefault(candidate.video_id, []).append((candidate.start_seconds, candidate.end_seconds))
        looked = ((video_id, before.get(video_id) or self._judged_video(steps, video_id)) for video_id in places)
        return {
            video_id: replace(seen, places=tuple(dict.fromkeys(places[video_id])))
            for video_id, seen in looked
            if seen is not None
        }

    def _judged_video(self, steps: Sequence[JudgedStep], video_id: str) -> SeenVideo | None:
        kept = self._frames.get(video_id)
        if kept is None:
            _log.warning("%s is in the index and not in the store; index it again, or remove it", video_id)
            return None
        record, frames = kept
        curves = tuple(curve_of(frames, step) for step in steps)
        begins = recording_begins(record.metadata, self._settings.recorded_at)
        return SeenVideo(record, frames, curves, (), self._provenance, begins)


def _is_selective(query: Query) -> bool:
    """Whether more candidates may give moments where fewer gave too few.

    They score less than those before, but for what the index was not asked.
    """
    filters = (query.after, query.before, query.time_of_day, query.per_video)
    is_filtered = any(each is not None for each in filters)
    return bool(query.without or len(query.shows) > 1 or query.then or query.at_least > 1 or is_filtered)


def _only(moment: Moment | None) -> tuple[Moment, ...]:
    return () if moment is None else (moment,)


def _explained(
    steps: Sequence[JudgedStep], where: Filter, candidates: tuple[Candidate, ...], ranking: Ranking
) -> Explanation:
    terms = [term for step in steps for term in (*step.shows, *step.without)]
    meanings = tuple(
        TermMeaning(str(term.term), term.judge.level, term.judge.scale, term.judge.log_odds) for term in terms
    )
    filters = [f"video {video_id}" for video_id in where.video_ids]
    filters += [f"{name} = {value!r}" for name, value in where.metadata.items()]
    return Explanation(meanings, "; ".join(filters), candidates, ranking.dropped)
