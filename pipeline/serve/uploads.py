"""Pictures and clips that clients upload to search by them."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import QueryError
from pipeline.search import Query, as_query

__all__ = ["PREFIX", "Upload", "Uploads"]

PREFIX = "upload:"
"""Start of the id of an upload, by which a question names it in place of a file."""

_KEPT_SECONDS = 3600.0
_MOST_QUESTION_TERMS = 64
_MOST_TEXT_LENGTH = 4000
_MOST_NAMES = 1000


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Attributes:
        id: Its id, such as "upload:9f…".
        kind: What it is.
        path: The file.
        size_bytes: Its size.
        since: When it was uploaded, on the monotonic clock.
    """

    id: str
    kind: Literal["image", "clip"]
    path: Path
    size_bytes: int
    since: float


class Uploads:
    """Keeps uploaded files for an hour, in a folder of this process that only its owner can read.

    Args:
        most_bytes: Maximum size of all files; the oldest are dropped.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._folder: Path | None = None
        self._kept: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def new_path(self) -> Path:
        """Name a file to write an upload to; nobody can guess it."""
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="momentseek-uploads-"))
            return self._folder / secrets.token_hex(16)

    def keep(self, path: Path, kind: Literal["image", "clip"]) -> Upload:
        """Keep a file that was written to a path of `new_path`, and drop old ones."""
        upload = Upload(f"{PREFIX}{path.name}", kind, path, path.stat().st_size, time.monotonic())
        with self._lock:
            self._kept[upload.id] = upload
            excess = sum(each.size_bytes for each in self._kept.values()) - self._most_bytes
            for each in list(self._kept.values()):
                if each is not upload and (excess > 0 or upload.since - each.since > _KEPT_SECONDS):
                    excess -= each.size_bytes
                    del self._kept[each.id]
                    each.path.unlink(missing_ok=True)
        return upload

    def resolved(self, question: Query) -> Query:
        """Replace the ids of uploads in a question by their files, and refuse whatever a client must not ask.

        Raises:
            QueryError: The question names a file or an address, an upload that is not there, or is too large.
        """
        terms = [term for step in question.steps for term in (*step.shows, *step.without)]
        if len(terms) > _MOST_QUESTION_TERMS:
            raise QueryError(f"the question has {len(terms)} terms; at most {_MOST_QUESTION_TERMS} are allowed")
        if any(len(term.text or "") > _MOST_TEXT_LENGTH for term in terms):
            raise QueryError(f"a text of the question is longer than {_MOST_TEXT_LENGTH} characters")
        if max(map(len, (question.videos, question.where, question.labels, question.not_labels))) > _MOST_NAMES:
            raise QueryError(f"the question names more than {_MOST_NAMES} videos, labels or metadata")
        if all(term.image is None and term.clip is None for term in terms):
            return question
        fields = question.model_dump(mode="json")
        return as_query(
            {**fields, **self._step(fields), "then": [{**then, **self._step(then)} for then in fields["then"]]}
        )

    def _step(self, step: Mapping[str, Any]) -> dict[str, Any]:
        return {name: [self._term(term) for term in step[name]] for name in ("shows", "without")}

    def _term(self, term: Mapping[str, Any]) -> dict[str, Any]:
        named = {kind: term[kind] for kind in ("image", "clip") if term[kind] is not None}
        return {**term, **{kind: str(self._find(name).path) for kind, name in named.items()}}

    def _find(self, name: str) -> Upload:
        found = self._kept.get(name)
        if found is not None:
            return found
        if name.startswith(PREFIX):
            raise QueryError(f"{name[:60]!r} is not kept any more; upload the file again")
        raise QueryError(f"{name[:200]!r}: a question to the server cannot name files; upload the file, and use its id")

    def shown(self, text: str) -> str:
        """Replace the paths of uploads in a text by their ids."""
        return text if self._folder is None else text.replace(f"{self._folder}/", PREFIX)

    def close(self) -> None:
        """Remove all files."""
        with self._lock:
            self._kept.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None
