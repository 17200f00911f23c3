"""Cases and saved searches over HTTP: several people change them, and no change is lost."""

from __future__ import annotations

import csv
import io
import json
import shutil
import uuid
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.errors import QueryError
from pipeline.library.saved.cases import CaseMoment, LibraryCases
from pipeline.library.saved.saved_queries import LibraryQueries
from pipeline.run_config import load_run_config
from pipeline.search import as_query
from pipeline.serve.http.access_tokens import AccessTokens

CASES, SEARCHES = "/api/v1/cases", "/api/v1/searches"


@pytest.fixture
def folder(served_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(served_folder, tmp_path / "library"))


@pytest.fixture
def writer(serve, folder: Path) -> TestClient:
    return serve(Library.open(folder))


def moments(video_ids: dict[str, str], *notes: str) -> list[dict[str, object]]:
    video_id = video_ids["fire-drill.mp4"]
    return [{"id": f"{video_id}@{number}.5,{number + 1}.5", "note": note} for number, note in enumerate(notes)]


def test_a_case_comes_back_in_order_with_names_and_times(writer: TestClient, video_ids: dict[str, str]) -> None:
    body = {"description": "Who left last?", "moments": moments(video_ids, "door", "stairs")[::-1]}
    put = writer.put(f"{CASES}/Fire drill", json=body)
    assert put.status_code == 201
    found = writer.get(f"{CASES}/fire DRILL")
    assert found.json() == put.json()
    assert found.headers["etag"] == put.headers["etag"]
    assert found.json()["name"] == "Fire drill"
    assert [moment["note"] for moment in found.json()["moments"]] == ["stairs", "door"]
    assert found.json()["moments"][1]["start_seconds"] == 0.5
    assert found.json()["moments"][1]["video"].endswith("fire-drill.mp4")
    assert not found.json()["moments"][0]["is_gone"]
    [listed] = writer.get(CASES).json()["cases"]
    assert (listed["name"], listed["moments"]) == ("Fire drill", 2)
    assert put.headers["etag"] == f'"{listed["version"]}"'


def test_putting_twice_is_putting_once(writer: TestClient, video_ids: dict[str, str]) -> None:
    body = {"moments": moments(video_ids, "a")}
    first = writer.put(f"{CASES}/a", json=body)
    again = writer.put(f"{CASES}/a", json=body)
    sent_back = writer.put(f"{CASES}/a", json=first.json())
    assert [first.status_code, again.status_code, sent_back.status_code] == [201, 200, 200]
    assert first.json() == again.json() == sent_back.json()
    assert first.headers["etag"] == again.headers["etag"] == sent_back.headers["etag"]
    assert writer.get(f"{CASES}/a", headers={"If-None-Match": first.headers["etag"]}).status_code == 304


def test_a_renamed_case_keeps_who_added_what_and_when(writer: TestClient, video_ids: dict[str, str]) -> None:
    body = {"description": "doors", "moments": moments(video_ids, "a", "b")}
    before = writer.put(f"{CASES}/Old", json=body)
    renamed = writer.post(f"{CASES}/old/name", json={"name": "New"}, headers={"If-Match": before.headers["etag"]})
    assert renamed.status_code == 200
    assert {key: renamed.json()[key] for key in ("description", "moments", "created_at")} == {
        key: before.json()[key] for key in ("description", "moments", "created_at")
    }
    assert [one["name"] for one in writer.get(CASES).json()["cases"]] == ["New"]
    spelled = writer.post(f"{CASES}/New/name", json={"name": "NEW"})
    assert (spelled.status_code, spelled.json()["name"]) == (200, "NEW")
    assert writer.get(f"{CASES}/new").json()["moments"] == before.json()["moments"]


def test_renaming_replaces_no_other_case_and_no_other_version(writer: TestClient, video_ids: dict[str, str]) -> None:
    etag = writer.put(f"{CASES}/a", json={"moments": moments(video_ids, "a")}).headers["etag"]
    writer.put(f"{CASES}/b", json={"moments": moments(video_ids, "b")})
    taken = writer.post(f"{CASES}/a/name", json={"name": "B"})
    assert (taken.status_code, "exists already" in taken.json()["detail"]) == (412, True)
    writer.put(f"{CASES}/a", json={"moments": moments(video_ids, "a", "later")})
    old = writer.post(f"{CASES}/a/name", json={"name": "c"}, headers={"If-Match": etag})
    assert (old.status_code, "changed meanwhile" in old.json()["detail"]) == (412, True)
    assert writer.post(f"{CASES}/x/name", json={"name": "c"}).status_code == 404
    assert writer.post(f"{CASES}/a/name", json={"name": "a/b"}).status_code == 422
    assert [one["name"] for one in writer.get(CASES).json()["cases"]] == ["a", "b"]


