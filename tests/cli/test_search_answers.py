"""Answers of `momentseek search`: pages, the table, how it came to be, JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from film_answers import HATS, LADDER, Search
from PIL import Image


def test_pages(search: Search) -> None:
    everything = search(HATS).moments
    assert len(everything) > 4
    first, second = (search(HATS, "-n", 3, "--page", page) for page in (1, 2))
    assert first.moments + second.moments == everything[:6]
    assert f"moments 1-3 of {len(everything)}; --page 2 shows the next" in first.err
    assert f"moment 2 of {len(everything)}; --page 3" in search(HATS, "-n", 1, "--page", 2).err
    beyond = search(HATS, "-n", 3, "--page", 9)
    pages = -(-len(everything) // 3)
    assert beyond.moments == []
    assert f"no page 9: {len(everything)} moments match, on {pages} pages of 3" in beyond.err


def test_clips_and_ranks_go_on_with_the_page(momentseek, films_library: Path, tmp_path: Path) -> None:
    sheet, clips = tmp_path / "sheet.png", tmp_path / "new" / "clips"
    result = momentseek(
        *("search", HATS, "-n", 1, "--page", 2, "-l", films_library), "--sheet", sheet, "--clips", clips
    )
    assert result.out.splitlines()[1].split()[0] == "2"
    with Image.open(sheet) as picture:
        assert np.asarray(picture).any()
    assert [clip.name[:3] for clip in clips.iterdir()] == ["02-"]


def test_where_nothing_matches_the_nearest_is_named_and_a_way_out(search: Search) -> None:
    nothing = search("a forklift", "--video", "fire-drill")
    assert nothing.moments == []
    assert 'nothing matches "a forklift" (the nearest, fire-drill.mp4 at 0:' in nothing.err
    weak = search(HATS, "--min-score", 1)
    assert (weak.moments, "the minimum is 1): try --min-score 0.9" in weak.err) == ([], True)
    assert search(HATS, "--min-score", 0.9).moments


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a dragon", "--not", "a Violin"), "dragon, Violin"),
        (("a forklift", "--and", "two dragons"), "two, dragons"),
        (("a forklift", "--not", "a dragon"), "dragon"),
        (("a forklift", "--then", "a 🐉"), "🐉"),
    ],
)
def test_words_that_the_model_does_not_know_are_named(
    search: Search, momentseek, films_library: Path, arguments: tuple[str, ...], words: str
) -> None:
    found = search(*arguments)
    assert found.err.splitlines()[0] == f"the model does not know: {words}"
    assert bool(found.moments) == (arguments[:2] == ("a forklift", "--not"))
    (answer,) = momentseek("search", *arguments, "-l", films_library, "--json", "--explain").objects()
    assert answer["unknown_words"] == words.split(", ")


def test_of_known_words_nothing_is_said(search: Search) -> None:
    assert "does not know" not in search("show me a Fork-Lift, please!", "--not", "a person's hat").err


def test_what_comes_too_late_after_the_first_is_no_nearest(search: Search) -> None:
    nothing = search("a forklift", "--then", "a bicycle", "--video", "street-corner", "--within", 0.1)
    assert nothing.moments == []
    assert 'nothing matches "a forklift, then a bicycle"' in nothing.err


def test_the_table_has_steps_and_copies_below_their_moment(momentseek, films_library: Path) -> None:
    question = "search", LADDER, "--then", "a crane", "--video", "street-corner"
    out = momentseek(*question, "-l", films_library).out.splitlines()
    assert [line.split()[0] for line in out] == ["#", "1", "a", "then", "also"]
    assert out[1].split()[1] in {"street-corner.mp4", "street-corner.mkv"}
    assert "    a person climbing a ladder  0:05.1" in out[2]
    assert "    then a crane                0:18.7" in out[3]
    assert "also street-corner.mk" in out[4] or "also street-corner.mp4" in out[4]
    columns = {line.index("  0:") for line in out[1:]}
    assert len(columns) == 1


def test_the_table_says_which_ends_are_uncertain(momentseek, config: str, make_video: Callable[..., Path]) -> None:
    sparse = ("-c", config, "--set", "sampling.fps=0.4")
    momentseek("index", make_video("a.mp4", seconds=30.0), *sparse)
    result = momentseek("search", "it", "--min-score", 0, *sparse)
    assert "±1.2" in result.out
    dense = ("-c", config, "--set", "sampling.fps=2", "--set", f"library={Path(config).parent / 'dense'}")
    momentseek("index", make_video("a.mp4", seconds=30.0), *dense)
    assert "±" not in momentseek("search", "it", "--min-score", 0, *dense).out


def test_explain_says_how_the_answer_came_to_be(momentseek, films_library: Path) -> None:
    result = momentseek("search", HATS, "--not", "a forklift", "--per-video", 1, "--explain", "-l", films_library)
    out = result.out
    assert "similarity of an unrelated frame" in out
    terms = [line.split() for line in out.splitlines() if line.endswith("times")]
    assert [line[-5:-4] + line[-1:] for line in terms]
    level, half = float(terms[0][-4]), float(terms[0][-3])
    assert level < half < 1
    assert "Filters: none" in out
    assert "Candidates: the index returned" in out
    assert "its video has 1 better ones" in out
    assert "a copy of" in out
    filtered = momentseek("search", HATS, "--where", "camera=store", "--explain", "-l", films_library).out
    assert "Filters: camera = 'store'" in filtered


def test_explain_as_json_is_the_whole_answer(momentseek, films_library: Path) -> None:
    (answer,) = momentseek("search", HATS, "-n", 2, "--explain", "--json", "-l", films_library).objects()
    assert (answer["question"], answer["query"]) == (HATS, {"shows": [{"text": HATS}], "top": 2})
    assert answer["found"] > len(answer["moments"]) == 2
    assert (answer["first_rank"], answer["min_score"]) == (1, 0.5)
    explanation = answer["explanation"]
    assert [term["term"] for term in explanation["terms"]] == [HATS]
    assert explanation["prompts"] == ["{}"]
    assert {"video_id", "start_seconds", "end_seconds", "cosine", "score", "term"} == set(explanation["candidates"][0])
    assert {one["why"] for one in explanation["dropped"]} > {"its score is below 0.5"}


def test_a_moment_as_json_says_where_it_comes_from(search: Search) -> None:
    moment = search("a bicycle", "-n", 1).moments[0]
    assert set(moment) == {
        *("video_id", "uri", "start_seconds", "end_seconds", "best_seconds", "score", "cosine", "is_gone"),
        *("start_uncertainty_seconds", "end_uncertainty_seconds", "best_pts", "time_base", "provenance"),
        *("recorded_at", "steps", "copies"),
    }
    numerator, denominator = map(int, moment["time_base"].split("/"))
    assert moment["best_pts"] * numerator / denominator == pytest.approx(moment["best_seconds"], abs=0.05)
    assert set(moment["provenance"]) == {"sampling", "encoder", "segmentation"}
