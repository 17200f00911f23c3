from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.analyze.policies.condition import Condition, condition_log_odds
from pipeline.config import validate
from pipeline.errors import ConfigError


def condition(value: Any) -> Condition:
    return validate(Condition, value, "condition")


BOTH = {"all": ["a person", {"not": {"any": ["label:hat", {"concept": "cap"}]}}]}


def test_a_condition_reads_as_it_is_written() -> None:
    made = condition(BOTH)
    assert str(made) == "a person and not (label:hat or concept:cap)"
    assert [part.name for part in made.parts] == ["a person", "label:hat", "concept:cap"]
    assert validate(Condition, made.model_dump(mode="json", exclude_defaults=True)) == made


def test_all_any_and_not_are_least_greatest_and_opposite_of_each_frame() -> None:
    odds = {"a person": [3.0, 3.0, -1.0], "label:hat": [-2.0, 5.0, -9.0], "concept:cap": [-4.0, -4.0, -9.0]}
    found = condition_log_odds(condition(BOTH), {name: np.asarray(each) for name, each in odds.items()})
    assert found.tolist() == [2.0, -5.0, -1.0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "this one has none"),
        ({"text": "a", "label": "b"}, "this one has text, label"),
        ({"all": []}, "all: "),
        ({"all": ["x", "  "]}, "all.1: text is empty"),
        ({"text": "label:"}, None),
        ({"not": "label: "}, "not: label is empty"),
        ({"all": ["x", {"lable": "y"}]}, "all.1.lable: unknown setting; did you mean 'label'?"),
        ({"not": {"tekst": "y"}}, "not.tekst: unknown setting; did you mean 'text'?"),
        ({"any": 3}, "any: "),
    ],
)
def test_bad_conditions_are_refused_with_their_place(value: Any, said: str | None) -> None:
    if said is None:
        assert condition(value).text == "label:"
        return
    with pytest.raises(ConfigError) as error:
        condition(value)
    assert said in str(error.value)
