from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.errors import ConfigError
from pipeline.run_config import RunConfig, json_schema, load_run_config, to_yaml

HEAVY = ("av", "cv2", "decord", "open_clip", "pymilvus", "milvus_lite", "ray", "scenedetect", "torch", "torchvision")


def test_defaults_need_no_file() -> None:
    assert load_run_config() == RunConfig()


def test_the_default_file_says_nothing_but_the_defaults() -> None:
    assert load_run_config("default") == RunConfig()


def test_the_large_file_differs_in_the_model_alone() -> None:
    large = load_run_config("large")
    assert large.encoder.model == "ViT-L-14"
    assert large.model_copy(update={"encoder": RunConfig().encoder}) == RunConfig()


def test_the_demo_file_is_valid() -> None:
    demo = load_run_config("demo")
    assert demo.encoder.model == "momentseek-demo"
    assert demo.segmentation.strategy == "shots"


def test_overrides_are_laid_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("search: {top: 3}\nsegmentation: {length_seconds: 8.0}\n")
    config = load_run_config(file, ["search.top=7", "index.backend=memory", "segmentation.strategy=shots"])
    assert config.search.top == 7
    assert config.index.backend == "memory"
    assert config.segmentation.strategy == "shots"


def test_an_unknown_setting_names_its_path_and_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("index: {colection: a}\n")
    with pytest.raises(ConfigError, match=r"(?s)run\.yaml:.*index\.colection: .* did you mean 'collection'"):
        load_run_config(file)


def test_an_unknown_override_names_its_path() -> None:
    with pytest.raises(ConfigError, match=r"search\.tops: unknown setting; did you mean 'top'"):
        load_run_config(overrides=["search.tops=3"])


def test_a_value_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"search\.top: .*got 0"):
        load_run_config(overrides=["search.top=0"])


LIBRARY_PARTS = {"library_private", "library_remember_questions"}


def test_to_yaml_is_read_back_the_same(tmp_path: Path) -> None:
    config = load_run_config("demo", ["library=s3://bucket/straße", "search.min_score=0.2"])
    (tmp_path / "run.yaml").write_text(to_yaml(config), encoding="utf-8")
    assert load_run_config(tmp_path / "run.yaml") == config
    assert list(yaml.safe_load(to_yaml(config))) == [
        name for name in RunConfig.model_fields if name not in LIBRARY_PARTS
    ]


@pytest.mark.parametrize("private", [True, False])
def test_to_yaml_says_whether_the_library_is_private(tmp_path: Path, private: bool) -> None:
    (tmp_path / "one.yaml").write_text(f"library: {{path: films, private: {str(private).lower()}}}\n")
    config = load_run_config(tmp_path / "one.yaml")
    assert yaml.safe_load(to_yaml(config))["library"] == {"path": config.library, "private": private}
    (tmp_path / "other.yaml").write_text(to_yaml(config), encoding="utf-8")
    assert load_run_config(tmp_path / "other.yaml") == config


def test_json_schema_describes_every_part() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(RunConfig.model_fields) - LIBRARY_PARTS
    assert "links of each node" in str(schema)
    _, parts = schema["properties"]["library"]["anyOf"]
    assert "only the owner" in parts["properties"]["private"]["description"]


@pytest.mark.parametrize("override", ["sampling.fps=3.0", "sampling.strategy=keyframe", "decoding.backend=opencv"])
def test_sampling_fingerprint_follows_the_sampling(override: str) -> None:
    assert load_run_config(overrides=[override]).sampling_fingerprint != RunConfig().sampling_fingerprint


@pytest.mark.parametrize(
    "override",
    ["search.top=3", "index.m=8", "execution.retries=1", "library=x", "encoder.model=ViT-L-14", "decoding.threads=4"],
)
def test_other_settings_change_no_fingerprint(override: str) -> None:
    changed = load_run_config(overrides=[override])
    assert changed.sampling_fingerprint == RunConfig().sampling_fingerprint
    assert changed.segmentation_fingerprint == RunConfig().segmentation_fingerprint


@pytest.mark.parametrize(
    "override",
    [
        "sampling.fps=3.0",
        "segmentation.length_seconds=9.0",
        "segmentation.strategy=shots",
        "aggregation.strategy=medoid",
    ],
)
def test_segmentation_fingerprint_follows_all_that_makes_the_rows(override: str) -> None:
    assert load_run_config(overrides=[override]).segmentation_fingerprint != RunConfig().segmentation_fingerprint


@pytest.mark.parametrize("statement", ["import pipeline", "from pipeline import RunConfig, Library; RunConfig()"])
def test_nothing_heavy_is_loaded(statement: str) -> None:
    program = f"import sys\n{statement}\nprint(*sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_package_loads_its_names_when_they_are_used() -> None:
    import pipeline

    assert pipeline.RunConfig is RunConfig
    assert all(getattr(pipeline, name) is not None for name in pipeline.__all__)
    assert set(pipeline.__all__) <= set(dir(pipeline))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = pipeline.nonsense


def test_a_misspelt_part_of_a_composite_is_the_only_fault(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("sampling: {strategy: composite, parts: [{strategy: keyframe}, {strategy: fixed_rat, fps: 1}]}")
    with pytest.raises(ConfigError) as raised:
        load_run_config(str(file))
    [_, fault] = str(raised.value).splitlines()
    assert fault.startswith("  sampling.parts.1.strategy: unknown strategy 'fixed_rat'; did you mean 'fixed_rate'?")
    file.write_text("sampling: {strategy: composite, parts: [{strategy: keyframe}]}")
    with pytest.raises(ConfigError, match=r"sampling\.parts: Tuple should have at least 2 items"):
        load_run_config(str(file))
