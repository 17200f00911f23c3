"""Descriptions of a library for agents: its videos, labels and state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import QueryError, StoreError
from pipeline.library import Library
from pipeline.library.analysis.label_views import label_sets
from pipeline.library.saved.saved_queries import LibraryQueries
from pipeline.render.text import counted, file_name, printable
from pipeline.serve.mcp.agent_library import describe_coverage
from pipeline.serve.mcp.tables import table, video_fields
from pipeline.timecode import format_seconds
from pipeline.types import Scalar

__all__ = ["describe_library", "list_label_sets", "list_page"]

_PAGE = 50

Described = tuple[str, dict[str, Any]]


def list_page(library: Library, name: str | None, where: Mapping[str, Scalar], page: int) -> Described:
    """Describe a page of the videos whose file names contain a text and whose metadata has some entries.

    Raises:
        QueryError: There is no such page.
        StoreError: The library cannot be listed.
    """
    records, broken = library.survey()
    fits = [
        record
        for record in records
        if (name is None or name.casefold() in file_name(record.last_name).casefold())
        and all(record.metadata.get(key) == value for key, value in where.items())
    ]
    ordered = sorted(fits, key=lambda record: (file_name(record.last_name), record.video_id))
    shown = ordered[_PAGE * (page - 1) : _PAGE * page]
    pages = -(-len(ordered) // _PAGE)
    if page > max(1, pages):
        raise QueryError(f"there is no page {page}; the {counted(len(ordered), 'video')} fill {counted(pages, 'page')}")
    videos = [video_fields(record) for record in shown]
    rows = [
        [one["video_id"], one["video"], format_seconds(one["duration_seconds"]), one["status"], _metadata(one)]
        for one in videos
    ]
    count = counted(len(ordered), "video")
    if not ordered:
        text = "No video is indexed yet." if not records else f"No indexed video fits; {len(records)} are indexed."
    else:
        more = f" (page {page} of {pages})" if pages > 1 else ""
        text = f"{count}{more}.\n\n{table(['video_id', 'video', 'duration', 'status', 'metadata'], rows)}"
    if broken:
        text += f"\n\n{counted(len(broken), 'further video')} cannot be read: momentseek index verify."
    coverage = "" if not records else describe_coverage(library)
    return "\n\n".join(filter(None, [text, coverage])), {"found": len(ordered), "page": page, "videos": videos}


def _metadata(video: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in video["metadata"].items())


def list_label_sets(library: Library) -> Described:
    """Describe the library's label sets; a library without is no error."""
    found = label_sets(library)
    sets: list[dict[str, Any]] = [
        {
            "label_set": one.snapshot.name,
            "is_current": one.is_current,
            "labels": [label.name for label in one.snapshot.label_set.active],
        }
        for one in found
    ]
    current = library.labels.current()
    unlabelled = 0 if current is None else len(current.unlabelled())
    if not sets:
        text = (
            "The videos are not labelled yet, so search_moments cannot filter by labels. A person can label them:"
            " momentseek label LABELS.yaml --library LIBRARY. check_moment scores a statement without labels."
        )
    else:
        rows = [[str(one["label_set"]), str(one["is_current"]), ", ".join(one["labels"])] for one in sets]
        text = f"{table(['label set', 'current', 'labels'], rows)}\n\nsearch_moments uses the current set."
        if unlabelled:
            text += f" {counted(unlabelled, 'video is', 'videos are')} not labelled, and left out by such a filter."
    return text, {"label_sets": sets, "unlabelled_videos": unlabelled}


def describe_library(library: Library) -> Described:
    """Describe the number and duration of the videos, the model, saved searches and what is not indexed."""
    records, broken = library.survey()
    failures = library.failures()
    searches, problem = _saved_searches(library)
    seconds = sum(record.duration_seconds for record in records)
    partial = sum(record.problem is not None for record in records)
    model = getattr(library.config.encoder, "model", "") or "a plugin's"
    lines = [
        f"{counted(len(records), 'indexed video')}, {format_seconds(seconds)} in total. Model: {printable(model)}.",
        f"{counted(partial, 'video is', 'videos are')} damaged and indexed in part." if partial else "",
        f"{counted(len(broken), 'video')} cannot be read: momentseek index verify." if broken else "",
        "Nothing is indexed yet: a person adds videos with momentseek index VIDEOS." if not records else "",
        describe_coverage(library) if records else "",
        f"Saved searches: {', '.join(map(repr, searches))}."
        if searches
        else "No saved searches."
        if not problem
        else "",
        problem,
    ]
    fields = {
        "videos": len(records),
        "duration_seconds": seconds,
        "partial_videos": partial,
        "broken_videos": len(broken),
        "failed_sources": [
            {"source": file_name(one.source.uri), "problem": printable(one.problem), "failed_at": one.failed_at}
            for one in failures[:50]
        ],
        "failed": len(failures),
        "saved_searches": searches,
    }
    return "\n\n".join(line for line in lines if line), fields


def _saved_searches(library: Library) -> tuple[list[str], str]:
    """Return the names of the saved searches, and why they cannot be read; empty if they can."""
    try:
        return [one.name for one in LibraryQueries(library).listed()], ""
    except StoreError as error:
        return [], f"The saved searches cannot be read: {printable(str(error))}."
