"""What the server writes down of its work: the audit log, metrics, and entity tags; none of them holds a token."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.search import as_query
from pipeline.serve import question_log
from pipeline.serve.http.access_tokens import AccessTokens
from pipeline.serve.question_log import QuestionLog

SEARCH = "/api/v1/search"


def entries(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_question_is_logged_and_no_token(
    serve, served_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = AccessTokens(tmp_path / "tokens.json")
    token = tokens.add("anna", "search")
    path = tmp_path / "log" / "audit.jsonl"
    client = serve(Library.open(served_folder), tokens=tokens, audit_log=path)
    client.headers["Authorization"] = f"Bearer {token}"
    found = client.get(SEARCH, params={"text": "a ladder", "limit": 2}).json()
    client.post(SEARCH, json={"shows": "a ladder", "none": True})
    client.post(SEARCH, json={"shows": "a <b>ladder</b>\n", "videos": ["none.mp4"]})
    client.get("/api/v1/videos", params={"token": token})
    client.get("/", headers={"Accept": "text/html", "Authorization": ""}, params={"token": token})
    first, second, third = entries(path)
    assert (first["who"], first["question"], first["found"], first["answers"]) == (
        "anna",
        "a ladder",
        found["found"],
        2,
    )
    assert first["query"] == {"shows": [{"text": "a ladder"}], "top": 2}
    assert second["answers"] == second["found"] > 0
    assert (third["answers"], "none.mp4" in third["problem"]) == (None, True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", entry["at"]) for entry in entries(path))
    assert path.stat().st_mode & 0o777 == 0o600
    # What this test's own client logs is none of the server's.
    logged = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    assert token not in path.read_text() + logged + client.get("/metrics").text


def test_without_an_audit_log_nothing_is_written(serve, served_folder: Path, tmp_path: Path) -> None:
    client = serve(Library.open(served_folder))
    assert client.post(SEARCH, json={"shows": "a ladder"}).status_code == 200
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_a_log_that_cannot_be_written_stops_no_question(
    serve, served_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "elsewhere").write_text("")
    link = tmp_path / "audit.jsonl"
    link.symlink_to(tmp_path / "elsewhere")
    client = serve(Library.open(served_folder), audit_log=link)
    assert client.post(SEARCH, json={"shows": "a ladder"}).status_code == 200
    assert "audit log lacks an entry" in caplog.text
    assert (tmp_path / "elsewhere").read_text() == ""


def test_a_full_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question_log, "_MOST_BYTES", 500)
    log = QuestionLog(tmp_path / "audit.jsonl")
    for number in range(9):
        log.write(who="a", address="", question=as_query(f"word {number}"), answer=None, seconds=0.1)
    kept = entries(tmp_path / "audit.jsonl.1")
    assert 1 <= len(kept) <= 4
    newest = tmp_path / "audit.jsonl"
    last = (entries(newest) if newest.exists() else kept)[-1]
    assert last["question"] == "word 8"


def test_metrics_count_by_route(serve, served_folder: Path) -> None:
    client = serve(Library.open(served_folder))
    for text in ("a secret ladder", "a secret door"):
        client.get(SEARCH, params={"text": text})
    client.get("/api/v1/videos/nowhere")
    client.get("/nowhere/secret")
    client.get("/", headers={"Host": "evil.example"})
    text = client.get("/metrics").text
    assert 'momentseek_requests_total{method="GET",route="/api/v1/search",status="200"} 2.0' in text
    assert 'momentseek_requests_total{method="GET",route="/api/v1/videos/{video_id}",status="404"} 1.0' in text
    assert 'momentseek_requests_total{method="GET",route="other",status="404"} 1.0' in text
    assert 'momentseek_requests_total{method="GET",route="other",status="421"} 1.0' in text
    assert "momentseek_questions_total 2.0" in text
    assert 'momentseek_request_seconds_count{route="/api/v1/search"} 2.0' in text
    assert "secret" not in text


def test_json_answers_have_entity_tags(client: TestClient) -> None:
    first = client.get("/api/v1/videos")
    for header in (first.headers["etag"], f"W/{first.headers['etag']}", f'"x", {first.headers["etag"]}', "*"):
        again = client.get("/api/v1/videos", headers={"If-None-Match": header})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get("/api/v1/videos", headers={"If-None-Match": '"x"'}).json() == first.json()
    assert client.get("/api/v1/videos?limit=1").headers["etag"] != first.headers["etag"]
    assert "etag" not in client.get("/api/v1/videos/nowhere").headers
