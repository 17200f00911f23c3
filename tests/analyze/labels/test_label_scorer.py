from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.analyze.labels.label_scorer import LabelScorer, LabelVector


def axis(number: int) -> np.ndarray:
    return np.eye(4, dtype=np.float32)[number]


def prompts(label: int, number: int, offset: float = -5.0) -> LabelVector:
    return LabelVector(label, "prompts", axis(number), 10.0, offset)


FRAMES = np.asarray([[1, 0, 0, 0], [0, 1, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 0, 1]], np.float32)


def test_prompts_score_as_their_calibration() -> None:
    scorer = LabelScorer(["a", "b"], [prompts(0, 0), prompts(1, 1)])
    assert scorer.names == ("a", "b")
    assert scorer.log_odds(FRAMES) == pytest.approx(np.asarray([[5, -5], [-5, 5], [1, 3], [-5, -5]]))


def test_contrast_prompts_must_be_less_like_the_frame() -> None:
    contrast = LabelVector(0, "contrast", axis(1), 10.0, -5.0)
    scorer = LabelScorer(["a"], [prompts(0, 0), contrast])
    assert scorer.log_odds(FRAMES)[:, 0] == pytest.approx([5, -10, -2, -5])


def test_an_example_alone_is_enough() -> None:
    example = LabelVector(0, "example", axis(3), 20.0, -15.0)
    assert LabelScorer(["a"], [prompts(0, 0), example]).log_odds(FRAMES)[:, 0] == pytest.approx([5, -5, 1, 5])
    assert LabelScorer(["a"], [example]).log_odds(FRAMES)[:, 0] == pytest.approx([-15, -15, -15, 5])


def test_labels_of_a_group_compete_and_none_may_win() -> None:
    scorer = LabelScorer(["a", "b"], [prompts(0, 0), prompts(1, 1)], [((0, 1), False)])
    probabilities = 1 / (1 + np.exp(-scorer.log_odds(FRAMES)))
    odds = np.exp(LabelScorer(["a", "b"], [prompts(0, 0), prompts(1, 1)]).log_odds(FRAMES))
    assert probabilities == pytest.approx(odds / (1 + odds.sum(axis=1, keepdims=True)))
    assert probabilities[3].sum() < 0.02


def test_labels_of_an_exhaustive_group_share_all() -> None:
    scorer = LabelScorer(["a", "other", "b"], [prompts(0, 0), prompts(1, 2), prompts(2, 1)], [((0, 2), True)])
    probabilities = 1 / (1 + np.exp(-scorer.log_odds(FRAMES)))
    assert probabilities[:, [0, 2]].sum(axis=1) == pytest.approx([1, 1, 1, 1])
    assert probabilities[3, 0] == pytest.approx(0.5)


def test_many_frames_score_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    frames = rng.standard_normal((10_000, 4)).astype(np.float32)
    frames /= np.linalg.norm(frames, axis=1, keepdims=True)
    scorer = LabelScorer(["a", "b"], [prompts(0, 0), prompts(1, 1)], [((0, 1), False)])
    found = scorer.log_odds(frames)
    assert found.dtype == np.float64
    for row in (0, 4095, 4096, 9999):
        assert found[row] == pytest.approx(scorer.log_odds(frames[row : row + 1])[0], abs=1e-4)
    assert scorer.log_odds(frames[:0]).shape == (0, 2)


def test_it_can_be_pickled() -> None:
    scorer = LabelScorer(["a"], [prompts(0, 0)])
    assert (pickle.loads(pickle.dumps(scorer)).log_odds(FRAMES) == scorer.log_odds(FRAMES)).all()


def everything() -> LabelScorer:
    evidence = [
        prompts(0, 0),
        LabelVector(0, "contrast", axis(1), 10.0, -4.0),
        LabelVector(1, "example", axis(3), 20.0, -15.0),
        LabelVector(1, "example", axis(2), 20.0, -15.0),
        prompts(2, 1),
    ]
    return LabelScorer(["a", "b", "c"], evidence, [((0, 2), False)])


