"""`momentseek submit`: submit a batch to a Ray cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from pipeline.cli.commands.jobs import at_address, follow_job
from pipeline.cli.common_options import as_json, in_library, run_config
from pipeline.cli.console.json_log import say
from pipeline.cli.console.tables import print_json

if TYPE_CHECKING:
    from pipeline.run_config import RunConfig
    from pipeline.submission.bundle import JobBatch
    from pipeline.submission.client import RayJobs

__all__ = ["submit"]


@click.command()
@click.argument("config", metavar="CONFIG")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCES...")
@at_address
@in_library
@click.option(
    "--set", "overrides", metavar="NAME=VALUE", multiple=True, help="Override a setting, e.g. sampling.fps=2."
)
@click.option("--follow", "-f", is_flag=True, help="Show the batch's reports until it ends, and exit with its code.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent and an estimate of the time; send nothing.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    help="With --dry-run: the assumed speed, in multiples of real time.",
)
@click.option(
    "--env",
    "variables",
    metavar="NAME[=VALUE]",
    multiple=True,
    help="Pass an environment variable, with this value or its value here.",
)
@click.option("--pip", "installs", is_flag=True, help="Let Ray install the packages that the batch needs.")
@as_json
@click.pass_context
def submit(
    ctx: click.Context,
    *,
    config: str,
    sources: Sequence[str],
    address: str | None,
    library: str | None,
    overrides: Sequence[str],
    follow: bool,
    dry_run: bool,
    rate: float | None,
    variables: Sequence[str],
    installs: bool,
    as_json: bool,
) -> None:
    """Index videos on a Ray cluster through its Jobs API. CONFIG is a file or a built-in name such as "default".

    Give videos and library as the cluster's machines see them; relative paths are made absolute on this machine.
    Lists, manifests, the label file, and the files of a small model are read here and sent with the batch.
    Prints the job's id, which is always the same for the same batch: a batch that is already running is not started a
    second time; --follow then shows its reports.

    The exit code is 0 once the batch runs; with --follow, it is the batch's.
    """
    from pipeline.submission.address import address_of

    if "" in sources:
        raise click.UsageError("one of SOURCES is empty; name a file or a folder")
    settings = run_config(config, overrides, library)
    batch = _batch(settings, sources, variables, installs=installs)
    if dry_run:
        from pipeline.cli.commands.submit_dry_run import show_dry_run

        show_dry_run(settings, batch, real_time=rate, gpus=_gpus(address), as_json=as_json)
        return
    from pipeline.submission.client import RayJobs

    jobs = RayJobs(address_of(address))
    job_id = _submitted(jobs, batch, settings, is_quiet=follow, as_json=as_json)
    if follow:
        ctx.exit(follow_job(jobs, job_id, as_json=as_json))


def _gpus(address: str | None) -> float | None:
    """Number of GPUs in the cluster; None if no cluster is given, or it does not report it."""
    from pipeline.errors import ConfigError, ExecutionError
    from pipeline.submission.address import address_of
    from pipeline.submission.client import RayJobs

    try:
        return RayJobs(address_of(address)).gpus()
    except ConfigError:
        if address is not None:
            raise
    except ExecutionError as error:
        say(f"the number of the cluster's GPUs is unknown: {error}", level=logging.WARNING)
    return None


def _batch(config: RunConfig, sources: Sequence[str], variables: Sequence[str], *, installs: bool) -> JobBatch:
    from importlib.metadata import requires, version

    from pipeline.run_config import plugins_of, to_yaml, with_absolute_paths
    from pipeline.search.filters.recording_time import check_date
    from pipeline.sources import read_listings
    from pipeline.submission.bundle import JobBatch, job_requirements
    from pipeline.submission.label_files import job_labels
    from pipeline.submission.model_files import job_model

    # A job joins the cluster that runs it, whatever cluster the configuration names.
    own = config.execution.model_copy(update={"address": None})
    config = with_absolute_paths(config.model_copy(update={"execution": own}))
    model = job_model(config.encoder, config.library)
    labels = job_labels(config.analyze.labels, config.library)
    analyze = config.analyze.model_copy(update={"labels": labels.name})
    config = config.model_copy(update={"encoder": model.encoder, "analyze": analyze})
    return JobBatch(
        config_yaml=to_yaml(config),
        identity=config.model_dump(mode="json", exclude={"execution", "search"}),
        library=config.library,
        sources=tuple(read_listings(sources, check=partial(check_date, name=config.search.recorded_at))),
        version=version("momentseek"),
        requirements=job_requirements(requires("momentseek") or ()),
        installs=installs,
        environment=dict(map(_variable, variables)),
        model=model.sent,
        labels=labels.sent,
        needed=(*model.needed, *labels.needed, *(f"the package of {each.class_path}" for each in plugins_of(config))),
    )


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or (not equals and name not in os.environ):
        raise click.UsageError(f"--env {name!r}: this variable is not set here; set it, or write NAME=VALUE")
    return name, value if equals else os.environ[name]


def _submitted(jobs: RayJobs, batch: JobBatch, config: RunConfig, *, is_quiet: bool, as_json: bool) -> str:
    """Submit the batch, print a message, and return the job's id."""
    from pipeline.cli.commands.jobs import clock
    from pipeline.render.text import printable
    from pipeline.uris import public_name

    _check_writer(jobs, batch, config)
    submitted = jobs.submit(batch)
    job, address = submitted.job, public_name(jobs.address)
    if as_json and not is_quiet:
        print_json({"id": job.id, "status": job.status, "is_new": submitted.is_new, "address": address})
    elif not is_quiet:
        click.echo(job.id)
    if submitted.is_new:
        message = f"submitted {job.id} to {address}"
        if batch.needed:
            message += f"; not sent, and must exist on its machines: {printable(', '.join(batch.needed))}"
        if batch.installs:
            message += "; Ray first installs the packages, which takes minutes"
    else:
        message = f"{job.id} is already running, since {clock(job.started_seconds)}; nothing was submitted"
    say(message if is_quiet else f"{message}; follow it with: momentseek jobs logs {job.id} --follow")
    return job.id


def _check_writer(jobs: RayJobs, batch: JobBatch, config: RunConfig) -> None:
    """Refuse a second batch on a Milvus Lite index, which one machine can use at a time: jobs may run on several."""
    from pipeline.errors import ExecutionError

    if config.index.backend != "milvus" or "://" in (config.index.uri or ""):
        return
    for job in jobs.jobs():
        others = not job.id.startswith(batch.base_id) and not job.has_ended
        if others and job.metadata.get("library") == batch.public_library:
            raise ExecutionError(
                f"{job.id} is writing the library {batch.public_library!r}, and Milvus Lite allows one batch at a"
                " time; wait for it, stop it, or set index.uri to a Milvus server"
            )
