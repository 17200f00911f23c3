"""Metrics at their thresholds: figures that can be worked out by hand, and the rules' own constants."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.evaluate import ClipSaliency, TopAnswer, highlight_scores, moment_metrics, moment_scores, rejection_curve
from pipeline.evaluate.bootstrap import Resampling, drawn_means, grouped, intervals, resampling_of
from pipeline.evaluate.metrics import MATCHING_RULE, as_columns, average_precision, means, scale_of, window_ious
from pipeline.evaluate.rejection import MOST_LOST, RejectionPoint


def test_the_rules_are_named_and_their_name_changes_with_them() -> None:
    assert MATCHING_RULE == "qvhighlights/1"
    assert MOST_LOST == 0.1


@pytest.mark.parametrize(("one", "other", "iou"), [
    ((0, 4), (4, 8), 0.0),
    ((0, 4), (3, 7), 1 / 7),
    ((0, 4), (1, 2), 1 / 4),
    ((2, 2), (0, 4), 0.0),
    ((2, 2), (2, 2), 0.0),
    ((5, 9), (0, 4), 0.0),
])  # fmt: skip
def test_the_iou_of_two_windows(one: tuple[float, float], other: tuple[float, float], iou: float) -> None:
    assert window_ious([one], [other])[0, 0] == pytest.approx(iou)
    assert window_ious([other], [one])[0, 0] == pytest.approx(iou)


def of_iou(iou: float) -> dict[str, float]:
    """Metrics of one answer that has an IoU with the one true window, of a hundred seconds."""
    return moment_metrics([[(0.0, 100 * iou, 0.9)]], [[(0.0, 100.0)]])


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("depth", [1, 5])
def test_recall_counts_what_reaches_its_threshold(threshold: float, depth: int) -> None:
    name = f"MR-full-R{depth}@{threshold}"
    assert (of_iou(threshold)[name], of_iou(threshold - 0.001)[name]) == (100, 0)


@pytest.mark.parametrize(
    ("iou", "share"), [(0.5, 10), (0.499, 0), (0.55, 20), (0.749, 50), (0.75, 60), (0.95, 100), (0.949, 90)]
)
def test_map_takes_ten_thresholds_from_a_half_on(iou: float, share: float) -> None:
    assert of_iou(iou)["MR-full-mAP"] == share
    assert of_iou(iou)["MR-full-mAP@0.5"] == (100 if iou >= 0.5 else 0)
    assert of_iou(iou)["MR-full-mAP@0.75"] == (100 if iou >= 0.75 else 0)


@pytest.mark.parametrize(
    ("length", "name"), [(10.0, "short"), (10.01, "middle"), (30.0, "middle"), (30.01, "long"), (5000, "long")]
)
def test_lengths_end_with_their_limit(length: float, name: str) -> None:
    metrics = moment_metrics([[(0, length, 0.9)]], [[(0, length)]])
    assert [each for each in ("short", "middle", "long") if f"MR-{each}-mAP" in metrics] == [name]


def test_a_true_window_without_length_has_no_kind() -> None:
    scores = moment_scores([[(0, 1, 0.9)]], [[(0, 1), (5, 5)]])
    assert scores["MR-short-mAP"].tolist() == [1.0]


def test_recall_takes_the_first_answers_as_they_are_listed_and_precision_by_score() -> None:
    answers = [(50.0, 60.0, 0.1), (0.0, 10.0, 0.9)]
    metrics = moment_metrics([answers], [[(0, 10)]])
    assert (metrics["MR-full-R1@0.5"], metrics["MR-full-R5@0.5"], metrics["MR-full-mIoU"]) == (0, 100, 0)
    assert metrics["MR-full-mAP@0.5"] == 100


def test_the_tenth_answer_counts_and_the_eleventh_does_not_even_by_score() -> None:
    wrong = [(50.0 + n, 51.0 + n, 0.5) for n in range(9)]
    assert average_precision([*wrong, (0, 10, 0.1)], [(0, 10)], 0.5) == pytest.approx(0.1)
    assert average_precision([*wrong, (70, 71, 0.4), (0, 10, 0.9)], [(0, 10)], 0.5) == 0


def test_of_equally_near_windows_the_last_is_taken() -> None:
    """The first answer lies as near to both; the second finds the first window, and would not find the last."""
    truth = [(0.0, 10.0), (0.0, 10.0), (10.0, 30.0)]
    assert average_precision([(0, 10, 0.9), (0, 10, 0.8)], truth, 0.5) == pytest.approx(2 / 3)
    assert average_precision([(5, 15, 0.9), (0, 10, 0.8)], [(0, 10), (10, 20)], 1 / 3) == pytest.approx(1.0)


def test_a_wrong_answer_takes_no_window() -> None:
    assert average_precision([(0, 4, 0.9), (0, 10, 0.8)], [(0, 10)], 0.5) == 0.5


def test_errors_are_absolute_and_against_the_nearest_window() -> None:
    metrics = moment_metrics([[(4, 9, 0.9)]], [[(5, 10), (50, 60)]])
    assert (metrics["MR-full-start-error-seconds"], metrics["MR-full-end-error-seconds"]) == (1, 1)
    metrics = moment_metrics([[(6, 12, 0.9)]], [[(50, 60), (5, 10)]])
    assert (metrics["MR-full-start-error-seconds"], metrics["MR-full-end-error-seconds"]) == (1, 2)
    assert metrics["MR-full-overlap"] == 100


def test_overlap_is_that_of_the_first_answer_alone() -> None:
    metrics = moment_metrics([[(50, 60, 0.9), (0, 4, 0.8)]], [[(0, 4)]])
    assert metrics["MR-full-overlap"] == 0
    assert "MR-full-end-error-seconds" not in metrics


def test_columns_leave_out_what_a_query_does_not_have() -> None:
    columns = as_columns([{"x": 1.0}, {"x": 0.0, "y-seconds": 3.0}, {}])
    assert columns["x"].tolist()[:2] == [1, 0]
    assert math.isnan(columns["x"][2])
    assert means(columns) == {"x": 50.0, "y-seconds": 3.0}
    assert means({"x": np.asarray([np.nan])}) == {}
    assert means({"x": np.asarray([0.123456]), "y-seconds": np.asarray([0.123456])}) == {"x": 12.35, "y-seconds": 0.12}
    assert (scale_of("x-seconds"), scale_of("seconds-x")) == (1.0, 100.0)


def test_a_hit_and_a_precision_by_what_is_good_enough() -> None:
    """Saliencies of 2, 3 and 4 are reached exactly."""
    labels = ClipSaliency(4, (0, 1, 2), ((2.0,), (3.0,), (4.0,)))
    for clip, good in enumerate(["Fair", "Good", "VeryGood"]):
        predicted = [0.0] * 4
        predicted[clip] = 1.0
        scores = highlight_scores(predicted, labels)
        hits = [name for name in ("Fair", "Good", "VeryGood") if scores[f"HL-min-{name}-Hit1"]]
        assert hits == ["Fair", "Good", "VeryGood"][: clip + 1]
        assert good in hits


def test_where_all_clips_are_good_or_none_is_the_order_does_not_matter() -> None:
    assert highlight_scores([1, 2], ClipSaliency(2, (0, 1), ((2.0,), (2.0,))))["HL-min-Fair-mAP"] == 1
    assert highlight_scores([1, 2], ClipSaliency(2, (0, 1), ((1.0,), (1.0,))))["HL-min-Fair-mAP"] == 0
    assert highlight_scores([], ClipSaliency(2, (0,), ((4.0,),)))["HL-min-Fair-mAP"] == 0.5


def test_of_equal_predictions_the_first_clip_is_the_hit() -> None:
    labels = ClipSaliency(3, (1,), ((4.0,),))
    assert highlight_scores([1, 5, 5], labels)["HL-min-Good-Hit1"] == 1
    assert highlight_scores([5, 5, 1], labels)["HL-min-Good-Hit1"] == 0
    assert highlight_scores([5, 5, 1], labels)["HL-min-Good-mAP"] == 0.5


def test_precision_at_a_recall_is_the_greatest_at_any_higher_one() -> None:
    # Good are the clips at ranks 2, 3 and 5: 1/2, 2/3 and 3/5; the first takes the 2/3 that comes later.
    labels = ClipSaliency(5, (1, 2, 4), ((2.0,), (2.0,), (2.0,)))
    expected = (2 / 3 + 2 / 3 + 3 / 5) / 3
    assert highlight_scores([5, 4, 3, 2, 1], labels)["HL-min-Fair-mAP"] == pytest.approx(expected)


def answer(score: float | None, kind: str) -> TopAnswer:
    return TopAnswer(score, is_absent=kind == "absent", is_right=kind == "right")


def test_a_threshold_keeps_what_scores_as_much() -> None:
    curve = rejection_curve([answer(0.2, "absent"), answer(0.2, "right"), answer(0.6, "wrong"), answer(0.6, "absent")])
    assert curve is not None
    assert curve.points == (
        RejectionPoint(None, 0.0, 0.0, 0.0, 1 / 4, 0.5),
        RejectionPoint(0.2, 0.0, 0.0, 0.0, 1 / 4, 0.5),
        RejectionPoint(0.6, 0.5, 0.5, 1.0, 0.0, 0.0),
    )
    assert curve.as_json()["most_lost"] == 0.1
    assert curve.as_json()["points"][2]["threshold"] == 0.6


@pytest.mark.parametrize(("trues", "threshold"), [(10, 0.5), (9, None)])
def test_a_tenth_may_be_lost_and_no_more(trues: int, threshold: float | None) -> None:
    """One true query scores less than the absent one: one of ten is a tenth, and one of nine is more."""
    scores = [0.1, *[0.5] * (trues - 1)]
    curve = rejection_curve([*(answer(score, "right") for score in scores), answer(0.3, "absent")])
    assert curve is not None
    assert curve.operating is not None
    assert curve.operating.threshold == (threshold if threshold else None)
    assert curve.operating.absent_rejected == (1.0 if threshold else 0.0)


def test_an_absent_query_that_is_called_right_is_not() -> None:
    curve = rejection_curve([TopAnswer(0.9, is_absent=True, is_right=True), answer(0.5, "wrong")])
    assert curve is not None
    assert [point.recall for point in curve.points] == [0, 0, 0]


def test_ten_videos_are_drawn_and_nine_are_not() -> None:
    names = [f"v{number % 9}" for number in range(18)]
    assert resampling_of(names) == Resampling("queries", tuple(range(18)))
    assert resampling_of([*names, "v9"]) == Resampling("videos", (*range(9), *range(9), 9))


def test_how_queries_are_drawn_is_told() -> None:
    told = Resampling("videos", (0, 0, 1)).as_json()
    assert told == {"unit": "videos", "units": 2, "draws": 2000, "seed": 20210720, "level": 0.95}


def test_units_have_the_sum_and_the_number_of_their_scores() -> None:
    scores = np.asarray([[1.0, np.nan], [2.0, 4.0], [np.nan, np.nan]])
    sums, counts = grouped(scores, Resampling("videos", (0, 0, 1)))
    assert (sums.tolist(), counts.tolist()) == ([[3, 4], [0, 0]], [[2, 1], [0, 0]])


def test_a_draw_is_a_mean_over_queries_and_not_over_units() -> None:
    """Three queries of one video score 1, and one of another 0: a draw of both has 3/4."""
    drawn = drawn_means(np.asarray([[1.0], [1.0], [1.0], [0.0]]), Resampling("videos", (0, 0, 0, 1), draws=500))
    assert drawn.shape == (500, 1)
    shares = [float((drawn == value).mean()) for value in (0.0, 0.75, 1.0)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.06)


def test_a_draw_with_one_score_has_a_mean_and_one_with_none_has_not() -> None:
    drawn = drawn_means(np.asarray([[1.0], [np.nan]]), Resampling("queries", (0, 1), draws=500))
    assert np.isnan(drawn).mean() == pytest.approx(0.25, abs=0.06)


def test_an_interval_holds_its_share_of_the_draws_with_as_much_on_both_sides() -> None:
    scores = np.random.default_rng(5).uniform(size=300)
    how = Resampling("queries", tuple(range(300)), draws=1000)
    drawn = 100 * drawn_means(scores[:, None], how)[:, 0]
    low, high = intervals({"x": scores}, how)["x"]
    assert (drawn < low).mean() == pytest.approx(0.025, abs=0.005)
    assert (drawn > high).mean() == pytest.approx(0.025, abs=0.005)
    low, high = intervals({"x": scores}, Resampling("queries", tuple(range(300)), draws=1000, level=0.5))["x"]
    assert (drawn < low).mean() == pytest.approx(0.25, abs=0.005)
    assert (drawn > high).mean() == pytest.approx(0.25, abs=0.005)
    assert (round(low, 2), round(high, 2)) == (low, high)


@pytest.mark.parametrize(("answers", "queries"), [(0, 1), (1, 0), (2, 1), (1, 2)])
def test_each_query_has_one_answer(answers: int, queries: int) -> None:
    predictions, truths = [[(0.0, 1.0, 0.5)]] * answers, [[(0.0, 1.0)]] * queries
    with pytest.raises(ValueError, match="zip"):
        moment_scores(predictions, truths)
    with pytest.raises(ValueError, match=f"{answers} answers to {queries} queries"):
        moment_metrics(predictions, truths)