def test_all_kinds_together_are_the_formula() -> None:
    rng = np.random.default_rng(2)

    def unit(count: int) -> np.ndarray:
        vectors = rng.standard_normal((count, 32))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    frames, vectors = unit(50), unit(12)
    kinds = ["prompts", "prompts", "prompts", "prompts", "contrast", "contrast", "example", "example", "example"]
    labels = [0, 1, 3, 4, 4, 1, 2, 2, 3]
    evidence = [
        LabelVector(label, kind, vector, 20.0, float(rng.normal()))
        for label, kind, vector in zip(labels, kinds, vectors, strict=False)
    ]
    logits = np.stack([frames.astype(float) @ one.vector * 20 + one.offset for one in evidence], axis=1)
    p0, p1, p3, p4, c4, c1, e2, f2, e3 = logits.T
    z = [p0, np.minimum(p1, p1 - c1), np.maximum(e2, f2), np.maximum(p3, e3), np.minimum(p4, p4 - c4)]
    odds = np.exp(z)
    expected = np.stack(
        [
            z[0] - np.log(1 + odds[1] + odds[4]),
            z[1] - np.log(1 + odds[0] + odds[4]),
            z[2] - np.log(odds[3]),
            z[3] - np.log(odds[2]),
            z[4] - np.log(1 + odds[0] + odds[1]),
        ],
        axis=1,
    )
    scorer = LabelScorer(list("abcde"), evidence, [((0, 4, 1), False), ((3, 2), True)])
    assert scorer.log_odds(frames) == pytest.approx(expected, abs=1e-4)


def test_certain_labels_of_a_group_stay_finite() -> None:
    sure = [LabelVector(label, "prompts", axis(label), 5000.0, -2500.0) for label in range(3)]
    for is_exhaustive in (False, True):
        found = LabelScorer(["a", "b", "c"], sure, [((0, 1, 2), is_exhaustive)]).log_odds(FRAMES)
        assert np.isfinite(found).all()
        assert found[0, 0] > 700
        assert found[0, 1] == pytest.approx(-5000)


def test_a_saved_scorer_scores_alike_to_the_bit() -> None:
    rng = np.random.default_rng(1)
    frames = rng.standard_normal((100, 4)).astype(np.float32)
    frames /= np.linalg.norm(frames, axis=1, keepdims=True)
    again = LabelScorer.from_json(json.loads(json.dumps(everything().as_json())))
    assert again.names == everything().names
    assert (again.log_odds(frames) == everything().log_odds(frames)).all()
    assert again.as_json() == everything().as_json()


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    data = everything().as_json()
    change(data)
    return data


@pytest.mark.parametrize(
    "data",
    [
        changed(lambda data: data.update(format=2)),
        changed(lambda data: data.pop("names")),
        changed(lambda data: data.update(names=3)),
        changed(lambda data: data.update(names=["a", "a", "b"])),
        changed(lambda data: data.update(names=["a", "b", 3])),
        changed(lambda data: data.update(names=["a", "b"])),
        changed(lambda data: data.update(names=["a", "b", "c", "d"])),
        changed(lambda data: data.update(evidence=[])),
        changed(lambda data: data.update(evidence=[3])),
        changed(lambda data: data["evidence"].append(data["evidence"][0])),
        changed(lambda data: data["evidence"].append(data["evidence"][1])),
        changed(lambda data: data["evidence"][0].update(label=-1)),
        changed(lambda data: data["evidence"][0].update(label=True)),
        changed(lambda data: data["evidence"][0].update(label=1.0)),
        changed(lambda data: data["evidence"][0].update(kind="text")),
        changed(lambda data: data["evidence"][0].update(kind=[])),
        changed(lambda data: data["evidence"][0].update(scale=math.inf)),
        changed(lambda data: data["evidence"][0].update(offset=10**400)),
        changed(lambda data: data["evidence"][0].update(vector="AAAA")),
        changed(lambda data: data["evidence"][0].update(vector="!")),
        changed(lambda data: data["evidence"][0].update(vector="AACAPw==")),
        changed(lambda data: data["evidence"][0].update(vector=None)),
        changed(lambda data: data["groups"][0].update(labels=[0])),
        changed(lambda data: data["groups"][0].update(labels=[0, 9])),
        changed(lambda data: data["groups"].append({"labels": [1, 2], "exhaustive": False})),
        changed(lambda data: data.update(groups={"x": 1})),
    ],
)  # fmt: skip
def test_what_is_no_scorer_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        LabelScorer.from_json(data)


def test_vectors_of_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match="the labels' vectors have 4 numbers"):
        everything().log_odds(np.ones((1, 5), np.float32))
