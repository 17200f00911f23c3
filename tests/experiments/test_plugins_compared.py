"""Samplers and encoders of other packages in experiments."""

from __future__ import annotations

from pathlib import Path

import pytest
from plans import loaded, plan, ran

from pipeline.errors import ConfigError

EVERY = "plugin_examples:EveryNth"
MODEL = {"class": "plugin_examples:MeanColour"}


def test_own_samplers_are_compared_with_others(small_films: Path, tmp_path: Path) -> None:
    variants = {
        "one": {"sampling": {"fps": 1.0}},
        "third": {"sampling": {"strategy": EVERY, "every": 3}},
        "ninth": {"sampling": {"strategy": EVERY, "every": 9}},
    }
    result = ran(plan(tmp_path, small_films, MODEL, variants))
    kept = {variant.name: variant.kept.frames for variant in result.variants}
    assert kept["third"] == pytest.approx(3 * kept["ninth"], rel=0.1)
    assert kept["one"] > 0


def test_own_encoders_are_compared(small_films: Path, tmp_path: Path) -> None:
    variants = {f"side {side}": {"encoder": {"side": side}} for side in (4, 8)}
    path = plan(tmp_path, small_films, MODEL, variants)
    assert len({variant.encoder_fingerprint for variant in loaded(path)[1]}) == 2
    assert [variant.name for variant in ran(path).variants] == ["side 4", "side 8"]


def test_what_is_wrong_names_the_variant(small_films: Path, tmp_path: Path) -> None:
    path = plan(tmp_path, small_films, MODEL, {"bad": {"sampling": {"strategy": EVERY, "evry": 3}}, "one": {}})
    with pytest.raises(ConfigError, match="evry"):
        loaded(path)
