"""`momentseek config` and `doctor`."""

from __future__ import annotations

import json
import sys

import pytest
import yaml


def test_config_show_can_be_used_again(momentseek, tmp_path):
    shown = momentseek("config", "show", "--set", "sampling.fps=2").out
    (tmp_path / "again.yaml").write_text(shown)
    assert momentseek("config", "show", "-c", tmp_path / "again.yaml").out == shown
    assert yaml.safe_load(shown)["sampling"]["fps"] == 2


def test_a_folder_does_not_hide_the_configuration_of_its_name(momentseek, tmp_path, monkeypatch):
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "model: momentseek-demo" in momentseek("config", "show", "-c", "demo").out


def test_config_schema_is_json(momentseek):
    assert "properties" in json.loads(momentseek("config", "schema").out)


def test_config_check_says_what_is_wrong(momentseek, tmp_path):
    (tmp_path / "bad.yaml").write_text("encoder: {modle: x}\n")
    result = momentseek("config", "check", "-c", tmp_path / "bad.yaml")
    assert (result.code, "did you mean 'model'" in result.err) == (2, True)
    assert momentseek("config", "check").code == 0


def test_a_configuration_is_named_with_or_without_its_option(momentseek, tmp_path):
    (tmp_path / "mine.yaml").write_text("sampling: {fsp: 2}\n")
    result = momentseek("config", "check", tmp_path / "mine.yaml")
    assert (result.code, "sampling.fsp: unknown setting; did you mean 'fps'?" in result.err) == (2, True)
    (tmp_path / "mine.yaml").write_text("sampling: {fps: 2}\n")
    assert momentseek("config", "check", tmp_path / "mine.yaml").code == 0
    for word in ("check", "show"):
        plain, named = momentseek("config", word, "demo"), momentseek("config", word, "-c", "demo")
        assert (plain.code, plain.out) == (0, named.out)
        assert momentseek("config", word, "demo", "-c", "default").code == 2


def test_a_configuration_extends_one_that_comes_along(momentseek, tmp_path, monkeypatch):
    # A folder of that name, or a file of it elsewhere, is not what is meant.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "default").write_text("sampling: {fps: 7}\n")
    (tmp_path / "below").mkdir()
    for number, name in enumerate(("demo", "default", "large", "demo.yaml")):
        mine = tmp_path / "below" / f"{number}.yaml"
        mine.write_text(f"extends: {name}\nsampling: {{fps: 3}}\n")
        shown = yaml.safe_load(momentseek("config", "show", mine).out)
        assert shown["sampling"]["fps"] == 3
    mine.write_text("extends: demo\n")
    assert yaml.safe_load(momentseek("config", "show", mine).out)["encoder"]["checkpoint"] is not None
    mine.write_text("extends: demoo\n")
    result = momentseek("config", "check", mine)
    assert (result.code, "did you mean 'demo'? give a path, or one of:" in result.err) == (2, True)
    # One that lies beside is meant first.
    (tmp_path / "below" / "demo").write_text("sampling: {fps: 5}\n")
    mine.write_text("extends: demo\n")
    assert yaml.safe_load(momentseek("config", "show", mine).out)["sampling"]["fps"] == 5


def test_a_configuration_that_comes_along_goes_by_its_file_name_too(momentseek, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert momentseek("config", "show", "demo.yaml").out == momentseek("config", "show", "demo").out
    (tmp_path / "demo.yaml").write_text("sampling: {fps: 7}\n")
    assert yaml.safe_load(momentseek("config", "show", "demo.yaml").out)["sampling"]["fps"] == 7
    assert momentseek("config", "show", "other/demo.yaml").code == 2


def test_a_setting_of_another_section_is_said_to_belong_there(momentseek):
    result = momentseek("config", "check", "--set", "patience_second=3", "--set", "sampling.executor=ray")
    assert (
        "patience_second: unknown setting; did you mean 'patience_seconds', which belongs inside 'index'?" in result.err
    )
    assert "sampling.executor: unknown setting; it belongs inside 'execution'; allowed here: " in result.err


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            "[{strategy: keyframe}, {strategy: fixed_rate, fsp: 2}]",
            "sampling.parts.1.fsp: unknown setting; did you mean 'fps'? allowed here: ",
        ),
        (
            "[{strategy: keyfram}, {strategy: fixed_rate}]",
            "sampling.parts.0.strategy: unknown strategy 'keyfram'; did you mean 'keyframe'? allowed: fixed_rate,",
        ),
        (
            "[{strategy: keyframe}, {fps: 2}]",
            "sampling.parts.1.strategy: missing; allowed: fixed_rate, keyframe, my_package:MyClass, novelty",
        ),
        ("[{strategy: keyframe}, {strategy: fixed_rate, fps: fast}]", "sampling.parts.1.fps: "),
        (
            "[{strategy: keyframe}, {strategy: scene_change, max_gap_seconds: 2, search: {thrshold: 1}}]",
            "sampling.parts.1.",
        ),
    ],
)
def test_a_typo_in_a_part_is_named_with_what_is_allowed(momentseek, parts, said):
    result = momentseek("config", "check", "--set", f"sampling={{strategy: composite, parts: {parts}}}")
    assert result.code == 2
    assert said in result.err


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


