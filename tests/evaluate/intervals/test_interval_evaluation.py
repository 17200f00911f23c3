from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from interval_cases import case, predicted
from sklearn.metrics import average_precision_score, f1_score

from pipeline.errors import QueryError
from pipeline.evaluate.intervals import LabelCase, evaluate_intervals, joined
from pipeline.evaluate.intervals.events import match_events
from pipeline.evaluate.intervals.frame_scores import average_precision
from pipeline.evaluate.intervals.reliability import bin_sums, reliability

NAMES = {
    "frame-AP",
    "frame-precision",
    "frame-recall",
    "frame-F1",
    "frame-left-to-people",
    "frame-ECE",
    "event-precision",
    "event-recall",
    "event-F1",
    "false-alarms-per-hour",
    "delay-seconds",
}


def metrics(*cases: LabelCase, people: tuple[float, float] = (0.2, 0.8)) -> dict[str, float]:
    [label] = evaluate_intervals(cases, people=people).labels
    return dict(label.metrics)


def test_frames_of_one_label_by_hand() -> None:
    # True at 2, 3 and 4 s. Ranked: 0.9 true, 0.8 true, 0.7 false, 0.4 true, then false ones.
    scores = [0.7, 0.1, 0.9, 0.8, 0.4, 0.0]
    found = metrics(case(scores, [(2, 5)]))
    assert found["frame-AP"] == round(100 * (1 + 1 + 3 / 4) / 3, 2)
    assert (found["frame-precision"], found["frame-recall"], found["frame-F1"]) == (66.67, 66.67, 66.67)
    # 0.7 and 0.4 lie between 0.2 and 0.8; 0.8 does not.
    assert found["frame-left-to-people"] == round(100 * 2 / 6, 2)
    # Each is alone in its bin but for 0.0 and 0.1: |0.7 - 0|, |0.9 - 1|, |0.8 - 1|, |0.4 - 1|, 0.1 and 0.0.
    assert found["frame-ECE"] == round(100 * (0.7 + 0.1 + 0.2 + 0.6 + 0.1) / 6, 2)


def test_frames_at_unknown_times_are_left_out() -> None:
    known = metrics(case([0.9, 0.1, 0.8, 0.2], [(0, 1)], unknown=[(2, 4)]))
    assert known["frame-AP"] == known["frame-F1"] == 100
    assert known["frame-left-to-people"] == 0
    # Where an event overlaps an unknown interval, the frames are unknown, and the event is still one.
    both = metrics(case([0.9, 0.1], [(0, 2)], [predicted(0, 1)], unknown=[(1, 2)]))
    assert (both["frame-recall"], both["event-recall"]) == (100, 100)


def test_frames_of_equal_score_share_a_threshold() -> None:
    scores, true = np.asarray([0.5, 0.5, 0.5, 0.1]), np.asarray([False, True, True, False])
    assert average_precision(scores, true) == pytest.approx(2 / 3)
    assert average_precision(scores, true[::-1]) == pytest.approx(2 / 3)
    assert np.isnan(average_precision(scores, np.zeros(4, np.bool_)))
    assert np.isnan(average_precision(np.zeros(0), np.zeros(0, np.bool_)))


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_and_f1_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, true = rng.integers(0, 8, 200) / 7, rng.random(200) < 0.2
    assert average_precision(scores, true) == pytest.approx(average_precision_score(true, scores))
    found = metrics(case(scores.tolist(), [(float(second), second + 1.0) for second in np.flatnonzero(true)]))
    assert found["frame-F1"] == round(100 * f1_score(true, scores >= 0.5), 2)


