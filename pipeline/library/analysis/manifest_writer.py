"""Atomic writer of manifests of routed videos: CSV, JSON Lines or plain lists."""

from __future__ import annotations

import csv
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pipeline.errors import StoreError
from pipeline.export.placement import publish

__all__ = ["ManifestWriter"]

_COLUMNS = ("uri", "video_id", "policy", "rules", "severity", "score", "start_seconds", "end_seconds")


class ManifestWriter:
    """Writes a list of videos; a context manager. Existing files are never replaced.

    A row has the fields of the destination's command and `uri`; `momentseek index` reads all three formats.

    Args:
        path: The file, .csv, .jsonl or .txt.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._form = path.suffix.lower()
        self._partial = path.with_name(f".{secrets.token_hex(8)}.partial")
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("x", encoding="utf-8", newline="")
        if self._form == ".csv":
            csv.writer(self._file).writerow(_COLUMNS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        try:
            if kind is None and not publish(self._partial, self._path):
                raise StoreError(
                    f"{str(self._path)!r} was written by another program in the meantime, and is not replaced"
                )
        finally:
            self._partial.unlink(missing_ok=True)

    def add(self, values: Mapping[str, str]) -> None:
        """Add a video.

        Args:
            values: The text of each of `COMMAND_FIELDS`.

        Raises:
            ValueError: Its name cannot be written in this format.
        """
        if self._file is None:
            raise ValueError("the manifest is not open")
        row = {**values, "uri": values["path"]}
        try:
            row["uri"].encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"its name is not UTF-8, and cannot be listed in {self._path.name}") from error
        if self._form == ".csv":
            csv.writer(self._file).writerow([row[name] for name in _COLUMNS])
        elif self._form == ".jsonl":
            self._file.write(json.dumps({name: row[name] for name in _COLUMNS}) + "\n")
        elif row["uri"].splitlines() != [row["uri"]]:
            raise ValueError(f"its name has a line break, and cannot be listed in {self._path.name}; use .jsonl")
        else:
            self._file.write(row["uri"] + "\n")
