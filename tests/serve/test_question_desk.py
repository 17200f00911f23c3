"""Questions that arrive together are embedded together, and those that nobody waits for are dropped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from contracts.word_world import WordEncoder
from shots_library import filled

from pipeline import Library
from pipeline.errors import QueryError
from pipeline.search import Query, as_query
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.question_desk import QuestionDesk


class CountingEncoder(WordEncoder):
    """Notes how many texts it embeds at a time."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def encode_texts(self, texts: Sequence[str]):
        self.sizes.append(len(texts))
        return super().encode_texts(texts)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return filled(tmp_path)


@pytest.fixture
def desk(library: Library):
    desk = QuestionDesk(library, most_waiting=100, most_seconds=20)
    yield desk
    desk.close()
    library.close()


async def busy(desk: QuestionDesk) -> tuple[asyncio.Task[object], Callable[[], None]]:
    """Keep the desk busy until the returned function is called."""
    begun, done = threading.Event(), threading.Event()

    def work(_library: Library) -> object:
        begun.set()
        return done.wait(20)

    task = asyncio.create_task(desk.call(work))
    while not begun.is_set():
        await asyncio.sleep(0.005)
    return task, done.set


async def waiting(desk: QuestionDesk, count: int) -> None:
    while desk.waiting != count:
        await asyncio.sleep(0.005)


def test_questions_that_wait_are_embedded_together(library: Library, desk: QuestionDesk) -> None:
    encoder = CountingEncoder()
    library._model = encoder  # the model that counts, in place of the one that is loaded on first use

    async def ask() -> list[str]:
        await desk.ask(as_query("red"))
        task, release = await busy(desk)
        words = ["red", "green", "blue", "red green"] * 8
        answers = [asyncio.create_task(desk.ask(as_query(word))) for word in words]
        await waiting(desk, 32)
        encoder.sizes.clear()
        release()
        await task
        return [str((await answer).query) for answer in answers] + words

    found = asyncio.run(ask())
    assert found[:32] == found[32:]
    assert encoder.sizes == [4]
    assert (desk.batches, desk.questions) == (2, 33)


def test_the_fault_of_one_question_is_its_own(desk: QuestionDesk) -> None:
    async def ask() -> list[object]:
        task, release = await busy(desk)
        questions = [as_query("red"), as_query("red", {"videos": ("none.mp4",)}), Query(shows={"like": "nowhere"})]
        answers = asyncio.gather(*map(desk.ask, questions), return_exceptions=True)
        await waiting(desk, 3)
        release()
        await task
        return await answers

    first, second, third = asyncio.run(ask())
    assert first.moments
    assert isinstance(second, QueryError)
    assert isinstance(third, QueryError)


def test_a_question_that_nobody_waits_for_is_dropped(desk: QuestionDesk) -> None:
    async def ask() -> None:
        task, release = await busy(desk)
        answer = asyncio.create_task(desk.ask(as_query("red")))
        await waiting(desk, 1)
        answer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answer
        release()
        await task
        await desk.ask(as_query("green"))

    asyncio.run(ask())
    assert (desk.dropped, desk.questions) == (1, 1)


def test_a_full_desk_refuses(library: Library) -> None:
    desk = QuestionDesk(library, most_waiting=1, most_seconds=20)

    async def ask() -> ProblemError:
        task, release = await busy(desk)
        answer = asyncio.create_task(desk.ask(as_query("red")))
        await waiting(desk, 1)
        with pytest.raises(ProblemError) as refused:
            await desk.ask(as_query("green"))
        release()
        await asyncio.gather(task, answer)
        return refused.value

    problem = asyncio.run(ask())
    assert (problem.status, problem.code, problem.retry_seconds) == (503, "busy", 1)
    desk.close()
    library.close()


def test_an_answer_that_takes_too_long(library: Library) -> None:
    desk = QuestionDesk(library, most_waiting=9, most_seconds=0.1)

    async def ask() -> ProblemError:
        done = threading.Event()
        with pytest.raises(ProblemError) as slow:
            await desk.call(lambda _library: done.wait(20))
        done.set()
        return slow.value

    assert asyncio.run(ask()).code == "too_slow"
    desk.close()
    library.close()


def test_a_closed_desk_refuses_at_once(library: Library) -> None:
    desk = QuestionDesk(library, most_waiting=9, most_seconds=20)
    desk.close()
    with pytest.raises(ProblemError, match="stopping"):
        asyncio.run(desk.ask(as_query("red")))
    library.close()
