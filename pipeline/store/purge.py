"""Removal of all of a video's files from all stores below a root."""

from __future__ import annotations

from contextlib import suppress

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.audit_parts import erase_from_audit, parts_with
from pipeline.store.file_name_patterns import (
    MARK,
    MARKS_FOLDER,
    NOTE,
    STORE,
    VIDEO_ID,
    is_temporary_of,
)
from pipeline.store.frame_sample import SAMPLE_FILE, read_sample
from pipeline.store.frames_metadata import recorded_names
from pipeline.store.local_folder import PARTIAL
from pipeline.store.record_json import parsed
from pipeline.store.video_names import holder_file

__all__ = ["erase", "traces"]


def traces(root_url: str, video_id: str) -> tuple[str, ...]:
    """List all files below the root that contain data of a video, for every sampling and encoder.

    These are its embeddings, labels, marks, name files, unfinished files, frame samples that include it, and parts of
    the audit log that name it. Its holder files are listed only while its embeddings exist, since these contain the
    names.

    Raises:
        StoreError: The stores cannot be listed.
    """
    folder = AtomicFolder(root_url)
    return (*_audit_files(folder, video_id), *_files_of(folder, root_url, video_id))


def erase(root_url: str, video_id: str) -> tuple[str, ...]:
    """Remove all files of a video, and its lines of the audit log; return the names of the files below the root.

    Raises:
        StoreError: A file is a link, and nothing was removed; or a file cannot be removed, and others may already have
            been removed.
    """
    folder = AtomicFolder(root_url)
    files = _files_of(folder, root_url, video_id)
    # All files are checked for links before the first one is removed.
    for name in (*_audit_files(folder, video_id), *files):
        folder.check(name)
    changed = erase_from_audit(folder, video_id) if VIDEO_ID.fullmatch(video_id) else []
    for name in files:
        try:
            folder.delete(name)
        except OSError as error:
            raise StoreError(f"{folder.root}/{name}: cannot be removed: {error}") from error
    folders = {name.rpartition("/")[0]: NOTE for name in files if "/names/" in name}
    if any(name.startswith(f"{MARKS_FOLDER}/") for name in files):
        folders |= {f"{MARKS_FOLDER}/{video_id}/{PARTIAL}": MARK, f"{MARKS_FOLDER}/{video_id}": MARK}
    for emptied, form in folders.items():
        try:
            folder.delete_folder(emptied, form)
        except OSError as error:
            raise StoreError(f"{folder.root}/{emptied}: cannot be removed: {error}") from error
    return (*changed, *files)


def _audit_files(folder: AtomicFolder, video_id: str) -> list[str]:
    return parts_with(folder, video_id) if VIDEO_ID.fullmatch(video_id) else []


def _files_of(folder: AtomicFolder, root_url: str, video_id: str) -> list[str]:
    if not VIDEO_ID.fullmatch(video_id):
        return []
    found = []
    try:
        found += _mark_files(folder, video_id)
        for store in folder.folders("labels", STORE):
            found += _unfinished_files(folder, store, video_id)
            found += [name for name in (f"{store}/{video_id}.parquet",) if folder.exists(name)]
        for store in folder.folders("frames", STORE):
            found += _holder_files(folder, store, video_id)
            found += _name_files(folder, store, video_id)
            found += _unfinished_files(folder, store, video_id)
            sample = read_sample(folder, f"{store}/")
            found += [f"{store}/{SAMPLE_FILE}"] if sample is not None and video_id in sample.video_ids else []
            # The embeddings are removed last: while they exist, the video can be found by its name.
            found += [name for name in (f"{store}/{video_id}.parquet",) if folder.exists(name)]
    except OSError as error:
        raise StoreError(f"{root_url}: cannot be listed: {error}") from error
    return found


def _unfinished_files(folder: AtomicFolder, store: str, video_id: str) -> list[str]:
    names = folder.list(f"{store}/{PARTIAL}", "")
    return [name for name in names if is_temporary_of(name.rpartition("/")[2], f"{video_id}.parquet")]


def _mark_files(folder: AtomicFolder, video_id: str) -> list[str]:
    """List the marks of a video, unfinished ones included."""
    marks = f"{MARKS_FOLDER}/{video_id}"
    finished = [name for name in folder.list(marks, ".json") if MARK.fullmatch(name.rpartition("/")[2])]
    unfinished = [name for name in folder.list(f"{marks}/{PARTIAL}", "") if _is_unfinished_mark(name)]
    return finished + unfinished


def _is_unfinished_mark(name: str) -> bool:
    temporary = name.rpartition("/")[2]
    return MARK.fullmatch(temporary[:-33]) is not None and is_temporary_of(temporary, temporary[:-33])


def _name_files(folder: AtomicFolder, store: str, video_id: str) -> list[str]:
    names = folder.list(f"{store}/names/{video_id}", ".json")
    return [name for name in names if NOTE.fullmatch(name.rpartition("/")[2])]


def _holder_files(folder: AtomicFolder, store: str, video_id: str) -> list[str]:
    """List the holder files of a video, for the names in its own files."""
    names = set(recorded_names(folder, f"{store}/{video_id}.parquet"))
    for file in _name_files(folder, store, video_id):
        with suppress(KeyError, TypeError, ValueError):
            names.add(str(parsed(folder.read(file))["name"]))
    found = []
    for file in sorted(f"{store}/{holder_file(name)}" for name in names):
        with suppress(FileNotFoundError, KeyError, TypeError, ValueError):
            if parsed(folder.read(file))["video_id"] == video_id:
                found.append(file)
    return found
