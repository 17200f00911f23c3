"""Converts errors of an index folder's server to text and back, because Milvus's responses transport only text.

The process that receives an error need not be the one that holds the folder.
"""

from __future__ import annotations

from pipeline.errors import IndexDamagedError, MomentIndexError

__all__ = ["carried", "refusal_in"]

_MARK = "momentseek refuses this collection"
_KINDS = {"damaged": IndexDamagedError, "other": MomentIndexError}


def carried(refusal: MomentIndexError) -> str:
    """Return the text that represents a refusal in a response."""
    kind = "damaged" if isinstance(refusal, IndexDamagedError) else "other"
    return f"{_MARK} [{kind}]: {refusal}"


def refusal_in(error: BaseException) -> MomentIndexError | None:
    """Return the refusal contained in an error of pymilvus; None if there is none."""
    _, found, text = str(getattr(error, "message", "") or error).partition(f"{_MARK} [")
    kind, separator, message = text.partition("]: ")
    if not found or not separator or kind not in _KINDS:
        return None
    return _KINDS[kind](message)
