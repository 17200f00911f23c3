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
    """A record for people, as "WARNING pipeline.search: ...", without credentials or what could command a terminal."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and more where there is a traceback."""
        from pipeline.render.text import printable

        return "\n".join(map(printable, public_text(super().format(record)).split("\n")))


class JsonFormatter(logging.Formatter):
    """A record as one JSON object in ASCII: time (UTC), level, logger, message, and the run and video it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
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


def is_wanted(*, asked: bool) -> bool:
    """Whether the log is to be JSON: by the option, or by MOMENTSEEK_LOG_FORMAT.

    Raises:
        click.UsageError: The variable names another format.
    """
    named = os.environ.get(_VARIABLE) or _FORMATS[0]
    if named not in _FORMATS:
        raise click.UsageError(f"{_VARIABLE} is {' or '.join(_FORMATS)}, got {named!r}")
    return asked or named == "json"


def is_on() -> bool:
    """Whether the log is JSON: then nothing else may be written to standard error."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)


def say(message: str, *, level: int = logging.INFO) -> None:
    """Tell people on standard error; where the log is JSON, as a record of it."""
    if is_on():
        _log.log(level, "%s", message)
    else:
        click.echo(message, err=True)
