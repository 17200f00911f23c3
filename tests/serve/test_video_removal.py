"""Videos removed over HTTP and by other processes: the server forgets what it kept of them."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.serve.http.access_tokens import AccessTokens

VIDEOS = "/api/v1/videos"


@pytest.fixture
def folder(served_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(served_folder, tmp_path / "library"))


def visited(client: TestClient) -> list[str]:
    """Ask for pictures and clips of every video, so that the server keeps them; return the ids."""
    ids = [video["video_id"] for video in client.get(VIDEOS).json()["videos"]]
    for video_id in ids:
        for place in ("frames/1.jpg?width=64", "sprite.jpg?tiles=2&width=64", "part.mp4?start=1&end=1.5", "playback"):
            assert client.get(f"{VIDEOS}/{video_id}/{place}").status_code == 200
    return ids


def kept(client: TestClient) -> set[str]:
    """Ids of the videos of which the server keeps something."""
    served = client.app.state.served
    keys = f"{list(served.pictures._cached)} {list(served.copies._made)} {list(served.web_forms)}"
    return {name for name in client.ids if name in keys}


def test_a_removed_video_is_forgotten_and_cannot_be_removed_twice(serve, folder: Path, tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    client = serve(Library.open(folder), audit_log=audit)
    client.ids = visited(client)
    gone, left = client.ids
    copies = set(Path(client.app.state.served.copies._folder).iterdir())
    size = client.app.state.served.pictures._size_bytes
    removed = client.delete(f"{VIDEOS}/{gone}")
    assert removed.status_code == 200
    receipt = removed.json()
    assert (receipt["video_id"], receipt["remaining_files"], receipt["remaining_segments"]) == (gone, 0, 0)
    assert receipt["segments"] > 0
    assert receipt["names"][0].endswith(".mp4")
    assert kept(client) == {left}
    assert len(copies - set(Path(client.app.state.served.copies._folder).iterdir())) == 1
    assert 0 < client.app.state.served.pictures._size_bytes < size
    for place in ("", "/frames/1.jpg?width=64", "/sprite.jpg?tiles=2&width=64", "/part.mp4?start=1&end=1.5", "/media"):
        assert client.get(f"{VIDEOS}/{gone}{place}").status_code == 404
    answer = client.post("/api/v1/search", json={"shows": "a person", "min_score": 0.0}).json()
    assert {moment["video_id"] for moment in answer["moments"]} == {left}
    again = client.delete(f"{VIDEOS}/{gone}")
    assert (again.status_code, again.json()["code"]) == (404, "unknown_video")
    [entry] = [entry for entry in map(json.loads, audit.read_text().splitlines()) if "action" in entry]
    assert (entry["action"], entry["video_id"], entry["names"]) == ("remove_video", gone, receipt["names"])


@pytest.mark.parametrize("name", ["fire-drill.mp4", "%2Fetc%2Fpasswd", "*", "0" * 16, "0" * 300, "%00"])
def test_only_ids_are_removed(serve, folder: Path, name: str) -> None:
    client = serve(Library.open(folder))
    assert client.delete(f"{VIDEOS}/{name}").status_code in (400, 404)
    assert client.get(VIDEOS).json()["total"] == 2


def test_only_the_role_admin_may_remove(serve, folder: Path, tmp_path: Path) -> None:
    tokens = AccessTokens(tmp_path / "private" / "tokens.json")
    roles = {role: {"Authorization": f"Bearer {tokens.add(role, role)}"} for role in ("search", "review", "admin")}
    client = serve(Library.open(folder), tokens=tokens)
    video_id = client.get(VIDEOS, headers=roles["admin"]).json()["videos"][0]["video_id"]
    for role in ("search", "review"):
        refused = client.delete(f"{VIDEOS}/{video_id}", headers=roles[role])
        assert (refused.status_code, refused.json()["code"]) == (403, "role")
        assert client.get("/api/v1/runs/latest/report", headers=roles[role]).status_code == 403
    assert "configuration" in client.get("/api/v1/runs/latest/report", headers=roles["admin"]).json()
    assert client.delete(f"{VIDEOS}/{video_id}", headers=roles["admin"]).status_code == 200


def test_what_another_process_removes_is_refused_at_once_and_forgotten_soon(
    serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.serve.served_library._WATCH_SECONDS", 0.1)
    client = serve(Library.open(folder))
    client.ids = visited(client)
    gone, left = client.ids
    with Library.open(folder) as other:
        other.remove(gone)
    assert client.get(f"{VIDEOS}/{gone}/frames/1.jpg?width=64").status_code == 404
    assert client.get(f"{VIDEOS}/{gone}/part.mp4?start=1&end=1.5").status_code == 404
    until = time.monotonic() + 30
    while kept(client) != {left} and time.monotonic() < until:
        time.sleep(0.05)
    assert kept(client) == {left}
    assert client.get(f"{VIDEOS}/{left}/frames/1.jpg?width=64").status_code == 200


def test_settings_and_folders_are_for_the_private_socket(serve, folder: Path, tmp_path: Path) -> None:
    client = serve(Library.open(folder), source_folders=(tmp_path,))
    for field in ({"settings": ["sampling.fps=1"]}, {"folder": str(tmp_path)}):
        response = client.post("/api/v1/runs", json={"sources": [str(tmp_path / "a.mp4")], **field})
        assert (response.status_code, response.json()["code"]) == (403, "settings_not_allowed")


def test_the_report_of_an_unknown_run(serve, folder: Path, tmp_path: Path) -> None:
    client = serve(Library.open(folder))
    unknown = client.get("/api/v1/runs/x/report")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_run")
    assert "the latest is" in unknown.json()["detail"]
    for file in (folder / "runs").iterdir():
        file.unlink()
    assert "no run yet" in client.get("/api/v1/runs/latest/report").json()["detail"]