def test_of_two_people_the_second_is_told(writer: TestClient, video_ids: dict[str, str]) -> None:
    etag = writer.put(f"{CASES}/a", json={"moments": moments(video_ids, "a")}).headers["etag"]
    first = writer.put(f"{CASES}/a", json={"moments": moments(video_ids, "a", "b")}, headers={"If-Match": etag})
    second = writer.put(f"{CASES}/a", json={"description": "mine"}, headers={"If-Match": etag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert second.headers["content-type"] == "application/problem+json"
    assert second.json()["code"] == "version_mismatch"
    assert writer.delete(f"{CASES}/a", headers={"If-Match": etag}).status_code == 412
    assert len(writer.get(f"{CASES}/a").json()["moments"]) == 2
    assert writer.put(f"{CASES}/a", json={}, headers={"If-None-Match": "*"}).status_code == 412
    assert writer.put(f"{CASES}/b", json={}, headers={"If-Match": "*"}).status_code == 412
    assert writer.put(f"{CASES}/b", json={}, headers={"If-None-Match": "*"}).status_code == 201
    assert writer.put(f"{CASES}/b", json={}, headers={"If-Match": "5"}).json()["code"] == "bad_precondition"
    assert writer.delete(f"{CASES}/a").status_code == 204
    assert writer.delete(f"{CASES}/a").status_code == writer.get(f"{CASES}/a").status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"moments": [{"id": "0000000000000000@1.0,2.0"}]}, "no video"),
        ({"moments": [{"id": "x@2,1"}]}, "not the id of a moment"),
        ({"moments": [{"id": "FIRE@9000.0,9001.0"}]}, "no second 9000"),
        ({"moments": [{"id": "FIRE@1.0,2e9"}]}, "not a part"),
        ({"moments": [{"id": "FIRE@1.0,2.0"}, {"id": "FIRE@1,2"}]}, "twice"),
        ({"moments": [{"id": "FIRE@1.0,2.0", "notes": "a"}]}, "notes"),
        ({"moments": [{"id": "FIRE@1.0,2.0", "note": "\ud800"}]}, "note"),
        ({"moments": "all"}, "moments"),
        ({"description": "x" * 5000}, "description"),
        ({"colour": "red"}, "colour"),
        ([], "body"),
    ],
)
def test_what_is_not_a_case_is_a_problem(
    writer: TestClient, video_ids: dict[str, str], body: object, said: str
) -> None:
    content = json.dumps(body).replace("FIRE", video_ids["fire-drill.mp4"])
    response = writer.put(f"{CASES}/a", content=content, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert said in response.json()["detail"]
    assert writer.get(CASES).json()["cases"] == []


@pytest.mark.parametrize("name", ["%20", ".hidden", "x" * 101, "%00", "a%5Cb", "a.csv", "%E2%80%AEa"])
def test_what_is_not_a_name_is_a_problem(writer: TestClient, name: str) -> None:
    assert writer.put(f"{CASES}/{name}", json={}).status_code in (400, 422)
    # The address of "a.csv" is that of the table of the case "a".
    assert writer.get(f"{CASES}/{name}").status_code in ((404,) if name == "a.csv" else (400, 422))
    assert writer.delete(f"{CASES}/{name}").status_code in (400, 422)


def test_a_table_has_no_formula(writer: TestClient, video_ids: dict[str, str]) -> None:
    notes = ["=HYPERLINK(1)", '+1, "two"\nlines', "@x", "plain - not a formula"]
    writer.put(f"{CASES}/Café & co", json={"moments": moments(video_ids, *notes)})
    response = writer.get(f"{CASES}/Café & co.csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''Caf%C3%A9%20%26%20co.csv"
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert [row["note"] for row in rows] == ["'=HYPERLINK(1)", '\'+1, "two"\nlines', "'@x", "plain - not a formula"]
    assert rows[0]["start_seconds"] == "0.5"
    assert writer.get(f"{CASES}/none.csv").status_code == 404


def test_a_case_outlives_a_video(serve, folder: Path, video_ids: dict[str, str]) -> None:
    client = serve(Library.open(folder))
    body = client.put(f"{CASES}/a", json={"moments": moments(video_ids, "a")}).json()
    with Library.open(folder) as library:
        library.remove(video_ids["fire-drill.mp4"])
    [moment] = client.get(f"{CASES}/a").json()["moments"]
    assert (moment["is_gone"], moment["video"], moment["note"]) == (True, None, "a")
    body["moments"][0]["note"] = "still to be edited"
    assert client.put(f"{CASES}/a", json=body).json()["moments"][0]["note"] == "still to be edited"
    assert client.put(f"{CASES}/b", json=body).status_code == 422


def test_cases_are_listed_a_page_at_a_time(writer: TestClient) -> None:
    names = ["b", "A", "c", "Ä"]
    for name in names:
        writer.put(f"{CASES}/{name}", json={})
    found, cursor = [], None
    while True:
        params = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        page = writer.get(CASES, params=params).json()
        found += [case["name"] for case in page["cases"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == ["A", "b", "c", "Ä"]
    assert writer.get(CASES, params={"cursor": "é"}).json()["code"] == "bad_cursor"


def test_who_may_write_and_whose_name_is_kept(serve, folder: Path, tmp_path: Path, video_ids: dict[str, str]) -> None:
    tokens = AccessTokens(tmp_path / "private" / "tokens.json")
    headers = {
        role: {"Authorization": f"Bearer {tokens.add(name, role)}"}
        for name, role in (("sue", "search"), ("rita", "review"), ("ada", "admin"))
    }
    client = serve(Library.open(folder), tokens=tokens)
    body = {"moments": moments(video_ids, "a")}
    refused = client.put(f"{CASES}/a", json=body, headers=headers["search"])
    assert (refused.status_code, refused.json()["code"]) == (403, "role")
    assert client.put(f"{SEARCHES}/a", json={"query": "x"}, headers=headers["search"]).status_code == 403
    assert client.put(f"{CASES}/a", json=body, headers=headers["review"]).status_code == 201
    body["moments"] += moments(video_ids, "", "later")[1:]
    changed = client.put(f"{CASES}/a", json=body, headers=headers["admin"]).json()
    assert [moment["by"] for moment in changed["moments"]] == ["rita", "ada"]
    assert client.get(f"{CASES}/a", headers=headers["search"]).status_code == 200
    assert client.delete(f"{CASES}/a", headers=headers["search"]).status_code == 403


def test_a_saved_search_is_a_whole_question(writer: TestClient, video_ids: dict[str, str]) -> None:
    query = {
        "shows": ["a person", {"like": video_ids["fire-drill.mp4"], "at": 3.0}],
        "without": "a ladder",
        "then": [{"shows": "smoke", "within": 30}],
        "time_of_day": "22:00-6:00",
        "min_score": 0.7,
        "top": 5,
    }
    put = writer.put(f"{SEARCHES}/Night", json={"query": query, "description": "every morning"})
    assert put.status_code == 201
    found = writer.get(f"{SEARCHES}/night").json()
    assert as_query(found["query"]) == as_query(query)
    again = writer.put(f"{SEARCHES}/Night", json=found)
    assert (again.status_code, again.headers["etag"]) == (200, put.headers["etag"])
    assert writer.post("/api/v1/search", json={**found["query"], "time_of_day": None}).status_code == 200
    assert [one["name"] for one in writer.get(SEARCHES).json()["searches"]] == ["Night"]
    old = {"If-Match": put.headers["etag"]}
    assert writer.put(f"{SEARCHES}/Night", json={"query": "smoke"}, headers=old).status_code == 200
    assert writer.put(f"{SEARCHES}/Night", json={"query": "fire"}, headers=old).status_code == 412
    assert writer.delete(f"{SEARCHES}/night").status_code == 204
    assert writer.get(f"{SEARCHES}/night").status_code == writer.delete(f"{SEARCHES}/night").status_code == 404


@pytest.mark.parametrize(
    "query", ["", {}, {"shows": ""}, {"shows": "a", "colour": 1}, {"shows": {"image": "upload:1f"}}, [], None]
)
def test_what_is_not_a_question_is_not_saved(writer: TestClient, query: object) -> None:
    assert writer.put(f"{SEARCHES}/a", json={"query": query}).status_code == 422
    assert writer.get(f"{SEARCHES}/a").status_code == 404


def test_a_broken_case_is_named(writer: TestClient, folder: Path) -> None:
    writer.put(f"{CASES}/a", json={})
    [file] = (folder / "cases").glob("*.json")
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "content": {"moments": [{"video_id": "../x"}]}}))
    response = writer.get(f"{CASES}/a")
    assert response.status_code == 500
    assert "the case 'a' is broken" in response.json()["detail"]


def test_an_object_store_keeps_cases_and_queries() -> None:
    settings = [f"library=memory://{uuid.uuid4().hex}", "index.backend=memory"]
    with Library.open(load_run_config("demo", settings)) as library:
        case, is_new = LibraryCases(library).put("a", "text", [])
        assert is_new
        assert LibraryCases(library).find("A") == case
        with pytest.raises(QueryError, match="no video"):
            LibraryCases(library).put("a", "", [CaseMoment("v1", 0.0, 1.0)])
        saved, _ = LibraryQueries(library).put("a", as_query("a forklift"))
        assert LibraryQueries(library).listed() == [saved]
        assert LibraryCases(library).remove("a", expected=case.version)
        assert LibraryCases(library).listed() == []
