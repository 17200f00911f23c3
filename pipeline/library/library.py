"""The public class `Library`: index videos, and search them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.encode import Encoder, OpenEncoder, make_encoder
from pipeline.library.config_checks import (
    check_dates,
    check_encoder,
    check_encoder_object,
    check_sampling,
    check_weights,
)
from pipeline.library.index_handle import check_writable
from pipeline.library.index_place import check_index_place
from pipeline.library.indexed_library import IndexedLibrary
from pipeline.library.privacy import apply_privacy, keep_privacy
from pipeline.library.saved_config import SavedConfig, config_of
from pipeline.library.text_model import LibraryEncoder, TextTowerExport, open_model, prepare_text_tower
from pipeline.library.wiring import packages_of, searcher_of
from pipeline.optional_packages import require
from pipeline.run_config import RunConfig
from pipeline.search import Answer, Query, Searcher, as_query
from pipeline.search.query import moments_query
from pipeline.store import FailureLog
from pipeline.types import Moment, Scalar, Source, Status, VideoReport

if TYPE_CHECKING:
    from pipeline.analyze.labels.label_scorer import LabelScorer
    from pipeline.analyze.labels.label_session import LabelSession
    from pipeline.analyze.labels.label_set import LabelSet
    from pipeline.execution import Executor, ExecutorChoice, OnProgress, Stages, StopRequest

__all__ = ["Library"]


class Library(IndexedLibrary):
    """A folder of indexed videos: their frame embeddings and their index. A context manager.

    Everything is loaded on first use: listing videos needs no model, and searching neither a decoder nor, as a rule,
    Milvus Lite. What is open stays open until `close`.

    Args:
        config: The library's configuration; `Library.open` finds it for a folder.
        encoder: Used in place of the configuration's encoder.
        saved: The library's saved configuration, if it has been read already.

    Attributes:
        last_run_id: Id of the latest run that `index` started on this object; None before the first.

    Raises:
        ConfigError: A part of the configuration is of a class that a configuration file cannot name.
    """

    def __init__(self, config: RunConfig, *, encoder: Encoder | None = None, saved: SavedConfig | None = None) -> None:
        saved = saved if saved is not None and saved.library == config.library else SavedConfig(config.library)
        self._own_encoder: LibraryEncoder | None = None
        if encoder is None:
            encoder = self._own_encoder = LibraryEncoder(make_encoder(config.encoder), config.encoder, saved)
        super().__init__(config, encoder, saved)
        self._model: OpenEncoder | None = None
        self._searcher: Searcher | None = None
        self.last_run_id: str | None = None

    @classmethod
    def open(
        cls,
        location: str | Path | RunConfig | None = None,
        *,
        overrides: Iterable[str] = (),
        encoder: Encoder | None = None,
        saved: SavedConfig | None = None,
    ) -> Library:
        """Open a library, or create one.

        Args:
            location: A library's folder or URL: the library's own configuration is used, or the defaults for a new
                library. Or a configuration, which names the library. None for the default configuration.
            overrides: Settings of the form `a.b=c` that override the configuration.
            encoder: Used in place of the configuration's encoder.
            saved: The library's saved configuration, if it has been read already.

        Raises:
            ConfigError: A setting is wrong, or the library was made by a version that this one cannot continue.
            FingerprintMismatchError: The library was made with another encoder.
        """
        if saved is None and location is not None and not isinstance(location, RunConfig):
            saved = SavedConfig(str(location))
        library = cls(config_of(location, overrides, saved=saved), encoder=encoder, saved=saved)
        check_encoder(library.config, library.saved_config(), library._encoder, is_configured=encoder is None)
        keep_privacy(library.config)
        return library

    def index(
        self,
        sources: Iterable[str | Path | Source],
        *,
        executor: Executor | None = None,
        on_progress: OnProgress | None = None,
        on_choice: Callable[[ExecutorChoice], None] | None = None,
        stop: StopRequest | None = None,
    ) -> Iterator[VideoReport]:
        """Index videos lazily: iterate over the result, which yields a report for each source as it ends.

        Args:
            sources: Paths or URIs, or `Source` objects with metadata.
            executor: Used in place of the configuration's executor.
            on_progress: Called while the batch runs, a few times a second at most.
            on_choice: Called with the executor if `execution.executor` is "auto", once it is chosen.
            stop: A request to end the batch, which a signal handler may make while it runs: no further video is
                started, and those under way have some seconds to finish. Ignored if `executor` is given.

        Raises:
            ConfigError: The library holds videos that were sampled under another configuration, or whose index is
                elsewhere; the label file cannot be used; the settings of two stages do not fit together; or a given
                `encoder` lacks members of the protocol.
            SourceError: The recording time in the metadata of a source is invalid.
            ExecutionError: The batch cannot be run at all.
            WeightsUnavailableError: The model is not available.
            MomentIndexError: The index cannot be used; the library's file is then left unchanged.
            StoreError: The library is read-only, or its file cannot be written.
            MissingPackageError: A package that the configured decoder or executor needs is not installed.
            BaseException: The error of the stop request.
        """
        from pipeline.execution.progress import starting
        from pipeline.library.wiring import executor_of, recorded
        from pipeline.runs.recorder import begin_run

        began = time.monotonic()
        if executor is None:
            require("indexing", *packages_of(self.config))
        if self._own_encoder is None and executor is None:
            check_encoder_object(self._encoder)
        self._check_indexable()
        session = self._configured_session()
        if executor is None:
            check_weights(self.config, self.saved_config(), self._encoder_of_batch())
        apply_privacy(self.config)
        batch = self._read_sources(sources)
        self._claim()
        export = None if self._own_encoder is None else TextTowerExport.missing(self.config, self._own_encoder)
        recorder = begin_run(self.config, self._encoder, batch, on_progress, began=began)
        self.last_run_id = recorder.run_id
        if executor is None:
            if on_progress is not None:
                on_progress(starting("opening the index"))
            stages = self.stages() if export is None else replace(self.stages(), model_task=export.task)
            executor = executor_of(
                self.config, batch, stages, on_choice=on_choice, on_progress=recorder.progress, stop=stop
            )
        self._write_file()
        reports = recorded(executor, batch, recorder, FailureLog(self.config.library))
        has_new_videos = False
        written: set[str] = set()
        try:
            for report in reports if session is None else session.labelled(reports):
                has_new_videos = has_new_videos or report.status is Status.DONE
                if report.video_id is not None and report.status is not Status.FAILED:
                    written.add(report.video_id)
                yield report
        finally:
            self._forget()
        self._renew_catalogue(written)
        if has_new_videos and self._own_encoder is not None and not (export is not None and export.is_done):
            prepare_text_tower(self.config, self._own_encoder, self.model)

    def ask(self, question: str | Query) -> Answer:
        """Answer a question: return the query, the moments that match it, their number, and an explanation.

        Args:
            question: A text, or a `Query`.

        Raises:
            QueryError: The question is empty, no video has a name in it, or the library holds no video yet.
            TextTooLongError: A text does not fit the model's context.
            VideoError: A picture or video of the question cannot be read.
            WeightsUnavailableError: The model is not available.
            MomentIndexError: The index cannot be used.
            StoreError: The frame embeddings of a video that the question names are broken. Other broken videos are
                left out: the answer's explanation lists them among the skipped.
        """
        return self._with_coverage(self.searcher().ask(as_query(question)))

    def ask_all(self, questions: Iterable[str | Query]) -> Iterator[Answer]:
        """Answer many questions lazily and in order; their texts are embedded together.

        For that, up to 64 questions are read before the first of them is answered. If a question depends on the
        previous answer, use `ask`.

        Raises:
            MomentseekError: As for `ask`, after all previous questions are answered; later ones are not. A malformed
                question raises before the questions that were read together with it are answered.
        """
        return map(self._with_coverage, self.searcher().ask_all(map(as_query, questions)))

    def prepared(self, questions: Sequence[Query]) -> list[Callable[[], Answer]]:
        """Embed the texts of several questions in one batch; return for each question a function that answers it.

        A server that gets many questions at once uses this: it can drop a question whose client is gone before the
        question is answered.

        Raises:
            MomentseekError: As for `ask`; the fault of a single question is raised by its function.
        """

        def answered(answer: Callable[[], Answer]) -> Answer:
            return self._with_coverage(answer())

        return [partial(answered, answer) for answer in self.searcher().prepared(questions)]

    def search(
        self,
        question: str | Query,
        *,
        top: int | None = None,
        videos: Iterable[str] = (),
        metadata: Mapping[str, Scalar] | None = None,
        min_score: float | None = None,
    ) -> list[Moment]:
        """Find the moments that match a question, best first; ties by video id and start.

        Args:
            question: A description of the moment, such as "a person in a hard hat"; or a `Query`.
            top: Maximum number of moments; None for the configuration's.
            videos: Search only these videos: file names, paths, URIs or ids; empty for all.
            metadata: Search only videos whose metadata has these entries.
            min_score: Minimum score of a moment; None for the configuration's.

        Raises:
            QueryError: The question is empty, asks for fewer than one moment or for absences, no video has a name in
                it, or the library holds no video yet.
            TextTooLongError: A text does not fit the model's context.
            VideoError: A picture or video of the question cannot be read.
            WeightsUnavailableError: The model is not available.
            MomentIndexError: The index cannot be used.
            StoreError: Frame embeddings are broken.
        """
        query = moments_query(question, top=top, videos=videos, metadata=metadata, min_score=min_score)
        return list(self.ask(query).moments)

    def searcher(self) -> Searcher:
        """Return the searcher; its model is loaded on first use.

        Raises:
            ConfigError: The library's frames were sampled under another configuration.
            QueryError: The library holds no video yet.
            WeightsUnavailableError: The model is not available.
            MomentIndexError: The index cannot be used, or it is empty although the library is not.
        """
        if self._searcher is None:
            check_sampling(self.config, self.saved_config())
            index = self._opened_index(is_searched=True)
            self._coverage.check_not_empty(index, self.store)
            self._searcher = searcher_of(
                self.config,
                self._encoder,
                self.model(),
                index,
                self.store,
                self.find,
                self.indexed_videos,
                survey=self.survey,
                labels=self.labels.required,
            )
        return self._searcher

    def model(self) -> OpenEncoder:
        """Open the encoder's model on first use; it stays open until `close`.

        If the library has an exported text tower, texts are embedded by it, and the model is loaded for pictures only.

        Raises:
            WeightsUnavailableError: The model is not available.
        """
        if self._model is None:
            own = self._own_encoder
            self._model = self._encoder.open() if own is None else open_model(self.config, own)
        return self._model

    def stages(self) -> Stages:
        """Return the configured stages of a batch: decoder, sampler, encoder, store and index."""
        from pipeline.library.wiring import stages_of

        return stages_of(self.config, self._encoder_of_batch(), self.store, self.moment_index(), self.row_recipe)

    def label_session(self, label_set: LabelSet, name: str, *, renew: bool = False) -> LabelSession:
        """Begin to label videos of this library.

        Args:
            label_set: The labels.
            name: What the user calls the label set.
            renew: Whether a scorer that is kept is calibrated anew.
        """
        from pipeline.analyze.labels.label_session import LabelSession
        from pipeline.library.labels.library_sessions import current_scorer

        refresh = partial(current_scorer, self, self.searcher)
        return LabelSession(
            self.store, name, label_set, self._scorer_of, self._write_labels, refresh=refresh, renew=renew
        )

    def _configured_session(self) -> LabelSession | None:
        """Begin to label the videos of a batch as the configuration says; None if it names no label file."""
        if self.config.analyze.labels is None:
            return None
        from pipeline.library.labels.library_sessions import configured_session

        return configured_session(self.config.analyze.labels, self, self.label_session)

    def _read_sources(self, sources: Iterable[str | Path | Source]) -> list[Source]:
        """Read all sources before anything is written: a manifest may turn out to be broken at its end."""
        batch = [source if isinstance(source, Source) else Source(str(source)) for source in sources]
        check_dates(batch, self.config.search.recorded_at)
        return batch

    def _check_indexable(self) -> None:
        """Refuse to index into a library that has another sampling, or whose files or index are out of reach."""
        check_sampling(self.config, self.saved_config())
        check_writable(self.config.library)
        check_index_place(self.config, self.saved_config())

    def _scorer_of(self, label_set: LabelSet) -> LabelScorer:
        from pipeline.analyze.labels.label_calibration import calibrated_scorer

        # A searcher from before the videos that were indexed meanwhile knows none of their frames.
        self._forget()
        return calibrated_scorer(self.searcher(), self.model(), label_set)

    def close(self) -> None:
        """Close the index and release the model; closing twice is harmless."""
        super().close()
        self._model = None

    def _encoder_of_batch(self) -> Encoder:
        """The encoder itself, which can be sent to other processes."""
        return self._encoder if self._own_encoder is None else self._own_encoder.verified()

    def _with_coverage(self, answer: Answer) -> Answer:
        return replace(answer, incomplete=self.incomplete())

    def _forget(self) -> None:
        super()._forget()
        self._searcher = None
