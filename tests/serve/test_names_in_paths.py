"""Names that people choose come back as they were given, or are refused with what is wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from shots_library import opened
from starlette.testclient import TestClient

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
        assert "name" in response.json()["detail"]
    assert client.get(f"{API}/{kind}").json()["total"] == 0


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("kind", ["cases", "searches", "concepts", "videos", "runs", "marks", "review"])
def test_dot_segments_never_reach_a_route(client: TestClient, kind: str, name: str) -> None:
    address = f"http://localhost{API}/{kind}/{quote(name, safe='').replace('.', '%2E')}"
    for method in ("GET", "PUT", "DELETE"):
        response = client.send(client.build_request(method, address, json={}))
        assert response.status_code in (400, 405), (method, response.text)


@pytest.mark.parametrize("name", ["a/b", "x" * 101, " "])
def test_concepts_of_such_names_are_unknown_or_refused(client: TestClient, name: str) -> None:
    address = f"{API}/concepts/{quote(name, safe='')}"
    for response in (client.get(address), client.delete(address)):
        assert response.status_code in (404, 422)
        assert response.json()["code"] in ("unknown_concept", "invalid_request", "query", "concept")
    assert client.post(f"{address}/fit", json={}).status_code in (409, 422)
