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
    """List the files of a video below the root, of every sampling and encoder.

    Its embeddings, labels, names and unfinished writes, and samples of several videos' frames that hold some of it. As
    long as its embeddings are there, also the files that say by which names it goes.

    Raises:
        StoreError: The stores cannot be listed.
    """
    return tuple(_found(AtomicFolder(root_url), root_url, video_id))


def erase(root_url: str, video_id: str) -> tuple[str, ...]:
    """Remove all files of a video; return their names below the root.

    Raises:
        StoreError: One is a link, and nothing is removed. Or one cannot be removed; others may be gone already.
    """
    place = AtomicFolder(root_url)
    files = _found(place, root_url, video_id)
    # Links are refused before the first file is removed.
    for name in files:
        place.check(name)
    for name in files:
        try:
            place.delete(name)
        except OSError as error:
            raise StoreError(f"{place.root}/{name}: cannot be removed: {error}") from error
    for folder in {name.rpartition("/")[0] for name in files if "/names/" in name}:
        try:
            place.delete_folder(folder, NOTE)
        except OSError as error:
            raise StoreError(f"{place.root}/{folder}: cannot be removed: {error}") from error
    return tuple(files)


def _found(place: AtomicFolder, root_url: str, video_id: str) -> list[str]:
    if not VIDEO_ID.fullmatch(video_id):
        return []
    found = []
    try:
        for store in place.folders("labels", STORE):
            found += _unfinished(place, store, video_id)
            found += [name for name in (f"{store}/{video_id}.parquet",) if place.exists(name)]
        for store in place.folders("frames", STORE):
            found += _holders(place, store, video_id)
            found += _notes(place, store, video_id)
            found += _unfinished(place, store, video_id)
            sample = read_sample(place, f"{store}/")
            found += [f"{store}/{SAMPLE_FILE}"] if sample is not None and video_id in sample.video_ids else []
            # The embeddings go last: as long as they are there, the video is found by its name.
            found += [name for name in (f"{store}/{video_id}.parquet",) if place.exists(name)]
    except OSError as error:
        raise StoreError(f"{root_url}: cannot be listed: {error}") from error
    return found


def _unfinished(place: AtomicFolder, store: str, video_id: str) -> list[str]:
    names = place.list(f"{store}/.partial", "")
    return [name for name in names if is_temporary_of(name.rpartition("/")[2], f"{video_id}.parquet")]


def _notes(place: AtomicFolder, store: str, video_id: str) -> list[str]:
    names = place.list(f"{store}/names/{video_id}", ".json")
    return [name for name in names if NOTE.fullmatch(name.rpartition("/")[2])]


def _holders(place: AtomicFolder, store: str, video_id: str) -> list[str]:
    """List the holder files of a video, for the names in its own files."""
    names = set(recorded_names(place, f"{store}/{video_id}.parquet"))
    for file in _notes(place, store, video_id):
        with suppress(KeyError, TypeError, ValueError):
            names.add(str(parsed(place.read(file))["name"]))
    found = []
    for file in sorted(f"{store}/{holder_file(name)}" for name in names):
        with suppress(FileNotFoundError, KeyError, TypeError, ValueError):
            if parsed(place.read(file))["video_id"] == video_id:
                found.append(file)
    return found
