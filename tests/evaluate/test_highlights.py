from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from contracts.word_world import DictStore, WordModel, shown, video

from pipeline.evaluate import ClipSaliency, FrameSaliency, highlight_scores

LABELS = ClipSaliency(5, (1, 2), ((4.0, 2.0), (2.0, 0.0)))
"""Five clips; the first annotator finds the second very good and the third fair, the second only the second fair."""


def test_a_perfect_ranking_scores_one() -> None:
    scores = highlight_scores([0, 9, 8, 1, 1], LABELS)
    assert scores == {
        "HL-min-Fair-mAP": 1,
        "HL-min-Fair-Hit1": 1,
        "HL-min-Good-mAP": 0.5,
        "HL-min-Good-Hit1": 1,
        "HL-min-VeryGood-mAP": 0.5,
        "HL-min-VeryGood-Hit1": 1,
    }


def test_precision_is_taken_at_each_recall_that_is_reached() -> None:
    # Fair to the first annotator at ranks 2 and 4, to the second at rank 4.
    scores = highlight_scores([5, 2, 4, 3, 1], LABELS)
    assert scores["HL-min-Fair-mAP"] == pytest.approx(((1 / 2 + 1 / 2) / 2 + 1 / 4) / 2)
    assert scores["HL-min-Fair-Hit1"] == 0


def test_clips_of_one_prediction_are_one_step() -> None:
    # Nothing is told apart: both are reached at once, with a precision of 2 in 5 and 1 in 5.
    assert highlight_scores([1, 1, 1, 1, 1], LABELS)["HL-min-Fair-mAP"] == pytest.approx((2 / 5 + 1 / 5) / 2)


def test_predictions_beyond_the_labels_do_not_count_and_missing_ones_are_zero() -> None:
    assert highlight_scores([0, 3, 2, 1, 1, 9], LABELS)["HL-min-Fair-mAP"] == 1
    assert highlight_scores([0, 3, 2, 1, 1, 9], LABELS)["HL-min-Fair-Hit1"] == 0
    assert highlight_scores([0, 3], LABELS)["HL-min-Good-mAP"] == 0.5
    assert highlight_scores([], LABELS)["HL-min-Fair-Hit1"] == 0


def test_a_clip_without_a_frame_has_the_saliency_of_the_nearest() -> None:
    store = DictStore()
    record, frames = video("park", "red")
    times = np.array([0.5, 9.0, 13.0, 13.5])
    vectors = np.stack([shown("red"), shown("green"), shown("blue"), shown("blue")])
    store.write(record, replace(frames, times_seconds=times, vectors=vectors))
    found = FrameSaliency(WordModel().open(), store)("red", "park", 7)
    best, other = found[0], found[6]
    assert found == pytest.approx([best, best, other, other, other, other, other])
    assert best > other


def test_a_clip_is_as_salient_as_its_best_frame() -> None:
    store = DictStore()
    record, frames = video("park", "red", "green", "blue")
    store.write(record, frames)
    clips = int(record.duration_seconds / 2) + 1
    found = FrameSaliency(WordModel().open(), store)("green", record.video_id, clips)
    by_second = frames.vectors @ WordModel().open().encode_texts(["green"])[0]
    for clip in range(clips):
        within = [score for time, score in zip(frames.times_seconds, by_second, strict=True) if time // 2 == clip]
        assert found[clip] == pytest.approx(max(within) if within else by_second[-1])
    assert np.argmax(found) == int(frames.times_seconds[by_second.argmax()] // 2)
