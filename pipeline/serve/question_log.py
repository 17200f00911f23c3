"""The audit log: who asked or did what and when, and how many answers there were, one JSON object per line."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.search import Answer, Query

__all__ = ["QuestionLog"]

_log = logging.getLogger(__name__)
_MOST_BYTES = 64 * 2**20


class QuestionLog:
    """Appends questions to a file that only its owner can read.

    A file of more than 64 MiB becomes `FILE.1`, which replaces the one before. If the file cannot be written, questions
    are still answered, and the server's log says why the audit log lacks them.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def write(
        self,
        *,
        who: str,
        address: str,
        question: Query,
        answer: Answer | None,
        seconds: float,
        problem: str | None = None,
    ) -> None:
        """Append a question.

        Args:
            who: Name of the client's token; "local" if none is needed.
            address: The client's address.
            question: The question.
            answer: Its answer; None if there is none.
            seconds: Time from arrival to answer.
            problem: Why there is no answer.
        """
        entry = {
            "question": str(question),
            "query": question.model_dump(mode="json", exclude_defaults=True),
            "found": None if answer is None else answer.found,
            "answers": None if answer is None else len(answer.moments) + len(answer.absences),
            "seconds": round(seconds, 4),
            "problem": problem,
        }
        self._write(who, address, entry)

    def write_action(self, *, who: str, address: str, action: str, fields: Mapping[str, Any]) -> None:
        """Append something that a client did other than asking.

        Args:
            who: Name of the client.
            address: The client's address.
            action: What it did, such as "remove_video".
            fields: JSON values.
        """
        self._write(who, address, {"action": action, **fields})

    def _write(self, who: str, address: str, fields: Mapping[str, Any]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = {"at": at, "who": who, "address": address, **fields}
        line = json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            with self._lock:
                self._append(line)
        except OSError as error:
            _log.error("%s: the audit log lacks an entry: %s", self._path, error)

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        with os.fdopen(os.open(self._path, flags, 0o600), "ab", buffering=0) as file:
            file.write(line)
            is_full = file.tell() > _MOST_BYTES
        if is_full:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
