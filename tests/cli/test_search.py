"""Questions to `momentseek search` on three of the sample films and a copy of one, with the model that knows them."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from film_answers import HATS, LADDER, LADDERS, Search, names, windows
from PIL import Image

from pipeline.video import Decoding, make_decoder
from pipeline.video.frame_at import frame_at

# Midway through a dissolve of fire-drill, at 17 s, somebody stands a little above the ground and scores 0.58.
CERTAIN = "--min-score", 0.7


def test_a_text_finds_what_shows_it_and_nothing_else(search: Search) -> None:
    found = search("a person climbing a ladder", *CERTAIN)
    assert windows(found.moments) == LADDERS
    assert all(0.7 <= moment["score"] <= 1 for moment in found.moments)
    assert found.err == ""


def test_several_things_in_one_moment(search: Search) -> None:
    both = search(LADDER, "--and", HATS).moments
    assert windows(both) == {("fire-drill", 8.6, 12.8), ("warehouse-shift", 0.0, 4.8)}
    assert windows(search(LADDER, "--and", HATS, "--and", "a warehouse").moments) == {("warehouse-shift", 0.0, 4.8)}


def test_not_leaves_out(search: Search) -> None:
    without = search(LADDER, "--not", HATS, *CERTAIN).moments
    assert set(names(without)) == {"warehouse-shift", "street-corner"}
    assert ("warehouse-shift", 4.8, 8.3) in windows(without)
    assert windows(search(LADDER, "--not", HATS, "--not", "a warehouse", *CERTAIN).moments) == {
        ("street-corner", 5.1, 9.9)
    }


@pytest.fixture
def bicycle(films: Path, tmp_path: Path) -> Path:
    path = tmp_path / "bicycle@home.png"
    Image.fromarray(frame_at(make_decoder(Decoding()), str(films / "fire-drill.mp4"), 14.0)).save(path)
    return path


def test_by_picture(search: Search, bicycle: Path) -> None:
    assert windows(search("--image", bicycle, "-n", 1).moments) == {("fire-drill", 12.8, 16.2)}


def test_a_picture_and_a_text(search: Search, bicycle: Path) -> None:
    assert search("--image", bicycle, "a forklift").moments == []


@pytest.mark.parametrize("points", ["13-16", "0:13-0:00:16", "13-16.2"])
def test_by_part_of_a_video_file(search: Search, films: Path, points: str) -> None:
    assert windows(search("--clip", f"{films / 'fire-drill.mp4'}@{points}", "-n", 1).moments) == {
        ("fire-drill", 12.8, 16.2)
    }


def test_by_a_whole_video_file(search: Search, films: Path) -> None:
    whole = search("--clip", films / "street-corner.mp4", "--min-score", 0).moments
    assert whole
    assert whole != search("--clip", f"{films / 'street-corner.mp4'}@26.7-", "--min-score", 0).moments


@pytest.mark.parametrize("points", ["14", "0:14", "13-16", "13-"])
def test_by_a_moment_of_the_library(search: Search, points: str) -> None:
    best = search("--like", f"fire-drill@{points}", "-n", 1, "--min-score", 0).moments[0]
    assert (Path(best["uri"]).stem, best["best_seconds"] > 12) == ("fire-drill", True)


def test_one_after_another_within_a_time(search: Search) -> None:
    (near,) = search(LADDER, "--then", "a forklift", "--within", 5, "--video", "warehouse-shift").moments
    assert [(round(step["start_seconds"]), round(step["end_seconds"])) for step in near["steps"]] == [(0, 8), (8, 11)]
    assert (near["start_seconds"], near["end_seconds"]) == (0, near["steps"][1]["end_seconds"])
    # There the one ends at 9.9 s, and the other begins at 18.7 s.
    street = LADDER, "--then", "a crane", "--video", "street-corner"
    assert search(*street, "--within", 5).moments == []
    assert len(search(*street, "--within", "0:10").moments) == len(search(*street).moments) == 1


def test_options_belong_to_the_step_before_them(search: Search) -> None:
    crane = "--then", "a crane", "--video", "street-corner"
    assert len(search(LADDER, *crane, "--not", LADDER).moments) == 1
    assert search(LADDER, "--not", LADDER, *crane).moments == []
    assert search(LADDER, *crane, "--and", LADDER).moments == []
    forklift = "--then", "a forklift", "--video", "street-corner", "--min-score", 0.3
    # Hats until 5.1 s, the ladder until 9.9 s, a forklift from 26.7 s.
    (three,) = search(HATS, "--then", LADDER, "--within", 1, *forklift, "--within", 20).moments
    assert [round(step["start_seconds"]) for step in three["steps"]] == [0, 5, 27]
    assert search(HATS, "--then", LADDER, "--within", 20, *forklift, "--within", 1).moments == []


def test_at_least_so_often(search: Search) -> None:
    forklifts = "a forklift", "--min-score", 0.3
    assert set(names(search(*forklifts, "--at-least", 1).moments)) == {"warehouse-shift", "street-corner"}
    assert set(names(search(*forklifts, "--at-least", 2).moments)) == {"warehouse-shift"}
    nothing = search("a forklift", "--at-least", 3)
    assert nothing.moments == []
    assert "left out, the best is warehouse-shift.mp4 at 0:" in nothing.err
    assert "its video has 2 of 3 such moments" in nothing.err


def test_only_some_videos(search: Search) -> None:
    assert set(names(search(HATS, "--video", "fire-drill", "--video", "street-corner.mp4").moments)) == {
        "fire-drill",
        "street-corner",
    }
    assert set(names(search(HATS, "--where", "camera=store").moments)) == {"warehouse-shift"}
    assert set(names(search(HATS, "--where", "camera=store", "--where", "floor=1").moments)) == {"warehouse-shift"}
    nothing = search(HATS, "--where", "camera=attic")
    assert (nothing.moments, "no video passes the filters (camera = 'attic')" in nothing.err) == ([], True)


def test_only_a_part_of_each_video(search: Search) -> None:
    hats = search(HATS).moments
    late = search(HATS, "--after", "0:20").moments
    middle = search(HATS, "--after", 5, "--before", "0:00:20").moments
    assert {moment["best_seconds"] >= 20 for moment in late} == {True}
    assert {5 <= moment["best_seconds"] < 20 for moment in middle} == {True}
    assert len(late) + len(middle) < len(hats)


def test_only_at_a_time_of_day(momentseek, films: Path, films_library: Path, tmp_path: Path) -> None:
    # Its films are known, so that only what is said of them is new.
    shutil.copytree(films_library, tmp_path / "library")
    films_csv = tmp_path / "films.csv"
    films_csv.write_text(
        f"uri,recorded_at\n{films}/fire-drill.mp4,2026-11-20T21:59:53+01:00\n{films}/street-corner.mp4,\n"
    )
    assert momentseek("index", films_csv, "--in-process", "-l", tmp_path / "library").code == 0
    night = "search", HATS, "--time-of-day", "22:00-6:00", "-l", tmp_path / "library"
    rows = [json.loads(line) for line in momentseek(*night, "--json").out.splitlines()]
    assert rows
    for row in rows:
        assert row["best_seconds"] >= 7
        assert row["recorded_at"].startswith("2026-11-20T22:00:")
        assert row["recorded_at"].endswith("+01:00")
    assert "  2026-11-20 22:00:" in momentseek(*night).out
    day_asked = "search", HATS, "--time-of-day", "8:00-17:00", "-l", tmp_path / "library"
    day = momentseek(*day_asked)
    assert "4 videos were not searched, first " in day.err
    explained = momentseek(*day_asked, "--explain").out
    assert "Not searched: 4" in explained
    assert "recorded from 21:59:53 on" in explained


def test_spread_over_videos(search: Search) -> None:
    assert sorted(names(search(HATS, "--per-video", 1).moments)) == ["fire-drill", "street-corner", "warehouse-shift"]


def test_ends_to_the_frame(search: Search) -> None:
    plain, refined = (
        next(m for m in search("a forklift", "--video", "warehouse-shift", *more).moments if m["start_seconds"] < 10)
        for more in ((), ("--refine",))
    )
    assert plain["end_uncertainty_seconds"] == 0.25
    assert refined["end_uncertainty_seconds"] == 0
    assert abs(refined["end_seconds"] - plain["end_seconds"]) <= 0.25


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def put(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return put


def test_a_question_from_a_file_or_a_pipe_is_the_same_as_from_options(search: Search, tmp_path: Path, stdin) -> None:
    wanted = search(LADDER, "--then", "a crane", "--within", 30, "--at-least", 1).moments
    question = {"shows": LADDER, "then": [{"shows": "a crane", "within": 30}]}
    path = tmp_path / "question.json"
    path.write_text(json.dumps(question))
    assert search("--query", path).moments == wanted != []
    stdin(json.dumps(question))
    assert search("--query", "-").moments == wanted
    assert search("--query", path, "-n", 1, "--page", 2).moments == wanted[1:2]


def test_many_questions_are_answered_in_order_and_a_wrong_one_stops_no_other(
    momentseek, films_library: Path, stdin
) -> None:
    lines = (
        '"a bicycle"',
        '{"show": "a dog"}',
        "",
        '{"shows": "a harbour", "min_score": 0.99}',
        '{"shows": {"like": "x"}}',
    )
    stdin("\n".join(lines))
    result = momentseek("search", "--queries", "-", "-n", 1, "-l", films_library)
    answers = result.objects()
    assert [answer["line"] for answer in answers] == [1, 2, 4, 5]
    assert [answer.get("found") for answer in answers] == [1, None, 0, None]
    assert windows(answers[0]["moments"]) == {("fire-drill", 12.8, 16.2)}
    assert "explanation" not in answers[0]
    assert "line 2" in answers[1]["error"]
    assert "did you mean 'shows'" in answers[1]["error"]
    assert answers[2]["nearest"]["score"] < 0.99
    assert "no video 'x'" in answers[3]["error"]
    assert (result.code, "2 questions could not be answered" in result.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "describe the moment by TEXT"),
        (("--not", "a hat"), "describe the moment by TEXT"),
        (("person", "in", "hard", "hat"), 'in quotes: momentseek search "person in hard hat"'),
        (("a", "--within", "5"), "--within limits the time until a --then begins"),
        (("--within", "5", "a", "--then", "b"), "--within limits the time until a --then begins"),
        (("a", "--then", "b", "--within", "5", "--within", "6"), "give it once"),
        (("a", "--then", "b", "--within", "0"), "greater than 0"),
        (("a", "--then", "b", "--within", "soon"), "not a time: 'soon'"),
        (("a", "--after", "1:75"), "must be below 60"),
        (("a", "--after", "9", "--before", "8"), "not later than `after`"),
        (("a", "--time-of-day", "8-17"), "not a time of day: '8-17'"),
        (("a", "--min-score", "2"), "not in the range"),
        (("a", "--page", "0"), "not in the range"),
        (("a", "--where", "camera"), "expected NAME=VALUE"),
        (("--clip", "a.mp4@3"), "give a start and an end: a.mp4@3-5"),
        (("--clip", "a.mp4@5-3"), "is not later than the start"),
        (("--like", "a@75:99"), "not a time"),
        (("", "--then", "b"), "text is empty"),
        (("a", "--query", "FILE"), "leave out TEXT"),
        (("--query", "FILE", "--then", "b", "--not", "c", "--not", "d"), "leave out --then, --not"),
        (("--query", "FILE", "--queries", "FILE"), "leave out --queries"),
        (("--queries", "FILE", "--sheet", "a.png"), "use --sheet"),
        (("--queries", "FILE", "--refine"), "leave out --refine"),
        (("--query", "FILE"), "did you mean 'shows'"),
        (("--query", "/none.json"), "No such file"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(
    momentseek, films_library: Path, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    (tmp_path / "q.json").write_text('{"show": "a"}')
    given = [str(tmp_path / "q.json") if argument == "FILE" else argument for argument in arguments]
    result = momentseek("search", *given, "-l", films_library)
    assert (result.code, result.out) == (2, "")
    assert problem in result.err


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a@b.mp4", "a@b.mp4"),
        ("cam@2", "cam"),
        ("cam@2@", "cam@2"),
        ("cam@2@7", "cam@2"),
        ("cam@2@7-", "cam@2"),
        ("cam@2024-11-05", "cam@2024-11-05"),
        ("/a@5/b.mp4@-5", "/a@5/b.mp4"),
    ],
)
def test_names_may_hold_what_stands_before_times(momentseek, films_library: Path, value: str, name: str) -> None:
    result = momentseek("search", "--like", value, "-l", films_library)
    assert (result.code, f"no video {name!r}" in result.err) == (2, True)


def test_a_picture_that_is_missing_is_named(momentseek, films_library: Path) -> None:
    result = momentseek("search", "--image", "/none.png", "-l", films_library)
    assert (result.code, result.out, "/none.png" in result.err) == (1, "", True)