WITHOUT_CUTS = [
    ("sampling.strategy=keyframe",),
    ("sampling.strategy=novelty",),
    ("sampling.strategy=fixed_rate",),
    ("sampling={strategy: composite, parts: [{strategy: keyframe}, {strategy: novelty}]}",),
]
WITH_CUTS = [
    ("sampling.strategy=scene_change",),
    ("sampling.cuts=adaptive",),
    ("sampling={strategy: composite, parts: [{strategy: keyframe}, {strategy: fixed_rate, cuts: adaptive}]}",),
]


def settings_of(*settings: str) -> list[str]:
    return [word for setting in (*settings, "segmentation.strategy=shots") for word in ("--set", setting)]


@pytest.mark.parametrize("sampling", WITHOUT_CUTS)
def test_shots_without_cuts_are_refused_at_once(momentseek, config, make_video, tmp_path, sampling):
    video, settings = make_video(), settings_of(*sampling)
    for command in (("config", "check"), ("index", video, "-c", config), ("submit", config, video, "--dry-run")):
        result = momentseek(*command, *settings)
        assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1), command
        assert "segmentation.strategy: 'shots' needs cuts" in result.err
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize("sampling", WITH_CUTS)
def test_shots_with_cuts_are_right(momentseek, sampling):
    assert momentseek("config", "check", *settings_of(*sampling)).code == 0


def test_a_library_of_shots_without_cuts_says_what_to_change(momentseek, config, make_video, tmp_path):
    library = tmp_path / "library"
    keyframes = ("--set", "sampling.strategy=keyframe")
    assert momentseek("index", make_video(), "-c", config, *keyframes).code == 0
    kept = yaml.safe_load((library / "library.yaml").read_text())
    kept["configuration"]["segmentation"] = {"strategy": "shots"}
    (library / "library.yaml").write_text(yaml.safe_dump(kept))
    for command in (("index", make_video("b.mp4", grey=30)), ("search", "grey"), ("index", "rebuild")):
        result = momentseek(*command, "-l", library)
        assert (result.code, "set segmentation.strategy=fixed_windows" in result.err) == (2, True), command
    changed = ("-l", library, "--set", "segmentation.strategy=fixed_windows")
    assert momentseek("index", "rebuild", *changed).code == 0
    assert momentseek("index", tmp_path / "b.mp4", "-l", library, "--in-process").code == 0


def test_doctor_finds_all_well_with_a_model(momentseek, config, tmp_path):
    result = momentseek("doctor", "-c", config, "--json")
    states = {str(finding["what"]): finding["state"] for finding in result.objects()}
    assert "broken" not in states.values()
    assert {"python", "packages", "processor", "model", "library", "ray", "disk", "decoder pyav"} <= set(states)
    assert result.code == 0
    assert not (tmp_path / "library").exists()


def test_doctor_names_the_extra_where_a_package_is_missing(momentseek, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    result = momentseek("doctor", "-c", "siglip2", "--set", "execution.executor=in_process")
    assert (result.code, "pip install 'momentseek[siglip]'" in result.out) == (1, True)


def test_doctor_names_the_way_out_where_weights_are_missing(momentseek, config):
    result = momentseek("doctor", "-c", config, "--set", "encoder.checkpoint=/none.safetensors")
    assert result.code == 1
    assert "broken  model" in result.out
    assert "Remedies" in result.out
