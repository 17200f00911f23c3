"""`momentseek index`: sample, encode and index videos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from pipeline.cli.common_options import as_json, configured, in_library, library_for
from pipeline.cli.console.batch_output import BatchEnding, BatchOutput, BatchTotals, say_executor, say_stopping
from pipeline.cli.served import is_server_named, named_server, own_server
from pipeline.cli.served_batch import served_reports, start_batch, start_own_batch
from pipeline.cli.stopping import ended_by_sigterm, stopped_by_signals

if TYPE_CHECKING:
    from pipeline.cli.console.progress_bar import LiveBar, ProgressLines
    from pipeline.client.client import Client
    from pipeline.library import Library
    from pipeline.types import Source, VideoReport

__all__ = ["index"]


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATHS...]")
@configured
@in_library
@click.option("--retry-failed", is_flag=True, help="Also retry the failed sources that `videos --failed` lists.")
@click.option("--in-process", is_flag=True, help="Run in this process, without Ray.")
@click.option(
    "--progress-every",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    help="With --json: also print the progress of the batch, at this interval.",
)
@as_json
@click.pass_context
def index(
    ctx: click.Context,
    *,
    paths: Sequence[str],
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    retry_failed: bool,
    in_process: bool,
    progress_every: float | None,
    as_json: bool,
) -> None:
    """Index videos, or all videos of folders and manifests, into a library.

    Prints one line per video: done, partial (damaged; what could be decoded is kept), skipped or failed, and why.
    Videos that are already in the library are skipped: to continue an interrupted batch, run the same command again.

    After Ctrl-C, no further video is started, and those under way have ten seconds to finish; a second Ctrl-C stops
    at once.

    The exit code is 1 if a video failed, 130 after Ctrl-C, 143 after SIGTERM.
    """
    _check_arguments(paths, retry_failed=retry_failed, progress_every=progress_every, as_json=as_json)
    output = BatchOutput(progress_every, as_json=as_json)
    with ended_by_sigterm():
        if is_server_named(library):
            unsupported = {"config": config, "set": overrides, "in-process": in_process}
            with named_server(**unsupported) as client:
                ending = _index_elsewhere(client, paths, output, retry_failed=retry_failed)
        else:
            if in_process:
                overrides = [*overrides, "execution.executor=in_process"]
            own = nullcontext() if in_process or config is not None else own_server(library)
            with own as server:
                ending = _index_here((library, config, overrides, paths), output, server, retry_failed=retry_failed)
    ending.say()
    ctx.exit(1 if ending.totals.counts["failed"] else 0)


def _index_here(
    opening: tuple[str | None, str | None, Sequence[str], Sequence[str]],
    output: BatchOutput,
    server: Client | None,
    *,
    retry_failed: bool,
) -> BatchEnding:
    """Index into a library of this machine: in its server if one runs and takes the batch, or else by this command.

    Args:
        opening: What `library_for` opens the library with.
        output: Prints the progress.
        server: A client at the private socket of the library's server; None if none runs.
        retry_failed: Whether to retry failed sources, too.
    """
    _, _, settings, paths = opening
    with library_for(*opening) as opened:
        sources = _sources(opened, paths, retry_failed=retry_failed)
        batch = None if server is None or not sources else start_own_batch(server, sources, settings)
        if batch is None:
            totals = output.show(len(sources), partial(_local_reports, opened, sources))
            return _ending(opened, totals, opened.last_run_id if sources else None)
    totals = output.show(len(sources), partial(served_reports, batch))
    # A library that was empty has its configuration only now.
    with library_for(*opening) as opened:
        return _ending(opened, totals, batch.run_id)


def _index_elsewhere(client: Client, paths: Sequence[str], output: BatchOutput, *, retry_failed: bool) -> BatchEnding:
    """Index in the server that the environment names, which reads the paths on its machine."""
    from pipeline.types import Source
    from pipeline.uris import place_of

    failed = client.failures() if retry_failed else []
    sources = [*failed, *(Source(place_of(path)) for path in paths)]
    if not sources:
        return BatchEnding(BatchTotals(), client.url)
    batch = start_batch(client, sources)
    totals = output.show(batch.count, partial(served_reports, batch))
    return BatchEnding(totals, client.url, page=f"{client.url}/runs")


def _check_arguments(paths: Sequence[str], *, retry_failed: bool, progress_every: float | None, as_json: bool) -> None:
    if "" in paths:
        raise click.UsageError("one of PATHS is empty; name a file or a folder")
    if not (paths or retry_failed):
        raise click.UsageError("name the videos or their folders, or use --retry-failed")
    if progress_every is not None and not as_json:
        raise click.UsageError("--progress-every requires --json; on a terminal, a progress bar is shown anyway")
    for word in ("rebuild", "migrate", "verify"):
        if word in paths:
            raise click.UsageError(
                f"put {word!r} before all options: momentseek index {word}; for a folder of that name, write ./{word}"
            )


def _sources(library: Library, paths: Sequence[str], *, retry_failed: bool) -> list[Source]:
    """List the sources of a batch: those that the paths name, after the failed ones if these are retried."""
    from pipeline.search.filters.recording_time import check_date
    from pipeline.sources import expand

    failed = [failure.source for failure in library.failures()] if retry_failed else []
    check = partial(check_date, name=library.config.search.recorded_at)
    return _merged(failed, list(expand(paths, library.config.fetching, check=check)))


@contextmanager
def _local_reports(
    library: Library, sources: Sequence[Source], bar: LiveBar | ProgressLines
) -> Iterator[Iterable[VideoReport]]:
    """Index the sources in this process or on Ray, and show the progress on a bar."""
    with stopped_by_signals(partial(say_stopping, bar)) as stop:
        yield library.index(sources, on_progress=bar.update, on_choice=partial(say_executor, bar), stop=stop)


def _ending(library: Library, totals: BatchTotals, run_id: str | None) -> BatchEnding:
    """Collect the closing lines of a run; without a recorded run, only its totals."""
    from pipeline.runs.page_file import RunPages

    folder = library.config.library
    if run_id is None:
        return BatchEnding(totals, folder)
    totals.elapsed_seconds = _run_seconds(library, run_id, totals.elapsed_seconds)
    page = RunPages(folder).address(run_id)
    return BatchEnding(totals, folder, page, library.incomplete(), library.outgrown_index())


def _run_seconds(library: Library, run_id: str, otherwise: float) -> float:
    """How long a run took according to its report; the other figure if the report could not be written."""
    from pipeline.errors import MomentseekError

    try:
        return library.runs().read(run_id).elapsed_seconds
    except MomentseekError:
        return otherwise


def _merged(failed: Sequence[Source], named: Sequence[Source]) -> list[Source]:
    """Merge failed and named sources; of a source in both, the URI named now counts, and its metadata if it has any."""
    from pipeline.uris import kept_name

    before = {source.uri: source.metadata for source in failed}
    names = {kept_name(source.uri) for source in named}
    described = {kept_name(source.uri) for source in named if source.metadata}
    updated = [
        source if (name := kept_name(source.uri)) in described else replace(source, metadata=before.get(name, {}))
        for source in named
    ]
    return [*(source for source in failed if source.uri not in names), *updated]
