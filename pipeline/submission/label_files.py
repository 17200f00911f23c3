"""Collects the label file named by a configuration, so that it is sent with a batch and stored in the library.

Like a small model's files (see `model_files`), the label file is stored in the library before anything else, because
searches and later batches read it after the job's working directory has been removed. Bundled label files are sent,
too: the workers of a cluster have only the code of this version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.analyze.concepts.concept_store import ConceptStore
from pipeline.analyze.labels.portable_label_file import PortableLabelFile, portable_label_file
from pipeline.analyze.marks.mark_store import MarkStore
from pipeline.errors import ConfigError, ExecutionError, QueryError
from pipeline.store.file_name_patterns import MARKS_FOLDER
from pipeline.submission.model_files import MAX_BYTES, store_files
from pipeline.uris import is_remote

__all__ = ["JobLabels", "job_labels", "store_labels"]

_FOLDER = "label_files"


@dataclass(frozen=True, kw_only=True)
class JobLabels:
    """The label file of a job, with the files and concepts that its labels need.

    Attributes:
        name: The setting `analyze.labels` for the cluster; None for no labels.
        sent: Contents of the files that are sent, or their paths on this machine, by their names in the job's working
            directory, which are also their names in the library.
        needed: Files and concepts that must exist on the cluster, for messages.
    """

    name: str | None = None
    sent: Mapping[str, bytes | Path] = field(default_factory=dict, repr=False)
    needed: tuple[str, ...] = ()


def job_labels(labels: str | None, library: str) -> JobLabels:
    """Choose the files that are sent: the label file with its examples, if they are small and the library is a folder.

    Args:
        labels: The setting `analyze.labels`, with an absolute path.
        library: The library's folder or URL on the cluster.

    Raises:
        ConfigError: The label file or one of its example files is missing or invalid, or a label is based on a
            concept that the library does not have.
        ExecutionError: An example file cannot be read.
        StoreError: A concept or its marks cannot be read.
    """
    if labels is None:
        return JobLabels()
    file = portable_label_file(labels)
    try:
        size = len(file.content) + sum(path.stat().st_size for path in file.examples.values())
    except OSError as error:
        raise ExecutionError(f"an example of {labels} cannot be read: {error}") from error
    if is_remote(library) or size > MAX_BYTES:
        return JobLabels(name=labels, needed=(labels, *(str(path) for path in file.examples.values())))
    folder = f"{_FOLDER}/{file.digest}"
    examples = {f"{folder}/{name}": path for name, path in file.examples.items()}
    concepts, needed = _concepts(file, labels, Path(library))
    return JobLabels(
        name=str(Path(library) / folder / file.name),
        sent={f"{folder}/{file.name}": file.content, **examples, **concepts},
        needed=needed,
    )


def _concepts(file: PortableLabelFile, labels: str, library: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return the contents of the concepts that labels are based on, with their marks, and the missing concepts.

    Raises:
        ConfigError: The library is on this machine and lacks a concept.
        StoreError: A concept or its marks cannot be read.
    """
    found: dict[str, bytes] = {}
    needed: list[str] = []
    for name in file.concepts:
        try:
            concept = ConceptStore(str(library)).read(name)
        except QueryError as error:
            if (library / "library.yaml").is_file():
                raise ConfigError(f"{labels}: {error}") from error
            needed.append(f"the concept {name!r} in the library")
            continue
        # Without its marks, the concept would be refitted at its next use.
        for mark in MarkStore(str(library)).marks(concept.subject):
            found[f"{MARKS_FOLDER}/{mark.video_id}/{mark.file_name}"] = json.dumps(mark.as_json(), indent=1).encode()
        found[f"concepts/{name}.json"] = json.dumps(concept.as_json()).encode()
    return found, tuple(needed)


def store_labels(folder: Path, library: str) -> None:
    """Store the label file sent with a batch in the library, and the concepts that the library does not have.

    Args:
        folder: The batch's folder.
        library: The library's folder.

    Raises:
        StoreError: The files cannot be read or written.
    """
    names = list(_files(folder / _FOLDER))
    # The label file comes last, so that its examples exist whenever it does.
    store_files(folder, library, sorted(names, key=lambda name: name.endswith(".yaml")))
    concepts = ConceptStore(library)
    for name in ConceptStore(str(folder)).names():
        if concepts.find(name) is None:
            sent = ConceptStore(str(folder)).read(name)
            for mark in MarkStore(str(folder)).marks(sent.subject):
                MarkStore(library).add(mark)
            concepts.write(sent)


def _files(folder: Path) -> Iterator[str]:
    """Yield the names of the files below a folder, relative to its parent folder."""
    return (str(path.relative_to(folder.parent)) for path in sorted(folder.rglob("*")) if path.is_file())
