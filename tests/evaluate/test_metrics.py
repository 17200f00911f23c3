from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluate import average_precision, moment_metrics, moment_scores, window_ious
from pipeline.evaluate.metrics import Prediction, Window
from pipeline.testing.examples import examples


def test_window_ious() -> None:
    ious = window_ious([(0, 4), (10, 12)], [(2, 6), (0, 4), (4, 5)])
    assert ious.tolist() == [[pytest.approx(2 / 6), 1, 0], [0, 0, 0]]
    assert window_ious([], [(0, 1)]).shape == (0, 1)


def test_perfect_answers_score_everything() -> None:
    windows = [(1.0, 5.0)], [(0.0, 20.0), (40.0, 60.0)], [(30.0, 90.0)]
    metrics = moment_metrics([[(*window, 0.9) for window in of_query] for of_query in windows], windows)
    errors = [metrics.pop(f"MR-full-{edge}-error-seconds") for edge in ("start", "end")]
    assert (set(metrics.values()), errors) == ({100.0}, [0.0, 0.0])
    assert sorted(metrics) == [
        "MR-full-R1@0.3",
        "MR-full-R1@0.5",
        "MR-full-R1@0.7",
        "MR-full-R5@0.3",
        "MR-full-R5@0.5",
        "MR-full-R5@0.7",
        "MR-full-mAP",
        "MR-full-mAP@0.5",
        "MR-full-mAP@0.75",
        "MR-full-mIoU",
        "MR-full-overlap",
        "MR-long-mAP",
        "MR-middle-mAP",
        "MR-short-mAP",
    ]


def test_no_answer_scores_nothing() -> None:
    metrics = moment_metrics([[], [(50, 60, 0.9)]], [[(1, 5)], [(0, 20)]])
    assert set(metrics.values()) == {0.0}


def test_recall_at_one_takes_the_nearest_true_window() -> None:
    # IoU with the second window is 6 / 10.
    metrics = moment_metrics([[(10, 16, 0.9)]], [[(0, 5), (10, 20)]])
    assert metrics["MR-full-R1@0.5"] == 100
    assert metrics["MR-full-R1@0.7"] == 0
    assert metrics["MR-full-mIoU"] == 60


def test_recall_at_five_takes_the_best_of_five() -> None:
    wrong = [(50.0 + n, 51.0 + n, 0.9 - n / 10) for n in range(4)]
    assert moment_metrics([[*wrong, (0, 4, 0.1)]], [[(0, 4)]])["MR-full-R5@0.7"] == 100
    assert moment_metrics([[*wrong, (60, 61, 0.2), (0, 4, 0.1)]], [[(0, 4)]])["MR-full-R5@0.7"] == 0


def test_a_threshold_is_reached_by_equality() -> None:
    assert moment_metrics([[(0, 5, 0.9)]], [[(0, 10)]])["MR-full-R1@0.5"] == 100
    assert average_precision([(0, 5, 0.9)], [(0, 10)], 0.5) == 1


def test_a_true_window_is_taken_once() -> None:
    assert average_precision([(0, 10, 0.9), (0, 10, 0.8)], [(0, 10), (20, 30)], 0.5) == 0.5


def test_a_taken_window_leaves_the_next_nearest() -> None:
    answers = [(0.0, 10.0, 0.9), (0.0, 10.0, 0.8)]
    assert average_precision(answers, [(0, 10), (1, 11)], 0.5) == 1


def test_average_precision_is_interpolated() -> None:
    # Right at ranks 2 and 3: precision 1/2 and 2/3, of which the later one counts for both.
    answers = [(50.0, 60.0, 0.9), (0.0, 10.0, 0.8), (20.0, 30.0, 0.7)]
    assert average_precision(answers, [(0, 10), (20, 30)], 0.5) == pytest.approx(2 / 3)


def test_answers_are_taken_in_order_of_score() -> None:
    answers = [(50.0, 60.0, 0.1), (0.0, 10.0, 0.8)]
    assert average_precision(answers, [(0, 10)], 0.5) == 1


def test_at_most_ten_answers_count() -> None:
    wrong = [(50.0 + n, 51.0 + n, 0.9) for n in range(10)]
    assert average_precision([*wrong, (0, 10, 0.1)], [(0, 10)], 0.5) == 0


