"""A library of indexed videos: what most programs need of momentseek."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import validate, with_overrides
from pipeline.encode import Encoder, OpenClipEncoder, OpenEncoder
from pipeline.errors import ConfigError, FingerprintMismatchError, QueryError, StoreError
from pipeline.index import MomentIndex, open_index
from pipeline.library_file import LibraryFile, read_library_file, write_library_file
from pipeline.rows import replace_rows, segment_rows
from pipeline.run_config import RunConfig
from pipeline.search import Searcher
from pipeline.search.names import match_videos
from pipeline.store import FailureLog, ParquetStore
from pipeline.types import FailedSource, Moment, Scalar, Source, Status, VideoRecord, VideoReport

if TYPE_CHECKING:
    from pipeline.execution import Executor, OnProgress, Stages
    from pipeline.run_log import RunLog

__all__ = ["Library", "Removed"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Removed:
    """What `Library.remove` took away: a video and its rows of the index."""

    video_id: str
    segments: int


class Library:
    """Videos, their frame embeddings and their index, in one folder. A context manager.

    Nothing is loaded before it is needed: listing videos takes no model, and searching no decoder. Milvus Lite lets one
    process in at a time, from the first search, `index` or `remove` until `close`.

    Args:
        config: What the library is and does; `Library.open` finds it for a folder.
        encoder: In place of the configuration's.

    Attributes:
        last_run_id: Of the latest run that `index` began here; None where it has begun none.
    """

    def __init__(self, config: RunConfig, *, encoder: Encoder | None = None) -> None:
        self.config = config
        self._encoder: Encoder = encoder or OpenClipEncoder(config.encoder)
        self._has_own_encoder = encoder is None
        self._open_encoder: OpenEncoder | None = None
        self._index: MomentIndex | None = None
        self._searcher: Searcher | None = None
        self._records: list[VideoRecord] | None = None
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
            ConfigError: A setting is wrong, or the library's file was written by another version.
            FingerprintMismatchError: The library was made with another encoder.
        """
        if location is None or isinstance(location, RunConfig):
            config = location or RunConfig()
        else:
            kept = read_library_file(str(location))
            config = kept.config if kept is not None else RunConfig(library=str(location))
        data = with_overrides(config.model_dump(mode="json"), overrides)
        library = cls(validate(RunConfig, data, "configuration"), encoder=encoder)
        library._check_encoder()
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
    ) -> Iterator[VideoReport]:
        """Index videos; iterate over the result to make it happen: one report a source, as they end.

        Args:
            sources: Paths or URIs, with metadata where they are a `Source`.
            executor: In place of the configuration's.
            on_progress: Called while the batch runs, some times a second at most.

        Raises:
            ConfigError: The library holds videos that were sampled under another configuration.
            ExecutionError: The batch cannot be run at all.
            WeightsUnavailableError: The model cannot be had.
            MomentIndexError: The index cannot be used; then the library's file is left as it was.
            StoreError: The library's file cannot be written.
        """
        from pipeline.run_log import begin_run

        self._check_sampling()
        batch = [source if isinstance(source, Source) else Source(str(source)) for source in sources]
        recorder = begin_run(self.config, self._encoder, batch, on_progress)
        self.last_run_id = recorder.run_id
        if executor is None:
            from pipeline.execution import make_executor

            executor = make_executor(self.config.execution, self.stages(), on_progress=recorder.progress)
        write_library_file(LibraryFile(self.config, self._encoder.description, self._encoder.fingerprint))
        failures = FailureLog(self.config.library)
        failures.open()
        with recorder:
            reports = executor.run(batch)
            try:
                for report in reports:
                    _note(failures, report)
                    _tell(report)
                    recorder.ended(report)
                    yield report
            finally:
                if isinstance(reports, Generator):
                    reports.close()
                self._forget()

    def search(
        self,
        text: str,
        *,
        top: int | None = None,
        videos: Iterable[str] = (),
        metadata: Mapping[str, Scalar] | None = None,
    ) -> list[Moment]:
        """The moments that answer a text, best first; ties by video id and start.

        Args:
            text: What the moment shows, as "a person in a hard hat".
            top: Most moments; None for the configuration's number.
            videos: Only these: file names, paths, URIs or ids; empty for all.
            metadata: Only videos whose metadata has these entries.

        Raises:
            QueryError: The text is empty, no video goes by a name, or the library holds no video yet.
            TextTooLongError: The text does not fit the model's context.
            WeightsUnavailableError: The model cannot be had.
            MomentIndexError: The index cannot be used.
            StoreError: Frame embeddings are broken.
        """
        video_ids = self.find(*videos)
        return self.searcher().search(text, top=top, video_ids=video_ids, metadata=metadata)

    def videos(self) -> list[VideoRecord]:
        """What is known of each video, ordered by id."""
        return list(self.store.records())

    def failures(self) -> list[FailedSource]:
        """The sources whose latest try failed, oldest first; `index` takes their `source` to try them again.

        Raises:
            StoreError: They cannot be read.
        """
        return list(FailureLog(self.config.library))

    def runs(self) -> RunLog:
        """The reports of this library's runs, that of one which is under way included."""
        from pipeline.run_log import RunLog

        return RunLog(self.config.library)

    def find(self, *names: str) -> tuple[str, ...]:
        """The ids of the videos that go by these names: file names, paths, URIs or ids.

        Raises:
            QueryError: No video goes by one of them; the message has the nearest names.
        """
        if not names:
            return ()
        return tuple(dict.fromkeys(video_id for name in names for video_id in self._found(name)))

    def remove(self, name: str) -> Removed:
        """Remove a video: its rows of the index and its frame embeddings, not its file.

        Raises:
            QueryError: No video goes by this name, or several do.
            MomentIndexError: The index cannot be written.
            StoreError: The frame embeddings cannot be removed.
        """
        found = self.find(name)
        if len(found) > 1:
            raise QueryError(f"{len(found)} videos go by {name!r}; remove them by their ids: {', '.join(found)}")
        segments = self.moment_index().delete_video(found[0])
        self.store.delete(found[0])
        self._forget()
        return Removed(found[0], segments)

    def close(self) -> None:
        """Give index and model back; closing twice is harmless."""
        if self._index is not None:
            self._index.close()
        self._index = self._open_encoder = None
        self._forget()

    @property
    def store(self) -> ParquetStore:
        """Where the frame embeddings are."""
        return ParquetStore(self.config.library, self.config.sampling_fingerprint, self._encoder.fingerprint)

    def moment_index(self) -> MomentIndex:
        """The open index; one in memory is filled from the store.

        Raises:
            IndexLockedError: Another process holds it.
            FingerprintMismatchError: It holds another encoder's vectors.
            MomentIndexError: It cannot be opened.
        """
        if self._index is None:
            self._index = open_index(
                self.config.index,
                folder=_index_folder(self.config.library),
                encoder_fingerprint=self._encoder.fingerprint,
                encoder_description=self._encoder.description,
            )
            if self.config.index.backend == "memory":
                try:
                    self.rebuild_index()
                except BaseException:
                    # Half an index would answer the next question as if it were whole.
                    self._index = None
                    raise
        return self._index

    def rebuild_index(self) -> int:
        """Write every video's rows anew, from its frame embeddings, under the present segmentation; how many rows.

        Raises:
            ConfigError: The segmentation needs cuts, and a video has none.
            MomentIndexError: The index cannot be written.
            StoreError: Frame embeddings are broken.
        """
        config, index, written = self.config, self.moment_index(), 0
        for record in self.store.records():
            rows = segment_rows(
                self.store.read(record.video_id),
                segmenter=config.segmentation,
                aggregator=config.aggregation,
                segmentation_fingerprint=config.segmentation_fingerprint,
                metadata=record.metadata,
            )
            replace_rows(index, record.video_id, rows)
            written += len(rows)
        return written

    def searcher(self) -> Searcher:
        """The searcher, its model loaded.

        Raises:
            ConfigError: The library's frames were sampled under another configuration.
            QueryError: The library holds no video yet.
            WeightsUnavailableError: The model cannot be had.
            MomentIndexError: The index cannot be used.
        """
        if self._searcher is None:
            self._check_sampling()
            index = self.moment_index()
            if index.count() == 0:
                raise QueryError(f"the library {self.config.library!r} holds no video yet; index some first")
            self._open_encoder = self._open_encoder or self._encoder.open()
            self._searcher = Searcher(self._open_encoder, index, self.store, self.config.search)
        return self._searcher

    def stages(self) -> Stages:
        """What a batch is run with."""
        from pipeline.execution import Stages
        from pipeline.video import make_decoder

        return Stages(
            decoder=make_decoder(self.config.decoding),
            sampler=self.config.sampling,
            encoder=self._encoder,
            store=self.store,
            segmenter=self.config.segmentation,
            aggregator=self.config.aggregation,
            segmentation_fingerprint=self.config.segmentation_fingerprint,
            index=self.moment_index(),
        )

    def _forget(self) -> None:
        self._searcher = self._records = None

    def _found(self, name: str) -> tuple[str, ...]:
        """The videos that go by a name; the store is listed anew only where those known don't."""
        if self._records is not None:
            with suppress(QueryError):
                return match_videos(self._records, name)
        self._records = self.videos()
        return match_videos(self._records, name)

    def _check_encoder(self) -> None:
        kept = read_library_file(self.config.library)
        if kept is None or (self._has_own_encoder and kept.config.encoder == self.config.encoder):
            return
        if kept.encoder_fingerprint != self._encoder.fingerprint and _holds_videos(kept):
            raise FingerprintMismatchError(
                f"the library {self.config.library!r} was made with encoder {kept.encoder_description}"
                f" [{kept.encoder_fingerprint}], and this is encoder {self._encoder.description}"
                f" [{self._encoder.fingerprint}]; their vectors cannot be compared. Open it without a configuration to"
                " use its own encoder, or choose another library for this one"
            )

    def _check_sampling(self) -> None:
        kept = read_library_file(self.config.library)
        is_same = kept is None or kept.config.sampling_fingerprint == self.config.sampling_fingerprint
        if kept is not None and not is_same and _holds_videos(kept):
            raise ConfigError(
                f"the library {self.config.library!r} was sampled otherwise ({_sampling(kept.config)}) than this"
                f" configuration says ({_sampling(self.config)}); open it without a configuration, or choose another"
                " library for this one"
            )


