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
from pipeline.store.listing.catalogue import Catalogue, catalogue_file
from pipeline.store.listing.file_names import file_name_entries, file_name_folders
from pipeline.store.listing.video_names import holder_file
from pipeline.store.local_folder import PARTIAL
from pipeline.types.record_json import parsed

__all__ = ["erase", "traces"]


def traces(root_url: str, video_id: str) -> tuple[str, ...]:
    """List all files below the root that contain data of a video, for every sampling and encoder.

    These are its embeddings, labels, marks, name files and unfinished files, frame samples and catalogue files that
    include it, and parts of the audit log that name it. Its holder files, and its files in the index of file names, are
    listed only while its embeddings exist, since these contain the names.

    Raises:
        StoreError: The stores cannot be listed.
    """
    folder = AtomicFolder(root_url)
    return (*_audit_files(folder, video_id), *_files_of(folder, root_url, video_id))


def erase(root_url: str, video_id: str) -> tuple[str, ...]:
    """Remove all files of a video, its lines of the audit log, and its entry in the catalogue of each store.

    Returns:
        The names of the removed and changed files, below the root.

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
            if name.endswith(f"/{catalogue_file(video_id)}"):
                # It keeps the copies of other videos' records.
                Catalogue(folder, name.removesuffix(catalogue_file(video_id))).forget(video_id)
            else:
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
            found += _catalogue_files(folder, store, video_id)
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


def _catalogue_files(folder: AtomicFolder, store: str, video_id: str) -> list[str]:
    """List the file of a store's catalogue that has a copy of a video's record, unfinished ones included."""
    name = catalogue_file(video_id)
    unfinished = folder.list(f"{store}/{PARTIAL}", "")
    found = [one for one in unfinished if is_temporary_of(one.rpartition("/")[2], name.rpartition("/")[2])]
    return [*found, f"{store}/{name}"] if video_id in Catalogue(folder, f"{store}/").read(name) else found


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


def _file_name_entries(
    folder: AtomicFolder, store: str, video_id: str, names: set[str], *, is_broken: bool
) -> list[str]:
    """List a video's files in the index of file names; all are searched if the names of a broken video are unknown."""
    if not is_broken or not folder.exists(f"{store}/{video_id}.parquet"):
        entries = sorted(f"{store}/{entry}" for entry in file_name_entries(video_id, names))
        return [entry for entry in entries if folder.exists(entry)]
    folders = [f"{store}/{name}" for name in file_name_folders()]
    found = (entry for each in folders for entry in folder.list(each, f".{video_id}"))
    return [entry for entry in found if entry.rpartition("/")[2].partition(".")[2] == video_id]


def _holder_files(folder: AtomicFolder, store: str, video_id: str) -> list[str]:
    """List the holder files and the entries in the index of file names, for the names in a video's own files."""
    recorded = recorded_names(folder, f"{store}/{video_id}.parquet")
    names = set(recorded)
    for file in _name_files(folder, store, video_id):
        with suppress(KeyError, TypeError, ValueError):
            names.add(str(parsed(folder.read(file))["name"]))
    found = _file_name_entries(folder, store, video_id, names, is_broken=not recorded)
    for file in sorted(f"{store}/{holder_file(name)}" for name in names):
        with suppress(FileNotFoundError, KeyError, TypeError, ValueError):
            if parsed(folder.read(file))["video_id"] == video_id:
                found.append(file)
    return found
