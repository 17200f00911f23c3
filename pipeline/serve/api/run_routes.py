"""Routes of runs: batches that index videos, their progress, and the sources that failed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from pipeline.errors import QueryError
from pipeline.runs.aggregator import cause_of
from pipeline.runs.report import RunReport
from pipeline.serve.batches.batch_desk import BatchDesk, Batches
from pipeline.serve.batches.batch_order import BatchOrder
from pipeline.serve.batches.batch_process import BatchProcess
from pipeline.serve.batches.run_answers import batch_json, report_json, run_json
from pipeline.serve.http.hidden_folders import sees_folders, without_folders
from pipeline.serve.http.paging import Cursor, Limit, page_of
from pipeline.serve.http.permissions import Admin, AdminReader
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.served_library import Served, ServedLibrary
from pipeline.types import FailedSource
from pipeline.uris import base_name, public_name, public_text

__all__ = ["routes"]

routes = APIRouter(tags=["runs"])

_BATCH_INTERVAL_SECONDS = 0.2
_REPORT_INTERVAL_SECONDS = 2.0
_MOST_SOURCES = 100_000
_MOST_SETTINGS = 100
_LATEST = "latest"
_Whole = Annotated[int, Field(strict=True, ge=-(2**53), le=2**53)]
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-(2.0**53), le=2.0**53)]
_Text = Annotated[str, Field(max_length=10_000)]
_EXAMPLES = 3


class SourceBody(BaseModel):
    """A video with metadata."""

    model_config = ConfigDict(extra="forbid")

    uri: str = Field(min_length=1, max_length=4000)
    metadata: dict[str, _Text | StrictBool | _Whole | _Number] = Field(default_factory=dict, max_length=1000)


class RunBody(BaseModel):
    """What to index: absolute paths of videos, folders, patterns and manifests on the server's machine.

    `settings` and `folder` are for commands of the server's user, which connect to its private socket: overrides of
    settings, as `--set`, and the folder that relative paths start from; `sources` are then single videos.
    """

    model_config = ConfigDict(extra="forbid")

    sources: list[Annotated[str, Field(min_length=1, max_length=4000)] | SourceBody] = Field(
        min_length=1, max_length=_MOST_SOURCES
    )
    settings: list[Annotated[str, Field(max_length=4000)]] = Field(default_factory=list, max_length=_MOST_SETTINGS)
    folder: str | None = Field(default=None, max_length=4000)


@routes.get("/runs")
def runs(served: Served, batches: Batches, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """List the runs of the library, the latest first, a page at a time."""
    reports, broken = served.library.runs().survey()
    known = {report.run_id: report_json(report, batches.find(report.run_id)) for report in reports}
    for batch in batches.all():
        known.setdefault(batch.run_id, batch_json(batch))
    page, further = page_of(
        known.values(), lambda run: f"{run['started_at']} {run['run_id']}", limit, cursor, descending=True
    )
    return {
        "runs": page,
        "total": len(known),
        "broken": [{"run_id": run_id, "problem": str(error)} for run_id, error in sorted(broken.items())],
        "next": further,
    }


@routes.post("/runs", status_code=HTTPStatus.ACCEPTED)
async def start_run(
    request: Request, served: Served, batches: Batches, who: Admin, body: RunBody, response: Response
) -> Any:
    """Index videos in a process of its own. One batch runs at a time.

    Only videos in folders that the server's owner allows are read; commands of the owner, which connect to the private
    socket, are not restricted. To retry failed sources, name them.
    """
    named = [(one, {}) if isinstance(one, str) else (one.uri, one.metadata) for one in body.sources]
    is_owner: bool = getattr(request.state, "is_owner", False)
    batch = await batches.start(BatchOrder(named, body.settings, body.folder, is_owner=is_owner))
    served.log_action(request, who, "start_run", run_id=batch.run_id, sources=batch.sources)
    response.headers["Location"] = f"{request.url.path}/{batch.run_id}"
    return batch_json(batch)


@routes.get("/runs/{run_id}")
def run(served: Served, batches: Batches, run_id: str) -> dict[str, Any]:
    """Describe a run: its counts, causes of failures, times and, of one that this server started, its progress."""
    return run_json(*_found(served, batches, run_id))


@routes.get("/runs/{run_id}/report")
def run_report(served: Served, _who: AdminReader, run_id: str) -> dict[str, Any]:
    """Read the whole report of a run, with the configuration; `latest` stands for the latest run."""
    log = served.library.runs()
    try:
        report = log.latest() if run_id == _LATEST else log.read(run_id)
    except QueryError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, "unknown_run", str(error)) from error
    return report.model_dump(mode="json")


@routes.delete("/runs/{run_id}", status_code=HTTPStatus.ACCEPTED)
async def stop_run(request: Request, served: Served, batches: Batches, who: Admin, run_id: str) -> dict[str, Any]:
    """Stop a batch that this server started: no further video is started, and those under way have ten seconds.

    What is finished is kept; the same sources continue with the rest.
    """
    report, batch = await anyio.to_thread.run_sync(_found, served, batches, run_id)
    if batch is None:
        assert report is not None
        if report.outcome == "running":
            detail = f"the run {run_id} was not started by this server; interrupt it where it runs"
            raise ProblemError(HTTPStatus.CONFLICT, "foreign_run", detail)
        return report_json(report, None)
    if not batch.is_over:
        batch.stop()
        served.log_action(request, who, "stop_run", run_id=run_id)
    return batch_json(batch)


def _known_run(served: Served, batches: Batches, run_id: str) -> BatchProcess | None:
    """Find a run before the answer to a request for its events begins."""
    return _found(served, batches, run_id)[1]


@routes.get("/runs/{run_id}/events", response_class=EventSourceResponse)
async def run_events(
    request: Request,
    served: Served,
    run_id: str,
    batch: Annotated[BatchProcess | None, Depends(_known_run)],
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow a run by server-sent events: `progress`, `report` for each source that ends, and `over` at the end.

    If the server stops, `server_stopping` is the last event. Of a run that another process started, only `progress` and
    `over` are known, once in a while.
    """
    first = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else 0
    events = _report_events(served, run_id) if batch is None else _batch_events(served, batch, first)
    async for event in events:
        yield event if sees_folders(request.scope) else event.model_copy(update={"data": without_folders(event.data)})


