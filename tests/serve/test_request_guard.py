"""Foreign hosts, origins and tokens are refused before anything else is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.errors import ConfigError
from pipeline.serve.http.access_tokens import AccessTokens

VIDEOS = "/api/v1/videos"


@pytest.mark.parametrize("host", ["localhost", "localhost:8737", "127.0.0.1:1", "[::1]:80", "LOCALHOST"])
def test_own_names(client: TestClient, host: str) -> None:
    assert client.get(VIDEOS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "192.168.1.5", "[", "a:b:c"])
def test_a_rebound_name_is_refused(client: TestClient, host: str) -> None:
    response = client.get(VIDEOS, headers={"Host": host})
    assert (response.status_code, response.json()["code"]) == (421, "unknown_host")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "file://", "http://localhost."]
)
def test_a_foreign_origin_is_refused(client: TestClient, origin: str) -> None:
    response = client.post("/api/v1/search", json={"shows": "a"}, headers={"Origin": origin})
    assert (response.status_code, response.json()["code"]) == (403, "foreign_origin")
    assert "access-control-allow-origin" not in response.headers


def test_own_pages_may_ask(client: TestClient) -> None:
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.get(VIDEOS, headers=own).status_code == 200


def test_a_picture_of_another_site_is_refused_and_a_link_is_not(client: TestClient) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert client.get(VIDEOS, headers=foreign).status_code == 403
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/", headers=link).status_code == 200
    assert client.get("/", headers={**link, "Sec-Fetch-Dest": "iframe"}).status_code == 403


def test_every_answer_has_the_headers(client: TestClient) -> None:
    for response in (
        client.get("/"),
        client.get(VIDEOS),
        client.get("/nowhere"),
        client.get("/", headers={"Host": "x"}),
    ):
        assert "script-src 'self';" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"]
    assert "'unsafe" not in client.get("/").headers["content-security-policy"]


def test_tokens(serve, served_folder: Path, tmp_path: Path) -> None:
    tokens = AccessTokens(tmp_path / "private" / "tokens.json")
    token = tokens.add("anna", "search")
    assert (tmp_path / "private" / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert token not in (tmp_path / "private" / "tokens.json").read_text()
    client = serve(Library.open(served_folder), tokens=AccessTokens(tmp_path / "private" / "tokens.json"))
    assert client.get(VIDEOS).json()["code"] == "no_token"
    for wrong in ("", "x", token[:-1], token + "x", "é", "x" * 5000):
        refused = client.get(VIDEOS, headers={"Authorization": f"Bearer {wrong}".encode()})
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
    assert client.get(VIDEOS, params={"token": token}).status_code == 401
    assert client.get(VIDEOS, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_a_file_of_tokens_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    AccessTokens(path).add("anna", "admin")
    with pytest.raises(ConfigError, match="already"):
        AccessTokens(path).add("anna", "search")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        AccessTokens(path)
    path.chmod(0o600)
    path.write_text('{"tokens": [{"name": "a", "role": "king", "digest": ""}]}')
    with pytest.raises(ConfigError, match="not a file of tokens"):
        AccessTokens(path)
