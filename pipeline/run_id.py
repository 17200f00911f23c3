"""The id of the current run, which its reports, metrics and log lines carry."""

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

# It becomes a file's name, a tag of metrics and a word on a command line.
_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_current: ContextVar[str | None] = ContextVar("momentseek_run_id", default=None)


def new_run_id(now: datetime | None = None) -> str:
    """The id that MOMENTSEEK_RUN_ID gives, or a new one as "20261121T173000Z-1a2b3c", by which runs sort in time.

    Raises:
        ConfigError: MOMENTSEEK_RUN_ID cannot be the name of a file everywhere.
    """
    given = os.environ.get(RUN_ID_VARIABLE)
    if given:
        if not _ALLOWED.fullmatch(given):
            raise ConfigError(
                f"{RUN_ID_VARIABLE}={given!r}: an id has up to 100 letters, digits, dots, dashes and underscores, and"
                " begins with a letter or digit"
            )
        return given
    return f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def job_id() -> str | None:
    """The submission id of the Ray job that this process is the driver of; None where it is none."""
    try:
        config = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}"))
        found = config["metadata"]["job_submission_id"]
    except (KeyError, TypeError, ValueError):
        return None
    return found if isinstance(found, str) else None


def current_run_id() -> str | None:
    """The id of the run that is under way in this context; None where there is none."""
    return _current.get()


@contextmanager
def running(run_id: str) -> Iterator[None]:
    """Make a run the current one."""
    before = _current.get()
    _current.set(run_id)
    try:
        yield
    finally:
        # Not by a token: a generator may be closed in another context than it was begun in.
        _current.set(before)