def _holds_videos(kept: LibraryFile) -> bool:
    """Whether there are any: a library whose first batch failed, as for want of weights, may still change its model."""
    store = ParquetStore(kept.config.library, kept.config.sampling_fingerprint, kept.encoder_fingerprint)
    with suppress(StoreError):
        return next(store.records(), None) is not None
    return True


def _tell(report: VideoReport) -> None:
    """Write a report to the log."""
    level = logging.WARNING if report.status is Status.FAILED else logging.INFO
    about = {"uri": report.source.uri, "video_id": report.video_id, "status": report.status}
    why = f": {report.problem}" if report.problem else ""
    _log.log(level, "%r is %s%s", report.source.uri, report.status, why, extra=about)


def _note(failures: FailureLog, report: VideoReport) -> None:
    """Remember a source that failed, and forget one that is well again."""
    from pipeline.execution import place_of

    place = place_of(report.source)
    try:
        if report.status is not Status.FAILED:
            failures.clear(place)
            return
        failed = FailedSource(
            source=replace(report.source, uri=place),
            problem=str(report.problem),
            video_id=report.video_id,
            failed_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        )
        failures.note(failed)
    except StoreError as error:
        # The report has it; a disk that is full must not end the batch.
        _log.warning("%s", error)


def _sampling(config: RunConfig) -> str:
    return f"{config.sampling!r}, decoded by {config.decoding.backend}"


def _index_folder(library: str) -> Path | None:
    """Where Milvus Lite's folder is; None for a library that is no local folder."""
    scheme, separator, path = library.partition("://")
    if separator and scheme not in ("file", "local"):
        return None
    return Path(path or library).expanduser() / "index"
