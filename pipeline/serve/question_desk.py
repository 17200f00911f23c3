"""Question desk: one thread that answers all questions, and embeds those that arrive together in one batch."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar, cast

from pipeline.library import Library
from pipeline.search import Answer, Query
from pipeline.serve.http.problems import ProblemError

__all__ = ["QuestionDesk"]

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1
_MOST_TOGETHER = 64
"""Maximum number of questions whose texts are embedded in one batch."""

T = TypeVar("T")


@dataclass(frozen=True)
class _WaitingTask:
    """Waiting work: a question, or a function of the library."""

    result: Future[Any]
    question: Query | None = None
    work: Callable[[Library], Any] | None = None


class QuestionDesk:
    """Does all work that needs the model or the index, in one thread, in order of arrival.

    A library's model, index and caches belong to one thread at a time. Questions that wait when the thread becomes
    free are taken together, and their texts are embedded in one batch. A question is dropped if nobody waits for its
    answer any more.

    Args:
        library: The library.
        most_waiting: Maximum number of waiting tasks.
        most_seconds: Maximum time from arrival to answer.

    Attributes:
        batches: Number of batches of questions so far.
        questions: Number of questions in these batches.
        dropped: Number of tasks that were dropped as nobody waited for them any more.
    """

    def __init__(self, library: Library, *, most_waiting: int, most_seconds: float) -> None:
        self._library = library
        self._most_waiting = most_waiting
        self._most_seconds = most_seconds
        self._waiting: deque[_WaitingTask] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self.batches = self.questions = self.dropped = 0
        self._thread = threading.Thread(target=self._work, name="momentseek-questions", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Number of tasks that wait."""
        return len(self._waiting)

    async def ask(self, question: Query) -> Answer:
        """Answer a question.

        Raises:
            ProblemError: Too many questions wait, or the answer takes too long.
            MomentseekError: As for `Library.ask`.
        """
        return cast(Answer, await self._done(_WaitingTask(Future(), question=question)))

    async def call(self, work: Callable[[Library], T]) -> T:
        """Do other work with the library, in the same thread.

        Raises:
            ProblemError: Too much work waits, or it takes too long.
        """
        return cast(T, await self._done(_WaitingTask(Future(), work=work)))

    def close(self) -> None:
        """Drop the tasks that wait, and end the thread after the one under way."""
        with self._changed:
            self._is_closed = True
            for task in self._waiting:
                task.result.cancel()
            self._changed.notify()
        self._thread.join()

    async def _done(self, task: _WaitingTask) -> Any:
        with self._changed:
            if self._is_closed or len(self._waiting) >= self._most_waiting:
                detail = "the server is stopping" if self._is_closed else "too many questions wait for an answer"
                raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail, retry_seconds=_RETRY_SECONDS)
            self._waiting.append(task)
            self._changed.notify()
        try:
            # Where this is cancelled, so is the task, unless it is under way.
            return await asyncio.wait_for(asyncio.wrap_future(task.result), self._most_seconds)
        except TimeoutError as error:
            detail = f"the answer took longer than {self._most_seconds:g} s"
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "too_slow", detail, retry_seconds=_RETRY_SECONDS
            ) from error

    def _work(self) -> None:
        while (tasks := self._next_tasks()) is not None:
            wanted = [task for task in tasks if not task.result.cancelled()]
            self.dropped += len(tasks) - len(wanted)
            questions = [task.question for task in wanted if task.question is not None]
            if questions:
                self.batches += 1
                self.questions += len(questions)
            answers = iter(self._prepared(questions))
            for task in wanted:
                self._finish(task, next(answers) if task.question is not None else None)

    def _next_tasks(self) -> list[_WaitingTask] | None:
        """Wait for tasks, and take the first ones; None when the desk is closed."""
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return None
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_TOGETHER))]

    def _prepared(self, questions: Sequence[Query]) -> list[Callable[[], Answer]]:
        if not questions:
            return []
        try:
            return self._library.prepared(questions)
        except Exception as error:  # noqa: BLE001 - whatever it is, each asker gets it
            failure = error

            def fail() -> Answer:
                raise failure

            return [fail] * len(questions)

    def _finish(self, task: _WaitingTask, answer: Callable[[], Answer] | None) -> None:
        if not task.result.set_running_or_notify_cancel():
            self.dropped += 1
            return
        try:
            if answer is not None:
                result: Any = answer()
            else:
                assert task.work is not None
                result = task.work(self._library)
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
            task.result.set_exception(error)
        else:
            task.result.set_result(result)
