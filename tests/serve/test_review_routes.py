"""Labels, marks, the review queue and concepts over HTTP."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.analyze.labels.label_set import read_label_set
from pipeline.analyze.policies.policy import read_policy
from pipeline.library.analysis.labelling import label_videos
from pipeline.library.analysis.marks import library_marks
from pipeline.library.analysis.policies.check import open_check
from pipeline.serve.http.access_tokens import AccessTokens

API = "/api/v1"
FIRE = "fire-drill.mp4"
POLICY = """
rules:
  someone: {when: a person, action: queue, severity: low}
  ladder: {when: a person climbing a ladder, action: queue, severity: high}
  logged: {when: a person, action: tag}
"""


@pytest.fixture(scope="module")
def reviewed_folder(served_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of two films, labelled and checked by a policy."""
    folder = Path(shutil.copytree(served_folder, tmp_path_factory.mktemp("reviewed") / "library"))
    policy = folder.parent / "site.yaml"
    policy.write_text(POLICY)
    with Library.open(folder) as library:
        records = library.select(FIRE).records
        labelled = list(label_videos(library, read_label_set("vehicles"), name="vehicles", records=records))
        assert [report.status for report in labelled] == ["done"]
        assert len(list(open_check(library, read_policy(str(policy))).run())) == 2
    return folder


@pytest.fixture
def folder(reviewed_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(reviewed_folder, tmp_path / "library"))


@pytest.fixture
def writer(serve, folder: Path) -> TestClient:
    return serve(Library.open(folder))


def test_labels_of_the_library_and_of_videos(writer: TestClient, folder: Path, video_ids: dict[str, str]) -> None:
    found = writer.get(f"{API}/labels").json()
    assert found["label_set"]["name"] == "vehicles"
    assert "forklift" in [label["label"] for label in found["labels"]]
    assert found["totals"] is None
    totals = writer.get(f"{API}/labels", params={"totals": True}).json()
    assert totals["unlabelled"] == 1
    video = writer.get(f"{API}/videos/{video_ids[FIRE]}/labels").json()
    assert video["is_labelled"]
    seconds = {
        one["label"]: sum(i["end_seconds"] - i["start_seconds"] for i in one["intervals"]) for one in video["labels"]
    }
    assert {total["label"]: total["seconds"] for total in totals["totals"]} == pytest.approx(seconds)
    other = writer.get(f"{API}/videos/{video_ids['warehouse-shift.mp4']}/labels").json()
    assert (other["is_labelled"], other["labels"]) == (False, [])
    assert writer.get(f"{API}/labels", params={"by": "video"}).json()["totals"][0]["group"] == video_ids[FIRE]
    for params in ({"label_set": "vehicle"}, {"by": "camera"}):
        assert writer.get(f"{API}/labels", params=params).json()["code"] == "query"
    assert writer.get(f"{API}/videos/0000/labels").status_code == 404


def test_a_library_without_labels(client: TestClient, video_ids: dict[str, str]) -> None:
    assert client.get(f"{API}/labels").json() == {"label_set": None, "labels": [], "totals": None, "label_sets": []}
    found = client.get(f"{API}/videos/{video_ids[FIRE]}/labels")
    assert (found.status_code, found.json()["is_labelled"]) == (200, False)
    assert client.get(f"{API}/videos/{video_ids[FIRE]}/labels", params={"label_set": "x"}).status_code == 422
    assert client.get(f"{API}/review").json() == {"items": [], "total": 0, "next": None}
    assert client.get(f"{API}/concepts").json() == {"concepts": []}


def test_what_a_policy_queues_waits_until_someone_answers(writer: TestClient, folder: Path) -> None:
    found = writer.get(f"{API}/review").json()
    assert found["total"] == len(found["items"]) > 2
    severities = [item["severity"] for item in found["items"]]
    assert severities == sorted(severities, key=["high", "low"].index)
    assert {item["rule"] for item in found["items"]} == {"ladder", "someone"}
    first = found["items"][0]
    assert (first["subject"], first["policy"]) == ("a person climbing a ladder", "site")
    assert 0.5 <= first["score"] <= 1
    answered = writer.put(f"{API}/review/{first['id']}", json={"verdict": "no", "note": "a pole"})
    assert answered.status_code == 201
    again = writer.put(f"{API}/review/{first['id']}", json={"verdict": "no", "note": "a pole"})
    assert (again.status_code, again.json()) == (200, answered.json())
    assert writer.get(f"{API}/review").json()["items"] == found["items"][1:]
    with Library.open(folder) as library:
        [mark] = library_marks(library)
    assert (mark.subject, str(mark.verdict), mark.note) == (first["subject"], "no", "a pole")
    assert (mark.video_id, mark.start_seconds) == (first["video_id"], first["start_seconds"])
    assert writer.delete(f"{API}/review/{first['id']}").status_code == 204
    assert writer.delete(f"{API}/review/{first['id']}").status_code == 404
    assert writer.get(f"{API}/review").json() == found


