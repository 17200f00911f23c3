"""Removal of all of a video's files from all stores below a root."""

from __future__ import annotations

from contextlib import suppress

from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.file_name_patterns import NOTE, STORE, VIDEO_ID, is_temporary_of
from pipeline.store.frame_sample import SAMPLE_FILE, read_sample
from pipeline.store.frames_metadata import recorded_names
from pipeline.store.record_json import parsed
from pipeline.store.video_names import holder_file

__all__ = ["erase", "traces"]


def traces(root_url: str, video_id: str) -> tuple[str, ...]:
    """List all files below the root that contain data of a video, for every sampling and encoder.

    These are its embeddings, labels, name files, unfinished files, and frame samples that include it. Its holder files
    are listed only while its embeddings exist, since these contain the names.

    Raises:
        StoreError: The stores cannot be listed.
    """
    return tuple(_files_of(AtomicFolder(root_url), root_url, video_id))


def erase(root_url: str, video_id: str) -> tuple[str, ...]:
    """Remove all files of a video; return their names below the root.

    Raises:
        StoreError: A file is a link, and nothing was removed; or a file cannot be removed, and others may already have
            been removed.
    """
    folder = AtomicFolder(root_url)
    files = _files_of(folder, root_url, video_id)
    # All files are checked for links before the first one is removed.
    for name in files:
        folder.check(name)
    for name in files:
        try:
            folder.delete(name)
        except OSError as error:
            raise StoreError(f"{folder.root}/{name}: cannot be removed: {error}") from error
    for names_folder in {name.rpartition("/")[0] for name in files if "/names/" in name}:
        try:
            folder.delete_folder(names_folder, NOTE)
        except OSError as error:
            raise StoreError(f"{folder.root}/{names_folder}: cannot be removed: {error}") from error
    return tuple(files)


def _files_of(folder: AtomicFolder, root_url: str, video_id: str) -> list[str]:
    if not VIDEO_ID.fullmatch(video_id):
        return []
    found = []
    try:
        for store in folder.folders("labels", STORE):
            found += _unfinished(folder, store, video_id)
            found += [name for name in (f"{store}/{video_id}.parquet",) if folder.exists(name)]
        for store in folder.folders("frames", STORE):
            found += _holder_files(folder, store, video_id)
            found += _name_files(folder, store, video_id)
            found += _unfinished(folder, store, video_id)
            sample = read_sample(folder, f"{store}/")
            found += [f"{store}/{SAMPLE_FILE}"] if sample is not None and video_id in sample.video_ids else []
            # The embeddings are removed last: while they exist, the video can be found by its name.
            found += [name for name in (f"{store}/{video_id}.parquet",) if folder.exists(name)]
    except OSError as error:
        raise StoreError(f"{root_url}: cannot be listed: {error}") from error
    return found


def _unfinished(folder: AtomicFolder, store: str, video_id: str) -> list[str]:
    names = folder.list(f"{store}/.partial", "")
    return [name for name in names if is_temporary_of(name.rpartition("/")[2], f"{video_id}.parquet")]


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
