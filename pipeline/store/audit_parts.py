"""Parts of the audit log: JSON Lines files below `audit/`, which change only when a video is erased from them."""

from __future__ import annotations

import json
import re

from pipeline.errors import StoreError
from pipeline.parsing import ParseError, parse_json
from pipeline.store.atomic_folder import AtomicFolder

__all__ = ["AUDIT_FOLDER", "DELIVERIES_FOLDER", "PART", "audit_parts", "erase_from_audit", "parts_with"]

AUDIT_FOLDER = "audit"
DELIVERIES_FOLDER = "audit/deliveries"
"""Folder of the parts that record deliveries."""
PART = re.compile(r"(?P<run>[A-Za-z0-9][A-Za-z0-9._-]{0,110})\.(?P<number>[0-9]{5,9})\.jsonl")
"""A part's name: the id of the run that wrote it, and its number."""

_REMOVED = "a removed video"


def audit_parts(place: AtomicFolder, folder: str = AUDIT_FOLDER) -> list[str]:
    """List the parts of the log, in the order of runs and of writing: names below the root.

    Args:
        place: The root.
        folder: `AUDIT_FOLDER` for decisions, `DELIVERIES_FOLDER` for deliveries.

    Raises:
        StoreError: The parts cannot be listed.
    """
    try:
        names = place.list(folder, ".jsonl")
    except OSError as error:
        raise StoreError(f"{place.root}/{folder}: cannot be listed: {error}") from error
    return [name for name in names if PART.fullmatch(name.rpartition("/")[2])]


def parts_with(place: AtomicFolder, video_id: str) -> list[str]:
    """List the parts, of decisions and of deliveries, that mention a video.

    Raises:
        StoreError: The parts cannot be read.
    """
    form = _form(video_id)
    names = [*audit_parts(place), *audit_parts(place, DELIVERIES_FOLDER)]
    return [name for name in names if any(form.search(line) for line in _lines(place, name)[1:])]


def erase_from_audit(place: AtomicFolder, video_id: str) -> list[str]:
    """Erase a video from the log; return the names of the rewritten parts.

    Each line about the video is replaced by a line that records a removal without naming the video.

    Raises:
        StoreError: A part cannot be read or written.
    """
    changed = parts_with(place, video_id)
    for name in changed:
        header, *lines = _lines(place, name)
        lines = [header, *(_without(line, video_id) for line in lines)]
        place.write(name, b"".join(line + b"\n" for line in lines))
    return changed


def _lines(place: AtomicFolder, name: str) -> list[bytes]:
    try:
        return place.read(name).splitlines()
    except OSError as error:
        raise StoreError(f"{place.root}/{name}: cannot be read: {error}") from error


def _form(video_id: str) -> re.Pattern[bytes]:
    """Return a pattern for an id that is not part of a longer one."""
    return re.compile(rb"(?<![A-Za-z0-9_.-])" + re.escape(video_id.encode()) + rb"(?![A-Za-z0-9_.-])")


def _without(line: bytes, video_id: str) -> bytes:
    form = _form(video_id)
    if form.search(line) is None:
        return line
    try:
        fields = parse_json(line)
    except ParseError:
        fields = None
    # An unreadable line is removed, too, because it names the video.
    if not isinstance(fields, dict) or fields.get("video_id") == video_id:
        return json.dumps({"kind": "removed"}).encode()
    return form.sub(_REMOVED.encode(), line)
