"""Parts of the audit log: JSON Lines files below `audit/` that are written once, and lose only what is erased."""

from __future__ import annotations

import json
import re

from pipeline.errors import StoreError
from pipeline.parsing import ParseError, parse_json
from pipeline.store.atomic_folder import AtomicFolder

__all__ = ["AUDIT_FOLDER", "PART", "audit_parts", "erase_from_audit", "parts_with"]

AUDIT_FOLDER = "audit"
PART = re.compile(r"(?P<run>[A-Za-z0-9][A-Za-z0-9._-]{0,110})\.(?P<number>[0-9]{5,9})\.jsonl")
"""A part's name: the id of the run that wrote it, and its number."""

_REMOVED = "a removed video"


def audit_parts(place: AtomicFolder) -> list[str]:
    """List the parts of the log, in the order of runs and of writing: names below the root.

    Raises:
        StoreError: They cannot be listed.
    """
    try:
        names = place.list(AUDIT_FOLDER, ".jsonl")
    except OSError as error:
        raise StoreError(f"{place.root}/{AUDIT_FOLDER}: cannot be listed: {error}") from error
    return [name for name in names if PART.fullmatch(name.rpartition("/")[2])]


def parts_with(place: AtomicFolder, video_id: str) -> list[str]:
    """List the parts that say something of a video.

    Raises:
        StoreError: They cannot be read.
    """
    form = _form(video_id)
    return [name for name in audit_parts(place) if any(form.search(line) for line in _lines(place, name)[1:])]


def erase_from_audit(place: AtomicFolder, video_id: str) -> list[str]:
    """Remove what the log says of a video; return the names of the parts that were written anew.

    Each of its decisions gives way to a line that says that one was removed, and nothing of which video.

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
    """The id by itself, and not as a part of another one."""
    return re.compile(rb"(?<![A-Za-z0-9_.-])" + re.escape(video_id.encode()) + rb"(?![A-Za-z0-9_.-])")


def _without(line: bytes, video_id: str) -> bytes:
    form = _form(video_id)
    if form.search(line) is None:
        return line
    try:
        fields = parse_json(line)
    except ParseError:
        fields = None
    # What cannot be read is removed, too: it names the video.
    if not isinstance(fields, dict) or fields.get("video_id") == video_id:
        return json.dumps({"kind": "removed"}).encode()
    return form.sub(_REMOVED.encode(), line)
