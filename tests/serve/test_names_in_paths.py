"""Names that people choose come back as they were given, or are refused with what is wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shots_library import opened
from starlette.testclient import TestClient

from pipeline.analyze.concepts.concept import Concept, check_name
from pipeline.errors import QueryError
from pipeline.library import Library
from pipeline.library.analysis.concepts import concept_store
from pipeline.library.saved.named_documents import NAME_RULE, check_document_name
from pipeline.serve import create_app

API = "/api/v1"
KINDS = (("cases", {"moments": []}), ("searches", {"query": {"shows": "red"}}))


@pytest.fixture
def client(serve: Callable[..., TestClient], tmp_path: Path) -> TestClient:
    return serve(opened(tmp_path / "library"))


GOOD = (
    "Fire drill",
    "50% off & more? #1 = a+b;c",
    "100%",
    "näme 火災 🔥",
    "a..b",
    'it\'s "quoted"',
    "<script>alert(1)",
    "x" * 100,
    "火" * 100,
    "new.csv.case",
    "fit",
    "=1+1",
)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize(("kind", "body"), KINDS)
def test_names_come_back(client: TestClient, kind: str, body: dict[str, object], name: str) -> None:
    address = f"{API}/{kind}/{quote(name, safe='')}"
    assert client.put(address, json=body).status_code == 201
    found = client.get(address)
    assert (found.status_code, found.json()["name"]) == (200, name)
    assert client.put(address, json=found.json()).status_code == 200
    assert [one["name"] for one in client.get(f"{API}/{kind}").json()[kind]] == [name]
    if kind == "cases":
        table = client.get(f"{address}.csv")
        assert table.status_code == 200
        assert table.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(name, safe='')}.csv"
        page = client.get(f"/cases/{quote(name, safe='')}")
        assert (page.status_code, "<script>alert" in page.text) == (200, False)
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("name", ["%2F", "%252e%252e", "%2e%2e", "a%00b"])
def test_percent_signs_are_decoded_once(tmp_path: Path, name: str) -> None:
    """The test client decodes paths twice, which a server does not."""

    async def ask() -> None:
        transport = httpx.ASGITransport(create_app(opened(tmp_path / "library")))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            address = f"{API}/cases/{quote(name, safe='')}"
            assert (await client.put(address, json={"moments": []})).status_code == 201
            assert (await client.get(address)).json()["name"] == name

    asyncio.run(ask())


SAME = (("  Fire   drill ", "fire DRILL"), ("Cafe\u0301", "caf\u00e9"), ("a\u00a0b", "a b"))


@pytest.mark.parametrize(("written", "read"), SAME)
@pytest.mark.parametrize(("kind", "body"), KINDS)
def test_spellings_of_one_name(client: TestClient, kind: str, body: dict[str, object], written: str, read: str) -> None:
    assert client.put(f"{API}/{kind}/{quote(written)}", json=body).status_code == 201
    assert client.get(f"{API}/{kind}/{quote(read)}").status_code == 200


BAD = (
    "a/b",
    "/",
    "//etc/passwd",
    "a/b.csv",
    "x" * 101,
    "x" * 200,
    "x" * 5000,
    "a\u202eb",
    "a\u200bb",
    " ",
    ".hidden",
    "report.CSV",
)
UNSAFE = ("a\nb\x01", "..", "../..", "a/../b", "a\\b", "a\x00b", ".")


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize(("kind", "body"), KINDS)
def test_what_cannot_be_a_name_is_said_for_every_method(
    client: TestClient, kind: str, body: dict[str, object], name: str
) -> None:
    address = f"{API}/{kind}/{quote(name, safe='')}"
    for method in ("PUT", "DELETE", "GET"):
        if method == "GET" and name.casefold().endswith(".csv") and kind == "cases":
            continue
        response = client.request(method, address, json=body if method == "PUT" else None)
        assert response.status_code == 422, (method, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == "query"
        assert NAME_RULE in response.json()["detail"]
    assert client.get(f"{API}/{kind}").json()["total"] == 0


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("kind", ["cases", "searches", "concepts", "videos", "runs", "marks", "review"])
def test_dot_segments_never_reach_a_route(client: TestClient, kind: str, name: str) -> None:
    address = f"http://localhost{API}/{kind}/{quote(name, safe='').replace('.', '%2E')}"
    for method in ("GET", "PUT", "DELETE"):
        response = client.send(client.build_request(method, address, json={}))
        assert response.status_code in (400, 405), (method, response.text)


@pytest.mark.parametrize("name", [*BAD, "x" * 101])
def test_a_case_cannot_be_renamed_to_what_cannot_be_a_name(client: TestClient, name: str) -> None:
    client.put(f"{API}/cases/fire", json={"moments": []})
    for new in (name, "..", "a\\b", ""):
        response = client.post(f"{API}/cases/fire/name", json={"name": new})
        assert (response.status_code, NAME_RULE in response.json()["detail"]) == (422, True), response.text
    assert [one["name"] for one in client.get(f"{API}/cases").json()["cases"]] == ["fire"]


@pytest.mark.parametrize("name", ["a/b", "x" * 65, "x" * 5000, " ", ".hidden", "näme", "a b", "-x"])
def test_what_cannot_be_the_name_of_a_concept_is_said_for_every_method(client: TestClient, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a concept") as refused:
        check_name(name)
    address = f"{API}/concepts/{quote(name, safe='')}"
    for response in (client.get(address), client.delete(address), client.post(f"{address}/fit", json={})):
        assert (response.status_code, response.json()["code"]) == (422, "query"), response.text
        assert response.json()["detail"] == str(refused.value)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with opened(tmp_path_factory.mktemp("names") / "library") as found:
        yield found


@pytest.fixture(scope="module")
def ask(library: Library) -> Callable[[Callable[[httpx.AsyncClient], Awaitable[None]]], None]:
    """Asks over an address that is decoded once, as by a server."""
    transport = httpx.ASGITransport(create_app(library))

    def asked(questions: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
        async def run() -> None:
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                await questions(client)

        asyncio.run(run())

    return asked


URL_CHARACTERS = "/\\%?#&+=:;@!$'()*,~[]{}|^`<>\" .-_aZ0\u00e9\u0301\u706b\U0001f525\u202e\u00a0\n\x00"


@settings(max_examples=100, deadline=None)
@example("fire%2Fdrill")
@example("cases/%2e%2e/name")
@example("name")
@example("x/name")
@example(" " * 300)
@given(name=st.text(st.one_of(st.sampled_from(URL_CHARACTERS), st.characters(exclude_categories=["Cs"])), max_size=102))
def test_every_name_that_the_library_takes_is_reached_and_no_other_is_taken(
    ask: Callable[..., None], name: str
) -> None:
    try:
        taken: str | None = check_document_name(name)
    except QueryError:
        taken = None

    async def questions(client: httpx.AsyncClient) -> None:
        for kind, body in KINDS:
            address = f"{API}/{kind}/{quote(name if taken is None else taken, safe='')}"
            written = await client.put(address, json=body)
            if taken is None:
                assert written.status_code in (400, 404, 405, 422), written.text
                assert (await client.get(f"{API}/{kind}")).json()["total"] == 0
                continue
            assert written.status_code == 201
            assert (await client.get(address)).json()["name"] == taken
            assert (await client.delete(address)).status_code == 204

    ask(questions)


@settings(max_examples=50, deadline=None)
@example("a..b")
@example("fit")
@example("a.csv")
@given(name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True))
def test_every_concept_is_reached(library: Library, ask: Callable[..., None], name: str) -> None:
    vector = np.full(4, 0.5, np.float32)
    numbers = {"level": 0.0, "scale": 1.0, "log_odds": 0.0, "base": 0.0, "precision": None, "recall": 1.0}
    texts = {"encoder_fingerprint": "word", "marks_digest": "0", "fitted_at": "2026-11-21T17:00:00Z"}
    concept_store(library).write(Concept(name, name, None, vector, yes=3, no=3, **numbers, **texts))

    async def questions(client: httpx.AsyncClient) -> None:
        address = f"{API}/concepts/{quote(name, safe='')}"
        assert (await client.get(address)).json()["name"] == name
        assert (await client.post(f"{address}/fit", json={})).status_code == 422  # it has no marks
        assert (await client.delete(address)).status_code == 204

    ask(questions)
