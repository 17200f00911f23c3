"""Client of Ray's Jobs API: submits, lists, follows and stops batches from any machine."""

from __future__ import annotations

import asyncio
import difflib
import logging
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ExecutionError, QueryError
from pipeline.execution.ray.cluster import quieten
from pipeline.submission.address import FORM, HOW_TO_SEND_IT, check_answers, no_addresses, token_header
from pipeline.submission.bundle import JobBatch
from pipeline.uris import public_name

__all__ = ["Job", "LogLines", "RayJobs", "Submitted"]

_log = logging.getLogger(__name__)
_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
_SUBMIT_TRIES = 5
_RECONNECT_SECONDS = 2.0
_RECONNECTS = 30
# A job that does not end by itself is killed by Ray after half a minute.
_STOP_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """The state of a momentseek job on a cluster.

    Attributes:
        id: By which it is asked for.
        status: Ray's: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        message: Ray's word on the status, several lines maybe.
        exit_code: Of the job's process, where it ended by itself.
        started_seconds: When, since 1970.
        ended_seconds: When, since 1970; None while it has not.
        metadata: What was noted when it was submitted: momentseek's version, library, number of sources named.
        environment: Names of the variables in its runtime environment; their values are left out.
    """

    id: str
    status: str
    message: str
    exit_code: int | None
    started_seconds: float | None
    ended_seconds: float | None
    metadata: dict[str, str]
    environment: tuple[str, ...]

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in _ENDED


@dataclass(frozen=True)
class Submitted:
    """A batch's job, and whether this call began it or found it running."""

    job: Job
    is_new: bool


