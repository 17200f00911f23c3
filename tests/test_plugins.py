"""Samplers and encoders of other packages, named in settings."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import plugin_examples
import pytest
import yaml
from own_process import script_output
from plugin_examples import EveryNth, MeanColour
from video_factory import make_video, steady

from pipeline import Library, RunConfig, load_run_config
from pipeline.cli import main
from pipeline.errors import ConfigError, EncoderError, FingerprintMismatchError
from pipeline.plugins import section
from pipeline.run_config import check_stages, json_schema, to_yaml, with_plugins
from pipeline.sampling import PluginSampler
from pipeline.types import Status

SAMPLERS = ("FixedRate", "Keyframe", "SceneChange", "Novelty", "Composite")
SAMPLER = "sampling.strategy=plugin_examples:EveryNth"
ENCODER = "encoder.class=plugin_examples:MeanColour"
OWN = [SAMPLER, "sampling.every=4", ENCODER, "encoder.side=6"]


@pytest.fixture
def film(tmp_path: Path) -> str:
    return str(make_video(tmp_path / "film.mp4", steady(20)).path)


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution that registers both classes by name."""
    info = tmp_path / "site" / "plugin_example-2.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-example\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(
        "[momentseek.samplers]\nnth = plugin_examples:EveryNth\n\n"
        "[momentseek.encoders]\ncolour = plugin_examples:MeanColour\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "site")


