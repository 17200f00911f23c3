"""`momentseek config` and `doctor`."""

from __future__ import annotations

import json

import pytest
import yaml


def test_config_show_can_be_used_again(momentseek, tmp_path):
    shown = momentseek("config", "show", "--set", "sampling.fps=2").out
    (tmp_path / "again.yaml").write_text(shown)
    assert momentseek("config", "show", "-c", tmp_path / "again.yaml").out == shown
    assert yaml.safe_load(shown)["sampling"]["fps"] == 2


def test_config_schema_is_json(momentseek):
    assert "properties" in json.loads(momentseek("config", "schema").out)


def test_config_check_says_what_is_wrong(momentseek, tmp_path):
    (tmp_path / "bad.yaml").write_text("encoder: {modle: x}\n")
    result = momentseek("config", "check", "-c", tmp_path / "bad.yaml")
    assert (result.code, "did you mean 'model'" in result.err) == (2, True)
    assert momentseek("config", "check").code == 0


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("encoder.model=ViT-B32", "encoder.model: unknown model 'ViT-B32'; did you mean 'ViT-B-32'?"),
        ("encoder.pretrained=laion2b", "encoder.pretrained: ViT-B-32 has no weights named 'laion2b'; did you mean"),
    ],
)
def test_config_check_refuses_a_model_that_nobody_knows(momentseek, setting, said):
    result = momentseek("config", "check", "--set", setting)
    assert (result.code, result.out, said in result.err) == (2, "", True)


def test_config_check_takes_a_model_of_ones_own_and_looks_at_no_file(momentseek):
    own = ("encoder.model=mine", "encoder.architecture=/none.json", "encoder.checkpoint=/none.safetensors")
    assert momentseek("config", "check", *(word for setting in own for word in ("--set", setting))).code == 0


def test_doctor_finds_all_well_with_a_model(momentseek, config, tmp_path):
    result = momentseek("doctor", "-c", config, "--json")
    states = {str(finding["what"]): finding["state"] for finding in result.objects()}
    assert "broken" not in states.values()
    assert {"python", "packages", "processor", "model", "library", "ray", "disk", "decoder pyav"} <= set(states)
    assert result.code == 0
    assert not (tmp_path / "library").exists()


def test_doctor_names_the_way_out_where_weights_are_missing(momentseek, config):
    result = momentseek("doctor", "-c", config, "--set", "encoder.checkpoint=/none.safetensors")
    assert result.code == 1
    assert "broken  model" in result.out
    assert "Ways out" in result.out
