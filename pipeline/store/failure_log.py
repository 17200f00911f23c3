"""Log of failed sources and their errors, for listing and retrying them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.file_name_patterns import NOTE
from pipeline.types import FailedSource, Source, Status, VideoReport
from pipeline.types.record_json import checked_metadata, checked_text, parsed
from pipeline.uris import kept_name

__all__ = ["FailureLog"]

_FOLDER = "failures"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FailureLog:
    """Log of the sources whose latest attempt failed: one small file per source in `{root_url}/failures/`.

    With one file per source, no locks are needed and no other entries are rewritten. The constructor does no I/O.

    Attributes:
        root_url: The library's folder or URL.
    """

    root_url: str
    _known: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    @cached_property
    def _folder(self) -> AtomicFolder:
        return AtomicFolder(self.root_url)

    def open(self) -> None:
        """List the logged failures, so that `clear` accesses the disk for these sources only.

        Raises:
            StoreError: The failures cannot be listed.
        """
        self._known.update(self._names())

    def remember(self, report: VideoReport) -> None:
        """Log a failed source, or clear one that succeeded; a failed write is only logged."""
        try:
            self._remember(report)
        except StoreError as error:
            # The report contains the failure, too; a full disk must not end the batch.
            _log.warning("%s", error)

    def _remember(self, report: VideoReport) -> None:
        name = kept_name(report.source.uri)
        if report.status is not Status.FAILED:
            self.clear(name)
            return
        failed = FailedSource(
            source=replace(report.source, uri=name),
            problem=str(report.problem),
            video_id=report.video_id,
            failed_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        )
        self.note(failed)

    def note(self, failed: FailedSource) -> None:
        """Write a failure, replacing an earlier one of the same source.

        Raises:
            StoreError: The failure could not be written.
        """
        name = _file_of(failed.source.uri)
        content = {
            "uri": failed.source.uri,
            "metadata": dict(failed.source.metadata),
            "problem": failed.problem,
            "video_id": failed.video_id,
            "failed_at": failed.failed_at,
        }
        self._folder.write(name, json.dumps(content, indent=1).encode())
        self._known.add(name)

    def clear(self, uri: str) -> None:
        """Remove the failure of a source, if it was logged at `open` or has been written since.

        Raises:
            StoreError: The failure could not be removed.
        """
        name = _file_of(uri)
        if name not in self._known:
            return
        try:
            self._folder.delete(name)
        except OSError as error:
            raise StoreError(f"{self._folder.root}/{name}: cannot be removed: {error}") from error
        self._known.discard(name)

    def __iter__(self) -> Iterator[FailedSource]:
        """Iterate over all failures, oldest first.

        Raises:
            StoreError: The failures cannot be listed, or a file is broken.
        """
        yield from sorted(map(self._read, self._names()), key=lambda failed: (failed.failed_at, failed.source.uri))

    def _names(self) -> list[str]:
        try:
            names = self._folder.list(_FOLDER, ".json")
        except OSError as error:
            raise StoreError(f"{self._folder.root}/{_FOLDER}: cannot be listed: {error}") from error
        return [name for name in names if NOTE.fullmatch(name.rpartition("/")[2])]

    def _read(self, name: str) -> FailedSource:
        try:
            found = parsed(self._folder.read(name))
            return FailedSource(
                source=Source(checked_text(found["uri"]), checked_metadata(found["metadata"])),
                problem=checked_text(found["problem"]),
                video_id=None if found["video_id"] is None else checked_text(found["video_id"]),
                failed_at=checked_text(found["failed_at"]),
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{self._folder.root}/{name}: is broken ({error}); delete it") from error


def _file_of(uri: str) -> str:
    digest = hashlib.sha256(uri.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{_FOLDER}/{digest}.json"
