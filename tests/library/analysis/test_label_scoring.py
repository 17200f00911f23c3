from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from contracts.word_world import WordEncoder, shown
from shots_library import filled

from pipeline.analyze.labels.label_set import as_label_set
from pipeline.errors import QueryError
from pipeline.library.analysis.label_scoring import label_scorer, unknown_words
from pipeline.search.query import Term

FRAMES = np.stack([shown("red"), shown("green"), shown("red", "green"), shown()])


def test_a_label_of_one_prompt_scores_as_the_term(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        scorer = label_scorer(library, as_label_set({"labels": {"red": None, "green-thing": "green"}}))
        terms = library.searcher().calibrated([Term(text="red"), Term(text="green")])
        assert scorer.names == ("red", "green-thing")
        expected = np.stack([term.log_odds(FRAMES) for term in terms], axis=1)
        assert scorer.log_odds(FRAMES) == pytest.approx(expected, abs=1e-4)


def test_prompts_are_averaged(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        both, red = (
            label_scorer(library, as_label_set({"labels": {"either": ["red", "green"], "red": "red"}}))
            .log_odds(FRAMES)
            .T
        )
    assert both[2] > both[0] == pytest.approx(both[1], abs=1e-4)
    assert red[0] > both[0]


def test_examples_of_the_library_score_as_pictures(tmp_path: Path) -> None:
    labels = {"like-park": {"examples": [{"like": "park", "at": 1}, {"like": "park.mp4", "start": 2, "end": 4}]}}
    with filled(tmp_path) as library:
        found = label_scorer(library, as_label_set({"labels": labels})).log_odds(FRAMES)[:, 0]
        [term] = library.searcher().calibrated([Term(like="park", at=1)])
        assert found[0] == pytest.approx(term.log_odds(FRAMES)[0], abs=1e-4)
    assert found[1] > 0 > found[3]


def test_an_example_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        for term, problem in (
            ({"like": "none.mp4", "at": 1}, "none"),
            ({"like": "park", "at": 99}, "before the given time of 99 s"),
        ):
            with pytest.raises(QueryError, match=problem):
                label_scorer(library, as_label_set({"labels": {"a": {"examples": term}}}))


def test_contrast_prompts_are_calibrated_like_prompts(tmp_path: Path) -> None:
    labels = {"red": "red", "only-red": {"prompts": "red", "contrast": "green"}}
    with filled(tmp_path) as library:
        red, only_red = label_scorer(library, as_label_set({"labels": labels})).log_odds(FRAMES).T
        [green] = library.searcher().calibrated([Term(text="green")])
    expected = red - np.maximum(green.log_odds(FRAMES), 0)
    assert only_red == pytest.approx(expected, abs=1e-3)
    assert red[2] > 1
    assert only_red[2] == pytest.approx(0, abs=1e-3)


def test_a_sigmoid_trained_model_averages_the_log_odds_of_prompts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WordEncoder, "logit_bias", -20.0)
    with filled(tmp_path) as library:
        labels = {"either": ["red", "green"], "red": "red", "green": "green"}
        either, red, green = label_scorer(library, as_label_set({"labels": labels})).log_odds(FRAMES).T
    assert red[0] == pytest.approx(40 * float(FRAMES[0] @ shown("red")) - 20, abs=1e-3)
    assert either == pytest.approx((red + green) / 2, abs=1e-3)


def test_unknown_words_are_named_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unknown(_: WordEncoder, text: str) -> tuple[str, ...]:
        return tuple(word for word in text.split() if word not in ("red", "green"))

    monkeypatch.setattr(WordEncoder, "unknown_words", unknown)
    labels = as_label_set({"labels": {"red": "red", "mauve": {"prompts": ["mauve", "a red"], "contrast": "teal"}}})
    with filled(tmp_path) as library:
        assert unknown_words(library, labels) == {"mauve": ("mauve", "a", "teal")}
        with caplog.at_level(logging.WARNING, logger="pipeline"):
            label_scorer(library, labels)
    assert "label 'mauve': the model does not know 'mauve', 'a', 'teal'" in caplog.text
