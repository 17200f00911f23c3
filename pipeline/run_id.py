"""The id of the current run, which is part of its reports, metrics and log lines."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from pipeline.errors import ConfigError

__all__ = ["RUN_ID_VARIABLE", "current_run_id", "job_id", "new_run_id", "running"]

RUN_ID_VARIABLE = "MOMENTSEEK_RUN_ID"

# An id is used as a file name, as a tag of metrics and as an argument on command lines.
_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_current: ContextVar[str | None] = ContextVar("momentseek_run_id", default=None)


def new_run_id(now: datetime | None = None) -> str:
    """Return the id in MOMENTSEEK_RUN_ID, or a new one such as "20261121T173000Z-1a2b3c"; new ids sort by time.

    Raises:
        ConfigError: MOMENTSEEK_RUN_ID is not a portable file name.
    """
    given = os.environ.get(RUN_ID_VARIABLE)
    if given:
        if not _ALLOWED.fullmatch(given):
            raise ConfigError(
                f"{RUN_ID_VARIABLE}={given!r}: an id has up to 100 letters, digits, dots, dashes and underscores, and"
                " starts with a letter or digit"
            )
        return given
    return f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def job_id() -> str | None:
    """Return the submission id of the Ray job whose driver this process is; None if it is not a driver."""
    try:
        config = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}"))
        found = config["metadata"]["job_submission_id"]
    except (KeyError, TypeError, ValueError):
        return None
    return found if isinstance(found, str) else None


def current_run_id() -> str | None:
    """Return the id of the current run in this context; None if there is none."""
    return _current.get()


@contextmanager
def running(run_id: str) -> Iterator[None]:
    """Make a run the current one."""
    before = _current.get()
    _current.set(run_id)
    try:
        yield
    finally:
        # Not reset by a token, because a generator may be closed in another context than the one that started it.
        _current.set(before)
