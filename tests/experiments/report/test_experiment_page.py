from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from contracts.fake_videos import TrustedVideos, write_video
from page_reader import read

from pipeline.evaluate import Evaluation, ScoredAnswer
from pipeline.evaluate.bootstrap import resampling_of
from pipeline.experiments.report.figures import METRIC, ExperimentFigures, VariantFigures, compare_with_best, contrast
from pipeline.experiments.report.page import experiment_page
from pipeline.experiments.report.plots import Point, difference_mark, question_columns, scatter
from pipeline.render.plot_area import Caption
from pipeline.types import Moment

EVIL = "<script>alert('1')</script>&\"\x1b[31m"
CAPTION = Caption("a", "b", "c")


def answer(number: int, score: float, text: str = "a red car") -> ScoredAnswer:
    moment = Moment(video_id="v", uri="v.mp4", start_seconds=1, end_seconds=3, best_seconds=1, score=score)
    return ScoredAnswer(
        query_id=number,
        text=f"{text} {number}",
        video="yard",
        video_id="v",
        truth=((2.0, 4.0),),
        moments=(moment,) if score else (),
        first_iou=score,
        duration_seconds=10.0,
        scores={METRIC: score},
    )


def evaluation(*scores: float, text: str = "a red car") -> Evaluation:
    answers = tuple(answer(number, score, text) for number, score in enumerate(scores, 1))
    mean = 100 * sum(scores) / len(scores)
    return Evaluation(
        metrics={METRIC: mean},
        intervals={METRIC: (mean - 5, mean + 5)},
        counts={METRIC: len(scores)},
        resampling=resampling_of([each.video_id for each in answers]),
        rejection=None,
        concepts=(),
        concepts_are_named=False,
        answers=answers,
    )


def variant(name: str, frames: float, *scores: float, **others: Any) -> VariantFigures:
    said = {
        "name": name,
        "changes": {"sampling.fps": frames / 3600},
        "evaluation": evaluation(*scores),
        "costs": {"frames": frames, "megabytes": frames / 500, "rows": 70.0, "decoding": 20.0 + frames / 1000},
        "frames": int(frames),
        "search_seconds": 0.01,
        "versions": {"momentseek": "1"},
        "made_at": "2026-11-21T20:00:00+00:00",
    }
    return VariantFigures(**{**said, **others})


CHEAP = variant("cheap", 900, 0.5, 0.2, 1.0, 0.4)
BEATEN = variant("beaten", 1800, 0.4, 0.2, 1.0, 0.4)
GOOD = variant("good", 3600, 1.0, 0.9, 0.3, 1.0)


def figures(*variants: VariantFigures, **others: Any) -> ExperimentFigures:
    said = {
        "title": "Which is best",
        "labelled": ("/a/b/moments.jsonl",),
        "variants": variants or (CHEAP, BEATEN, GOOD),
        "videos": 1,
        "video_seconds": 10.0,
        "distinct_frames": 3600,
        "decoded": (1, 250, 3600),
        "seconds": 12.0,
        "data_fingerprint": "abc123",
    }
    return ExperimentFigures(**{**said, **others})


def page_of(shown: ExperimentFigures, folder: Path) -> str:
    return experiment_page(shown, videos=TrustedVideos({"v": str(folder / "v.mp4")}))


def test_the_front_leaves_out_what_is_beaten() -> None:
    assert figures().front("frames") == {"cheap", "good"}


def test_what_costs_and_finds_the_same_is_all_on_the_front() -> None:
    assert figures(CHEAP, replace(CHEAP, name="twin")).front("frames") == {"cheap", "twin"}


def test_a_cost_that_was_not_measured_leaves_a_variant_out() -> None:
    unknown = replace(CHEAP, name="unknown", costs={"frames": 10.0})
    assert figures(unknown, GOOD).front("decoding") == {"good"}


def test_the_best_of_several_equals_is_the_cheapest() -> None:
    assert figures(replace(CHEAP, name="dear", costs={"frames": 9000.0}), CHEAP).best is CHEAP


def test_differences_are_from_the_best_and_corrected() -> None:
    first, second = compare_with_best(figures())
    assert (first.variant, second.variant) == (CHEAP, BEATEN)
    assert first.difference.difference == pytest.approx(CHEAP.quality - GOOD.quality)
    assert first.p_value >= first.difference.p_value


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        ((BEATEN, GOOD, CHEAP), ("cheap", "good")),
        ((replace(CHEAP, costs={"frames": 1.0}), replace(GOOD, costs={"frames": 1.0})), ("cheap", "good")),
        ((replace(GOOD, costs={"frames": 1.0}), replace(CHEAP, costs={"frames": 1.0})), ("cheap", "good")),
        ((BEATEN, CHEAP), ("beaten", "cheap")),
    ],
)
def test_the_cheapest_worth_its_cost_is_set_beside_the_best(
    variants: tuple[VariantFigures, ...], expected: tuple[str, str]
) -> None:
    pair = contrast(figures(*variants))
    assert pair is not None
    assert tuple(each.name for each in pair) == expected