class RayJobs:
    """The jobs of one cluster.

    Args:
        address: The dashboard's, as `job_address.address_of` gives it.

    Attributes:
        address: The same, without credentials, for messages.

    Raises:
        ConfigError: The file with the token cannot be read.
        ExecutionError: Nobody answers there, the token is missing or wrong, or it is no Jobs API that fits.
    """

    def __init__(self, address: str) -> None:
        header = token_header()
        check_answers(address)
        quieten()
        from ray.job_submission import JobSubmissionClient

        self.address = public_name(address)
        # Ray's notices of uploads and defaults are for its own command line.
        for name in ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
            logging.getLogger(name).setLevel(logging.ERROR)
        with self._translated(), no_addresses():
            self._client: Any = JobSubmissionClient(address, headers=header)

    def submit(self, batch: JobBatch) -> Submitted:
        """Start a batch, unless it is running already.

        A batch's id is always the same, and a cluster takes an id once: after the first job has ended, the next of the
        same batch is called ID-2, then ID-3. Whoever submits at the same moment is refused by the cluster, and finds
        the other's job running.

        Raises:
            ExecutionError: The cluster cannot be reached, or refuses.
        """
        for _ in range(_SUBMIT_TRIES):
            before = [job for job in self.jobs() if _number(job.id, batch.base_id)]
            running = [job for job in before if not job.has_ended]
            if running:
                return Submitted(running[0], is_new=False)
            number = 1 + max((_number(job.id, batch.base_id) for job in before), default=0)
            job_id = batch.base_id if number == 1 else f"{batch.base_id}-{number}"
            if self._send(batch, job_id):
                return Submitted(self.job(job_id), is_new=True)
        raise ExecutionError(f"{self.address}: others submit {batch.base_id} again and again; try later")

    def _send(self, batch: JobBatch, job_id: str) -> bool:
        """Whether the cluster took the job; False where it has one of this id."""
        with tempfile.TemporaryDirectory(prefix="momentseek-") as folder, self._translated():
            batch.write(Path(folder))
            try:
                self._client.submit_job(
                    entrypoint=batch.entrypoint,
                    submission_id=job_id,
                    runtime_env=batch.runtime_env(folder),
                    metadata=batch.metadata,
                )
            except RuntimeError as error:
                if f"submission_id {job_id} already exists" in str(error):
                    return False
                raise
        return True

    def jobs(self) -> list[Job]:
        """All jobs that momentseek submitted to this cluster, oldest first.

        Raises:
            ExecutionError: The cluster cannot be reached, or refuses.
        """
        with self._translated():
            found = self._client.list_jobs()
        ours = [_job(each) for each in found if each.submission_id and "momentseek" in (each.metadata or {})]
        return sorted(ours, key=lambda job: (job.started_seconds or 0.0, job.id))

    def job(self, job_id: str) -> Job:
        """One of them.

        Raises:
            QueryError: There is none of this id; the message has the nearest ones.
            ExecutionError: The cluster cannot be reached, or refuses.
        """
        ours = {job.id: job for job in self.jobs()}
        if job_id in ours:
            return ours[job_id]
        near = difflib.get_close_matches(job_id, ours, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"there are {len(ours)}: momentseek jobs list"
        raise QueryError(f"{self.address} has no job {job_id!r} of momentseek; {hint}")

    def log(self, job_id: str) -> str:
        """All that a job has written so far.

        Raises:
            QueryError: There is no such job.
            ExecutionError: The cluster cannot be reached, or no longer has the log.
        """
        self.job(job_id)
        with self._translated():
            return str(self._client.get_job_logs(job_id))

    def follow(self, job_id: str, on_line: Callable[[str], None]) -> Job:
        """Hand on a job's log line by line from its beginning, as it is written, until the job ends.

        A connection that breaks is made again, and what was handed on already is passed over.

        Raises:
            QueryError: There is no such job.
            ExecutionError: The cluster cannot be reached, or cannot any more.
        """
        lines = LogLines(on_line)
        failures, heard = 0, 0
        while True:
            try:
                job = self.job(job_id)
                if job.has_ended:
                    lines.restart()
                    lines.take(self.log(job_id))
                    lines.close()
                    return job
                with self._translated():
                    asyncio.run(self._tail(job_id, lines))
            except ExecutionError as error:
                # Patience is for one interruption: a job of days may have many.
                failures = failures + 1 if lines.characters == heard else 1
                heard = lines.characters
                if failures > _RECONNECTS:
                    raise
                _log.warning("following %s: %s; trying again", job_id, error)
                time.sleep(_RECONNECT_SECONDS)

    async def _tail(self, job_id: str, lines: LogLines) -> None:
        lines.restart()
        async for text in self._client.tail_job_logs(job_id):
            lines.take(text)

    def gpus(self) -> float:
        """How many GPUs the cluster's machines have, all together.

        Raises:
            ExecutionError: The cluster cannot be reached, or refuses.
        """
        with self._translated():
            return float(sum(node["resources_total"].get("GPU", 0) for node in self._nodes()))

    def is_dead(self) -> bool:
        """Whether the cluster itself says that none of its machines is alive; False where it does not say."""
        try:
            with self._translated():
                return not self._nodes()
        except ExecutionError:
            return False

    def _nodes(self) -> list[Any]:
        """The machines that are alive, as the cluster's state API describes them."""
        answer = self._client._do_request("GET", "/api/v0/nodes").json()
        try:
            return [node for node in answer["data"]["result"]["result"] if node["state"] == "ALIVE"]
        except TypeError as error:
            # A cluster that has not started answers without data.
            raise ValueError(f"it does not list its machines: {answer}") from error

    def stop(self, job_id: str) -> Job:
        """Ask a job to end, and wait until it has; what it has finished by then is kept.

        Raises:
            QueryError: There is no such job.
            ExecutionError: The cluster cannot be reached, or refuses, or the job does not end.
        """
        job = self.job(job_id)
        if not job.has_ended:
            with self._translated():
                self._client.stop_job(job_id)
        until = time.monotonic() + _STOP_SECONDS
        while not (job := self.job(job_id)).has_ended:
            if time.monotonic() > until:
                raise ExecutionError(
                    f"{job_id} was asked to stop {_STOP_SECONDS:g} seconds ago and is {job.status} still"
                )
            time.sleep(0.5)
        return job

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Ray's and the network's errors as ours."""
        import aiohttp
        import ray.exceptions
        import requests

        try:
            yield
        except ray.exceptions.AuthenticationError as error:
            raise ExecutionError(_refused(self.address, str(error))) from error
        except (requests.RequestException, aiohttp.ClientError, OSError) as error:
            raise ExecutionError(f"{self.address}: no answer that makes sense ({_brief(error)}); {FORM}") from error
        except (RuntimeError, ValueError, KeyError) as error:
            raise ExecutionError(f"{self.address}: {_brief(error)}") from error


def _number(job_id: str, base_id: str) -> int:
    """Which job of a batch this is, from 1; 0 where it is of another batch."""
    match = re.fullmatch(rf"{re.escape(base_id)}(?:-(\d+))?", job_id)
    return 0 if match is None else int(match[1] or 1)


def _job(details: Any) -> Job:
    times = [milliseconds and milliseconds / 1000 for milliseconds in (details.start_time, details.end_time)]
    return Job(
        id=details.submission_id,
        status=str(details.status.value),
        message=details.message or "",
        exit_code=details.driver_exit_code,
        started_seconds=times[0],
        ended_seconds=times[1],
        metadata=dict(details.metadata or {}),
        environment=tuple(sorted((details.runtime_env or {}).get("env_vars") or ())),
    )


def _refused(address: str, said: str) -> str:
    if "Invalid authentication token" in said:
        return f"{address} refuses the token that is kept here: {HOW_TO_SEND_IT}"
    return f'{address} asks for a token, and none was sent: {HOW_TO_SEND_IT}; RAY_AUTH_MODE must not be "disabled" here'


def _brief(error: BaseException) -> str:
    """The last line that says something: what a server answers may be a whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" .")]
    return f"{type(error).__name__}: {lines[-1].rstrip('.')[:500]}" if lines else type(error).__name__


class LogLines:
    """Joins chunks of a log into lines, and skips what was received before the connection broke.

    Args:
        on_line: Told each line once.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._begun = ""
        self._known = 0
        self._to_skip = 0

    @property
    def characters(self) -> int:
        """How many have come, each counted once."""
        return self._known

    def restart(self) -> None:
        """The log comes from its beginning again."""
        self._to_skip = self._known

    def take(self, text: str) -> None:
        """Pass on the lines that end in this chunk."""
        skipped = min(self._to_skip, len(text))
        self._to_skip -= skipped
        self._known += len(text) - skipped
        *whole, self._begun = (self._begun + text[skipped:]).split("\n")
        for line in whole:
            self._on_line(line)

    def close(self) -> None:
        """Nothing more will come."""
        if self._begun:
            self._on_line(self._begun)
        self._begun = ""
