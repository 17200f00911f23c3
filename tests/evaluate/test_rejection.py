from __future__ import annotations

import json

import pytest

from pipeline.evaluate import RejectionPoint, TopAnswer, rejection_curve


def absent(score: float | None) -> TopAnswer:
    return TopAnswer(score, is_absent=True, is_right=False)


def right(score: float | None) -> TopAnswer:
    return TopAnswer(score, is_absent=False, is_right=True)


def wrong(score: float | None) -> TopAnswer:
    return TopAnswer(score, is_absent=False, is_right=False)


def test_each_threshold_says_what_it_rejects_and_loses() -> None:
    curve = rejection_curve([absent(0.1), absent(0.3), right(0.2), wrong(0.3), right(0.4), wrong(None)])
    assert curve is not None
    without, *rest = curve.points
    assert without == RejectionPoint(None, 0.0, 0.25, 0.0, 2 / 5, 0.5)
    assert [point.threshold for point in rest] == [0.1, 0.2, 0.3, 0.4]
    # What scores as much as the threshold stays.
    assert rest[0] == RejectionPoint(0.1, 0.0, 0.25, 0.0, 2 / 5, 0.5)
    assert rest[2] == RejectionPoint(0.3, 0.5, 0.5, 0.5, 1 / 3, 0.25)
    assert rest[3] == RejectionPoint(0.4, 1.0, 0.75, 0.5, 1.0, 0.25)


def test_the_operating_point_loses_at_most_a_tenth() -> None:
    trues = [right(0.4 + number / 10) for number in range(10)]
    curve = rejection_curve([*trues, absent(0.1), absent(0.45), absent(0.55)])
    assert curve is not None
    # At 0.5, one true query of ten is lost, and the third absent one stays.
    assert curve.operating == RejectionPoint(0.5, 2 / 3, 0.1, 0.1, 0.9, 0.9)


def test_of_points_that_reject_as_much_the_one_that_loses_least_is_taken() -> None:
    curve = rejection_curve([*(right(0.5 + number / 100) for number in range(20)), absent(0.1)])
    assert curve is not None
    assert curve.operating is not None
    assert (curve.operating.threshold, curve.operating.true_lost) == (0.5, 0.0)


def test_a_search_that_loses_more_by_itself_has_no_operating_point() -> None:
    curve = rejection_curve([right(None), right(0.5), absent(None)])
    assert curve is not None
    assert curve.operating is None
    assert curve.points[0].absent_rejected == 1


def test_nothing_is_answered_at_all() -> None:
    curve = rejection_curve([wrong(None), absent(None)])
    assert curve is not None
    assert curve.points == (RejectionPoint(None, 1.0, 1.0, None, None, 0.0),)
    assert json.loads(json.dumps(curve.as_json()))["operating"] is None


@pytest.mark.parametrize("answers", [[], [right(0.3)], [absent(0.3)]])
def test_without_both_kinds_there_is_no_curve(answers: list[TopAnswer]) -> None:
    assert rejection_curve(answers) is None


def test_as_json_has_every_point_and_the_operating_one() -> None:
    curve = rejection_curve([right(0.4), right(0.6), absent(0.1)])
    assert curve is not None
    told = json.loads(json.dumps(curve.as_json()))
    assert told["most_lost"] == 0.1
    assert [point["threshold"] for point in told["points"]] == [None, 0.1, 0.4, 0.6]
    assert told["operating"] == told["points"][2]
    assert told["operating"] == {
        "threshold": 0.4,
        "absent_rejected": 1.0,
        "true_lost": 0.0,
        "right_lost": 0.0,
        "precision": 1.0,
        "recall": 1.0,
    }
