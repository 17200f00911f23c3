"""Writes samples as WebDataset shards: tar files with KEY.jpg, KEY.txt and KEY.json for each sample.

The format is that of open_clip's trainer (`--dataset-type webdataset`), which also reads the number of samples of each
shard from `sizes.json`. The files depend only on the samples: they contain no modification times, users or paths.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
import secrets
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.errors import StoreError, StoreFullError
from pipeline.export.dataset.settings import DatasetSettings

__all__ = ["MANIFEST", "DatasetWriter", "Sample", "Split", "jpeg_of", "split_of"]

MANIFEST = "dataset.json"
SIZES = "sizes.json"
_JPEG_QUALITY = 92
_DIGEST_CHARACTERS = 8


class Split(StrEnum):
    """A part of a data set; all samples of a video are in the same one."""

    TRAIN = "train"
    VALIDATION = "validation"


@dataclass(frozen=True)
class Sample:
    """A training sample: a picture with a text.

    Attributes:
        video_id: The video's id.
        seconds: The frame's time on the playback clock.
        text: The text that describes the picture.
        jpeg: The picture, from `jpeg_of`.
        fields: Further JSON values for its KEY.json.
    """

    video_id: str
    seconds: float
    text: str
    jpeg: bytes
    fields: Mapping[str, Any] = field(default_factory=dict)


def split_of(video_id: str, validation_share: float) -> Split:
    """Choose a video's split by a hash of its id, so that every export chooses the same.

    Args:
        video_id: The video's id.
        validation_share: Share of the videos in the validation split, 0 to 1.
    """
    number = int.from_bytes(hashlib.sha256(f"split {video_id}".encode()).digest()[:8], "big")
    return Split.VALIDATION if number < validation_share * 2**64 else Split.TRAIN


def jpeg_of(picture: npt.NDArray[np.uint8]) -> bytes:
    """Compress a picture, uint8 (H, W, 3) RGB, as JPEG with full colour resolution."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return content.getvalue()


class DatasetWriter:
    """Writes a data set atomically into a new folder; a context manager.

    Args:
        folder: The new folder; it must be missing or empty.
        settings: Settings of the data set.

    Raises:
        StoreError: The folder is not empty, or cannot be created.
    """

    def __init__(self, folder: str | Path, settings: DatasetSettings) -> None:
        self.folder = Path(folder).absolute()
        self._settings = settings
        with _clear_errors(self.folder):
            if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
                raise StoreError(f"{self.folder}: exists and is not an empty folder; choose another one, or remove it")
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._partial = self.folder.with_name(f".{secrets.token_hex(8)}.partial")
            self._partial.mkdir()
        self._splits = {split: _SplitWriter(self._partial, split, settings.samples_per_shard) for split in Split}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for writer in self._splits.values():
            writer.abandon()
        shutil.rmtree(self._partial, ignore_errors=True)

    @property
    def samples(self) -> int:
        """Number of samples added."""
        return sum(sum(writer.sizes.values()) for writer in self._splits.values())

    def add(self, sample: Sample) -> None:
        """Write a sample.

        Raises:
            StoreError: The folder cannot be written.
        """
        with _clear_errors(self.folder):
            self._splits[split_of(sample.video_id, self._settings.validation_share)].add(sample)

    def finish(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Write the manifest and rename the folder to its final name.

        Args:
            fields: Further JSON values of the manifest.

        Returns:
            The manifest.

        Raises:
            StoreError: The folder cannot be written.
        """
        with _clear_errors(self.folder):
            for writer in self._splits.values():
                writer.close()
            splits = {str(split): writer.as_json() for split, writer in self._splits.items()}
            sizes = {name: size for writer in self._splits.values() for name, size in writer.sizes.items()}
            manifest = {**fields, "splits": splits}
            for name, content in ((SIZES, sizes), (MANIFEST, manifest)):
                text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
                (self._partial / name).write_text(text, encoding="utf-8")
            self._partial.replace(self.folder)
        return manifest


class _SplitWriter:
    """Writes the shards of one split.

    Attributes:
        sizes: Number of samples by shard.
    """

    def __init__(self, folder: Path, split: Split, samples_per_shard: int) -> None:
        self._folder = folder
        self._split = split
        self._most = samples_per_shard
        self._shard: tarfile.TarFile | None = None
        self._keys: set[str] = set()
        self._videos: set[str] = set()
        self._texts: set[str] = set()
        self.sizes: dict[str, int] = {}

    def add(self, sample: Sample) -> None:
        name = f"{self._split}-{max(0, len(self.sizes) - 1):06d}.tar"
        if self._shard is None or self.sizes[name] >= self._most:
            self.close()
            name = f"{self._split}-{len(self.sizes):06d}.tar"
            self._shard = tarfile.open(self._folder / name, "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115 - kept open
            self.sizes[name] = 0
        key = self._key(sample)
        about = {"video_id": sample.video_id, "seconds": sample.seconds, "text": sample.text, **sample.fields}
        _add(self._shard, f"{key}.jpg", sample.jpeg)
        _add(self._shard, f"{key}.txt", sample.text.encode())
        _add(self._shard, f"{key}.json", json.dumps(about, ensure_ascii=False).encode())
        self.sizes[name] += 1
        self._videos.add(sample.video_id)
        self._texts.add(sample.text)

    def close(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def abandon(self) -> None:
        """Close the file of an unfinished shard."""
        if self._shard is not None and self._shard.fileobj is not None:
            self._shard.fileobj.close()

    def as_json(self) -> dict[str, Any]:
        names = sorted(self.sizes)
        last = f"{len(names) - 1:06d}"
        data = names[0] if len(names) == 1 else f"{self._split}-{{000000..{last}}}.tar" if names else None
        return {
            "shards": data,
            "samples": sum(self.sizes.values()),
            "videos": len(self._videos),
            "texts": len(self._texts),
        }

    def _key(self, sample: Sample) -> str:
        """Make a unique key: the video's id, milliseconds, and a number if these are not unique."""
        safe = re.sub(r"[^A-Za-z0-9_-]", "_", sample.video_id)
        if safe != sample.video_id:
            # WebDataset treats everything after the first dot as the file type.
            safe += f"_{hashlib.sha256(sample.video_id.encode()).hexdigest()[:_DIGEST_CHARACTERS]}"
        start = f"{safe}-{round(sample.seconds * 1000):09d}"
        key, number = start, 1
        while key in self._keys:
            number += 1
            key = f"{start}-{number}"
        self._keys.add(key)
        return key


def _add(shard: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    shard.addfile(member, io.BytesIO(content))


@contextmanager
def _clear_errors(folder: Path) -> Iterator[None]:
    """Convert file system errors to a StoreError with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFullError(
                f"{folder}: cannot be written: there is no space left on the device; free some space, choose another"
                " location, or write fewer or smaller pictures; nothing was left there"
            ) from error
        raise StoreError(f"{folder}: cannot be written: {error.strerror or error}") from error
