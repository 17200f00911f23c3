"""Label store: the labels of a library's videos by one label set, stored beside their frame embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from pipeline.analyze.labels.tracks import LabelTrack, SampledFrames, VideoLabels
from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.file_name_patterns import STORE, VIDEO_ID

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = ["LABELS_FOLDER", "LabelState", "LabelStore", "label_stores"]

T = TypeVar("T")

LABELS_FOLDER = "labels"
"""Folder of a library's labels; `pipeline.store.purge` removes a video's files from it."""


@dataclass(frozen=True)
class LabelState:
    """The frames and the scorer of a video's labels, which show whether these are out of date.

    Attributes:
        sampled: Identity of the labelled frames.
        scorer_fingerprint: Fingerprint of the snapshot of the label scorer.
    """

    sampled: SampledFrames
    scorer_fingerprint: str


@dataclass(frozen=True)
class LabelStore:
    """The labels of a library's videos by one label set and one encoder, at any fsspec URL.

    Layout, below `{root_url}/labels/{label_set_fingerprint}-{encoder_fingerprint}/`: `{video_id}.parquet`, a label file
    (see `label_file`), and `scorer.json`, the snapshot of the scorer (see `snapshot`). Files are written atomically.
    The constructor accesses no files, and a store can be pickled.

    Attributes:
        root_url: The library's folder or URL; a path is made absolute immediately.
        label_set_fingerprint: Fingerprint of the label set.
        encoder_fingerprint: Fingerprint of the encoder of the scored embeddings.
    """

    root_url: str
    label_set_fingerprint: str
    encoder_fingerprint: str

    def __post_init__(self) -> None:
        for name in ("label_set_fingerprint", "encoder_fingerprint"):
            if not VIDEO_ID.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} becomes part of a path; it cannot be {getattr(self, name)!r}")
        if "://" not in self.root_url:
            object.__setattr__(self, "root_url", str(Path(self.root_url).expanduser().absolute()))

    def __getstate__(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @cached_property
    def folder(self) -> AtomicFolder:
        """The folder of this store's files."""
        return AtomicFolder(self.root_url, f"{LABELS_FOLDER}/{self.label_set_fingerprint}-{self.encoder_fingerprint}")

    def write(self, labels: VideoLabels) -> None:
        """Write a video's labels; earlier ones are replaced.

        Raises:
            ValueError: The video's id cannot name a file.
            StoreError: The labels cannot be written; earlier ones are unchanged.
        """
        from pipeline.analyze.labels.label_file import write_labels

        if not VIDEO_ID.fullmatch(labels.video_id):
            raise ValueError(f"a video id becomes a file name; it cannot be {labels.video_id!r}")
        with self.folder.writing(_file_of(labels.video_id)) as file:
            write_labels(file, labels, self._fingerprints)

    def read(self, video_id: str) -> VideoLabels:
        """Read a video's labels with the scores of its frames.

        Raises:
            StoreError: The video is not labelled, or its file is broken, or has another format or store.
        """
        from pipeline.analyze.labels.label_file import details_in, read_labels

        path = self._path(video_id)
        ours = {"video_id": video_id, **self._fingerprints}
        found = self._opened(video_id, lambda parquet: read_labels(parquet, details_in(parquet, ours, path)))
        return found or self._refuse(video_id)

    def tracks(self, video_id: str) -> tuple[LabelTrack, ...]:
        """Read a video's tracks, without scores, in the label set's order.

        Raises:
            StoreError: As for `read`.
        """
        found = self.outline(video_id)
        return self._refuse(video_id) if found is None else found[1]

    def state(self, video_id: str) -> LabelState | None:
        """Read the frames and the scorer of a video's labels; None if it is not labelled.

        Raises:
            StoreError: Its file is broken, or has another format or store.
        """
        found = self.outline(video_id)
        return None if found is None else found[0]

    def outline(self, video_id: str) -> tuple[LabelState, tuple[LabelTrack, ...]] | None:
        """Read a video's state and tracks, without scores; None if it is not labelled.

        Raises:
            StoreError: Its file is broken, or has another format or store.
        """
        from pipeline.analyze.labels.label_file import details_in, sampled_in, tracks_in

        path = self._path(video_id)
        ours = {"video_id": video_id, **self._fingerprints}

        def read(parquet: pq.ParquetFile) -> tuple[LabelState, tuple[LabelTrack, ...]]:
            details = details_in(parquet, ours, path)
            sampled = sampled_in(details, int(parquet.metadata.num_rows))
            return LabelState(sampled, details["scorer_fingerprint"]), tracks_in(details)

        return self._opened(video_id, read)

    def version(self, video_id: str) -> str:
        """Return a text that changes whenever the labels of a video are written, without reading them; "" for none.

        Raises:
            StoreError: The store cannot be accessed.
        """
        if not VIDEO_ID.fullmatch(video_id):
            return ""
        try:
            return self.folder.version(_file_of(video_id))
        except OSError as error:
            raise StoreError(f"{self._path(video_id)}: cannot be accessed: {error}") from error

    def videos(self) -> list[str]:
        """List the ids of the labelled videos, sorted.

        Raises:
            StoreError: The store cannot be listed.
        """
        try:
            names = self.folder.list("", ".parquet")
        except OSError as error:
            raise StoreError(f"{self.folder.root}: cannot be listed: {error}") from error
        ids = (name.removesuffix(".parquet") for name in names)
        return sorted(video_id for video_id in ids if VIDEO_ID.fullmatch(video_id))

    def delete(self, video_id: str) -> bool:
        """Delete a video's labels; return whether there were any.

        Raises:
            StoreError: The labels cannot be removed.
        """
        if not VIDEO_ID.fullmatch(video_id):
            return False
        try:
            return self.folder.delete(_file_of(video_id))
        except OSError as error:
            raise StoreError(f"{self._path(video_id)}: cannot be removed: {error}") from error

    @property
    def _fingerprints(self) -> dict[str, str]:
        return {
            "label_set_fingerprint": self.label_set_fingerprint,
            "encoder_fingerprint": self.encoder_fingerprint,
        }

    def _opened(self, video_id: str, read: Callable[[pq.ParquetFile], T]) -> T | None:
        """Read from a video's file; None if there is none."""
        import pyarrow.parquet as pq

        from pipeline.store.frames_metadata import BROKEN

        if not VIDEO_ID.fullmatch(video_id):
            return None
        try:
            with self.folder.open(_file_of(video_id)) as file:
                return read(pq.ParquetFile(file, page_checksum_verification=True))
        except FileNotFoundError:
            return None
        except BROKEN as error:
            raise _broken(self._path(video_id), error) from error

    def _refuse(self, video_id: str) -> NoReturn:
        raise StoreError(f"{video_id}: is not labelled in {self.folder.root}; run: momentseek label")

    def _path(self, video_id: str) -> str:
        return f"{self.folder.root}/{_file_of(video_id)}"


def label_stores(root_url: str) -> list[LabelStore]:
    """List the label stores of a library, ordered by their folders' names.

    Raises:
        StoreError: The stores cannot be listed.
    """
    place = AtomicFolder(root_url)
    try:
        names = [folder.rpartition("/")[2] for folder in place.folders(LABELS_FOLDER, STORE)]
    except OSError as error:
        raise StoreError(f"{place.root}/{LABELS_FOLDER}: cannot be listed: {error}") from error
    # A label set's fingerprint has only hex digits; an encoder's may contain a dash.
    return [LabelStore(root_url, *name.split("-", 1)) for name in names]


def _file_of(video_id: str) -> str:
    return f"{video_id}.parquet"


def _broken(path: str, error: Exception) -> StoreError:
    # The operating system's own errors have a number; Arrow raises OSError without one for damaged content.
    if isinstance(error, OSError) and error.errno is not None:
        return StoreError(f"{path}: cannot be read: {error}")
    cause = " ".join(f"{type(error).__name__}: {error}".split())
    return StoreError(f"{path}: is broken ({cause}); delete it and label the video again: momentseek label")
