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
from pipeline.optional_packages import require
from pipeline.submission.address import FORM, HOW_TO_SEND_IT, check_answers, no_addresses, token_header
from pipeline.submission.bundle import JobBatch
from pipeline.uris import public_name

__all__ = ["Job", "LogLines", "RayJobs", "Submitted"]

_log = logging.getLogger(__name__)
_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
_SUBMIT_TRIES = 5
_RECONNECT_SECONDS = 2.0
_MAX_RECONNECTS = 30
# Ray kills a job that does not end by itself after half a minute.
_STOP_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """The state of a momentseek job on a cluster.

    Attributes:
        id: Id of the job.
        status: Ray's status: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        message: Ray's message about the status; may have several lines.
        exit_code: Exit code of the job's process, if it ended by itself.
        started_seconds: Start time as a Unix timestamp.
        ended_seconds: End time as a Unix timestamp; None before the end.
        metadata: Information from the submission: momentseek's version, library, number of sources named.
        environment: Names, without values, of the variables in its runtime environment.
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
        """Whether the job has ended, so that its state is final."""
        return self.status in _ENDED


@dataclass(frozen=True)
class Submitted:
    """A batch's job, and whether this call started it or found it running."""

    job: Job
    is_new: bool


class RayJobs:
    """The jobs of one cluster.

    Args:
        address: Address of the dashboard, from `address.address_of`.

    Attributes:
        address: The address without credentials, for messages.

    Raises:
        ConfigError: The file with the token cannot be read.
        ExecutionError: No server answers, the token is missing or wrong, or the server has no compatible Jobs API.
    """

    def __init__(self, address: str) -> None:
        require("submitting batches", "ray")
        header = token_header()
        check_answers(address)
        quieten()
        from ray.job_submission import JobSubmissionClient

        self.address = public_name(address)
        # Ray logs uploads and defaults for its own command line only.
        for name in ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
            logging.getLogger(name).setLevel(logging.ERROR)
        with self._translated(), no_addresses():
            self._client: Any = JobSubmissionClient(address, headers=header)

    def submit(self, batch: JobBatch) -> Submitted:
        """Start a batch, unless it is running already.

        A batch always has the same id, and a cluster accepts an id once: after the first job has ended, the next job of
        the same batch is called ID-2, then ID-3. If two users submit a batch at the same moment, the cluster refuses
        one of them, who then finds the other's job running.

        Raises:
            ExecutionError: The cluster cannot be reached, or refuses the request.
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
        raise ExecutionError(f"{self.address}: others keep submitting {batch.base_id}; try again later")

    def _send(self, batch: JobBatch, job_id: str) -> bool:
        """Submit a job; False if the cluster has a job with this id already."""
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
        """List all jobs that momentseek submitted to this cluster, oldest first.

        Raises:
            ExecutionError: The cluster cannot be reached, or refuses the request.
        """
        with self._translated():
            found = self._client.list_jobs()
        ours = [_job(each) for each in found if each.submission_id and "momentseek" in (each.metadata or {})]
        return sorted(ours, key=lambda job: (job.started_seconds or 0.0, job.id))

    def job(self, job_id: str) -> Job:
        """Return one job of momentseek.

        Raises:
            QueryError: There is no job with this id; the message has the nearest ids.
            ExecutionError: The cluster cannot be reached, or refuses the request.
        """
        ours = {job.id: job for job in self.jobs()}
        if job_id in ours:
            return ours[job_id]
        near = difflib.get_close_matches(job_id, ours, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"list the {len(ours)} jobs with: momentseek jobs list"
        raise QueryError(f"{self.address} has no momentseek job {job_id!r}; {hint}")

    def log(self, job_id: str) -> str:
        """Return everything that a job has written so far.

        Raises:
            QueryError: There is no such job.
            ExecutionError: The cluster cannot be reached, or no longer has the log.
        """
        self.job(job_id)
        with self._translated():
            return str(self._client.get_job_logs(job_id))

    def follow(self, job_id: str, on_line: Callable[[str], None]) -> Job:
        """Pass on a job's log line by line from its beginning, as it is written, until the job ends.

        After a broken connection, following continues without repeating lines.

        Raises:
            QueryError: There is no such job.
            ExecutionError: The cluster cannot be reached, or the connection broke for good.
        """
        lines = LogLines(on_line)
        failures, received = 0, 0
        while True:
            try:
                job = self.job(job_id)
                if job.has_ended:
                    lines.restart()
                    lines.add(self.log(job_id))
                    lines.close()
                    return job
                with self._translated():
                    asyncio.run(self._tail(job_id, lines))
            except ExecutionError as error:
                # The limit applies to each interruption: a job of several days may have many.
                failures = failures + 1 if lines.characters == received else 1
                received = lines.characters
                if failures > _MAX_RECONNECTS:
                    raise
                _log.warning("following %s: %s; trying again", job_id, error)
                time.sleep(_RECONNECT_SECONDS)

    async def _tail(self, job_id: str, lines: LogLines) -> None:
        lines.restart()
        async for text in self._client.tail_job_logs(job_id):
            lines.add(text)

    def gpus(self) -> float:
        """Return the number of GPUs on all machines of the cluster.

        Raises:
            ExecutionError: The cluster cannot be reached, or refuses the request.
        """
        with self._translated():
            return float(sum(node["resources_total"].get("GPU", 0) for node in self._nodes()))

    def is_dead(self) -> bool:
        """Whether the cluster reports that none of its machines is alive; False if it does not report on them."""
        try:
            with self._translated():
                return not self._nodes()
        except ExecutionError:
            return False

    def _nodes(self) -> list[Any]:
        """List the machines that are alive, from the cluster's state API."""
        answer = self._client._do_request("GET", "/api/v0/nodes").json()
        try:
            return [node for node in answer["data"]["result"]["result"] if node["state"] == "ALIVE"]
        except TypeError as error:
            # A cluster that has not started answers without data.
            raise ValueError(f"it does not list its machines: {answer}") from error

    def stop(self, job_id: str) -> Job:
        """Ask a job to end, and wait until it has; videos finished by then are kept.

        Raises:
            QueryError: There is no such job.
            ExecutionError: The cluster cannot be reached, or refuses the request, or the job does not end.
        """
        job = self.job(job_id)
        if not job.has_ended:
            with self._translated():
                self._client.stop_job(job_id)
        deadline = time.monotonic() + _STOP_SECONDS
        while not (job := self.job(job_id)).has_ended:
            if time.monotonic() > deadline:
                raise ExecutionError(
                    f"{job_id} was asked to stop {_STOP_SECONDS:g} seconds ago, but is still {job.status}"
                )
            time.sleep(0.5)
        return job

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Convert errors of Ray and of the network to momentseek errors."""
        import aiohttp
        import ray.exceptions
        import requests

        try:
            yield
        except ray.exceptions.AuthenticationError as error:
            raise ExecutionError(_refused(self.address, str(error))) from error
        except (requests.RequestException, aiohttp.ClientError, OSError) as error:
            raise ExecutionError(f"{self.address}: no valid answer ({_brief(error)}); {FORM}") from error
        except (RuntimeError, ValueError, KeyError) as error:
            raise ExecutionError(f"{self.address}: {_brief(error)}") from error


def _number(job_id: str, base_id: str) -> int:
    """The number of a job among those of a batch, from 1; 0 if it belongs to another batch."""
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


def _refused(address: str, message: str) -> str:
    if "Invalid authentication token" in message:
        return f"{address} rejects the token of this machine: {HOW_TO_SEND_IT}"
    return f'{address} requires a token, but none was sent: {HOW_TO_SEND_IT}; RAY_AUTH_MODE must not be "disabled" here'


def _brief(error: BaseException) -> str:
    """The last meaningful line of an error: a server may answer with a whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" .")]
    return f"{type(error).__name__}: {lines[-1].rstrip('.')[:500]}" if lines else type(error).__name__


class LogLines:
    """Joins chunks of a log into lines, and skips text received before the connection broke.

    Args:
        on_line: Called with each line once.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._partial_line = ""
        self._received = 0
        self._to_skip = 0

    @property
    def characters(self) -> int:
        """Number of characters received, each counted once."""
        return self._received

    def restart(self) -> None:
        """Expect the log from its beginning again."""
        self._to_skip = self._received

    def add(self, text: str) -> None:
        """Pass on the lines that end in this chunk."""
        skipped = min(self._to_skip, len(text))
        self._to_skip -= skipped
        self._received += len(text) - skipped
        *whole, self._partial_line = (self._partial_line + text[skipped:]).split("\n")
        for line in whole:
            self._on_line(line)

    def close(self) -> None:
        """Pass on the last line, if it has no line end."""
        if self._partial_line:
            self._on_line(self._partial_line)
        self._partial_line = ""
