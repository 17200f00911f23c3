"""The public class `Client`: a library behind a server, with the methods of `Library`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

from pipeline.client.batch import ServedBatch
from pipeline.client.connection import Address, Connection
from pipeline.client.running_server import RunningServer, find_server
from pipeline.errors import ServerError, StoreError
from pipeline.search.answer import Answer
from pipeline.search.query import Query, as_query, moments_query
from pipeline.types import Moment, Scalar, Source, VideoRecord, VideoReport
from pipeline.types.record_json import record_from

__all__ = ["Client"]

_API = "/api/v1"
_TOKEN = "MOMENTSEEK_TOKEN"  # noqa: S105 - the name of a variable
_RUNS = f"{_API}/runs"
_LATEST = "latest"
_ENTRIES_A_PAGE = 1000


class Client:
    """A library that a server serves (`momentseek serve`), with the methods of `Library`. A context manager.

    Answers are those of `Library`, with two differences: the `curves` of an answer are empty, and locations of videos
    have no credentials; with a token of the role search, they are file names only. A question cannot name files of
    this machine.

    Args:
        url: The server's address, as "http://127.0.0.1:8737".
        token: The token that the server demands; None for the environment variable MOMENTSEEK_TOKEN, if it is set.
        timeout_seconds: Maximum time without an answer.

    Raises:
        ConfigError: The address is not one of an HTTP server.
    """

    def __init__(self, url: str, *, token: str | None = None, timeout_seconds: float = 60.0) -> None:
        given = os.environ.get(_TOKEN) if token is None else token
        self._connection = Connection(Address(url), token=given, timeout_seconds=timeout_seconds)

    @classmethod
    def of_library(cls, folder: str | Path) -> Self | None:
        """Return a client of the server that serves a library of this machine to this user; None if none runs.

        Args:
            folder: The library's folder.
        """
        server = find_server(Path(folder))
        return None if server is None else cls.at(server)

    @classmethod
    def at(cls, server: RunningServer) -> Self:
        """Return a client that connects to the private socket of a server, which demands no token there."""
        client = cls(server.address, token="")
        client._connection = Connection(Address(server.address, server.socket))
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The server's address."""
        return self._connection.url

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        self._connection.close()

    def ask(self, question: str | Query) -> Answer:
        """Answer a question, as `Library.ask`.

        Raises:
            QueryError: The question is invalid, names a file of this machine, or the library holds no video yet.
            ServerError: The server refuses the question or does not answer.
            MomentseekError: As for `Library.ask`.
        """
        from pipeline.client.answers import answer_from

        query = as_query(question)
        body = query.model_dump(mode="json", exclude_defaults=True)
        return answer_from(self._connection.json("POST", f"{_API}/search?explain=true", body), query)

    def search(
        self,
        question: str | Query,
        *,
        top: int | None = None,
        videos: Iterable[str] = (),
        metadata: Mapping[str, Scalar] | None = None,
        min_score: float | None = None,
    ) -> list[Moment]:
        """Find the moments that match a question, best first, as `Library.search`.

        Args:
            question: A description of the moment, such as "a person in a hard hat"; or a `Query`.
            top: Maximum number of moments; None for the configuration's.
            videos: Search only these videos: file names, paths, URIs or ids; empty for all.
            metadata: Search only videos whose metadata has these entries.
            min_score: Minimum score of a moment; None for the configuration's.

        Raises:
            MomentseekError: As for `ask`.
        """
        query = moments_query(question, top=top, videos=videos, metadata=metadata, min_score=min_score)
        return list(self.ask(query).moments)

    def index(self, sources: Iterable[str | Path | Source]) -> Iterator[VideoReport]:
        """Index videos of the server's machine, as `Library.index`: iterate over the result to follow the batch.

        If the iteration ends early, the batch is stopped: no further video is started, and those under way have ten
        seconds to finish.

        Args:
            sources: Absolute paths of videos, folders, patterns and manifests on the server's machine; or `Source`
                objects with metadata. Unless the client is connected to the private socket of a server of the same
                user, they must be in folders that `momentseek serve --allow-sources` names.

        Raises:
            QueryError: A source is invalid.
            ExecutionError: The batch failed, or was stopped.
            ServerError: The server refuses the batch, as one is running already, or does not answer.
        """
        batch = self.start_batch(source if isinstance(source, Source) else Source(str(source)) for source in sources)
        try:
            yield from batch.reports()
        finally:
            if not batch.is_over:
                batch.stop()

    def start_batch(
        self, sources: Iterable[Source], *, settings: Sequence[str] = (), folder: str | None = None
    ) -> ServedBatch:
        """Start a batch, to be followed with its progress.

        Args:
            sources: As for `index`.
            settings: Overrides of settings, such as "sampling.fps=2"; only over the private socket.
            folder: The folder that relative paths start from; only over the private socket. The sources are then taken
                for single videos.

        Raises:
            MomentseekError: As for `index`.
        """
        return ServedBatch.start(self._connection, _RUNS, sources, settings=settings, folder=folder)

    def failures(self) -> list[Source]:
        """Return the sources whose latest attempt failed, with their metadata; their locations have no credentials.

        Raises:
            ServerError: The server refuses the request or does not answer.
        """
        pages = self._pages(f"{_API}/failures", {})
        try:
            return [Source(one["uri"], one["metadata"]) for page in pages for one in page["failures"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ServerError(f"the server's list of failures cannot be read ({error})") from error

    def remove(self, video_id: str) -> dict[str, Any]:
        """Remove a video from the library, as `Library.remove`; the server forgets its pictures and copies at once.

        Args:
            video_id: The video's id; names are not accepted.

        Returns:
            The fields of the receipt.

        Raises:
            QueryError: The library has no such video.
            ServerError: The server refuses the request or does not answer.
            MomentseekError: As for `Library.remove`.
        """
        return self._object(self._connection.json("DELETE", f"{_API}/videos/{quote(video_id, safe='')}"))

    def runs(self) -> list[dict[str, Any]]:
        """Return summaries of the library's runs, the oldest first; of a batch that has written no report yet, none.

        Raises:
            StoreError: A report is broken.
            ServerError: The server refuses the request or does not answer.
        """
        found: list[dict[str, Any]] = []
        for page in self._pages(_RUNS, {}):
            for broken in page.get("broken", ()):
                raise StoreError(str(broken["problem"]))
            found += [self._object(run) for run in page["runs"]]
        return [run for run in reversed(found) if "updated_at" in run]

    def run(self, run_id: str | None = None) -> dict[str, Any]:
        """Return the whole report of a run, for which a token needs the role admin.

        Args:
            run_id: The run; None for the latest.

        Raises:
            QueryError: There is no such run.
            ServerError: The server refuses the request or does not answer.
        """
        which = _LATEST if run_id is None else quote(run_id, safe="")
        return self._object(self._connection.json("GET", f"{_RUNS}/{which}/report"))

    def videos(self) -> list[VideoRecord]:
        """Return the records of all videos, as `Library.videos`.

        Raises:
            StoreError: A video's file is broken; `survey` continues with the others.
            ServerError: The server refuses the request or does not answer.
        """
        records, broken = self.survey()
        for error in broken.values():
            raise error
        return records

    def survey(self) -> tuple[list[VideoRecord], dict[str, StoreError]]:
        """Return the records of all videos, and by video id the errors of broken ones, as `Library.survey`.

        Raises:
            ServerError: The server refuses the request or does not answer.
        """
        records: list[VideoRecord] = []
        broken: dict[str, StoreError] = {}
        for page in self._pages(f"{_API}/videos", {"records": "true"}):
            try:
                records += map(record_from, page["records"])
                broken |= {str(one["video_id"]): StoreError(str(one["problem"])) for one in page["broken"]}
            except (KeyError, TypeError, ValueError) as error:
                raise ServerError(f"the server's list of videos cannot be read ({error})") from error
        return records, broken

    def _pages(self, path: str, parameters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Read a list page by page."""
        given = {"limit": str(_ENTRIES_A_PAGE), **parameters}
        while True:
            page = self._object(self._connection.json("GET", f"{path}?{urlencode(given)}"))
            yield page
            if page.get("next") is None:
                return
            given["cursor"] = str(page["next"])

    def _object(self, value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ServerError(f"{self.url}: the answer is not a JSON object; is this the address of momentseek serve?")
        return value
