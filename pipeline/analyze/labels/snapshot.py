"""Snapshots: the stored scorer of a library's label set, so that later videos are scored in the same way.

A scorer is calibrated on a sample of the library's frames, which changes as the library grows. The first labelling
therefore stores its scorer, with the label set, as `scorer.json` beside the label files. `labels/current.json` names
the label set applied last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.analyze.labels.label_scorer import LabelScorer
from pipeline.analyze.labels.label_set import LabelSet
from pipeline.analyze.labels.label_store import LABELS_FOLDER, LabelStore
from pipeline.config import validate
from pipeline.errors import ConfigError, StoreError
from pipeline.parsing import MOST_JSON_BYTES, parse_json, shown
from pipeline.store.atomic_folder import AtomicFolder

__all__ = ["LabelSnapshot", "current_labels", "keep_snapshot", "make_current", "read_snapshot"]

_SCORER = "scorer.json"
_CURRENT = "current.json"
_FORMAT = 1
_LONGEST_NAME = 1000
_BROKEN = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError, ConfigError)


@dataclass(frozen=True, eq=False)
class LabelSnapshot:
    """A stored label set with its scorer.

    Attributes:
        name: The user's name of the label set: a file or a bare name.
        label_set: The labels.
        scorer: The scorer, calibrated for the library at that time.
        videos: Number of videos of the library at that time.
        fingerprint: Identity of the snapshot.
    """

    name: str
    label_set: LabelSet
    scorer: LabelScorer
    videos: int
    fingerprint: str


def read_snapshot(store: LabelStore) -> LabelSnapshot | None:
    """Read the snapshot of a label store; None if no video was labelled yet.

    Raises:
        StoreError: The snapshot cannot be read or is broken.
    """
    path = f"{store.folder.root}/{_SCORER}"
    try:
        content = store.folder.read(_SCORER)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error}") from error
    try:
        return _snapshot_in(content, store)
    except _BROKEN as error:
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        raise StoreError(
            f"{path}: is broken ({cause[:500]}); delete it and label the library again: momentseek label"
        ) from error


def keep_snapshot(
    store: LabelStore, name: str, label_set: LabelSet, scorer: LabelScorer, videos: int, *, replace: bool = False
) -> LabelSnapshot:
    """Store a label set and its scorer; return the stored snapshot, which is that of the first of concurrent writers.

    Args:
        store: The store of this label set.
        name: The user's name of the label set.
        label_set: The labels.
        scorer: The scorer, calibrated for the library.
        videos: Number of videos of the library.
        replace: Whether to replace an earlier snapshot, which makes the labels of its videos out of date.

    Raises:
        StoreError: The snapshot cannot be written, or the existing one is broken.
    """
    content = json.dumps(
        {
            "format": _FORMAT,
            "name": name[:_LONGEST_NAME],
            "label_set": label_set.model_dump(mode="json"),
            "videos": videos,
            "scorer": scorer.as_json(),
        }
    ).encode()
    if replace:
        store.folder.write(_SCORER, content)
    elif not store.folder.create(_SCORER, content):
        there = read_snapshot(store)
        if there is not None:
            return there
        store.folder.write(_SCORER, content)
    return _snapshot_in(content, store)


def make_current(store: LabelStore) -> None:
    """Make a label set the library's current one, which is used if none is named.

    Raises:
        StoreError: The library cannot be written.
    """
    if current_labels(store.root_url, is_checked=False) != store:
        content = {
            "format": _FORMAT,
            "label_set_fingerprint": store.label_set_fingerprint,
            "encoder_fingerprint": store.encoder_fingerprint,
        }
        AtomicFolder(store.root_url, LABELS_FOLDER).write(_CURRENT, json.dumps(content).encode())


def current_labels(root_url: str, *, is_checked: bool = True) -> LabelStore | None:
    """Return the store of the current label set; None if the library has no labels.

    Args:
        root_url: The library's folder or URL.
        is_checked: Whether a broken file is an error; otherwise it counts as missing.

    Raises:
        StoreError: The file cannot be read or is broken.
    """
    place = AtomicFolder(root_url, LABELS_FOLDER)
    try:
        found = _object(place.read(_CURRENT))
        return LabelStore(root_url, found["label_set_fingerprint"], found["encoder_fingerprint"])
    except FileNotFoundError:
        return None
    except (OSError, *_BROKEN) as error:
        if not is_checked:
            return None
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        raise StoreError(f"{place.root}/{_CURRENT}: is broken ({cause[:500]}); delete it and label again") from error


def _snapshot_in(content: bytes, store: LabelStore) -> LabelSnapshot:
    found = _object(content)
    label_set = validate(LabelSet, found["label_set"], _SCORER)
    scorer = LabelScorer.from_json(found["scorer"])
    if label_set.fingerprint != store.label_set_fingerprint:
        raise ValueError(f"its label set is {label_set.fingerprint}, not {store.label_set_fingerprint}")
    if scorer.names != tuple(label.name for label in label_set.active):
        raise ValueError("its scorer and its label set have different labels")
    if not isinstance(found["name"], str) or type(found["videos"]) is not int or found["videos"] < 0:
        raise ValueError(f"its name is {shown(found['name'])}, its videos are {shown(found['videos'])}")
    digest = hashlib.sha256(content).hexdigest()[:12]
    return LabelSnapshot(found["name"], label_set, scorer, found["videos"], digest)


def _object(content: bytes) -> Mapping[str, Any]:
    found = parse_json(content, most_bytes=MOST_JSON_BYTES)
    if not isinstance(found, dict) or found["format"] != _FORMAT:
        raise ValueError(f"it does not have format {_FORMAT}, which this version of momentseek reads")
    return found
