"""A library of indexed videos: what most programs need of momentseek."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.encode import Encoder, OpenEncoder, make_encoder
from pipeline.errors import IndexDamagedError, QueryError, StoreError
from pipeline.index import MomentIndex
from pipeline.library.config_checks import (
    check_dates,
    check_encoder,
    check_encoder_object,
    check_sampling,
    check_weights,
)
from pipeline.library.coverage import IndexCoverage
from pipeline.library.index_handle import LibraryIndex, check_writable
from pipeline.library.index_place import check_index_place
from pipeline.library.maintenance import Comparison, OnVideo, Rebuilt, Removed, compare, rebuild, remove
from pipeline.library.migration import fill_elsewhere, target_of
from pipeline.library.opening_config import config_of
from pipeline.library.privacy import apply_privacy, keep_privacy, remembered_privacy
from pipeline.library.saved_config import LibraryFile, write_library_file
from pipeline.library.videos import (
    SelectedVideos,
    change_metadata,
    find_video,
    removable_id,
    select_videos,
    with_changes,
)
from pipeline.library.wiring import indexed_videos, searcher_of
from pipeline.run_config import RunConfig, check_classes, check_stages
from pipeline.search import Answer, Query, Searcher, as_query
from pipeline.search.answer import Incomplete
from pipeline.search.filters.video_names import VideoNames
from pipeline.store import FailureLog, ParquetStore
from pipeline.types import FailedSource, FrameEmbeddings, Moment, Scalar, Source, VideoRecord, VideoReport
from pipeline.video import IndexedVideos

if TYPE_CHECKING:
    from pipeline.execution import Executor, OnProgress, Stages, StopRequest
    from pipeline.runs.log import RunLog

__all__ = ["Library", "Removed"]


class Library:
    """Videos, their frame embeddings and their index, in one folder. A context manager.

    Nothing is loaded before it is needed: listing videos takes no model, and searching no decoder. Milvus Lite lets one
    process in at a time, from the first search, `index` or `remove` until `close`.

    Args:
        config: What the library is and does; `Library.open` finds it for a folder.
        encoder: In place of the configuration's.

    Attributes:
        last_run_id: Of the latest run that `index` began here; None where it has begun none.

    Raises:
        ConfigError: A part of the configuration is of a class that a file cannot name.
    """

    def __init__(self, config: RunConfig, *, encoder: Encoder | None = None) -> None:
        self.config = check_classes(config)
        self._encoder: Encoder = encoder or make_encoder(config.encoder)
        self._is_callers_encoder = encoder is not None
        self._model: OpenEncoder | None = None
        self._index = LibraryIndex(config, self._encoder)
        self._coverage = IndexCoverage(config)
        self._searcher: Searcher | None = None
        self._names = VideoNames()
        self.last_run_id: str | None = None

    @classmethod
    def open(
        cls,
        location: str | Path | RunConfig | None = None,
        *,
        overrides: Iterable[str] = (),
        encoder: Encoder | None = None,
    ) -> Library:
        """Open a library, or begin one.

        Args:
            location: A library's folder or URL: it knows its own configuration, and a new one gets the defaults. Or a
                configuration, which names the library. None for the default configuration.
            overrides: `a.b=c` settings laid over the configuration.
            encoder: In place of the configuration's.

        Raises:
            ConfigError: A setting is wrong, or the library was made by a version that this one cannot go on from.
            FingerprintMismatchError: The library was made with another encoder.
        """
        library = cls(config_of(location, overrides), encoder=encoder)
        check_encoder(library.config, library._encoder, has_own=encoder is None)
        keep_privacy(library.config)
        return library

    def __repr__(self) -> str:
        return f"Library({self.config.library!r}, {self._encoder.description})"

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def index(
        self,
        sources: Iterable[str | Path | Source],
        *,
        executor: Executor | None = None,
        on_progress: OnProgress | None = None,
        stop: StopRequest | None = None,
    ) -> Iterator[VideoReport]:
        """Index videos; iterate over the result to make it happen: one report a source, as they end.

        Args:
            sources: Paths or URIs, with metadata where they are a `Source`.
            executor: In place of the configuration's.
            on_progress: Called while the batch runs, some times a second at most.
            stop: A request to end the batch, which a signal handler may make while it runs: no other video is begun,
                and those under way have some seconds to finish. An executor of the caller's own takes its own.

        Raises:
            ConfigError: The library holds videos that were sampled under another configuration, or whose index is
                elsewhere, the settings of two stages do not fit together, or an encoder of the caller's own lacks
                members.
            SourceError: The metadata of a source has a time of recording that is none.
            ExecutionError: The batch cannot be run at all.
            WeightsUnavailableError: The model cannot be had.
            MomentIndexError: The index cannot be used; then the library's file is left as it was.
            StoreError: The library is read-only, or its file cannot be written.
            BaseException: The error of the request to stop.
        """
        from pipeline.execution import make_executor
        from pipeline.execution.progress import starting
        from pipeline.library.wiring import recorded
        from pipeline.runs.recorder import begin_run

        began = time.monotonic()
        if self._is_callers_encoder and executor is None:
            check_encoder_object(self._encoder)
        check_sampling(self.config)
        check_writable(self.config.library)
        check_index_place(self.config)
        if executor is None:
            check_weights(self.config, self._encoder)
        apply_privacy(self.config)
        # All are named before anything is done: a manifest may turn out to be broken at its end.
        batch = [source if isinstance(source, Source) else Source(str(source)) for source in sources]
        check_dates(batch, self.config.search.recorded_at)
        self._claim()
        recorder = begin_run(self.config, self._encoder, batch, on_progress, began=began)
        self.last_run_id = recorder.run_id
        if executor is None:
            if on_progress is not None:
                on_progress(starting("opening the index"))
            executor = make_executor(self.config.execution, self.stages(), on_progress=recorder.progress, stop=stop)
            # An executor of the caller's own may look for cuts by itself.
            check_stages(self.config, f"the library {self.config.library!r}")
        self._write_file()
        try:
            yield from recorded(executor, batch, recorder, FailureLog(self.config.library))
        finally:
            self._forget()

    def ask(self, question: str | Query) -> Answer:
        """Answer a question: what is asked for, and the moments that answer it, how many, and why these.

        Args:
            question: A text, or all that can be said of a question.

        Raises:
            QueryError: The question is empty, no video goes by a name in it, or the library holds no video yet.
            TextTooLongError: A text does not fit the model's context.
            VideoError: A picture or video that it names cannot be read.
            WeightsUnavailableError: The model cannot be had.
            MomentIndexError: The index cannot be used.
            StoreError: The frame embeddings of a video that it names are broken. Others that are broken are not looked
                at: the answer's explanation lists them among the skipped.
        """
        return self._with_coverage(self.searcher().ask(as_query(question)))

    def ask_all(self, questions: Iterable[str | Query]) -> Iterator[Answer]:
        """Answer many questions, in order and as the answers are taken; their texts are embedded together.

        For that, up to 64 questions are taken before the first of them is answered: who asks by the last answer what
        comes next uses `ask`.

        Raises:
            MomentseekError: As `ask` does, when all questions before that one are answered; those behind it are not. Of
                one that is malformed, before those it was taken with.
        """
        return map(self._with_coverage, self.searcher().ask_all(map(as_query, questions)))

    def search(
        self,
        question: str | Query,
        *,
        top: int | None = None,
        videos: Iterable[str] = (),
        metadata: Mapping[str, Scalar] | None = None,
        min_score: float | None = None,
    ) -> list[Moment]:
        """The moments that answer a question, best first; ties by video id and start.

        Args:
            question: What the moment shows, as "a person in a hard hat"; or all that can be said of a question.
            top: Most moments; None for the configuration's number.
            videos: Only these: file names, paths, URIs or ids; empty for all.
            metadata: Only videos whose metadata has these entries.
            min_score: Moments with a lower score are no answer; None for the configuration's.

        Raises:
            QueryError: The question is empty, asks for fewer than one moment or for what is not there, no video goes by
                a name, or the library holds no video yet.
            TextTooLongError: A text does not fit the model's context.
            VideoError: A picture or video that it names cannot be read.
            WeightsUnavailableError: The model cannot be had.
            MomentIndexError: The index cannot be used.
            StoreError: Frame embeddings are broken.
        """
        said = {"top": top, "videos": tuple(videos), "where": dict(metadata or {}), "min_score": min_score}
        given = {name: value for name, value in said.items() if value not in (None, (), {})}
        query = as_query(question, given)
        if query.none:
            raise QueryError("a question for what is not there finds no moments; `ask` answers it, with `absences`")
        return list(self.ask(query).moments)

    def videos(self) -> list[VideoRecord]:
        """What is known of each video, ordered by id.

        Raises:
            StoreError: A video's file is broken; `survey` goes on with the others.
        """
        return list(self.store.records())

    def survey(self) -> tuple[list[VideoRecord], dict[str, StoreError]]:
        """What `videos` returns, without the videos whose files are broken; and, by id, why these cannot be read.

        Raises:
            StoreError: The library cannot be listed.
        """
        return self.store.survey()

    def failures(self) -> list[FailedSource]:
        """The sources whose latest try failed, oldest first; `index` takes their `source` to try them again.

        Raises:
            StoreError: They cannot be read.
        """
        return list(FailureLog(self.config.library))

    def runs(self) -> RunLog:
        """The reports of this library's runs, that of one which is under way included."""
        from pipeline.runs.log import RunLog

        return RunLog(self.config.library)

    def frames(self, name: str) -> FrameEmbeddings:
        """Read the times and embeddings of a video's sampled frames, as read-only NumPy arrays.

        Of the result, `times_seconds` is float64 (N,), seconds from the start of playback, increasing; `vectors` is
        float32 (N, D), rows of unit length, so that `vectors @ vectors[0]` are cosines with the first frame.

        Args:
            name: The video's id, or a file name, path or URI of one video.

        Raises:
            QueryError: No video goes by this name, or several do.
            StoreError: The video's file is broken.
        """
        found = self.find(name)
        if len(found) > 1:
            raise QueryError(f"{len(found)} videos go by {name!r}; name one by its id: {', '.join(found)}")
        return self.store.read(found[0])

    def find(self, *names: str) -> tuple[str, ...]:
        """The ids of the videos that go by these names: file names, paths, URIs or ids.

        Raises:
            QueryError: No video goes by one of them; the message has the nearest names.
        """
        return tuple(dict.fromkeys(video_id for name in names for video_id in self._found(name)))

    def select(self, *names: str, where: Mapping[str, Scalar] | None = None, missing: bool = False) -> SelectedVideos:
        """Select videos by all that is given; all videos where nothing is. Those whose files are broken are left out.

        Args:
            names: File names, paths, URIs, ids or patterns, as "cam1/*.mp4".
            where: Entries of their metadata.
            missing: Only those of which no file is left, as far as their places can tell.

        Raises:
            QueryError: A name or a pattern stands for no video, or no video has metadata of one of the names.
            StoreError: The library cannot be listed.
        """
        return select_videos(self.survey()[0], names, where or {}, missing=missing, fetching=self.config.fetching)

    def set_metadata(
        self,
        videos: Iterable[str],
        entries: Mapping[str, Scalar],
        *,
        unset: Iterable[str] = (),
        dry_run: bool = False,
    ) -> list[VideoRecord]:
        """Change the metadata of videos, without reading their files; the other entries stay.

        Where that was ended early, it can be run again: what was done stays done.

        Args:
            videos: Names, paths, URIs, ids or patterns.
            entries: That are set.
            unset: Names of entries that go.
            dry_run: Change nothing.

        Returns:
            The records of the videos whose metadata changed, as they are now.

        Raises:
            QueryError: A name stands for no video, or an entry cannot be set or left out.
            MomentIndexError: The index cannot be written.
            StoreError: The library is read-only, or frame embeddings are broken.
        """
        names = tuple(videos)
        records = self.select(*names).records if names else ()
        changed = with_changes(records, entries, unset, self.config.search.recorded_at)
        if changed and not dry_run:
            check_sampling(self.config)
            check_writable(self.config.library)
            check_index_place(self.config)
            apply_privacy(self.config)
            self._claim()
            changed = list(change_metadata(self.moment_index(), self.store, self.config.row_recipe, changed))
            self._forget()
        return changed

    def _found(self, name: str) -> tuple[str, ...]:
        return find_video(self._names, self.survey, name)

    def find_removable(self, name: str) -> str:
        """The id of the one video that goes by a name, or that is known by this id to the index alone.

        Raises:
            QueryError: No video goes by this name, or several do.
            MomentIndexError: The index cannot be read.
        """
        return removable_id(self.find, self.moment_index(), self.store, name)

    def remove(self, name: str) -> Removed:
        """Remove a video from index and store, not its file, and look whether anything of it is left.

        Where that was ended early, it can be run again by the video's id.

        Raises:
            QueryError: No video goes by this name, or several do.
            MomentIndexError: The index cannot be written, or rows are still found.
            StoreError: The library is read-only, or a file cannot be removed or is still there.
        """
        check_writable(self.config.library)
        check_index_place(self.config)
        apply_privacy(self.config)
        video_id = self.find_removable(name)
        removed = remove(self.moment_index(), self.store, video_id)
        self._forget()
        return removed

    def close(self) -> None:
        """Give index and model back; closing twice is harmless."""
        self._index.close()
        self._model = None
        self._forget()

    @property
    def store(self) -> ParquetStore:
        """Where the frame embeddings are."""
        return ParquetStore(self.config.library, self.config.sampling_fingerprint, self._encoder.fingerprint)

    @cached_property
    def indexed_videos(self) -> IndexedVideos:
        """Opens the library's videos, wherever they still are what was indexed."""
        return indexed_videos(self.config, self.store)

    def moment_index(self) -> MomentIndex:
        """The open index; one in memory is filled from the store.

        Raises:
            IndexLockedError: Another process holds it.
            FingerprintMismatchError: It holds another encoder's vectors.
            MomentIndexError: It cannot be opened.
        """
        return self._index.open(fill=lambda index: rebuild(index, self.store, self.config.row_recipe))

    def rebuild_index(self, *, on_video: OnVideo | None = None) -> Rebuilt:
        """Make the index anew from the frame embeddings, under the present segmentation and `index.kind`.

        It is made beside the one that answers, which it then replaces in one step; what other processes write meanwhile
        is caught up with. Where it ends early, the old index goes on answering. One whose files are damaged is removed
        first.

        Args:
            on_video: Told how many videos are done, of how many.

        Raises:
            ConfigError: The segmentation needs cuts, and a video has none; or the library holds videos that were
                sampled under another configuration.
            MomentIndexError: The index cannot be written, or another rebuild is under way.
            StoreError: Frame embeddings are broken, or the library's file cannot be written.
        """
        check_sampling(self.config)
        check_writable(self.config.library)
        apply_privacy(self.config)
        self._claim()
        try:
            rebuilt = rebuild(self.moment_index(), self.store, self.config.row_recipe, on_video=on_video)
        except IndexDamagedError as error:
            self._index.discard(error)
            rebuilt = rebuild(self.moment_index(), self.store, self.config.row_recipe, on_video=on_video)
        self._write_file()
        self._forget()
        return rebuilt

    def migrate_index(self, uri: str | None, *, on_video: OnVideo | None = None) -> Rebuilt:
        """Move the index to another place: fill it there from the frame embeddings, then use it from now on.

        Until all rows are there, the present index answers. A migration that was interrupted goes on when it is run
        again. The index at the old place is left as it is.

        Args:
            uri: A Milvus server, or a folder for Milvus Lite; None for the library's own folder.
            on_video: Told how many videos are done, of how many.

        Raises:
            ConfigError: The URI is neither, or the library holds videos that were sampled under another configuration.
            MomentIndexError: The index cannot be written.
            StoreError: Frame embeddings are broken, or the library's file cannot be written.
        """
        check_sampling(self.config)
        check_writable(self.config.library)
        apply_privacy(self.config)
        target = target_of(self.config, uri)
        self._index.close()

        def switch() -> None:
            self.config = target
            self._index, self._coverage = LibraryIndex(target, self._encoder), IndexCoverage(target)
            self._write_file()
            self._forget()

        return fill_elsewhere(target, self._encoder, self.store, switch=switch, on_video=on_video)

    def incomplete(self) -> Incomplete | None:
        """What the index lacks of the stored videos; None if it has as many. Counted at most every ten seconds.

        Raises:
            MomentIndexError: The index cannot be used.
            StoreError: The stored videos cannot be listed.
        """
        return self._coverage.lacking(self.moment_index(), self.store)

    def verify_index(self, *, on_video: OnVideo | None = None) -> Comparison:
        """Compare the index with what the frame embeddings say that it should be; nothing is changed.

        Args:
            on_video: Told how many videos are done, of how many.

        Raises:
            ConfigError: The segmentation needs cuts, and a video has none; or the library's frames were sampled under
                another configuration.
            MomentIndexError: The index cannot be read.
            StoreError: Frame embeddings are broken.
        """
        check_sampling(self.config)
        return compare(self.moment_index(), self.store, self.config.row_recipe, on_video=on_video)

    def searcher(self) -> Searcher:
        """The searcher, its model loaded.

        Raises:
            ConfigError: The library's frames were sampled under another configuration.
            QueryError: The library holds no video yet.
            WeightsUnavailableError: The model cannot be had.
            MomentIndexError: The index cannot be used, or it is empty and the library is not.
        """
        if self._searcher is None:
            check_sampling(self.config)
            index = self.moment_index()
            self._coverage.check_not_empty(index, self.store)
            self._searcher = searcher_of(
                self.config, self._encoder, self.model(), index, self.store, self.find, self.indexed_videos, self.survey
            )
        return self._searcher

    def model(self) -> OpenEncoder:
        """The encoder, its model loaded; it stays so until `close`.

        Raises:
            WeightsUnavailableError: The model cannot be had.
        """
        if self._model is None:
            self._model = self._encoder.open()
        return self._model

    def stages(self) -> Stages:
        """What a batch is run with."""
        from pipeline.library.wiring import stages_of

        return stages_of(self.config, self._encoder, self.store, self.moment_index())

    def _with_coverage(self, answer: Answer) -> Answer:
        return replace(answer, incomplete=self.incomplete())

    def _claim(self) -> None:
        if self._index.claim():
            self._forget()

    def _write_file(self) -> None:
        encoder, sampling = self._encoder, self.config.sampling_fingerprint
        config = remembered_privacy(self.config)
        write_library_file(LibraryFile(config, encoder.description, encoder.fingerprint, sampling))

    def _forget(self) -> None:
        self._searcher = None
        self._coverage.forget()
        self._names.forget()
