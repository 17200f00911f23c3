"""Questions over HTTP: the same answers as in process, and none that reads files of the server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.export import answer_json
from pipeline.search import as_query

LADDER = {"shows": "a person climbing a ladder", "top": 3}


def test_answers_are_those_of_the_library(client: TestClient, served_folder: Path) -> None:
    answered = client.post("/api/v1/search", json=LADDER, params={"explain": True}).json()
    with Library.open(served_folder) as library:
        expected = json.loads(json.dumps(answer_json(library.ask(as_query(LADDER)), explained=True)))
    assert expected["moments"]
    for moment in (
        *answered["moments"],
        answered["nearest"],
        *(d["moment"] for d in answered["explanation"]["dropped"]),
    ):
        assert moment.pop("id") == f"{moment['video_id']}@{moment['start_seconds']!r},{moment['end_seconds']!r}"
    assert (answered.pop("notes"), answered.pop("top")) == ([], 3)
    assert answered == expected


def test_a_link_asks_the_same(client: TestClient) -> None:
    by_link = client.get("/api/v1/search", params={"text": LADDER["shows"], "limit": 3}).json()
    assert by_link == client.post("/api/v1/search", json=LADDER).json()


def test_absences_have_ids(client: TestClient) -> None:
    answer = client.post("/api/v1/search", json={"shows": "a ladder", "none": True}).json()
    assert answer["absences"]
    assert all(one["id"].startswith(f"{one['video_id']}@") for one in answer["absences"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ('{"shows": ""}', "empty"),
        ('{"shows": "a", "colour": 1}', "colour"),
        ('{"shows": "a", "top": 0}', "top"),
        ('{"shows": "a", "videos": ["nowhere.mp4"]}', "nowhere.mp4"),
        ('{"shows": {"image": "/etc/passwd"}}', "cannot name files"),
        ('{"shows": "a", "without": {"clip": "http://localhost/a.mp4"}}', "cannot name files"),
        ('{"shows": "a", "then": [{"shows": {"image": "file:///etc/passwd"}}]}', "cannot name files"),
        ('{"shows": ' + "[" * 5000, "not valid JSON"),
        ('{"shows": "\\ud800"}', "UTF-8"),
    ],
)
def test_invalid_questions_are_problems(client: TestClient, body: str, said: str) -> None:
    response = client.post("/api/v1/search", content=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert said in response.json()["detail"]


def test_curves_are_probabilities_over_the_whole_video(client: TestClient, video_ids: dict[str, str]) -> None:
    video_id = video_ids["fire-drill.mp4"]
    [moment] = client.post("/api/v1/search", json={**LADDER, "videos": [video_id], "top": 1}).json()["moments"]
    curve = client.get(f"/api/v1/videos/{video_id}/curve", params={"text": LADDER["shows"]}).json()
    [step] = curve["steps"]
    best = step["times_seconds"].index(moment["best_seconds"])
    assert step["scores"][best] == max(step["scores"]) == pytest.approx(moment["score"], abs=1e-4)
    assert step["times_seconds"][-1] <= curve["duration_seconds"]
    same = client.post(f"/api/v1/videos/{video_id}/curve", json=LADDER).json()
    assert same == curve


def test_videos_are_listed_a_page_at_a_time(client: TestClient, video_ids: dict[str, str]) -> None:
    first = client.get("/api/v1/videos", params={"limit": 1}).json()
    second = client.get("/api/v1/videos", params={"limit": 1, "cursor": first["next"]}).json()
    found = [page["videos"][0]["video_id"] for page in (first, second)]
    assert found == sorted(video_ids.values())
    assert (first["total"], second["next"]) == (2, None)
    assert client.get("/api/v1/videos", params={"cursor": "é"}).status_code == 422


def test_only_an_id_finds_a_video(client: TestClient, video_ids: dict[str, str], films: Path) -> None:
    video_id = video_ids["fire-drill.mp4"]
    assert client.get(f"/api/v1/videos/{video_id}").json()["duration_seconds"] > 10
    for name in ("fire-drill.mp4", "..%2f..%2fetc%2fpasswd", "0" * 16, "x" * 300, str(films / "fire-drill.mp4")):
        response = client.get(f"/api/v1/videos/{name}")
        assert response.status_code in (400, 404), name
        assert response.headers["content-type"] == "application/problem+json"
