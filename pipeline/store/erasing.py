"""All files of one video, in whichever store below a root they are."""

from __future__ import annotations

import re
from contextlib import suppress

from pipeline.errors import StoreError
from pipeline.parsing import parse_json
from pipeline.store.background import BACKGROUND_FILE, kept_sample
from pipeline.store.name_files import holder_file
from pipeline.store.parquet_store import recorded_names
from pipeline.store.places import Place

__all__ = ["erase", "traces"]

_VIDEO_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def traces(root_url: str, video_id: str) -> tuple[str, ...]:
    """The files of a video, below the root, of every sampling and encoder.

    Its embeddings, names and unfinished writes, and samples of several videos' frames that hold some of it. As long as
    its embeddings are there, also the files that say by which names it goes.

    Raises:
        StoreError: The stores cannot be listed.
    """
    return tuple(_found(Place(root_url), root_url, video_id))


def erase(root_url: str, video_id: str) -> tuple[str, ...]:
    """Remove all files of a video; their names, below the root.

    Raises:
        StoreError: One cannot be removed; the others may be gone already.
    """
    place = Place(root_url)
    files = _found(place, root_url, video_id)
    for name in files:
        try:
            place.delete(name)
        except OSError as error:
            raise StoreError(f"{place.root}/{name}: cannot be removed: {error}") from error
    for folder in {name.rpartition("/")[0] for name in files if "/names/" in name}:
        try:
            place.delete_folder(folder)
        except OSError as error:
            raise StoreError(f"{place.root}/{folder}: cannot be removed: {error}") from error
    return tuple(files)


def _found(place: Place, root_url: str, video_id: str) -> list[str]:
    if not _VIDEO_ID.fullmatch(video_id):
        return []
    found = []
    try:
        for store in place.list("frames", ""):
            found += _holders(place, store, video_id)
            found += place.list(f"{store}/names/{video_id}", ".json")
            unfinished = place.list(f"{store}/.partial", "")
            found += [name for name in unfinished if name.rpartition("/")[2].startswith(f"{video_id}.parquet.")]
            sample = kept_sample(place, f"{store}/")
            found += [f"{store}/{BACKGROUND_FILE}"] if sample is not None and video_id in sample.video_ids else []
            # The embeddings go last: as long as they are there, the video is found by its name.
            found += [name for name in (f"{store}/{video_id}.parquet",) if place.exists(name)]
    except OSError as error:
        raise StoreError(f"{root_url}: cannot be listed: {error}") from error
    return found


def _holders(place: Place, store: str, video_id: str) -> list[str]:
    """The files that say by which names a video goes, as far as its own files say the names."""
    names = set(recorded_names(place, f"{store}/{video_id}.parquet"))
    for file in place.list(f"{store}/names/{video_id}", ".json"):
        with suppress(KeyError, TypeError, ValueError):
            names.add(parse_json(place.read(file))["name"])
    found = []
    for file in sorted(f"{store}/{holder_file(name)}" for name in names):
        with suppress(FileNotFoundError, KeyError, TypeError, ValueError):
            if parse_json(place.read(file))["video_id"] == video_id:
                found.append(file)
    return found
