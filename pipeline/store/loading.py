"""Loads several videos from a store: in parallel if the store supports it, otherwise one after another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from pipeline.errors import StoreError
from pipeline.processors import usable_processors
from pipeline.store.protocol import ReadableStore
from pipeline.types import FrameEmbeddings, VideoRecord

__all__ = [
    "IsWanted",
    "Loaded",
    "LoadedVideo",
    "ParallelStore",
    "load_videos",
    "map_in_threads",
    "read_ahead",
    "read_in_batches",
]

T = TypeVar("T")
R = TypeVar("R")

_REMOTE_REQUESTS = 16
"""Number of concurrent reads from a server: most of a request's 20 ms is waiting. All these files are in memory."""


class LoadedVideo(NamedTuple):
    """A video's record and frame embeddings, read together; None for embeddings that were not requested."""

    record: VideoRecord
    frames: FrameEmbeddings | None


Loaded = LoadedVideo | StoreError | None
IsWanted = Callable[[VideoRecord], bool]


@runtime_checkable
class ParallelStore(Protocol):
    """A `ReadableStore` that reads several videos at once. Optional: from other stores, videos are read one by one."""

    def load_many(self, video_ids: Iterable[str], is_wanted: IsWanted) -> Iterator[Loaded]:
        """Read records and frame embeddings, in the order of the ids; see `load_videos`."""


def load_videos(store: ReadableStore, video_ids: Iterable[str], is_wanted: IsWanted) -> Iterator[Loaded]:
    """Read the records and frame embeddings of videos, in the order of their ids.

    Args:
        store: The store.
        video_ids: The videos' ids.
        is_wanted: Returns whether to read a video's embeddings, given its record. It may be called in several threads.

    Yields:
        For each id, the video, None if it is not in the store, or the error if its file is broken.
    """
    if isinstance(store, ParallelStore):
        yield from store.load_many(video_ids, is_wanted)
        return
    for video_id in video_ids:
        try:
            record = store.record(video_id)
            if record is None:
                yield None
            else:
                yield LoadedVideo(record, store.read(video_id) if is_wanted(record) else None)
        except StoreError as error:
            yield error


def read_ahead(read: Callable[[Sequence[T]], R], items: Iterable[T], size: int) -> Iterator[R]:
    """Read items in batches and yield the results in order; the next batch is read while the caller uses this one.

    Args:
        read: Reads a batch.
        items: The items.
        size: Number of items in a batch.
    """
    remaining = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="store") as pool:
        pending: Future[R] | None = None
        while batch := list(islice(remaining, size)):
            later = pool.submit(read, batch)
            if pending is not None:
                yield pending.result()
            pending = later
        if pending is not None:
            yield pending.result()


def read_in_batches(read: Callable[[Sequence[T]], R], items: Iterable[T], size: int) -> Iterator[R]:
    """Read items in batches of a size and yield the results in order, like `read_ahead`, but without a thread."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield read(batch)


def map_in_threads(function: Callable[[T], R], items: Iterable[T], *, is_remote: bool) -> Iterator[R]:
    """Apply a function to items in threads and yield the results in order; few items are processed at once.

    An error of the function is raised in place of its result, and no further items are started.

    Args:
        function: A function that reads a file; it must be thread-safe.
        items: The items.
        is_remote: Whether the function mostly waits for a server; for local files, there is one thread per processor.
    """
    workers = _REMOTE_REQUESTS if is_remote else usable_processors()
    remaining = iter(items)
    if workers == 1:
        yield from map(function, remaining)
        return
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="store") as pool:
        try:
            for item in remaining:
                pending.append(pool.submit(function, item))
                if len(pending) >= 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