def problem_of(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_run_config(None, overrides)
    return str(caught.value)


def test_a_library_is_indexed_searched_and_opened_again(tmp_path, film):
    folder = tmp_path / "library"
    with Library.open(str(folder), overrides=[*OWN, "execution.executor=in_process"]) as library:
        [report] = library.index([film])
        assert report.status is Status.DONE, report.problem
        assert report.frames_sampled == 5
        assert library.search("red", min_score=0.0)
        fingerprints = library.config.sampling_fingerprint, library.store.read(report.video_id)
    saved = yaml.safe_load((folder / "library.yaml").read_text())["configuration"]
    assert saved["sampling"] == {"strategy": "plugin_examples:EveryNth", "every": 4}
    assert saved["encoder"] == {"class": "plugin_examples:MeanColour", "side": 6, "batch_size": 4}
    with Library.open(str(folder), overrides=["execution.executor=in_process"]) as library:
        assert library.config.sampling_fingerprint == fingerprints[0]
        np.testing.assert_array_equal(library.store.read(report.video_id).vectors, fingerprints[1].vectors)
        assert library.search("red", min_score=0.0)
        assert [again.status for again in library.index([film])] == [Status.SKIPPED]


@pytest.mark.ray
def test_rays_workers_import_the_package(tmp_path, film):
    script = f"""
        from pipeline import Library
        with Library.open("library", overrides={OWN!r}) as library:
            for report in library.index([{film!r}]):
                print(report.status, report.problem, report.frames_sampled)
    """
    out, err = script_output(script, tmp_path / "batch")
    assert out.split() == ["done", "None", "5"], err


def test_a_worker_without_the_package_says_so(tmp_path):
    """The pickled stages of a batch, in a process that does not find the module."""
    config = load_run_config(None, OWN)
    (tmp_path / "stages").write_bytes(pickle.dumps((config.sampling, config.encoder)))
    script = """
        import pickle, sys
        from pathlib import Path
        sys.path = [folder for folder in sys.path if not folder.endswith("tests")]
        for part, use in zip(pickle.loads(Path("stages").read_bytes()), ("skip", "description"), strict=True):
            try:
                getattr(part, use)
            except Exception as error:
                print(type(error).__name__, error)
    """
    out, err = script_output(script, tmp_path)
    assert out.count("ConfigError") == out.count("on every machine of the cluster") == 2, err


def test_another_encoder_setting_is_another_embedding_space(tmp_path, film):
    folder = str(tmp_path / "library")
    with Library.open(folder, overrides=[*OWN, "execution.executor=in_process"]) as library:
        list(library.index([film]))
    with pytest.raises(FingerprintMismatchError, match="plugin_examples:MeanColour"):
        Library.open(folder, overrides=["encoder.side=7"])
    Library.open(folder, overrides=["encoder.batch_size=7"]).close()


@pytest.mark.parametrize("named", ["EveryNth", "MeanColour"])
def test_another_version_is_told_from_the_one_before(tmp_path, film, monkeypatch, named):
    folder = str(tmp_path / "library")
    with Library.open(folder, overrides=[*OWN, "execution.executor=in_process"]) as library:
        list(library.index([film]))
    monkeypatch.setattr("pipeline.plugins.section._LOADED", {})
    monkeypatch.setattr(getattr(plugin_examples, named), "revision", "2")
    with pytest.raises((ConfigError, FingerprintMismatchError), match=rf"plugin_examples:{named}"):
        Library.open(folder)


def test_the_identity_is_class_version_and_settings():
    by_path = load_run_config(None, [SAMPLER]).sampling
    assert by_path.identity == {"class": "plugin_examples:EveryNth", "version": "1", "settings": {"every": 5}}
    encoder = load_run_config(None, [ENCODER]).encoder
    assert encoder.identity["settings"] == {"side": 8}
    prints = {load_run_config(None, [SAMPLER, f"sampling.every={n}"]).sampling_fingerprint for n in (1, 2, 5)}
    assert len(prints | {load_run_config(None, [SAMPLER]).sampling_fingerprint}) == 3


def test_the_version_of_a_distribution_counts_where_a_class_says_none(tmp_path, monkeypatch):
    package = tmp_path / "site"
    (package / "plugin_versioned-3.1.dist-info").mkdir(parents=True)
    (package / "plugin_versioned-3.1.dist-info" / "METADATA").write_text("Name: plugin-versioned\nVersion: 3.1\n")
    (package / "plugin_versioned-3.1.dist-info" / "top_level.txt").write_text("plugin_versioned\n")
    (package / "plugin_versioned.py").write_text(
        "from plugin_examples import NoRevision\nclass Versioned(NoRevision):\n    every: int = 3\n"
    )
    monkeypatch.syspath_prepend(package)
    monkeypatch.setattr("pipeline.plugins.checks._distributions", pipeline_distributions())
    sampling = load_run_config(None, ["sampling.strategy=plugin_versioned:Versioned"]).sampling
    assert sampling.version == "plugin-versioned 3.1"


def pipeline_distributions():
    from importlib.metadata import packages_distributions

    return packages_distributions


def test_entry_points_go_by_bare_names(registered):
    by_name = load_run_config(None, ["sampling.strategy=nth", "encoder.class=colour"])
    by_path = load_run_config(None, [SAMPLER, ENCODER])
    assert by_name.sampling_fingerprint == by_path.sampling_fingerprint
    assert by_name.encoder.fingerprint == by_path.encoder.fingerprint
    assert yaml.safe_load(to_yaml(by_name))["sampling"] == {"strategy": "nth", "every": 5}
    assert "installed: colour" in problem_of("encoder.class=color")


def test_objects_are_taken_as_they_are(tmp_path):
    config = RunConfig(library=str(tmp_path), sampling=EveryNth(every=3), encoder=MeanColour(side=9))
    with Library.open(config) as library:
        assert library.config.sampling == PluginSampler.model_validate(
            {"strategy": "plugin_examples:EveryNth", "every": 3}
        )
        assert library.config.encoder.preprocessing().image_height == 9


def test_a_class_of_a_notebook_is_refused(monkeypatch):
    monkeypatch.setattr(EveryNth, "__module__", "__main__")
    with pytest.raises(ValueError, match="move it to a module"):
        RunConfig(sampling=EveryNth())


def test_a_subclass_of_a_strategy_is_a_plugin():
    config = RunConfig(sampling=plugin_examples.Dense(fps=4.0))
    assert isinstance(config.sampling, PluginSampler)
    assert with_plugins(config).sampling.grid is not None


def test_a_composite_takes_one_as_a_part():
    parts = "[{strategy: 'plugin_examples:EveryNth', every: 2}, {strategy: fixed_rate, fps: 1}]"
    config = load_run_config(None, [f"sampling={{strategy: composite, parts: {parts}}}"])
    copy = pickle.loads(pickle.dumps(config))
    assert copy.sampling_fingerprint == config.sampling_fingerprint
    assert not config.sampling.finds_cuts


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["sampling.strategy=no_such_package:Sampler"], ["'no_such_package'", "cannot be imported", "PYTHONPATH"]),
        (["sampling.strategy=plugin_examples:EveryNht"], ["has no 'EveryNht'"]),
        (["sampling.strategy=plugin_examples:PlainClass"], ["pipeline.config.Settings"]),
        (["sampling.strategy=plugin_examples:EveryNth.every"], ["has no 'EveryNth.every'"]),
        (["sampling.strategy=plugin_examples:NoStrategy"], ["the field `strategy`"]),
        (["sampling.strategy=plugin_examples:NoBegin"], ["skip", "finds_cuts", "begin"]),
        (["sampling.strategy=plugin_examples:NoFinish"], ["feed", "finish", "held_since", "seen_until", "step"]),
        (["sampling.strategy=plugin_examples:WrongSkip"], ["`skip`", "NON_KEY"]),
        (["sampling.strategy=plugin_examples:Raising"], ["no grid today"]),
        (["sampling.strategy=plugin_examples:NoRevision"], ["`revision:"]),
        ([SAMPLER, "sampling.every=0"], ["every", "greater than or equal to 1"]),
        ([SAMPLER, "sampling.evry=2"], ["evry", "did you mean 'every'"]),
        ([SAMPLER, "sampling.every=two"], ["every", "integer"]),
        (["encoder.class=plugin_examples:NoHeight"], ["image_height", "image_width"]),
        (["encoder.class=plugin_examples:NoOpen"], ["preprocessing", "open"]),
        ([ENCODER, "encoder.model=ViT-B-32"], ["model", "unknown setting"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_lacking_is_named_before_anything_is_written(tmp_path, film, overrides, words, capsys):
    told = problem_of(*overrides)
    for word in words:
        assert word in told
    settings = [part for override in overrides for part in ("--set", override)]
    assert main(["index", film, "--library", str(tmp_path / "library"), "--in-process", *settings]) == 2
    assert words[0] in capsys.readouterr().err
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize(("name", "said"), [("NoTexts", "encode_texts"), ("LongVectors", "length 2")])
def test_a_model_that_gives_no_embeddings_is_refused_when_it_is_opened(name, said):
    encoder = load_run_config(None, [f"encoder.class=plugin_examples:{name}"]).encoder
    with pytest.raises(EncoderError, match=said):
        encoder.open()


def test_one_goes_back_to_a_strategy_of_momentseek():
    config = load_run_config(None, [*OWN, "sampling.strategy=keyframe", "encoder.class=open_clip"])
    assert config == load_run_config(None, ["sampling.strategy=keyframe"])
    assert check_stages(config) is config


def test_configurations_are_shown_and_checked(capsys):
    settings = [part for override in OWN for part in ("--set", override)]
    assert main(["config", "show", *settings]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["sampling"] == {"strategy": "plugin_examples:EveryNth", "every": 4}
    assert main(["config", "check", *settings]) == 0
    assert main(["doctor", *settings]) in (0, 1)
    assert "mean colours of 6 pixels" in capsys.readouterr().out


def test_the_schema_tells_plugins_from_strategies():
    definitions = json_schema()["$defs"]
    strategies = {d["properties"]["strategy"]["const"] for name in SAMPLERS if (d := definitions[name])}
    assert set(definitions["PluginSampler"]["properties"]["strategy"]["not"]["enum"]) == strategies
    assert definitions["PluginEncoder"]["properties"]["class"]["not"] == {"const": "open_clip"}
    assert definitions["PluginEncoder"]["required"] == ["class"]


def test_a_setting_with_an_alias_is_saved_under_it():
    sampling = load_run_config(None, ["sampling={strategy: 'plugin_examples:Aliased', from: 3}"]).sampling
    assert sampling.own_settings == {"every": 5, "from": 3}
    assert sampling.loaded().first == 3


def test_a_batch_for_a_cluster_says_which_packages_it_needs(tmp_path, film, capsys):
    mine = tmp_path / "mine.yaml"
    mine.write_text(to_yaml(load_run_config(None, [*OWN, f"library={tmp_path / 'library'}"])))
    assert main(["submit", str(mine), film, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "the package of plugin_examples:EveryNth, the package of plugin_examples:MeanColour" in shown
    assert "and none for plugin_examples:MeanColour" in shown


def test_what_is_not_loaded_is_not_used():
    config = RunConfig.model_validate({"sampling": {"strategy": "plugin_examples:EveryNth", "every": 77}})
    with pytest.raises(ConfigError, match="not loaded"):
        _ = config.sampling_fingerprint
    with pytest.raises(ConfigError, match="not loaded"):
        _ = config.sampling.skip


@pytest.mark.parametrize(
    ("encoder", "said"),
    [(plugin_examples.NoHeight(), "image_height"), (plugin_examples.NoOpen(), "preprocessing, open")],
)
def test_an_encoder_object_that_lacks_members_is_refused_before_anything_is_written(tmp_path, film, encoder, said):
    folder = tmp_path / "library"
    settings = ["execution.executor=in_process"]
    with (
        Library.open(str(folder), overrides=settings, encoder=encoder) as library,
        pytest.raises(ConfigError, match=said),
    ):
        list(library.index([film]))
    assert not folder.exists()


def composite_of(*parts: str, version: str = "1", monkeypatch: pytest.MonkeyPatch) -> str:
    """The fingerprint of a composite, with the plugin read anew at a version."""
    monkeypatch.setattr(section, "_LOADED", {})
    monkeypatch.setattr(EveryNth, "revision", version)
    config = load_run_config(None, [f"sampling={{strategy: composite, parts: [{', '.join(parts)}]}}"])
    return config.sampling_fingerprint


def test_the_version_of_a_plugin_counts_within_a_composite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a library would go on with frames that the new version does not choose."""
    own, grid = "{strategy: 'plugin_examples:EveryNth', every: 2}", "{strategy: fixed_rate, fps: 1}"
    one = composite_of(own, grid, monkeypatch=monkeypatch)
    assert composite_of(own, grid, monkeypatch=monkeypatch) == one
    assert composite_of(own, grid, version="2", monkeypatch=monkeypatch) != one
    assert composite_of(grid, own, monkeypatch=monkeypatch) != composite_of(
        grid, own, version="2", monkeypatch=monkeypatch
    )
    other = own.replace("every: 2", "every: 3")
    assert composite_of(other, grid, monkeypatch=monkeypatch) != one
    # Without a plugin, no version counts.
    plain = [grid, "{strategy: keyframe}"]
    assert composite_of(*plain, monkeypatch=monkeypatch) == composite_of(*plain, version="2", monkeypatch=monkeypatch)
