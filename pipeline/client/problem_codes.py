"""The codes by which problems (RFC 9457) name the errors of this package."""

from __future__ import annotations

from pipeline import errors
from pipeline.errors import MomentseekError, QueryError, VideoError

__all__ = ["code_of", "error_named"]

_UNKNOWN = "unknown_"
"""Start of the codes of things that a library does not have, such as "unknown_run"."""


def code_of(error: Exception) -> str:
    """Name a kind of error in words: TextTooLongError is "text_too_long"."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def error_named(code: str, detail: str, *, uri: object = None, problem: object = None) -> MomentseekError | None:
    """Make the error that a code names.

    Args:
        code: The code.
        detail: The error's message.
        uri: For an error of a video, its location.
        problem: For an error of a video, what is wrong with it.

    Returns:
        None if the code names no error of this package, or if it names one of a video and the video is not known.
    """
    kind = getattr(errors, "".join(map(str.capitalize, code.split("_"))) + "Error", None) if code else None
    if not isinstance(kind, type) or not issubclass(kind, MomentseekError) or kind is MomentseekError:
        return QueryError(detail) if code.startswith(_UNKNOWN) else None
    if not issubclass(kind, VideoError):
        return kind(detail)
    return kind(uri, problem) if isinstance(uri, str) and isinstance(problem, str) else None
