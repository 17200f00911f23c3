"""Browsers log in with a token, and carry a cookie that scripts and other sites cannot use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from shots_library import opened
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.errors import ConfigError
from pipeline.serve.http.access_tokens import AccessTokens

SESSION = "/api/v1/session"


@pytest.fixture
def tokens(tmp_path: Path) -> AccessTokens:
    return AccessTokens(tmp_path / "tokens.json")


@pytest.fixture
def guarded(serve, served_folder: Path, tokens: AccessTokens) -> TestClient:
    tokens.add("boss", "admin")
    client = serve(Library.open(served_folder), tokens=tokens)
    client.follow_redirects = False
    return client


def test_logging_in_and_out(guarded: TestClient, tokens: AccessTokens) -> None:
    token = tokens.add("anna", "review")
    page = guarded.get("/?q=a%20b", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2F%3Fq%3Da%2520b")
    wrong = guarded.post("/login", data={"token": "x", "next": "/videos"})
    assert (wrong.status_code, wrong.headers["location"]) == (303, "/login?wrong=1&next=%2Fvideos")
    assert "set-cookie" not in wrong.headers
    right = guarded.post("/login", data={"token": token, "next": "/videos"})
    assert (right.status_code, right.headers["location"]) == (303, "/videos")
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert token not in cookie
    assert guarded.get(SESSION).json() == {"name": "anna", "role": "review", "needs_token": True, "can_index": False}
    [(name, value)] = guarded.cookies.items()
    guarded.post("/logout")
    assert guarded.get(SESSION).status_code == 401
    assert guarded.get(SESSION, headers={"Cookie": f"{name}={value}"}).status_code == 401


def test_a_removed_token_ends_its_sessions_at_once(guarded: TestClient, tokens: AccessTokens) -> None:
    token = tokens.add("anna", "search")
    guarded.post("/login", data={"token": token})
    assert guarded.get(SESSION).json()["name"] == "anna"
    # Another process, which is what `momentseek serve --remove-token` is.
    AccessTokens(tokens._path).remove("anna")
    assert guarded.get(SESSION).status_code == 401
    guarded.cookies.clear()
    assert guarded.get(SESSION, headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize("place", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb"])
def test_logging_in_leads_to_no_other_site(guarded: TestClient, tokens: AccessTokens, place: str) -> None:
    response = guarded.post("/login", data={"token": tokens.add("anna", "search"), "next": place})
    assert response.headers["location"] == "/"


def test_an_endless_form(guarded: TestClient) -> None:
    assert guarded.post("/login", content="a=1&" * 1000).status_code == 422


@pytest.mark.parametrize("name", ["", "a b", "../a", "x" * 61, "<b>"])
def test_names_of_tokens(tokens: AccessTokens, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be named"):
        tokens.add(name, "search")


def test_without_tokens_everybody_is_the_owner(client: TestClient) -> None:
    expected = {"name": "local", "role": "admin", "needs_token": False, "can_index": False}
    assert client.get(SESSION).json() == expected


def test_a_session_says_whether_videos_can_be_indexed(
    serve: Callable[..., TestClient], tokens: AccessTokens, tmp_path: Path
) -> None:
    client = serve(opened(tmp_path / "library"), tokens=tokens, source_folders=(tmp_path,))
    for role in ("search", "review", "admin"):
        headers = {"Authorization": f"Bearer {tokens.add(f'{role}er', role)}"}
        assert client.get(SESSION, headers=headers).json()["can_index"] is (role == "admin")
