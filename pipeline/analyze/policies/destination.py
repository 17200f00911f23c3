"""Destinations of policies: targets of videos that a rule flags."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.config import Settings

__all__ = ["COMMAND_FIELDS", "MANIFEST_SUFFIXES", "Destination"]

MANIFEST_SUFFIXES = (".csv", ".jsonl", ".txt")
COMMAND_FIELDS = ("path", "video_id", "policy", "rules", "severity", "score", "start_seconds", "end_seconds")
"""Fields in braces that an argument of a command may contain."""

_KINDS = ("folder", "manifest", "command")


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Destination(Settings):
    """A destination of videos: a folder, a manifest or a command."""

    fingerprint_name: ClassVar[str] = "Destination"

    folder: str | None = Field(default=None, min_length=1)
    """A folder of this machine that receives the videos' files. Relative paths are below `--into`."""

    place: Literal["copy", "link"] | None = None
    """With `folder`: `copy` the files (the default), or create symbolic links to them with `link`."""

    manifest: str | None = Field(default=None, min_length=1)
    """A new file that lists the videos: .csv, .jsonl or .txt. Relative paths are below `--into`."""

    command: Annotated[tuple[str, ...] | None, BeforeValidator(_listed)] = None
    """A program and its arguments, run once per video and without a shell. `{path}`, `{video_id}`, `{policy}`,
    `{rules}`,
    `{severity}`, `{score}`, `{start_seconds}` and `{end_seconds}` in an argument are filled in."""

    timeout_seconds: float | None = Field(default=None, gt=0)
    """With `command`: time limit, after which the program is terminated and counts as failed; None for 300."""

    @model_validator(mode="after")
    def _check_kind(self) -> Destination:
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"a destination is one of {', '.join(_KINDS)}; this one has {', '.join(kinds) or 'none'}")
        if self.place is not None and self.folder is None:
            raise ValueError("`place` belongs to a folder")
        if self.timeout_seconds is not None and self.command is None:
            raise ValueError("`timeout_seconds` belongs to a command")
        if self.manifest is not None and PurePath(self.manifest).suffix.lower() not in MANIFEST_SUFFIXES:
            raise ValueError(f"a manifest ends in {', '.join(MANIFEST_SUFFIXES)}, got {self.manifest!r}")
        if self.command is not None:
            _check_command(self.command)
        return self

    def arguments(self, values: Mapping[str, str]) -> list[str]:
        """Fill in the arguments of the command.

        Args:
            values: The texts of `COMMAND_FIELDS`.
        """
        return [part.format_map(values) for part in self.command or ()]


def _check_command(command: tuple[str, ...]) -> None:
    if not command or not command[0].strip():
        raise ValueError("`command` is empty; name a program and its arguments, as [/usr/bin/notify, '{path}']")
    for part in command:
        if "\0" in part:
            raise ValueError("an argument of `command` has a zero byte")
        try:
            fields = [(name, form, conversion) for _, name, form, conversion in string.Formatter().parse(part)]
        except ValueError as error:
            raise ValueError(f"argument {part!r}: {error}; write {{{{ and }}}} for braces themselves") from error
        for name, form, conversion in fields:
            if name is not None and (name not in COMMAND_FIELDS or form or conversion):
                raise ValueError(
                    f"argument {part!r} names {{{name}}}; it may name {', '.join(COMMAND_FIELDS)}, and {{{{ and }}}}"
                    " stand for braces themselves"
                )
    if any(name is not None for _, name, _, _ in string.Formatter().parse(command[0])):
        raise ValueError("the program of a `command` is named in full; only its arguments have fields in braces")
