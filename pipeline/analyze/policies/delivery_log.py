"""Delivery log: the deliveries of `momentseek route` and their results, as a part of the audit log.

The log is a subfolder of the audit log with JSON Lines files, which are never changed. The first line of a file names
the run and the policy; each further line records the start or the end of a delivery. A command has both lines, written
before and after it runs. If its run is killed, the missing end shows that the result is unknown. Copies and links have
only the line of their end: the files themselves show whether they exist.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Literal, Self, get_args

from pipeline.errors import StoreError
from pipeline.parsing import shown
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.audit_parts import DELIVERIES_FOLDER, audit_parts
from pipeline.types.record_json import checked_text, parsed

__all__ = ["DeliveryLog", "DeliveryRecord", "DeliveryWriter", "How", "State"]

How = Literal["copied", "linked", "listed", "ran"]
State = Literal["begun", "ended"]

_FORMAT = 1
_LINES_A_PART = 500
_SECONDS_A_PART = 5.0


@dataclass(frozen=True, kw_only=True)
class DeliveryRecord:
    """One line of the log.

    Attributes:
        video_id: The video.
        uri: The video's name.
        destination: The destination's name.
        key: Identity of policy, video, destination and rules: 12 hex digits. A command is run once for each key.
        how: The kind of delivery.
        state: Whether the line records the start or the end.
        target: The file, the manifest or the program.
        rules: The rules that chose the destination.
        at: Time in UTC, in ISO 8601 with milliseconds.
        is_new: Whether anything was changed; a copy or link may have existed before.
        size_bytes: Size of a copy; None for others.
        exit_status: Exit status of a command; None if it did not end by itself.
        problem: The reason of a failure; None if it succeeded.
    """

    video_id: str
    uri: str
    destination: str
    key: str
    how: How
    state: State
    target: str
    rules: tuple[str, ...]
    at: str
    is_new: bool = True
    size_bytes: int | None = None
    exit_status: int | None = None
    problem: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON values."""
        return {"kind": "delivery", **asdict(self)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> DeliveryRecord:
        """Make a record of JSON values.

        Raises:
            ValueError: They do not describe a delivery.
        """
        try:
            texts = {
                name: checked_text(fields[name]) for name in ("video_id", "uri", "destination", "key", "target", "at")
            }
            if fields["kind"] != "delivery" or fields["how"] not in get_args(How):
                raise ValueError(f"not a delivery: {shown(fields)}")
            if fields["state"] not in get_args(State) or not isinstance(fields["is_new"], bool):
                raise ValueError(f"a delivery has an invalid state: {shown(fields['state'])}")
            return cls(
                **texts,
                how=fields["how"],
                state=fields["state"],
                rules=_names(fields["rules"]),
                is_new=fields["is_new"],
                size_bytes=_number(fields["size_bytes"]),
                exit_status=_number(fields["exit_status"]),
                problem=None if fields["problem"] is None else checked_text(fields["problem"]),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a delivery ({type(error).__name__}: {error})") from error


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{shown(value)} is not a list")
    return tuple(checked_text(name) for name in value)


def _number(value: object) -> int | None:
    if value is not None and type(value) is not int:
        raise ValueError(f"expected a whole number, got {shown(value)}")
    return value


class DeliveryLog:
    """The delivery log of one library. Creating the object does not access the library.

    Args:
        root_url: The library's folder or URL.
    """

    def __init__(self, root_url: str) -> None:
        self._place = AtomicFolder(root_url)

    def writer(self, run: str, about: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> DeliveryWriter:
        """Make the writer of a run's log, to be used as a context manager.

        Args:
            run: The run's id.
            about: Further entries of the first line, such as the policy and its fingerprint.
            clock: A monotonic clock, in seconds.
        """
        header = {"kind": "deliveries", "format": _FORMAT, "run": run, **about}
        return DeliveryWriter(self._place, run, json.dumps(header).encode() + b"\n", clock)

    @property
    def local_root(self) -> str | None:
        """The library's folder; None if it is not in a local file system."""
        return None if self._place.is_remote else self._place.root

    def parts(self) -> list[str]:
        """List the files of the log, in the order of runs and of writing.

        Raises:
            StoreError: They cannot be listed.
        """
        return audit_parts(self._place, DELIVERIES_FOLDER)

    def records(self, parts: Iterable[str] | None = None) -> Iterator[DeliveryRecord]:
        """Read records, in the order of runs and of writing, without those of removed videos.

        Args:
            parts: The files to read; None for all.

        Raises:
            StoreError: The log cannot be read.
        """
        for part in self.parts() if parts is None else parts:
            try:
                yield from _records(self._place.read(part).splitlines())
            except (OSError, ValueError) as error:
                raise StoreError(
                    f"{self._place.root}/{part}: cannot be read: {error}; move the file away, or restore it from"
                    " a backup"
                ) from error


def _records(lines: Sequence[bytes]) -> Iterator[DeliveryRecord]:
    """Parse the records in the lines of a file.

    Raises:
        ValueError: The file is not part of a delivery log.
    """
    if not lines or parsed(lines[0]).get("format") != _FORMAT:
        raise ValueError(f"not a delivery log of format {_FORMAT}")
    found = [parsed(line) for line in lines[1:]]
    return (DeliveryRecord.from_json(one) for one in found if one.get("kind") != "removed")


class DeliveryWriter:
    """Writes the deliveries of one run; as a context manager, it writes the remaining ones at the end.

    Args:
        place: The library's folder.
        run: The run's id.
        header: First line of each file.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, place: AtomicFolder, run: str, header: bytes, clock: Callable[[], float]) -> None:
        self._place = place
        self._run = run
        self._header = header
        self._clock = clock
        self._number = 0
        self._lines: list[bytes] = []
        # The first delivery is written immediately, so that the log shows the start of the run.
        self._since = clock() - _SECONDS_A_PART

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def add(self, record: DeliveryRecord) -> None:
        """Log a delivery: immediately for a command, otherwise within 500 deliveries or 5 seconds, or at the end.

        Raises:
            StoreError: The log cannot be written.
        """
        self._lines.append(json.dumps(record.as_json()).encode() + b"\n")
        is_late = self._clock() - self._since >= _SECONDS_A_PART
        if record.how == "ran" or is_late or len(self._lines) >= _LINES_A_PART:
            self.flush()

    def flush(self) -> None:
        """Write the deliveries that are not in the library yet.

        Raises:
            StoreError: The log cannot be written.
        """
        if self._lines:
            content = self._header + b"".join(self._lines)
            # Two runs can have the same id; neither replaces a file of the other.
            while not self._place.create(f"{DELIVERIES_FOLDER}/{self._run}.{self._number:05d}.jsonl", content):
                self._number += 1
            self._number += 1
            self._lines = []
        self._since = self._clock()
