"""A batch that a server runs, followed by the client that started it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn
from urllib.parse import quote

from pipeline.client.connection import Connection, NoServerError
from pipeline.client.problem_codes import error_named
from pipeline.errors import ExecutionError, MomentseekError, ServerError
from pipeline.types import Source, VideoReport
from pipeline.types.report_json import report_from

__all__ = ["BatchStoppedError", "ServedBatch"]

OnEvent = Callable[[str, Mapping[str, Any]], None]


class BatchStoppedError(ExecutionError):
    """The batch was stopped before all of its videos had ended."""


class ServedBatch:
    """A batch that a server runs.

    Args:
        connection: The connection to the server.
        runs: Path of the server's runs, as "/api/v1/runs".
        fields: The server's description of the batch.

    Attributes:
        run_id: Id of its run.
        count: Number of its sources.
        is_over: Whether it has ended.

    Raises:
        ServerError: The fields do not describe a batch.
    """

    def __init__(self, connection: Connection, runs: str, fields: Mapping[str, Any]) -> None:
        try:
            self.run_id, self.count = str(fields["run_id"]), int(fields["sources"])
        except (KeyError, TypeError, ValueError) as error:
            raise ServerError(f"{connection.url}: the server's answer cannot be read ({error})") from error
        self._connection = connection
        self._path = f"{runs}/{quote(self.run_id, safe='')}"
        self.is_over = False

    @classmethod
    def start(
        cls,
        connection: Connection,
        runs: str,
        sources: Iterable[Source],
        *,
        settings: Sequence[str] = (),
        folder: str | None = None,
    ) -> ServedBatch:
        """Start a batch.

        Args:
            connection: The connection to the server.
            runs: Path of the server's runs.
            sources: What to index.
            settings: Overrides of settings; only over a private socket.
            folder: The folder that relative paths start from; only over a private socket. The sources are then taken
                for single videos.

        Raises:
            ServerError: The server refuses the batch, or does not answer.
            MomentseekError: The sources or the settings are invalid.
        """
        named = [{"uri": source.uri, "metadata": dict(source.metadata)} for source in sources]
        body: dict[str, Any] = {"sources": named}
        if settings:
            body["settings"] = list(settings)
        if folder is not None:
            body["folder"] = folder
        return cls(connection, runs, connection.json("POST", runs, body))

    def reports(self, on_event: OnEvent | None = None) -> Iterator[VideoReport]:
        """Yield the report of each source as it ends, until the batch is over.

        Args:
            on_event: Called with the kind and the fields of the other events: "progress", "executor" and "stopping".

        Raises:
            BatchStoppedError: It was stopped.
            ServerError: The server is gone.
            MomentseekError: The batch failed.
        """
        try:
            for kind, fields in self._connection.events(f"{self._path}/events"):
                if kind == "over":
                    self.is_over = True
                    self._check(fields)
                    return
                if kind == "server_stopping":
                    self._leave(fields)
                if kind == "report":
                    yield report_from(fields)
                elif on_event is not None:
                    on_event(kind, fields)
        except NoServerError as error:
            self.is_over = True  # a batch ends with its server
            raise NoServerError(
                "the server ended before the batch was over; finished videos are kept, and indexing the same ones"
                f" again continues with the rest ({error})"
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise ServerError(f"{self._connection.url}: an event of the batch cannot be read ({error!r})") from error

    def stop(self) -> None:
        """Ask the server to stop the batch: no further video is started, and those under way have ten seconds.

        A server that is gone has stopped it already.
        """
        with suppress(MomentseekError):
            self._connection.json("DELETE", self._path)

    def _leave(self, fields: Mapping[str, Any]) -> NoReturn:
        """Raise the error of a server that is stopping."""
        raise NoServerError(str(fields.get("problem") or "the server is stopping"))

    def _check(self, fields: Mapping[str, Any]) -> None:
        """Raise the error of a batch that did not finish."""
        outcome, problem = fields.get("outcome"), str(fields.get("problem") or "")
        if outcome == "interrupted":
            raise BatchStoppedError(
                "the batch was stopped in the server; finished videos are kept, and indexing the same ones again"
                " continues with the rest"
            )
        if outcome != "finished":
            problem = problem or "the batch failed"
            raise error_named(str(fields.get("code") or ""), problem) or ExecutionError(problem)