def test_events_of_one_label_by_hand() -> None:
    events = [(10, 20), (30, 40), (50, 51)]
    # The first is found late, the second by two predictions, one of which began before; the third is missed.
    predictions = [
        predicted(12, 15, decided=12.5),
        predicted(25, 32, decided=26),
        predicted(35, 36, decided=35),
        predicted(60, 70, 0.6),
    ]
    found = metrics(case([0.0] * 100, events, predictions, duration=1800))
    assert found["event-precision"] == 75
    assert found["event-recall"] == 66.67
    assert found["event-F1"] == round(200 * 0.75 * (2 / 3) / (0.75 + 2 / 3), 2)
    assert found["false-alarms-per-hour"] == 2
    assert found["delay-seconds"] == 1.25


def test_intervals_that_touch_share_no_time() -> None:
    matched = match_events([(1, 2)], [], [predicted(0, 1), predicted(2, 3), predicted(1.999, 5)])
    assert matched.outcomes == (False, False, True)
    assert matched.delays_seconds == (pytest.approx(0.999),)


def test_events_that_touch_are_one() -> None:
    assert joined([(2, 3), (0, 1), (1, 1.5), (1.2, 1.4)]) == ((0, 1.5), (2, 3))
    assert metrics(case([0.9, 0.9], [(0, 1), (1, 2)], [predicted(0, 0.5)]))["event-recall"] == 100


def test_an_event_between_two_sampled_frames_is_missed_and_has_no_frames() -> None:
    found = evaluate_intervals([case([0.1, 0.2, 0.1], [(1.2, 1.4)])])
    [label] = found.labels
    assert "frame-AP" not in label.metrics
    assert "frame-F1" not in label.metrics
    assert label.metrics["event-recall"] == 0
    assert label.metrics["event-F1"] == 0
    assert [(one.start_seconds, one.best_seconds, one.score) for one in found.missed] == [
        (1.2, pytest.approx(1.3), None)
    ]


def test_a_prediction_over_unknown_truth_is_neither_right_nor_wrong() -> None:
    found = evaluate_intervals([case([0.0] * 9, [], [predicted(0, 4)], unknown=[(3, 6)], duration=3603)])
    [label] = found.labels
    assert (label.counts.undecided, label.counts.false, label.counts.known_seconds) == (1, 0, 3600)
    assert label.metrics["false-alarms-per-hour"] == 0
    assert "event-precision" not in label.metrics
    # What begins where the unknown ends is a false alarm.
    assert match_events([], [(3, 6)], [predicted(6, 7)]).outcomes == (False,)


def test_a_label_without_any_event_has_false_alarms_alone() -> None:
    found = metrics(case([0.9, 0.1], [], [predicted(0, 1)], duration=360))
    assert found["false-alarms-per-hour"] == 10
    assert found["event-precision"] == 0
    assert found["frame-precision"] == 0
    assert not {"frame-AP", "frame-F1", "frame-recall", "event-recall", "event-F1", "delay-seconds"} & set(found)


def test_a_video_without_frames_is_scored_by_its_events() -> None:
    found = metrics(case([], [(0, 1)], [], duration=10))
    assert found == {"event-recall": 0.0, "event-F1": 0.0, "false-alarms-per-hour": 0.0}


def test_labels_of_which_only_frames_are_scored_have_no_events() -> None:
    found = evaluate_intervals([case([0.9, 0.1], [(0, 1)], None)])
    assert not [name for name in found.macro if name.startswith(("event", "false", "delay"))]
    assert (found.events, found.missed, found.false_alarms) == (None, (), ())


def test_predictions_without_scores_have_no_ranking() -> None:
    one = replace(case([0.9, 0.1], [(0, 1)], [predicted(0, 1)]), scores=None)
    found = evaluate_intervals([one])
    assert found.labels[0].metrics["frame-F1"] == 100
    assert not {"frame-AP", "frame-ECE", "frame-left-to-people"} & set(found.macro)
    assert found.frames is None


