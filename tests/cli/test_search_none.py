"""`momentseek search --none` on three of the sample films and a copy of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from film_answers import HATS, LADDER, Search, names

from pipeline import Library
from pipeline.errors import QueryError
from pipeline.search import Query


def stretches(rows: list[dict]) -> dict[str, list[tuple[float, float, bool]]]:
    found: dict[str, list[tuple[float, float, bool]]] = {}
    for row in rows:
        times = round(row["start_seconds"], 1), round(row["end_seconds"], 1), row["is_whole"]
        found.setdefault(Path(row["uri"]).stem, []).append(times)
    return found


def test_stretches_are_what_lies_beside_the_moments(search: Search) -> None:
    rows = search("--none", LADDER, "-n", 100).moments
    found = stretches(rows)
    # fire-drill shows a ladder from 8.6 s to 12.8 s, warehouse-shift until 8.3 s.
    assert found["fire-drill"][0][:2] == (0, 8.6)
    assert found["fire-drill"][1][0] == 12.8
    assert found["warehouse-shift"][0][0] == 8.3
    assert not any(part[2] for of_video in found.values() for part in of_video)
    moments = search(LADDER, "-n", 100).moments
    for moment in moments:
        inside = [row for row in rows if row["video_id"] == moment["video_id"]]
        assert not any(row["start_seconds"] <= moment["best_seconds"] < row["end_seconds"] for row in inside)


def test_whole_videos_are_listed_first(search: Search) -> None:
    rows = search("--none", "a crane", "-n", 100).moments
    with_crane = set(names(search("a crane", "-n", 100).moments))
    whole = [Path(row["uri"]).stem for row in rows if row["is_whole"]]
    assert set(whole) == {"fire-drill", "warehouse-shift", "street-corner"} - with_crane
    assert [row["is_whole"] for row in rows] == sorted((row["is_whole"] for row in rows), reverse=True)


def test_it_is_asked_of_some_videos(search: Search) -> None:
    assert set(stretches(search("--none", LADDER, "--where", "camera=store").moments)) == {"warehouse-shift"}
    assert set(stretches(search("--none", LADDER, "--video", "fire-drill").moments)) == {"fire-drill"}
    [row] = search("--none", LADDER, "--video", "fire-drill", "--after", 9, "--before", 15).moments
    assert (round(row["start_seconds"], 1), row["end_seconds"]) == (12.8, 15)


def test_for_people(momentseek, films_library: Path) -> None:
    result = momentseek("search", "--none", LADDER, "-n", 2, "-l", films_library)
    lines = result.out.splitlines()
    assert lines[0].split() == ["#", "video", "from", "to", "video", "is", "frames", "largest", "gap", "nearest"]
    assert len(lines) == 3
    assert f"0 of 4 videos have no sampled frame that scores 0.5 for '{LADDER}'" in result.err
    assert "whatever appears only between sampled frames is missed" in result.err
    assert "--page 2 shows the next" in result.err
    explained = momentseek("search", "--none", LADDER, "--video", "fire-drill", "--explain", "-l", films_library).out
    assert "Stretches: " in explained
    assert "Candidates" not in explained
    assert "Filters: video " in explained
    beyond = momentseek("search", "--none", LADDER, "--page", 9, "-l", films_library)
    assert (beyond.code, "there is no page 9" in beyond.err) == (0, True)


def test_as_json(momentseek, films_library: Path, tmp_path: Path) -> None:
    [row, *_] = momentseek("search", "--none", LADDER, "--json", "-l", films_library).objects()
    assert set(row) == {
        *("video_id", "uri", "start_seconds", "end_seconds", "is_whole", "frames", "largest_gap_seconds"),
        *("unsampled_seconds", "nearest_seconds", "nearest_score", "start_uncertainty_seconds"),
        *("end_uncertainty_seconds", "recorded_at", "is_gone", "provenance"),
    }
    questions = tmp_path / "questions.jsonl"
    questions.write_text(
        json.dumps({"shows": LADDER, "none": True, "top": 1}) + "\n" + json.dumps({"shows": LADDER}) + "\n"
    )
    absent, found = momentseek("search", "--queries", questions, "-l", films_library).objects()
    assert (len(absent["absences"]), absent["videos"], absent["videos_without"], absent["moments"]) == (1, 4, 0, [])
    assert absent["query"] == {"shows": [{"text": LADDER}], "none": True, "top": 1}
    assert "absences" not in found


def test_in_python(films_library: Path) -> None:
    with Library.open(films_library) as library:
        answer = library.ask(Query(shows=HATS, none=True, videos=["fire-drill"]))
        assert answer.videos == 1
        assert all(absence.nearest_score < 0.5 for absence in answer.absences)
        with pytest.raises(QueryError, match="use `ask`, whose answer has `absences`"):
            library.search(Query(shows=HATS, none=True))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--sheet", "x.png"), "nothing for --sheet and --clips to show"),
        (("--then", "a crane"), "`none` cannot be combined with then"),
        (("--refine",), "`none` cannot be combined with refine"),
    ],
)
def test_what_is_of_moments_alone_is_refused(momentseek, films_library: Path, arguments, problem: str) -> None:
    result = momentseek("search", "--none", LADDER, *arguments, "-l", films_library)
    assert (result.code, problem in result.err) == (2, True)


def test_where_no_video_is_left_it_claims_nothing(momentseek, films_library: Path) -> None:
    result = momentseek("search", "--none", LADDER, "--from", "2026-11-20", "-l", films_library)
    assert (result.code, result.out) == (0, "")
    assert "no video could be searched for the absence of" in result.err
    assert (
        "4 videos were not searched, 4 of them without a usable recording date; the answer does not cover these"
        in result.err
    )


def test_one_video_is_one(search: Search, momentseek, films_library: Path) -> None:
    one = ("search", "--none", LADDER, "--video", "fire-drill", "-l", films_library)
    assert "of 1 video has no sampled frame that scores" in momentseek(*one).err
    late = momentseek(*one, "--after", 10_000).err
    assert "1 video was not searched: it ends at " in late
    assert "before 10000 s; the answer does not cover it (--explain lists it)" in late
