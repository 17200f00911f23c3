from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.word_world import video
from shots_library import filled

from pipeline.analyze.labels.label_set import as_label_set
from pipeline.errors import QueryError
from pipeline.evaluate.intervals import IntervalSet, LabelledIntervals, PredictedInterval, evaluate_intervals
from pipeline.library import Library
from pipeline.library.analysis.interval_evaluation import label_cases, predicted_cases
from pipeline.library.analysis.labelling import label_videos

LABELS = as_label_set({"labels": {"red": "red", "blue": "blue", "green": {"prompts": "green", "mode": "score_only"}}})
# park shows red, green and blue for two seconds each; gate shows blue, nothing, and red with green.
TRUTH = (
    LabelledIntervals("park.mp4", "red", ((0.0, 2.0),)),
    LabelledIntervals("gate.mp4", "red", ((4.0, 6.0),)),
    LabelledIntervals("gate.mp4", "blue", ((0.0, 2.0),)),
    LabelledIntervals("park.mp4", "green", ((2.0, 4.0),)),
)


def labelled_set(*entries: LabelledIntervals) -> IntervalSet:
    return IntervalSet("JSON Lines", entries)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with filled(tmp_path) as library:
        list(label_videos(library, LABELS, name="colours"))
        yield library


def test_labels_that_are_right_score_all(library: Library) -> None:
    gathered = label_cases(library, labelled_set(*TRUTH))
    assert (gathered.predicted_by, gathered.missing_videos, gathered.missing_labels) == ("colours", (), ())
    found = evaluate_intervals(gathered.cases)
    shares = ("frame-AP", "frame-F1", "event-precision", "event-recall", "event-F1")
    assert [found.macro[name] for name in shares] == [100] * 5
    assert found.macro["false-alarms-per-hour"] == found.macro["delay-seconds"] == 0
    # Of green only frames are scored.
    assert found.macro_labels["frame-AP"] == 3
    assert found.macro_labels["event-recall"] == 2
    assert found.hours == pytest.approx(12 / 3600)
    # The videos hold blue in park, of which the set says nothing.
    assert {(case.video, case.label) for case in gathered.cases} == {(one.video, one.label) for one in TRUTH}


def test_false_alarms_and_missed_events_are_counted(library: Library) -> None:
    wrong = labelled_set(
        LabelledIntervals("park.mp4", "red", ((3.0, 5.0),)), LabelledIntervals("gate.mp4", "red", ((3.2, 6.0),))
    )
    found = evaluate_intervals(label_cases(library, wrong).cases)
    assert [(one.video, one.start_seconds) for one in found.false_alarms] == [("park.mp4", 0.0)]
    assert [(one.video, one.start_seconds) for one in found.missed] == [("park.mp4", 3.0)]
    assert found.macro["event-precision"] == found.macro["event-recall"] == 50
    # One false alarm in twelve seconds; the first red frame is at 4 s.
    assert found.macro["false-alarms-per-hour"] == 300
    assert found.macro["delay-seconds"] == 0.8


def test_labels_and_videos_that_are_not_there(library: Library) -> None:
    red, other = TRUTH[0], LabelledIntervals("yard.mp4", "red", ())
    gathered = label_cases(library, labelled_set(red, LabelledIntervals("park.mp4", "truck", ())))
    assert gathered.missing_labels == ("truck",)
    with pytest.raises(QueryError, match=r"share no label: the one has red, blue, green; the other has truck"):
        label_cases(library, labelled_set(LabelledIntervals("park.mp4", "truck", ())))
    with pytest.raises(QueryError, match=r"not in the library: 1 video of the labelled set, first: .*yard"):
        label_cases(library, labelled_set(red, other))
    assert label_cases(library, labelled_set(red, other), skip_missing=True).missing_videos == ("yard.mp4",)
    with pytest.raises(QueryError, match="yard"):
        label_cases(library, labelled_set(other), skip_missing=True)


def test_one_video_by_two_names_is_refused(library: Library) -> None:
    twice = labelled_set(TRUTH[0], LabelledIntervals("park", "red", (), line=4))
    with pytest.raises(QueryError, match=r"one video 'park.mp4' on line 0 and 'park' on line 4"):
        label_cases(library, twice)


def test_labels_of_earlier_frames_are_refused(library: Library) -> None:
    library.store.write(*video("park", "red", "blue"))
    with pytest.raises(QueryError, match="no labels of its current frames; label it by: momentseek label colours"):
        label_cases(library, labelled_set(*TRUTH))


def test_given_predictions_are_scored_in_place_of_labels(library: Library) -> None:
    predictions = [
        PredictedInterval("park", "red", 0.3, 2.0, 0.9, 1.0),
        PredictedInterval("/videos/park.mp4", "red", 5.0, 6.0, 0.6, 5.5),
        PredictedInterval("elsewhere", "red", 0.0, 1.0, 0.9, 0.5),
    ]
    truth = labelled_set(*TRUTH[:2], TRUTH[3])
    gathered = predicted_cases(library, truth, predictions)
    assert gathered.missing_labels == ("green",)
    found = evaluate_intervals(gathered.cases)
    [red] = found.labels
    # Of park's two predictions one is right; gate's event is missed. The first frame within is at 0.5 s.
    assert (red.metrics["event-precision"], red.metrics["event-recall"]) == (50, 50)
    assert red.metrics["delay-seconds"] == 0.5
    # Frames at 0.5, 1 and 1.5 s are right, 5 and 5.5 s wrong; five others that show red are not labelled.
    assert red.metrics["frame-F1"] == round(100 * 6 / (6 + 2 + 5), 2)
    with pytest.raises(QueryError, match="share no label"):
        predicted_cases(library, labelled_set(TRUTH[3]), predictions)


def test_no_predictions_at_all_miss_every_event(library: Library) -> None:
    found = evaluate_intervals(predicted_cases(library, labelled_set(*TRUTH), []).cases)
    assert found.macro["event-recall"] == 0
    assert len(found.missed) == 4
