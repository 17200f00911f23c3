"""Write the pages of a library's runs, `runs/{run id}.html`, next to their reports."""

from __future__ import annotations

from pipeline.runs.log import RUNS_FOLDER
from pipeline.runs.report import RunReport
from pipeline.store.atomic_folder import AtomicFolder

__all__ = ["RunPages"]


class RunPages:
    """The pages of a library's runs, below `{root_url}/runs/`. The constructor accesses no files.

    Args:
        root_url: The library's folder or URL.
    """

    def __init__(self, root_url: str) -> None:
        self._root_url = root_url

    def address(self, run_id: str) -> str:
        """Return the path or URL of a run's page, whether or not it has been written."""
        return f"{self._root_url.rstrip('/')}/{_file(run_id)}"

    def write(self, report: RunReport) -> None:
        """Draw a report as a page, replacing an older page of the same run.

        Raises:
            StoreError: The page cannot be written.
        """
        from pipeline.runs.page import run_page

        AtomicFolder(self._root_url).write(_file(report.run_id), run_page(report).encode())

    def delete(self, run_id: str) -> bool:
        """Remove a run's page; return whether there was one.

        Raises:
            OSError: The page cannot be removed.
        """
        return AtomicFolder(self._root_url).delete(_file(run_id))


def _file(run_id: str) -> str:
    return f"{RUNS_FOLDER}/{run_id}.html"
