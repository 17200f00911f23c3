"""Read and write the reports of a library's runs, `runs/{run id}.json`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import ValidationError

from pipeline.errors import QueryError, StoreError
from pipeline.runs.report import RunReport
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.file_name_patterns import RUN_ID

__all__ = ["RUNS_FOLDER", "RunLog"]

RUNS_FOLDER = "runs"
"""The folder of a library that holds its runs' reports and pages."""


class RunLog:
    """The reports of a library's runs, below `{root_url}/runs/`. The constructor accesses no files.

    A report with the outcome "running" that was not written again for several intervals is read as "lost": its process
    was killed, or its machine is gone.

    Args:
        root_url: The library's folder or URL.
    """

    def __init__(self, root_url: str) -> None:
        self._root_url = root_url

    def write(self, report: RunReport) -> None:
        """Store a report, replacing an older one of the same run.

        Raises:
            StoreError: The report cannot be written.
        """
        AtomicFolder(self._root_url).write(_file(report.run_id), report.model_dump_json(indent=1).encode())

    def free_id(self, run_id: str) -> str:
        """Return this id, with a number appended if there is a run of this id already.

        Raises:
            StoreError: The runs cannot be listed.
        """
        known, free, number = set(self._ids()), run_id, 1
        while free in known:
            number += 1
            free = f"{run_id}-{number}"
        return free

    def read(self, run_id: str) -> RunReport:
        """Read the report of a run.

        Raises:
            QueryError: There is no such run.
            StoreError: The report cannot be read.
        """
        known = self._ids()
        if run_id not in known:
            latest = f"the latest is {max(known)}" if known else "it has none yet"
            raise QueryError(f"the library {self._root_url!r} has no run {run_id!r}; {latest}")
        return self._read(run_id)

    def latest(self) -> RunReport:
        """Read the report of the latest run.

        Raises:
            QueryError: There is no run.
            StoreError: A report cannot be read.
        """
        reports = list(self)
        if not reports:
            raise QueryError(f"the library {self._root_url!r} has no run yet")
        return reports[-1]

    def __iter__(self) -> Iterator[RunReport]:
        """Read all reports, oldest first.

        Raises:
            StoreError: The reports cannot be listed, or one cannot be read.
        """
        yield from sorted(map(self._read, self._ids()), key=lambda report: (report.started_at, report.run_id))

    def survey(self) -> tuple[list[RunReport], dict[str, StoreError]]:
        """Read all readable reports, oldest first; and, by the id of their runs, the errors of the others.

        Raises:
            StoreError: The reports cannot be listed.
        """
        found: list[RunReport] = []
        broken: dict[str, StoreError] = {}
        for run_id in self._ids():
            try:
                found.append(self._read(run_id))
            except StoreError as error:
                broken[run_id] = error
        return sorted(found, key=lambda report: (report.started_at, report.run_id)), broken

    def _ids(self) -> list[str]:
        try:
            names = AtomicFolder(self._root_url).list(RUNS_FOLDER, ".json")
        except OSError as error:
            raise StoreError(f"{self._root_url}/{RUNS_FOLDER}: cannot be listed: {error}") from error
        ids = [name.removeprefix(f"{RUNS_FOLDER}/").removesuffix(".json") for name in names]
        return [run_id for run_id in ids if RUN_ID.fullmatch(run_id)]

    def _read(self, run_id: str) -> RunReport:
        name = _file(run_id)
        try:
            folder = AtomicFolder(self._root_url)
            report = RunReport.model_validate_json(folder.read(name))
            if report.run_id != run_id:
                raise ValueError(f"it is the report of run {report.run_id[:100]!r}")  # noqa: TRY301 - as pydantic does
            if report.outcome != "running":
                return report
            return report.judged(now=datetime.now(UTC), written_at=folder.written_at(name))
        except (OSError, ArithmeticError, TypeError, ValueError) as error:
            cause = f"{error.error_count()} faults" if isinstance(error, ValidationError) else str(error)
            raise StoreError(
                f"{self._root_url}/{name}: is broken or of another version ({cause}); delete it"
            ) from error


def _file(run_id: str) -> str:
    return f"{RUNS_FOLDER}/{run_id}.json"
