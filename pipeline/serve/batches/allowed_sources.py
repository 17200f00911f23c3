"""Sources that clients may name: videos in folders that the server's owner allows, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path

from pipeline.errors import QueryError
from pipeline.library import Library
from pipeline.search.filters.recording_time import check_date
from pipeline.serve.http.problems import ProblemError
from pipeline.sources import expand
from pipeline.types import Scalar, Source
from pipeline.uris import is_remote, kept_name, local_path, shown_name

__all__ = ["allowed_sources"]


def allowed_sources(
    library: Library, named: Sequence[tuple[str, Mapping[str, Scalar]]], folders: Sequence[Path] | None
) -> list[Source]:
    """List the videos of the paths that a client names, each of which lies in an allowed folder.

    A path, and each video that a folder, a pattern or a manifest contributes, is checked with its links resolved. A
    source that failed before keeps its metadata, unless the client gives some.

    Args:
        library: The library.
        named: Paths with metadata.
        folders: The allowed folders; None to allow every path and URL.

    Raises:
        ProblemError: A source is in no allowed folder.
        QueryError: A path is not absolute, has metadata although it is not one video, or the metadata are invalid.
        SourceError: A manifest cannot be read.
    """
    if folders is not None and not folders:
        detail = "this server starts no batches; allow folders of videos with: momentseek serve --allow-sources FOLDER"
        raise ProblemError(HTTPStatus.FORBIDDEN, "sources_not_allowed", detail)
    real = None if folders is None else [os.path.realpath(folder) for folder in folders]
    known = {failure.source.uri: failure.source.metadata for failure in library.failures()}
    found: dict[str, Source] = {}
    for path, metadata in named:
        for source in _expanded(library, _checked_path(path, real), metadata, real):
            kept = source if source.metadata else replace(source, metadata=known.get(kept_name(source.uri), {}))
            if source.metadata or source.uri not in found:
                found[source.uri] = kept
    return list(found.values())


def _expanded(
    library: Library, path: str, metadata: Mapping[str, Scalar], real: Sequence[str] | None
) -> Iterator[Source]:
    check = partial(check_date, name=library.config.search.recorded_at)
    try:
        check(metadata)
    except ValueError as error:
        raise QueryError(f"{shown_name(path)}: {error}") from error
    if metadata and not os.path.isfile(path):  # noqa: PTH113 - as in `expand`
        raise QueryError(f"{shown_name(path)}: only a single video can have metadata here; name the videos")
    for source in expand([path], library.config.fetching, check=check):
        _checked_path(source.uri, real)
        yield replace(source, metadata=metadata) if metadata else source


def _checked_path(given: str, real: Sequence[str] | None) -> str:
    """Return a local path that lies in an allowed folder, or any path or URL if everything is allowed."""
    path = local_path(given)
    if is_remote(path) and real is None:
        return path
    if not is_remote(path):
        if "\0" in path or not os.path.isabs(path):  # noqa: PTH117 - takes names that are not UTF-8, too
            raise QueryError(f"{shown_name(given)!r} is not an absolute path on the server's machine")
        place = os.path.realpath(path)
        if real is None or any(os.path.commonpath([place, folder]) == folder for folder in real):
            return path
    raise ProblemError(
        HTTPStatus.FORBIDDEN,
        "source_not_allowed",
        f"{shown_name(given)!r} is in no folder that this server may read (momentseek serve --allow-sources FOLDER)",
    )