def test_the_queue_is_filtered_and_paged(writer: TestClient) -> None:
    everything = writer.get(f"{API}/review").json()["items"]
    first = writer.get(f"{API}/review", params={"limit": 2}).json()
    rest = writer.get(f"{API}/review", params={"limit": 1000, "cursor": first["next"]}).json()
    assert first["items"] + rest["items"] == everything
    assert rest["next"] is None
    some = writer.get(f"{API}/review", params={"subject": "A  Person"}).json()["items"]
    assert some == [item for item in everything if item["rule"] == "someone"]
    assert writer.get(f"{API}/review", params={"policy": "other"}).json()["total"] == 0
    assert writer.get(f"{API}/review", params={"cursor": "x"}).json()["code"] == "bad_cursor"


def test_a_later_check_and_a_removed_video_change_the_queue(
    writer: TestClient, folder: Path, tmp_path: Path, video_ids: dict[str, str]
) -> None:
    before = writer.get(f"{API}/review").json()
    policy = tmp_path / "site.yaml"
    policy.write_text("rules: {ladder: {when: a person climbing a ladder, action: queue, severity: high}}")
    with Library.open(folder) as library:
        list(open_check(library, read_policy(str(policy))).run())
    later = writer.get(f"{API}/review").json()
    assert {item["rule"] for item in later["items"]} == {"ladder"}
    assert later["total"] < before["total"]
    with Library.open(folder) as library:
        library.remove(video_ids[FIRE])
    gone = writer.get(f"{API}/review").json()
    assert video_ids[FIRE] not in {item["video_id"] for item in gone["items"]}


@pytest.mark.parametrize("item_id", ["x", "W10", "WyJhIiwgImIiXQ", "e30", "W1td", "A" * 2999])
def test_what_is_not_an_item(writer: TestClient, item_id: str) -> None:
    response = writer.put(f"{API}/review/{item_id}", json={"verdict": "yes"})
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


def test_the_uncertain_frames_of_a_subject(writer: TestClient, video_ids: dict[str, str]) -> None:
    found = writer.get(f"{API}/review/uncertain", params={"subject": "a person on a ladder", "count": 5}).json()
    assert len(found["items"]) == 5
    item = found["items"][0]
    assert item["start_seconds"] == item["end_seconds"]
    assert writer.put(f"{API}/review/{item['id']}", json={"verdict": "yes"}).status_code == 201
    left = writer.get(f"{API}/review/uncertain", params={"subject": "a person on a ladder", "count": 5}).json()["items"]
    assert item["id"] not in [one["id"] for one in left]
    of_one = {"subject": "a ladder", "video_id": video_ids[FIRE]}
    assert {one["video_id"] for one in writer.get(f"{API}/review/uncertain", params=of_one).json()["items"]} == {
        video_ids[FIRE]
    }
    for params in ({"subject": " "}, {"subject": "concept:none"}, {}):
        assert writer.get(f"{API}/review/uncertain", params=params).status_code == 422
    assert writer.get(f"{API}/review/uncertain", params={"subject": "a", "video_id": "x"}).status_code == 404


def test_marks_are_put_read_listed_and_removed(writer: TestClient, video_ids: dict[str, str]) -> None:
    part, subject = f"{video_ids[FIRE]}@2.0,3.5", {"subject": "24/7 shop & more"}
    assert writer.get(f"{API}/marks/{part}", params=subject).status_code == 404
    put = writer.put(f"{API}/marks/{part}", params=subject, json={"verdict": "yes"})
    same = writer.put(f"{API}/marks/{part}", params={"subject": "24/7  SHOP & more"}, json={"verdict": "yes"})
    assert (put.status_code, same.status_code) == (201, 200)
    assert put.json() == same.json() == writer.get(f"{API}/marks/{part}", params=subject).json()
    assert put.json()["id"] == part
    changed = writer.put(f"{API}/marks/{part}", params=subject, json={"verdict": "no", "note": "closed"})
    assert (changed.status_code, changed.json()["verdict"]) == (200, "no")
    point = f"{video_ids[FIRE]}@7.25,7.25"
    assert writer.put(f"{API}/marks/{point}", params={"subject": "other"}, json={"verdict": "no"}).json()["id"] == point
    listed = writer.get(f"{API}/marks", params={"limit": 1}).json()
    after = writer.get(f"{API}/marks", params={"limit": 1, "cursor": listed["next"]}).json()
    assert [one["id"] for one in (*listed["marks"], *after["marks"])] == [part, point]
    assert (listed["total"], after["next"]) == (2, None)
    assert writer.get(f"{API}/marks", params=subject).json()["total"] == 1
    assert writer.get(f"{API}/marks", params={"verdict": "yes"}).json()["total"] == 0
    assert writer.get(f"{API}/marks", params={"video_id": "../x"}).json()["total"] == 0
    assert writer.delete(f"{API}/marks/{part}", params=subject).status_code == 204
    assert writer.delete(f"{API}/marks/{part}", params=subject).status_code == 404


