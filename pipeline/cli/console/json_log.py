"""Format the log as lines of JSON, for programs that collect the logs of many machines."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from typing import Any

import click

from pipeline.run_id import current_run_id
from pipeline.uris import public_text

__all__ = ["JsonFormatter", "PlainFormatter", "is_on", "is_wanted", "say"]

_VARIABLE = "MOMENTSEEK_LOG_FORMAT"
_FORMATS = ("plain", "json")
_log = logging.getLogger(__name__)
_ABOUT_A_VIDEO = ("video_id", "uri", "status")


class PlainFormatter(logging.Formatter):
    """Formats a record for people, as "WARNING pipeline.search: ...", without credentials or control characters."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line, or as more if there is a traceback."""
        from pipeline.render.text import printable

        return "\n".join(map(printable, public_text(super().format(record)).split("\n")))


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object in ASCII: time (UTC), level, logger, message, and its run and video."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line."""
        fields: dict[str, Any] = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": public_text(record.getMessage()),
            "run_id": current_run_id(),
        }
        for name in _ABOUT_A_VIDEO:
            if (value := getattr(record, name, None)) is not None:
                fields[name] = str(value)
        if record.exc_info:
            fields["exception"] = public_text(self.formatException(record.exc_info))
        return json.dumps({name: value for name, value in fields.items() if value is not None})


def is_wanted(*, requested: bool) -> bool:
    """Whether the log is to be JSON, by the option or by MOMENTSEEK_LOG_FORMAT.

    Raises:
        click.UsageError: The variable names another format.
    """
    chosen = os.environ.get(_VARIABLE) or _FORMATS[0]
    if chosen not in _FORMATS:
        raise click.UsageError(f"{_VARIABLE} must be {' or '.join(_FORMATS)}, got {chosen!r}")
    return requested or chosen == "json"


def is_on() -> bool:
    """Whether the log is JSON, so that nothing else may be written to standard error."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)


def say(message: str, *, level: int = logging.INFO) -> None:
    """Print a message on standard error; if the log is JSON, log it instead."""
    if is_on():
        _log.log(level, "%s", message)
    else:
        click.echo(message, err=True)