async def _batch_events(served: ServedLibrary, batch: BatchProcess, number: int) -> AsyncIterator[ServerSentEvent]:
    while True:
        is_over = batch.is_over
        for event in batch.events_after(number):
            number = event.number
            yield ServerSentEvent(event=event.kind, data=event.fields, id=str(number))
        if is_over:
            return
        if await served.stop.begins_within(_BATCH_INTERVAL_SECONDS):
            yield _stopping(batch.run_id, "the server is stopping, and so is the batch; what is finished is kept")
            return


async def _report_events(served: ServedLibrary, run_id: str) -> AsyncIterator[ServerSentEvent]:
    updated_at = ""
    while True:
        report = await anyio.to_thread.run_sync(lambda: served.library.runs().read(run_id))
        if report.outcome != "running":
            yield ServerSentEvent(event="over", data=report_json(report, None))
            return
        if report.updated_at != updated_at:
            updated_at = report.updated_at
            yield ServerSentEvent(event="progress", data=report_json(report, None))
        if await served.stop.begins_within(_REPORT_INTERVAL_SECONDS):
            yield _stopping(run_id, "the server is stopping; the run goes on in another process")
            return


def _stopping(run_id: str, problem: str) -> ServerSentEvent:
    return ServerSentEvent(event="server_stopping", data={"run_id": run_id, "problem": problem})


@routes.get("/failures")
def failures(served: Served, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """List the sources whose latest attempt failed, the latest first, and how often each cause occurs."""
    found = served.library.failures()
    causes: dict[str, list[FailedSource]] = {}
    for failed in found:
        causes.setdefault(_cause(failed), []).append(failed)
    page, further = page_of(
        found, lambda failed: f"{failed.failed_at} {_digest(failed.source.uri)}", limit, cursor, descending=True
    )
    return {
        "failures": [_failure_json(failed) for failed in page],
        "causes": [
            {
                "cause": public_text(cause),
                "sources": len(those),
                "examples": [public_name(failed.source.uri) for failed in those[:_EXAMPLES]],
            }
            for cause, those in sorted(causes.items(), key=lambda pair: (-len(pair[1]), pair[0]))
        ],
        "total": len(found),
        "next": further,
    }


def _digest(uri: str) -> str:
    """Stand for a location in a cursor, which every client can read."""
    return hashlib.sha256(uri.encode("utf-8", "surrogateescape")).hexdigest()


def _cause(failed: FailedSource) -> str:
    """Return the problem without names and numbers; a path with spaces would not be taken for one name."""
    uri = failed.source.uri
    return cause_of(failed.problem.replace(uri, base_name(uri)))


def _failure_json(failed: FailedSource) -> dict[str, Any]:
    return {
        "uri": public_name(failed.source.uri),
        "metadata": dict(failed.source.metadata),
        "problem": public_text(failed.problem),
        "cause": public_text(_cause(failed)),
        "video_id": failed.video_id,
        "failed_at": failed.failed_at,
    }


def _found(served: ServedLibrary, batches: BatchDesk, run_id: str) -> tuple[RunReport | None, BatchProcess | None]:
    """Find the report of a run and the batch of this server; one of them is there.

    Raises:
        ProblemError: There is no such run.
    """
    batch = batches.find(run_id)
    try:
        return served.library.runs().read(run_id), batch
    except QueryError as error:
        if batch is not None:
            return None, batch
        raise ProblemError(HTTPStatus.NOT_FOUND, "unknown_run", f"there is no run {run_id[:120]!r}") from error
