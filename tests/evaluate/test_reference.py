"""Our figures against those of QVHighlights' own evaluation.

The numbers below are what `standalone_eval/eval.py` of github.com/jayleicn/moment_detr (commit 2fa9e32e, under
scikit-learn 1.9.1 and NumPy 2.4.6) gave for the answers of `generated_answers.py`: the "brief" part of
`eval_submission`. Six other seeds agreed on all of them, too.
"""

from __future__ import annotations

import json

import pytest
from generated_answers import Generated, generated

from pipeline.evaluate import highlight_scores, moment_metrics
from pipeline.evaluate.labels import query_of_line
from pipeline.evaluate.metrics import as_columns, means

MOMENTS = {
    "MR-full-mAP": 39.1,
    "MR-full-mAP@0.5": 54.17,
    "MR-full-mAP@0.75": 38.67,
    "MR-short-mAP": 25.82,
    "MR-middle-mAP": 31.65,
    "MR-long-mAP": 38.14,
    "MR-full-R1@0.5": 59.0,
    "MR-full-R1@0.7": 39.0,
}
HIGHLIGHTS = {
    "HL-min-Fair-mAP": 28.12,
    "HL-min-Fair-Hit1": 39.2,
    "HL-min-Good-mAP": 22.25,
    "HL-min-Good-Hit1": 35.6,
    "HL-min-VeryGood-mAP": 16.09,
    "HL-min-VeryGood-Hit1": 27.6,
}


@pytest.fixture(scope="module")
def answers() -> list[Generated]:
    return generated()


def test_moments_are_scored_as_the_reference_does(answers: list[Generated]) -> None:
    truths = [query_of_line(json.dumps(answer.label)).windows for answer in answers]
    metrics = moment_metrics([answer.windows for answer in answers], truths)
    assert {name: metrics[name] for name in MOMENTS} == MOMENTS


def test_highlights_are_scored_as_the_reference_does(answers: list[Generated]) -> None:
    rows = []
    for answer in answers:
        labels = query_of_line(json.dumps(answer.label)).saliency
        assert labels is not None
        rows.append(highlight_scores(answer.saliency, labels))
    assert means(as_columns(rows)) == HIGHLIGHTS


def test_the_answers_are_awkward(answers: list[Generated]) -> None:
    """Else the agreement says little."""
    truths = [[tuple(window) for window in answer.label["relevant_windows"]] for answer in answers]
    assert sum(len({score for *_, score in a.windows}) < len(a.windows) for a in answers) > 100
    assert sum(len(set(a.windows)) < len(a.windows) for a in answers) > 50
    assert sum(len(a.windows) > 10 for a in answers) > 50
    assert sum(any(a[1] == b[0] for a in truth for b in truth) for truth in truths) > 30
    assert sum(a.windows != sorted(a.windows, key=lambda window: -window[2]) for a in answers) > 100