@pytest.mark.parametrize(
    ("part", "subject", "body", "status"),
    [
        ("0000000000000000@1.0,2.0", "a", {"verdict": "yes"}, 404),
        ("FIRE@2.0,1.0", "a", {"verdict": "yes"}, 404),
        ("FIRE@nan,nan", "a", {"verdict": "yes"}, 404),
        ("FIRE@1e999,1e999", "a", {"verdict": "yes"}, 404),
        ("FIRE@1.0,2e9", "a", {"verdict": "yes"}, 422),
        ("FIRE@9000.0,9001.0", "a", {"verdict": "yes"}, 422),
        ("FIRE@1.0,2.0", " ", {"verdict": "yes"}, 422),
        ("FIRE@1.0,2.0", "a", {"verdict": "maybe"}, 422),
        ("FIRE@1.0,2.0", "a", {"verdict": "yes", "note": "x" * 501}, 422),
        ("FIRE@1.0,2.0", "a", {}, 422),
    ],
)
def test_what_cannot_be_marked(
    writer: TestClient, video_ids: dict[str, str], part: str, subject: str, body: object, status: int
) -> None:
    part = part.replace("FIRE", video_ids[FIRE])
    response = writer.put(f"{API}/marks/{part}", params={"subject": subject}, json=body)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert writer.get(f"{API}/marks").json()["total"] == 0


def test_a_concept_is_fitted_to_marks_and_asked_for(writer: TestClient) -> None:
    too_few = writer.post(f"{API}/concepts/climbing/fit", json={"text": "a person climbing a ladder"})
    assert (too_few.status_code, too_few.json()["code"]) == (422, "query")
    likely = writer.post(f"{API}/search", json={"shows": "a person climbing a ladder", "top": 30, "min_score": 0})
    moments = likely.json()["moments"]
    for moment in moments:
        verdict = {"verdict": "yes" if moment["score"] > 0.5 else "no"}
        point = f"{moment['video_id']}@{moment['best_seconds']!r},{moment['best_seconds']!r}"
        writer.put(f"{API}/marks/{point}", params={"subject": "climbing"}, json=verdict)
    for item in writer.get(f"{API}/review/uncertain", params={"subject": "climbing", "count": 20}).json()["items"]:
        writer.put(f"{API}/review/{item['id']}", json={"verdict": "no"})
    fitted = writer.post(f"{API}/concepts/climbing/fit", json={"text": "a person climbing a ladder"})
    assert fitted.status_code == 200, fitted.text
    assert "vector" not in fitted.json()
    assert (
        fitted.json()
        == writer.get(f"{API}/concepts/climbing").json()
        == writer.get(f"{API}/concepts").json()["concepts"][0]
    )
    assert writer.post(f"{API}/search", json={"shows": {"concept": "climbing"}}).status_code == 200
    assert writer.delete(f"{API}/concepts/climbing").status_code == 204
    for response in (writer.delete(f"{API}/concepts/climbing"), writer.get(f"{API}/concepts/climbing")):
        assert (response.status_code, response.json()["code"]) == (404, "unknown_concept")
    for name in ("a b", "..x", "x" * 70):
        assert writer.post(f"{API}/concepts/{name}/fit").status_code == 422


def test_only_reviewers_decide(serve, folder: Path, tmp_path: Path, video_ids: dict[str, str]) -> None:
    tokens = AccessTokens(tmp_path / "private" / "tokens.json")
    searcher, reviewer = (
        {"Authorization": f"Bearer {tokens.add(name, role)}"} for name, role in (("sue", "search"), ("rita", "review"))
    )
    client = serve(Library.open(folder), tokens=tokens)
    part = f"{API}/marks/{video_ids[FIRE]}@1.0,2.0?subject=a"
    item = client.get(f"{API}/review", headers=searcher).json()["items"][0]["id"]
    yes = {"verdict": "yes"}
    refused = [
        client.put(part, json=yes, headers=searcher),
        client.delete(part, headers=searcher),
        client.put(f"{API}/review/{item}", json=yes, headers=searcher),
        client.delete(f"{API}/review/{item}", headers=searcher),
        client.post(f"{API}/concepts/a/fit", headers=searcher),
        client.delete(f"{API}/concepts/a", headers=searcher),
    ]
    assert {(response.status_code, response.json()["code"]) for response in refused} == {(403, "role")}
    assert client.put(part, json=yes, headers=reviewer).json()["by"] == "rita"