def test_macro_means_are_over_labels_that_have_the_metric() -> None:
    cases = [
        case([0.9, 0.1], [(0, 1)], [predicted(0, 1)]),
        case([0.1, 0.9], [(0, 1)], [predicted(1, 2)], label="truck"),
        case([0.1, 0.1], [], [], label="crane"),
    ]
    found = evaluate_intervals(cases)
    assert found.macro["frame-AP"] == 75
    assert found.macro_labels["frame-AP"] == 2
    assert found.macro_labels["false-alarms-per-hour"] == 3
    assert found.macro["event-precision"] == 50
    assert [one.label for one in found.labels] == ["truck", "forklift", "crane"]
    assert found.macro_intervals == {}, "one video says nothing of others"


def test_intervals_are_drawn_from_videos_and_hold_the_figure() -> None:
    rng = np.random.default_rng(1)
    cases = [
        case(
            np.clip(rng.normal(0.7 if second else 0.3, 0.25, 40), 0, 1).tolist(),
            [(0, 40)] if second else [],
            [predicted(0, 10)],
            video=f"v{number}{second}",
        )
        for number in range(10)
        for second in (0, 1)
    ]
    found = evaluate_intervals(cases)
    [label] = found.labels
    assert set(label.metrics) == NAMES
    assert set(label.intervals) == NAMES
    for name, (low, high) in label.intervals.items():
        assert low <= label.metrics[name] <= high, name
        assert found.macro_intervals[name] == (low, high)
    assert label.intervals["frame-AP"][0] < label.intervals["frame-AP"][1]
    assert evaluate_intervals(cases) == found


def test_many_distinct_scores_are_grouped_for_intervals_alone() -> None:
    rng = np.random.default_rng(2)
    cases = []
    for number in range(4):
        true = rng.random(1500) < 0.02
        scores = np.clip(rng.normal(0.2 + 0.4 * true, 0.1), 0, 1)
        cases.append(case(scores.tolist(), [(float(t), t + 1.0) for t in np.flatnonzero(true)], video=f"v{number}"))
    [label] = evaluate_intervals(cases).labels
    low, high = label.intervals["frame-AP"]
    assert low < label.metrics["frame-AP"] < high
    assert high - low < 20


def test_reliability_by_hand() -> None:
    found = reliability(bin_sums(np.asarray([0.0, 0.05, 0.95, 1.0, 0.1]), np.asarray([False, True, True, True, False])))
    counts = [one.count for one in found.bins]
    assert counts == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert (found.bins[0].confidence, found.bins[0].share_true) == (0.025, 0.5)
    assert (found.bins[2].confidence, found.bins[2].share_true) == (None, None)
    assert found.error == pytest.approx((0.95 + 0.1 + 0.05) / 5)
    assert reliability(bin_sums(np.zeros(0), np.zeros(0, np.bool_))).error is None


def test_worst_cases_come_first() -> None:
    cases = [
        case([0.6, 0.1, 0.3], [(1, 2), (2.5, 9)], [predicted(0, 1, 0.6)], duration=9),
        case([0.9], [], [predicted(0, 1, 0.9)], label="truck"),
    ]
    found = evaluate_intervals(cases)
    assert [(one.label, one.score) for one in found.false_alarms] == [("truck", 0.9), ("forklift", 0.6)]
    assert [(one.start_seconds, one.best_seconds, one.score) for one in found.missed] == [
        (2.5, 5.75, None),
        (1, 1, 0.1),
    ]
    assert found.events is not None
    assert found.events.error == pytest.approx(0.75)


def test_all_of_it_is_json() -> None:
    found = evaluate_intervals([case([0.9, 0.1], [(0, 1)], [predicted(1, 2)])]).as_json()
    read = json.loads(json.dumps(found, allow_nan=False))
    assert read["labels"][0]["metrics"]["frame-F1"] == 100
    assert read["false_alarms"][0]["score"] == 0.9
    assert read["rule"] == "intervals/1"


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(QueryError, match="nothing to score"):
        evaluate_intervals([])
    with pytest.raises(QueryError, match="two increasing scores"):
        evaluate_intervals([case([0.9])], people=(0.8, 0.2))
