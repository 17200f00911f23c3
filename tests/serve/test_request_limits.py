"""Limits of a request's body and of the number of requests at work; 32 askers at once are within them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.serve import ServeSettings, create_app

SEARCH = "/api/v1/search"


@pytest.mark.parametrize("is_stated", [True, False])
def test_a_large_body(client: TestClient, is_stated: bool) -> None:
    body = json.dumps({"shows": "a" * 1_100_000}).encode()
    content = body if is_stated else iter([body[:1000], body[1000:]])
    response = client.post(SEARCH, content=content)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("length", ["-1", "x", "1" * 30])
def test_a_length_that_is_no_number(client: TestClient, length: str) -> None:
    response = client.post(SEARCH, content=b"{}", headers={"Content-Length": length})
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"shows": "a" * 900_000}, "longer than"),
        ({"shows": ["a"] * 65}, "65 terms"),
        ({"shows": "a", "videos": ["b"] * 1001}, "more than 1000"),
    ],
)
def test_a_large_question(client: TestClient, question: dict[str, object], said: str) -> None:
    response = client.post(SEARCH, json=question)
    assert response.status_code == 422
    assert said in response.json()["detail"]


def test_a_slow_body(served_folder: Path) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for byte in b'{"shows": "a"}':
            await asyncio.sleep(0.05)
            yield bytes([byte])

    async def ask() -> httpx.Response:
        app = create_app(Library.open(served_folder), ServeSettings(body_seconds=0.2))
        async with asking(app) as client:
            return await client.post(SEARCH, content=drip())

    response = asyncio.run(ask())
    assert (response.status_code, response.json()["code"]) == (408, "too_slow")


def asking(app) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=60)


def test_one_client_with_too_many_requests(served_folder: Path) -> None:
    app = create_app(Library.open(served_folder), ServeSettings(client_requests=2))
    served = app.state.served

    async def ask() -> list[int]:
        release = threading.Event()
        begun = threading.Event()
        busy = asyncio.create_task(served.desk.call(lambda _library: begun.set() or release.wait(20)))
        while not begun.is_set():
            await asyncio.sleep(0.005)
        async with asking(app) as client:
            waiting = [asyncio.create_task(client.post(SEARCH, json={"shows": "a ladder"})) for _ in range(2)]
            while served.desk.waiting < 2:
                await asyncio.sleep(0.01)
            refused = await client.get("/api/v1/videos")
            release.set()
            answered = await asyncio.gather(*waiting)
            await busy
            assert refused.headers["retry-after"] == "1"
            return [refused.status_code, *(response.status_code for response in answered)]

    assert asyncio.run(ask()) == [429, 200, 200]
    served.close()


def test_thirty_two_askers(served_folder: Path) -> None:
    app = create_app(Library.open(served_folder))
    served = app.state.served
    texts = [f"a {colour} {thing}" for colour in ("red", "green") for thing in ("ladder", "door", "hat", "box")]

    async def ask(client: httpx.AsyncClient, number: int) -> list[tuple[int, str]]:
        answers = []
        for turn in range(4):
            response = await client.post(SEARCH, json={"shows": texts[(number + turn) % len(texts)]})
            answers.append((response.status_code, response.json()["question"]))
        return answers

    async def ask_all() -> list[list[tuple[int, str]]]:
        async with asking(app) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(32)))

    for number, answers in enumerate(asyncio.run(ask_all())):
        assert answers == [(200, texts[(number + turn) % len(texts)]) for turn in range(4)]
    assert served.desk.questions == 128
    # How many arrive together is chance.
    assert served.desk.batches <= 96
    served.close()