def test_map_is_the_mean_over_ten_thresholds() -> None:
    # IoU 0.72 reaches 0.5, 0.55, 0.6, 0.65 and 0.7.
    metrics = moment_metrics([[(0, 72, 0.9)]], [[(0, 100)]])
    assert metrics["MR-full-mAP"] == 50
    assert metrics["MR-full-mAP@0.5"] == 100
    assert metrics["MR-full-mAP@0.75"] == 0


def test_lengths_count_their_own_windows_alone() -> None:
    metrics = moment_metrics([[(0, 10, 0.9)], [(0, 30, 0.9)]], [[(0, 10), (20, 51)], [(5, 6)]])
    assert metrics["MR-short-mAP"] == 50
    assert metrics["MR-long-mAP"] == 0
    assert "MR-middle-mAP" not in metrics


def test_edge_errors_are_those_of_the_first_moment_where_it_overlaps_a_true_window() -> None:
    # Off by 1 and 2 s from the window that is nearest by IoU; the second touches its window only; the third finds
    # nothing.
    answers: list[list[Prediction]] = [[(11, 22, 0.9), (0, 4, 0.8)], [(4, 8, 0.9)], []]
    metrics = moment_metrics(answers, [[(0, 12), (10, 20)], [(0, 4)], [(0, 4)]])
    assert metrics["MR-full-start-error-seconds"] == 1
    assert metrics["MR-full-end-error-seconds"] == 2
    assert metrics["MR-full-overlap"] == 33.33


def test_edge_errors_are_absent_where_nothing_overlaps() -> None:
    metrics = moment_metrics([[(4, 8, 0.9)]], [[(0, 4)]])
    assert metrics["MR-full-overlap"] == 0
    assert "MR-full-start-error-seconds" not in metrics


def test_queries_without_a_true_window_do_not_count() -> None:
    metrics = moment_metrics([[(0, 4, 0.9)], [(0, 4, 0.9)], []], [[(0, 4)], [], []])
    assert metrics["MR-full-R1@0.7"] == metrics["MR-full-mAP"] == 100
    scores = moment_scores([[(0, 4, 0.9)], []], [[(0, 4)], []])
    assert scores["MR-full-mAP"][0] == 1
    assert all(np.isnan(column[1]) for column in scores.values())


@pytest.mark.parametrize(("predictions", "truths"), [([], []), ([[]], [[]]), ([[]], [[(0, 1)], [(0, 1)]])])
def test_nothing_to_score_is_refused(predictions: list[list[Prediction]], truths: list[list[Window]]) -> None:
    with pytest.raises(ValueError, match="nothing to score"):
        moment_metrics(predictions, truths)


windows = st.tuples(st.integers(0, 40), st.integers(1, 20)).map(lambda pair: (float(pair[0]), float(sum(pair))))


@given(st.lists(windows, max_size=12), st.lists(windows, min_size=1, max_size=5), st.sampled_from([0.5, 0.75]))
@settings(max_examples=examples(200), deadline=None)
def test_average_precision_agrees_with_its_definition(
    found: list[Window], truth: list[Window], threshold: float
) -> None:
    answers = [(start, end, 1 - rank / 100) for rank, (start, end) in enumerate(found)]
    free, points, right = list(range(len(truth))), [], 0
    for rank, (start, end, _) in enumerate(answers[:10], start=1):
        near = sorted(free, key=lambda number: (-window_ious([(start, end)], [truth[number]])[0, 0], -number))
        if near and window_ious([(start, end)], [truth[near[0]]])[0, 0] >= threshold:
            free.remove(near[0])
            right += 1
        points.append((right / len(truth), right / rank))
    recalls = sorted({recall for recall, _ in points if recall > 0})
    area = sum(max(p for r, p in points if r >= recall) for recall in recalls) / len(truth)
    assert average_precision(answers, truth, threshold) == pytest.approx(area)


def test_metrics_have_two_decimals() -> None:
    metrics = moment_metrics([[(0, 10, 0.9)], [], []], [[(0, 10)]] * 3)
    assert metrics["MR-full-R1@0.5"] == 33.33
    assert np.isclose(metrics["MR-full-mAP"], 33.33)
