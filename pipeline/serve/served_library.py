"""State that the routes of a server share: the library, its question desk and its pictures."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Container
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Request

from pipeline.errors import MomentseekError, QueryError, StoreError
from pipeline.export.web_copy import WebForm
from pipeline.library import Library
from pipeline.library.maintenance import Removed
from pipeline.search import Answer, Query
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.http.sessions import Sessions
from pipeline.serve.media.media_copies import MediaCopies
from pipeline.serve.media.picture_desk import PictureDesk
from pipeline.serve.question_desk import QuestionDesk
from pipeline.serve.question_log import QuestionLog
from pipeline.serve.server_stop import ServerStop
from pipeline.serve.settings import ServeSettings
from pipeline.serve.uploads import Uploads
from pipeline.serve.video_pages import VideoPages
from pipeline.store.file_name_patterns import VIDEO_ID
from pipeline.types import VideoRecord

__all__ = ["Served", "ServedLibrary", "unless_gone"]

_WATCH_SECONDS = 5.0

T = TypeVar("T")


class ServedLibrary:
    """A library that is served.

    Args:
        library: The library; the server closes it.
        settings: Settings of the server.

    Attributes:
        library: As given. Its model and index are used by `desk` only.
        desk: Answers questions.
        pictures: Decodes pictures.
        copies: Makes copies and clips of videos.
        web_forms: By video id, the form in which a browser gets the video, as far as it is known.
        uploads: What clients have uploaded.
        sessions: Sessions of browsers; None if no token is needed.
        settings: As given.
        stop: The stop of the server.
        video_pages: Lists the videos.
        is_ready: Whether the model and the index are loaded.
        problem: Why they could not be loaded; None if that has not failed.
    """

    def __init__(self, library: Library, settings: ServeSettings) -> None:
        self.library = library
        self.settings = settings
        self.stop = ServerStop()
        self.video_pages = VideoPages(lambda: library.store)
        self.is_ready = False
        self.problem: MomentseekError | None = None
        self.desk = QuestionDesk(
            library, most_waiting=settings.waiting_questions, most_seconds=settings.question_seconds
        )
        self.pictures = PictureDesk(
            library.config, library.store, most_waiting=settings.waiting_pictures, cache_bytes=settings.picture_bytes
        )

        self.web_forms: dict[str, WebForm] = {}
        self.copies = MediaCopies(
            most_bytes=settings.copies_bytes,
            most_seconds=settings.copy_seconds,
            folder=library.config.fetching.spool_folder,
        )
        self.uploads = Uploads(settings.uploads_bytes)
        self._audit = None if settings.audit_log is None else QuestionLog(settings.audit_log)
        self.sessions = None if settings.tokens is None else Sessions(settings.tokens)

    async def ask(self, request: Request, question: Query) -> Answer:
        """Answer a question of a client, in which uploads stand for files.

        Raises:
            QueryError: The question is invalid, or not one that a client may ask.
            ProblemError: The server is busy, or the client is gone.
            MomentseekError: As for `Library.ask`.
        """
        began = time.monotonic()
        answer: Answer | None = None
        problem: str | None = None
        try:
            answer = await unless_gone(request, self.desk.ask(self.uploads.resolved(question)))
        except (MomentseekError, ProblemError) as error:
            problem = str(error)
            raise
        finally:
            if self._audit is not None:
                self._audit.write(
                    who=request.state.client_name,
                    address="" if request.client is None else request.client.host,
                    question=question,
                    answer=answer,
                    seconds=time.monotonic() - began,
                    problem=problem,
                )
        return replace(answer, query=question)

    def log_action(self, request: Request, who: str, action: str, **fields: Any) -> None:
        """Write to the audit log what a client did.

        Args:
            request: Its request.
            who: Its name.
            action: What it did, such as "remove_video".
            fields: JSON values.
        """
        if self._audit is not None:
            address = "" if request.client is None else request.client.host
            self._audit.write_action(who=who, address=address, action=action, fields=fields)

    async def remove(self, video_id: str) -> Removed:
        """Remove a video from the library, and everything that this server keeps of it.

        Raises:
            ProblemError: The library has no such video.
            MomentseekError: As for `Library.remove`.
        """
        if not VIDEO_ID.fullmatch(video_id):
            raise _unknown(video_id)

        def work(library: Library) -> Removed:
            if library.find_removable(video_id) != video_id:
                raise QueryError(f"{video_id!r} is the name of a video, not its id")
            return library.remove(video_id)

        try:
            return await self.desk.call(work)
        except QueryError as error:
            raise _unknown(video_id) from error
        finally:
            self.forget(lambda each: each == video_id)

    def forget(self, is_gone: Callable[[str], bool]) -> None:
        """Drop the pictures and copies of the videos, by their ids, that are gone."""
        self.pictures.forget(is_gone)
        self.copies.forget(is_gone)
        for video_id in [video_id for video_id in self.web_forms if is_gone(video_id)]:
            del self.web_forms[video_id]

    async def watch_removals(self) -> None:
        """Delete cached pictures and copies of videos that other processes removed, every few seconds until cancelled.

        Requests for such a video are refused at once, as each of them reads its record.
        """
        # A picture that was being made when its video was removed goes with the next round.
        while True:
            await anyio.sleep(_WATCH_SECONDS)
            with suppress(StoreError):
                present = set(await anyio.to_thread.run_sync(self.library.store.video_ids))
                self.forget(partial(_is_missing, present))

    def record(self, video_id: str) -> VideoRecord:
        """Read a video's record; only an id finds it, never a name or a path.

        Raises:
            ProblemError: The library has no such video.
            StoreError: The video's file is broken.
        """
        record = self.library.store.record(video_id) if VIDEO_ID.fullmatch(video_id) else None
        if record is None:
            raise _unknown(video_id)
        return record

    async def warm_up(self) -> None:
        """Load the model and the index before the first question."""
        try:
            await self.desk.call(lambda library: library.searcher())
        except MomentseekError as error:
            # An empty library has nothing to load; each question gets its own error.
            self.problem = error
        self.is_ready = self.problem is None or isinstance(self.problem, QueryError)

    def close(self) -> None:
        """Stop answering, and close the library."""
        self.desk.close()
        self.uploads.close()
        self.copies.close()
        self.library.close()


def _is_missing(present: Container[str], video_id: str) -> bool:
    return video_id not in present


def _unknown(video_id: str) -> ProblemError:
    detail = f"the library has no video with the id {video_id[:100]!r}"
    return ProblemError(HTTPStatus.NOT_FOUND, "unknown_video", detail)


def _served(request: Request) -> ServedLibrary:
    served: ServedLibrary = request.app.state.served
    return served


Served = Annotated[ServedLibrary, Depends(_served)]
"""The served library, as a parameter of a route."""


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Await work; cancel it if the client goes away meanwhile. The request's body must have been read.

    Raises:
        ProblemError: The client is gone; nobody reads this answer.
    """
    results: list[T] = []
    failures: list[Exception] = []
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            message: Any = {}
            while message.get("type") != "http.disconnect":
                message = await request.receive()
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            results.append(await work)
        except Exception as error:  # noqa: BLE001 - raised below, where the group does not wrap it
            failures.append(error)
        tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]
    if not results:
        raise ProblemError(499, "client_gone", "the client closed the connection")
    return results[0]
