"""Batches over HTTP: started in a process of their own, followed, stopped, and kept within the allowed folders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.errors import QueryError
from pipeline.run_config import load_run_config
from pipeline.serve.batches.allowed_sources import allowed_sources
from pipeline.serve.http.access_tokens import AccessTokens

RUNS = "/api/v1/runs"


@pytest.fixture
def videos(films: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(films / "fire-drill.mp4", folder)
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def library(tmp_path: Path, *settings: str) -> Library:
    place = f"library={tmp_path / 'library'}"
    return Library.open(load_run_config("demo", [place, "execution.executor=in_process", *settings]))


def events_of(client: TestClient, run_id: str, **headers: str) -> list[tuple[str, dict]]:
    """All events of a run; returns at its end."""
    text = client.get(f"{RUNS}/{run_id}/events", headers=headers).text
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_batch_is_followed_to_its_end_and_found_by_questions(serve, videos: Path, tmp_path: Path) -> None:
    """The server and the batch share the index of Milvus Lite."""
    client = serve(library(tmp_path), source_folders=(videos,))
    assert client.post("/api/v1/search", json={"shows": "a ladder"}).status_code == 422
    started = client.post(RUNS, json={"sources": [str(videos)]})
    assert started.status_code == 202
    run_id = started.json()["run_id"]
    assert started.headers["location"] == f"{RUNS}/{run_id}"
    assert (started.json()["outcome"], started.json()["sources"], started.json()["can_stop"]) == ("running", 2, True)
    busy = client.post(RUNS, json={"sources": [str(videos)]})
    assert (busy.status_code, busy.json()["code"]) == (409, "run_active")
    events = events_of(client, run_id)
    reports = {Path(fields["uri"]).name: fields["status"] for kind, fields in events if kind == "report"}
    assert reports == {"fire-drill.mp4": "done", "broken.mp4": "failed"}
    counts = {"done": 1, "failed": 1}
    assert events[-1] == (
        "over",
        {"run_id": run_id, "outcome": "finished", "problem": None, "code": None, "counts": counts},
    )
    assert any(kind == "progress" and fields["videos"] == 2 for kind, fields in events)
    run = client.get(f"{RUNS}/{run_id}").json()
    assert (run["outcome"], run["counts"]["done"], run["can_stop"]) == ("finished", 1, False)
    assert run["failures"][0]["examples"][0]["uri"].endswith("broken.mp4")
    assert "configuration" not in run
    assert [one["run_id"] for one in client.get(RUNS).json()["runs"]] == [run_id]
    listed = client.get("/api/v1/failures").json()
    [failure] = listed["failures"]
    assert failure["uri"] == str(videos / "broken.mp4")
    assert listed["causes"] == [{"cause": failure["cause"], "sources": 1, "examples": [failure["uri"]]}]
    assert client.post("/api/v1/search", json={"shows": "a person climbing a ladder"}).json()["moments"]
    check_events_go_on(client, run_id)


def check_events_go_on(client: TestClient, run_id: str) -> None:
    """A client that comes again gets what came after the last event that it has seen."""
    whole = client.get(f"{RUNS}/{run_id}/events")
    assert whole.headers["content-type"].startswith("text/event-stream")
    ids = [line.removeprefix("id: ") for line in whole.text.splitlines() if line.startswith("id: ")]
    assert [kind for kind, _ in events_of(client, run_id, **{"Last-Event-ID": ids[-2]})] == ["over"]
    for nonsense in ("x", "-1", "²", "9" * 19):
        assert client.get(f"{RUNS}/{run_id}/events", headers={"Last-Event-ID": nonsense.encode()}).status_code == 200


def test_a_retried_source_keeps_its_metadata(videos: Path, films: Path, tmp_path: Path) -> None:
    broken, described = videos / "broken.mp4", {"camera": "gate", "floor": 2, "lit": True}
    with library(tmp_path, "index.backend=memory") as opened:
        [source] = allowed_sources(opened, [(str(broken), described)], [videos])
        assert [report.status for report in opened.index([source])] == ["failed"]
        retried = allowed_sources(opened, [(str(videos), {}), (str(broken), {})], [videos])
        assert {Path(one.uri).name: one.metadata for one in retried} == {"broken.mp4": described, "fire-drill.mp4": {}}
        [changed] = allowed_sources(opened, [(str(broken), {"camera": "yard"})], [videos])
        assert changed.metadata == {"camera": "yard"}


def test_a_library_takes_note_of_what_another_process_indexed(videos: Path, tmp_path: Path) -> None:
    with library(tmp_path, "index.backend=memory") as reader, library(tmp_path, "index.backend=memory") as writer:
        list(writer.index([videos / "fire-drill.mp4"]))
        assert reader.search("a person climbing a ladder")
        list(writer.index([videos / "broken.mp4"]))
        writer.remove("fire-drill.mp4")
        reader.renew()
        with pytest.raises(QueryError, match="no video"):
            reader.search("a person climbing a ladder")


def test_runs_are_listed_the_latest_first(serve, served_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(served_folder, tmp_path / "library"))
    [file] = (folder / "runs").glob("*.json")
    report = json.loads(file.read_text())
    for number in range(4):
        other = {**report, "run_id": f"run-{number}", "started_at": f"2020-01-0{number + 1}T00:00:00Z"}
        (folder / "runs" / f"run-{number}.json").write_text(json.dumps(other))
    client, found, cursor = serve(Library.open(folder)), [], None
    while cursor is not None or not found:
        page = client.get(RUNS, params={"limit": 2, **({} if cursor is None else {"cursor": cursor})}).json()
        found += [run["run_id"] for run in page["runs"]]
        cursor = page["next"]
    assert found == [report["run_id"], "run-3", "run-2", "run-1", "run-0"]
    assert [kind for kind, _ in events_of(client, "run-1")] == ["over"]
    whole = client.get(f"{RUNS}/run-1")
    assert client.get(f"{RUNS}/run-1", headers={"If-None-Match": whole.headers["etag"]}).status_code == 304


@pytest.mark.slow
def test_a_batch_is_stopped_and_goes_on_later(serve, films: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(30):
        content = (films / "fire-drill.mp4").read_bytes()
        # A free box at the end makes other content of the same video.
        box = number.to_bytes(4, "big")
        (folder / f"{number:02d}.mp4").write_bytes(content + b"\0\0\0\x0cfree" + box)
    client = serve(library(tmp_path, "index.backend=memory"), source_folders=(folder,))
    run_id = client.post(RUNS, json={"sources": [str(folder)]}).json()["run_id"]
    until(lambda: client.get(f"{RUNS}/{run_id}").json()["counts"].get("done", 0) >= 1)
    stopped = client.delete(f"{RUNS}/{run_id}")
    assert (stopped.status_code, stopped.json()["is_stopping"]) == (202, True)
    kind, over = events_of(client, run_id)[-1]
    assert (kind, over["outcome"]) == ("over", "interrupted")
    assert 1 <= over["counts"]["done"] < 30
    assert client.delete(f"{RUNS}/{run_id}").json()["outcome"] == "interrupted"
    until(lambda: client.get("/api/v1/videos").json()["total"] == over["counts"]["done"])


@pytest.mark.parametrize(
    "path", ["/etc", "/etc/passwd", "OUT/a.mp4", "IN/../out", "IN/link.mp4", "IN/folder", "IN/list.csv"]
)
def test_nothing_outside_the_allowed_folders_is_read(serve, films: Path, tmp_path: Path, path: str) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        shutil.copy(films / "fire-drill.mp4", folder / "a.mp4")
    (inside / "link.mp4").symlink_to(outside / "a.mp4")
    (inside / "folder").mkdir()
    (inside / "folder" / "up").symlink_to(outside)
    (inside / "list.csv").write_text(f"uri\n{outside / 'a.mp4'}\n")
    client = serve(library(tmp_path, "index.backend=memory"), source_folders=(inside,))
    named = path.replace("IN", str(inside)).replace("OUT", str(outside))
    response = client.post(RUNS, json={"sources": [str(inside / "a.mp4"), named]})
    assert (response.status_code, response.json()["code"]) == (403, "source_not_allowed")
    assert client.get(RUNS).json()["runs"] == []


@pytest.mark.parametrize(
    "source",
    [
        "http://127.0.0.1:1/a.mp4",
        "s3://bucket/a.mp4",
        "file:///etc/passwd",
        "memory://a",
        "zip://a::b",
        "a.mp4",
        "",
        "/a\0b",
    ],
)
def test_what_is_not_a_path_of_the_machine_is_refused(serve, videos: Path, tmp_path: Path, source: str) -> None:
    client = serve(library(tmp_path, "index.backend=memory"), source_folders=(videos,))
    response = client.post(RUNS, json={"sources": [source]})
    assert response.status_code in (403, 422)
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sources": []},
        {"sources": "VIDEO"},
        {"sources": [{"uri": "VIDEO", "metadata": {"a": [1]}}]},
        {"sources": [{"uri": "VIDEO", "metadata": {"a": float("nan")}}]},
        {"sources": [{"uri": "VIDEO", "metadata": {"a": 10**40}}]},
        {"sources": [{"uri": "VIDEO", "metadata": {"recorded_at": "yesterday"}}]},
        {"sources": [{"uri": "FOLDER", "metadata": {"camera": "gate"}}]},
        {"sources": ["VIDEO"], "library": "/tmp"},
    ],
)
def test_what_is_not_a_batch_is_refused(serve, videos: Path, tmp_path: Path, body: object) -> None:
    client = serve(library(tmp_path, "index.backend=memory"), source_folders=(videos,))
    content = json.dumps(body).replace("VIDEO", str(videos / "fire-drill.mp4")).replace("FOLDER", str(videos))
    response = client.post(RUNS, content=content, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")


def test_by_default_and_without_the_role_nothing_is_started(serve, videos: Path, tmp_path: Path) -> None:
    body = {"sources": [str(videos)]}
    refused = serve(library(tmp_path, "index.backend=memory")).post(RUNS, json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "sources_not_allowed")
    assert "--allow-sources" in refused.json()["detail"]
    tokens = AccessTokens(tmp_path / "private" / "tokens.json")
    headers = {"Authorization": f"Bearer {tokens.add('rita', 'review')}"}
    client = serve(library(tmp_path, "index.backend=memory"), source_folders=(videos,), tokens=tokens)
    for response in (
        client.post(RUNS, json=body, headers=headers),
        client.delete(f"{RUNS}/x", headers=headers),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "role")
    assert client.get(RUNS, headers=headers).status_code == 200


def test_unknown_runs(client: TestClient) -> None:
    for run_id in ("x", "..%2fx", "%00", "x" * 300):
        for response in (client.get(f"{RUNS}/{run_id}"), client.get(f"{RUNS}/{run_id}/events")):
            assert response.status_code in (400, 404)
            assert response.headers["content-type"] == "application/problem+json"
    assert client.delete(f"{RUNS}/x").status_code == 404


def test_a_run_of_another_process_is_shown_and_not_stopped(serve, served_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(served_folder, tmp_path / "library"))
    [file] = (folder / "runs").glob("*.json")
    (folder / "runs" / "broken.json").write_text("{}")
    file.write_text(json.dumps({**json.loads(file.read_text()), "outcome": "running"}))
    os.utime(file)
    client = serve(Library.open(folder))
    listed = client.get(RUNS).json()
    assert [run["outcome"] for run in listed["runs"]] == ["running"]
    assert [run["run_id"] for run in listed["broken"]] == ["broken"]
    assert client.delete(f"{RUNS}/{file.stem}").json()["code"] == "foreign_run"


@pytest.mark.slow
def test_the_process_of_a_batch_ends_with_its_server(films: Path, tmp_path: Path) -> None:
    """Whoever started it is killed: the end of its standard input stops it, and what is finished is kept."""
    config = library(tmp_path, "index.backend=memory").config
    sources = [{"uri": str(path), "metadata": {}} for path in sorted(films.glob("*.mp4"))[:4]]
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.serve.batches.batch_worker", str(writing)],
        stdin=subprocess.PIPE,
        pass_fds=[writing],
    )
    os.close(writing)
    process.stdin.write(json.dumps({"config": config.model_dump(mode="json"), "sources": sources}).encode() + b"\n")
    process.stdin.flush()
    with os.fdopen(reading) as events:
        for line in events:
            if json.loads(line)["event"] == "report":
                break
        process.stdin.close()
        # Nobody reads its events any more.
    assert process.wait(60) == 0
    with Library.open(tmp_path / "library") as opened:
        assert 1 <= len(opened.videos()) < len(sources)
        assert opened.runs().latest().outcome == "interrupted"