def test_one_variant_has_no_contrast(tmp_path: Path) -> None:
    assert contrast(figures(GOOD)) is None
    assert "Compared with the best" not in read(page_of(figures(GOOD), tmp_path)).text


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", frames=20)
    page = page_of(figures(), tmp_path)
    reader = read(page)
    assert not {"script", "link", "iframe"} & set(reader.tags)
    sources = [value for name, value in reader.attributes if name in ("src", "href")]
    assert sources
    assert all(value and value.startswith("data:image/jpeg;base64,") for value in sources)
    ids = [value for name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_page_says_what_was_found(tmp_path: Path) -> None:
    text = read(page_of(figures(), tmp_path)).text
    for said in (
        "Which is best",
        "4 questions",
        "labels moments.jsonl",
        "Compared with the best, \u201cgood\u201d",
        "From \u201ccheap\u201d to \u201cgood\u201d",
        "3 questions rise, 1 fall, 0 stay",
        "3,600 frames instead of 6,300",
        "data abc123",
        "momentseek 1",
        "250 frames decoded",
        "sampling.fps",
    ):
        assert said in text, said


def test_wins_come_before_losses_and_name_the_question(tmp_path: Path) -> None:
    text = read(page_of(figures(), tmp_path)).text
    wins, losses = text.split("Where it loses most")
    assert "average precision 20.0 \u2192 90.0 (+70.0)" in wins
    assert "a red car 3" in losses
    assert "average precision 100.0 \u2192 30.0 (-70.0)" in losses


def test_a_video_that_is_gone_leaves_a_note(tmp_path: Path) -> None:
    assert "no picture" in read(page_of(figures(), tmp_path)).text


def test_nothing_found_is_said(tmp_path: Path) -> None:
    text = read(page_of(figures(variant("none", 10, 0.0), variant("some", 20, 1.0)), tmp_path)).text
    assert "nothing found" in text


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    evil = replace(CHEAP, name=EVIL, changes={"encoder.prompts": (EVIL,)}, evaluation=evaluation(0.1, text=EVIL))
    shown = figures(evil, variant("b", 20, 1.0, evaluation=evaluation(0.9, text=EVIL)), title=EVIL)
    page = page_of(shown, tmp_path)
    assert "<script" not in page
    assert "\x1b" not in page
    read(page)


def test_costs_that_are_alike_are_said_and_not_drawn(tmp_path: Path) -> None:
    text = read(page_of(figures(), tmp_path)).text
    assert "Rows of the index: 70 for all." in text


def test_points_lie_by_cost_and_quality() -> None:
    points = [Point(1, "a", 100, 40, (35, 45), True), Point(2, "b", 1000, 80, (75, 85), True)]
    drawn = scatter(CAPTION, points, x_label="x", y_label="y")
    places = [(float(x), float(y)) for x, y in re.findall(r'<circle[^>]* cx="([\d.]+)" cy="([\d.]+)"', drawn)]
    assert places[0][0] < places[1][0]
    assert places[0][1] > places[1][1]
    [front] = re.findall(r'<polyline[^>]*points="([^"]+)"', drawn)
    steps = [tuple(map(float, step.split(","))) for step in front.split()]
    assert steps[0] == pytest.approx(places[0], abs=0.1)
    assert steps[1] == pytest.approx((places[1][0], places[0][1]), abs=0.1)
    assert steps[2] == pytest.approx(places[1], abs=0.1)


@pytest.mark.parametrize("quality", [0.0, 100.0])
def test_points_of_one_quality_can_be_drawn(quality: float) -> None:
    points = [Point(number, "a", number, quality, (quality, quality), True) for number in (1, 2)]
    drawn = scatter(CAPTION, points, x_label="x", y_label="y")
    [height] = set(re.findall(r'<circle[^>]* cy="([\d.]+)"', drawn))
    assert (float(height) < 20) == (quality == 100)


def test_points_of_one_cost_can_be_drawn() -> None:
    assert "nan" not in scatter(CAPTION, [Point(1, "a", 5, 0, (0, 0), True)], x_label="x", y_label="y")


@pytest.mark.parametrize(("interval", "colour"), [((1, 3), "gain"), ((-3, -1), "loss"), ((-1, 3), "even")])
def test_a_difference_is_coloured_by_its_interval(interval: tuple[float, float], colour: str) -> None:
    assert f'class="{colour}"' in difference_mark(sum(interval) / 2, interval, 5.0)


def test_questions_that_stay_have_no_column() -> None:
    drawn = question_columns(CAPTION, [("a", 0.5), ("b", 0.0), ("c", -1.0)])
    assert re.findall(r'<rect class="(\w+)"', drawn) == ["gain", "loss"]
