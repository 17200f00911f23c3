"""Clients with the role search see the names of videos, and never their folders; others see both."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_library import add_video
from shots_library import ShotsExecutor, opened
from starlette.testclient import TestClient
from video_factory import make_video, steady

from pipeline.serve.http.access_tokens import AccessTokens
from pipeline.serve.http.hidden_folders import places_of, text_without_folders, without_folders
from pipeline.store import FailureLog
from pipeline.types import Source, Status, VideoReport

API = "/api/v1"
SECRET = "Cam 7 (Müller)"
ROLES = ("search", "review", "admin")


@pytest.fixture
def clients(serve: Callable[..., TestClient], tmp_path: Path) -> dict[str, TestClient]:
    """Clients with each role, of a library with something of everything that names videos."""
    folder = tmp_path / SECRET
    folder.mkdir()
    library = opened(tmp_path / SECRET / "library", "search.min_score=0")
    ids = []
    for number, name in enumerate(("a gate.mp4", "b.mp4")):
        made = make_video(folder / name, steady(20 + number))
        ids.append(add_video(library, made, {"recorded_at": f"2026-11-2{number}T08:30:00"}))
    library.store.add_name(ids[1], str(folder / "c.mp4"))
    list(library.index([folder / "bad.mp4"], executor=ShotsExecutor(library)))
    failed = VideoReport(
        source=Source(str(folder / "worse one.mp4")), status=Status.FAILED, problem=f"{folder}/worse one.mp4: is empty"
    )
    FailureLog(library.config.library).remember(failed)
    tokens = AccessTokens(tmp_path / "tokens.json")
    client = serve(library, tokens=tokens)
    headers = {role: {"Authorization": f"Bearer {tokens.add(role, role)}"} for role in ROLES}
    moment = f"{ids[0]}@0.0,1.0"
    body = {"description": f"see {folder}/x.mp4", "moments": [{"id": moment, "note": f"as in {folder}/y.mp4"}]}
    assert client.put(f"{API}/cases/fire", json=body, headers=headers["review"]).status_code == 201
    mark = client.put(f"{API}/marks/{moment}?subject=red", json={"verdict": "yes"}, headers=headers["review"])
    assert mark.status_code == 201
    library.store.listing.files.folder.write("feedfeedfeedfeed.parquet", b"broken")
    return {role: _with(client, headers[role]) for role in ROLES}


def _with(client: TestClient, headers: dict[str, str]) -> TestClient:
    found = TestClient(client.app, base_url="http://localhost", headers=headers, raise_server_exceptions=False)
    found.follow_redirects = False
    return found


PATHS = (
    "/api/v1/videos?records=true",
    "/api/v1/videos?order=name&limit=1",
    "/api/v1/videos/{id}",
    "/api/v1/videos/{id}/labels",
    "/api/v1/videos/{id}/curve?text=red",
    "/api/v1/search?text=red&explain=true",
    "/api/v1/marks",
    "/api/v1/marks/{id}@0.0,1.0?subject=red",
    "/api/v1/review",
    "/api/v1/review/uncertain?subject=red",
    "/api/v1/labels?totals=true",
    "/api/v1/concepts",
    "/api/v1/runs",
    "/api/v1/runs/{run}",
    "/api/v1/runs/{run}/events",
    "/api/v1/failures?limit=1",
    "/api/v1/cases/fire.csv",
    "/api/v1/openapi.json",
    "/api/v1/searches",
    "/api/v1/search?text=red&video=nowhere.mp4",
    "/api/v1/labels?label_set=x",
    "/",
    "/labels",
    "/videos",
)


def _known(client: TestClient) -> dict[str, str]:
    (video, *_), runs = client.get(f"{API}/videos").json()["videos"], client.get(f"{API}/runs").json()["runs"]
    return {"id": video["video_id"], "run": runs[0]["run_id"]}


def _said(text: str) -> str:
    """What an answer says, also in its cursor."""
    try:
        cursor = str(json.loads(text).get("next") or "")
    except (ValueError, AttributeError):
        return text
    return text + base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("utf-8", "replace")


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_to_a_searcher_has_a_folder(clients: dict[str, TestClient], path: str) -> None:
    known = _known(clients["admin"])
    answers = {role: client.get(path.format(**known)) for role, client in clients.items()}
    # A person wrote this, in a note.
    said = _said(answers["search"].text).replace(f"{SECRET}/y.mp4", "")
    at = said.find("Müller")
    assert at < 0, said[max(0, at - 300) : at + 50]
    for part in (SECRET, json.dumps(SECRET)[1:-1], "Müller", "Cam%207"):
        assert part not in said
    assert len({answer.status_code for answer in answers.values()}) == 1
    if "videos?records" in path:
        assert SECRET in answers["review"].text
        assert sorted(video["name"] for video in answers["search"].json()["videos"]) == ["a gate.mp4", "c.mp4"]
        assert {one["info"]["uri"] for one in answers["search"].json()["records"]} == {"a gate.mp4", "b.mp4"}
        broken = answers["search"].json()["broken"]
        assert broken[0]["video_id"] == "feedfeedfeedfeed"


def test_others_see_what_they_saw(clients: dict[str, TestClient]) -> None:
    for path in ("/videos", "/failures", "/marks", "/cases/fire"):
        answers = [clients[role].get(f"{API}{path}").json() for role in ("review", "admin")]
        assert SECRET in json.dumps(answers[0], ensure_ascii=False)
        if path == "/videos":
            for answer, is_told in zip(answers, (False, True), strict=True):
                assert (f"{SECRET}/library" in answer["broken"][0]["problem"]) is is_told
                assert answer["broken"][0]["problem"].startswith("LIBRARY/frames/") is not is_told
        else:
            assert answers[0] == answers[1]


def test_what_people_wrote_stays(clients: dict[str, TestClient]) -> None:
    case = clients["search"].get(f"{API}/cases/fire").json()
    assert case["description"].endswith(f"{SECRET}/x.mp4")
    assert case["moments"][0]["note"].endswith(f"{SECRET}/y.mp4")
    assert case["moments"][0]["video"] in ("a gate.mp4", "c.mp4")


def test_a_searcher_cannot_find_out_a_folder_by_a_filter(clients: dict[str, TestClient]) -> None:
    for text, expected in (("Cam 7", 0), ("/", 0), (".mp4", 2), ("gate", 1)):
        assert clients["search"].get(f"{API}/videos", params={"name": text}).json()["total"] == expected
    assert clients["review"].get(f"{API}/videos", params={"name": "Cam 7"}).json()["total"] == 2


def test_an_answer_of_another_role_is_not_taken_for_the_same(clients: dict[str, TestClient]) -> None:
    tags = [clients[role].get(f"{API}/videos").headers["etag"] for role in ("search", "admin")]
    assert tags[0] != tags[1]
    for tag, status in zip(tags, (304, 200), strict=True):
        assert clients["search"].get(f"{API}/videos", headers={"If-None-Match": tag}).status_code == status
    # Its entity tag is the version, which a writer needs; so caches keep one answer for each client.
    case = clients["search"].get(f"{API}/cases/fire")
    assert case.headers["vary"] == "Authorization, Cookie"
    assert int(case.headers["content-length"]) == len(case.content)


TEXTS = (
    ("/videos/cam1/a.mp4: the file is empty", "a.mp4: the file is empty"),
    ("s3://bucket/cam/a.mp4: denied", "a.mp4: denied"),
    ("'/videos/cam 1/a b.mp4' is no video", "'a b.mp4' is no video"),
    ("file:///videos/a.mp4 and /x/y/b.mp4", "a.mp4 and b.mp4"),
    ("a picture is uploaded first (POST /api/v1/uploads)", "a picture is uploaded first (POST /api/v1/uploads)"),
    ("yes/no, text/html, 1/2, a // b, log in at /login", "yes/no, text/html, 1/2, a // b, log in at /login"),
    ("", ""),
    ("/" * 5000, "/" * 5000),
)


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_messages_lose_folders_and_nothing_else(text: str, expected: str) -> None:
    assert text_without_folders(text) == expected
    assert text_without_folders(expected) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"uri": "/a b/c.mp4", "problem": "/a b/c.mp4: x"}, {"uri": "c.mp4", "problem": "c.mp4: x"}),
        ({"metadata": {"name": "/a/b", "uri": "/a/b"}}, {"metadata": {"name": "/a/b", "uri": "/a/b"}}),
        ({"names": ["/a/b.mp4", "b.mp4", "/", ""]}, {"names": ["b.mp4", "b.mp4", "/", ""]}),
        ({"steps": [{"uri": "https://h/a/b.mp4"}]}, {"steps": [{"uri": "b.mp4"}]}),
        ({"note": "/a/b", "question": "/a/b", "name": None, "video": 3}, None),
        ([1, None, True, "x/y"], None),
    ],
)
def test_values(value: Any, expected: Any) -> None:
    assert without_folders(value) == (value if expected is None else expected)


@pytest.mark.parametrize(
    ("library", "is_hidden"),
    [("/data", True), ("/srv/lib", True), ("s3://b/l", True), ("library", False), (".", False)],
)
def test_a_mere_name_is_no_place_that_words_could_be_mistaken_for(library: str, is_hidden: bool) -> None:
    assert (library in places_of(library)) is is_hidden
    assert all("/" in place for place in places_of(library))
