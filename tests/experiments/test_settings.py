from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from plans import loaded, plan

from pipeline.errors import ConfigError
from pipeline.experiments import load_experiment, select
from pipeline.io.settings import Fetching
from pipeline.segment import FixedWindows
from pipeline.sources import expand

ENCODER = {"model": "tiny", "architecture": "a.json", "checkpoint": "a.safetensors"}


@pytest.fixture(autouse=True)
def architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder whose identity can be said; it is not opened."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "a.safetensors").write_bytes(b"weights")


def written(folder: Path, variants: Mapping[str, Any] | None, **others: Any) -> Path:
    return plan(folder, folder, ENCODER, variants, **others)


def test_a_variant_is_the_base_and_its_changes(tmp_path: Path) -> None:
    _, [plain, longer] = loaded(written(tmp_path, {"plain": {}, "longer": {"segmentation": {"length_seconds": 8.0}}}))
    assert (plain.changes, longer.changes) == ({}, {"segmentation.length_seconds": 8.0})
    assert isinstance(longer.config.segmentation, FixedWindows)
    assert (longer.config.segmentation.length_seconds, longer.config.segmentation.overlap_seconds) == (8.0, 1.0)
    assert longer.config.library == str(tmp_path / "work" / "library")


def test_dotted_names_are_the_same_as_nested_ones(tmp_path: Path) -> None:
    path = written(tmp_path, {"a": {"sampling.fps": 3}, "b": {"sampling": {"fps": 4}}})
    assert [variant.changes for variant in loaded(path)[1]] == [{"sampling.fps": 3}, {"sampling.fps": 4}]


def test_a_strategy_may_come_after_its_settings(tmp_path: Path) -> None:
    path = written(tmp_path, {"a": {"sampling": {"max_gap_seconds": 60, "strategy": "scene_change"}}})
    assert loaded(path)[1][0].config.sampling.model_dump()["max_gap_seconds"] == 60


def test_a_grid_is_all_combinations(tmp_path: Path) -> None:
    grid = {"sampling.fps": [1, 2], "segmentation": [{"strategy": "fixed_windows", "length_seconds": 3.0}]}
    found = loaded(written(tmp_path, {"mean": {}, "max": {"aggregation": {"strategy": "max_pooling"}}}, grid=grid))[1]
    assert [variant.name for variant in found][2:] == [
        "max fps=1 segmentation=fixed_windows,length_seconds=3.0",
        "max fps=2 segmentation=fixed_windows,length_seconds=3.0",
    ]
    assert len({variant.fingerprint for variant in found}) == 4


def test_overrides_are_laid_over_the_base_alone(tmp_path: Path) -> None:
    path = written(tmp_path, {"plain": {}, "two": {"sampling": {"fps": 2}}})
    _, [plain, two] = load_experiment(path, "lib", ["sampling.fps=5", "execution.executor=in_process"])
    assert [each.config.sampling.model_dump()["fps"] for each in (plain, two)] == [5, 2]


def test_paths_are_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "sub").mkdir()
    path = written(tmp_path, {"a": {}}, videos=["clips/*.mp4", "s3://bucket/x.mp4"], labelled=["moments.jsonl"])
    experiment, _ = loaded(path)
    assert experiment.videos == (str(tmp_path / "clips" / "*.mp4"), "s3://bucket/x.mp4")
    assert experiment.labelled == (str(tmp_path / "moments.jsonl"),)


def test_an_experiment_that_comes_along_has_a_bare_name() -> None:
    experiment, variants = load_experiment("sampling", "lib")
    assert experiment.title == "Which sampling at which rate"
    assert len(variants) == 10
    # Its films and labels come along, too; the working directory is another one.
    assert len(list(expand(experiment.videos, Fetching()))) == 12
    assert Path(*experiment.labelled).is_file()


def test_names_of_experiments_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no experiment 'samplings'; give a path, or one of: .*sampling"):
        load_experiment("samplings", "lib")


@pytest.mark.parametrize(
    ("variants", "others", "said"),
    [
        (
            {"fast": {"sampling": {"fsp": 1}}},
            {},
            r"variant 'fast':\n.*sampling\.fsp: unknown setting; did you mean 'fps'",
        ),
        ({"fast": {"sampling": {"fps": -1}}}, {}, r"variant 'fast':\n.*sampling\.fps: .*got -1"),
        ({"a": {}, "b": {"sampling": {"fps": 1.0}}}, {}, r"the variants 'a' and 'b' are the same; leave one out"),
        ({"a": {}}, {"grid": {"search.candidates": list(range(1, 202))}}, r"201 variants; 200 are the most"),
        ({"a": {}}, {"grid": {f"x.s{n}": list(range(10)) for n in range(10)}}, r"10000000000 variants; 200 are"),
        ({}, {"grid": {"search.edge_ratio": [0.4, 0.4]}}, r"2 variants are named 'edge_ratio=0\.4'; remove"),
        ({}, {"grid": {"sampling.fps": []}}, r"grid\.sampling\.fps: .*at least 1 item"),
        ({}, {}, r"there is nothing to compare"),
        ({"a\nb": {}}, {}, r"1 to 80 printable characters, not 'a\\nb'"),
        ({"a": {}}, {"videos": []}, r"videos: .*at least 1 item"),
        ({"a": {}}, {"labelled": None}, r"labelled: Field required"),
        ({"a": {}}, {"titel": "x"}, r"titel: unknown setting; did you mean 'title'"),
        ({"a": {}}, {"base": "nowhere.yaml"}, r"no configuration file 'nowhere\.yaml'"),
        ({"a": {"library": "x"}}, {}, r"variant 'a': library: applies to all variants.*leave it out$"),
        ({"a": {"execution": {"executor": "ray"}}}, {}, r"variant 'a': execution\.executor: .*set it for all by --set"),
        (
            {"a": {"segmentation": {"strategy": "shots"}, "sampling": {"strategy": "keyframe"}}},
            {},
            r"variant 'a': segmentation\.strategy: 'shots' needs cuts",
        ),
        ({"a": {"encoder": {"precision": "bf16"}}}, {}, r"variant 'a': encoder\.precision: applies to all"),
    ],
)
def test_errors_name_what_is_wrong(tmp_path: Path, variants: dict[str, Any], others: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        loaded(written(tmp_path, variants, **others))


def test_grid_values_of_other_settings_have_other_names(tmp_path: Path) -> None:
    grid = {"sampling": [{"strategy": "novelty", "fps": 2}, {"strategy": "novelty", "least_change": 2}]}
    assert [variant.name for variant in loaded(written(tmp_path, {}, grid=grid))[1]] == [
        "sampling=novelty,fps=2",
        "sampling=novelty,least_change=2",
    ]


@pytest.mark.parametrize("said", ["library=x", "index.backend=milvus", "index.uri=x"])
def test_what_an_experiment_decides_cannot_be_overridden(tmp_path: Path, said: str) -> None:
    with pytest.raises(ConfigError, match=f"--set {said}: .*--work"):
        load_experiment(written(tmp_path, {"a": {}}), "lib", [said])


def test_variants_are_selected_in_their_order(tmp_path: Path) -> None:
    _, variants = loaded(written(tmp_path, {"a": {}, "b": {"sampling.fps": 2}, "c": {"sampling.fps": 3}}))
    assert [each.name for each in select(variants, ["c", "a"])] == ["a", "c"]
    assert select(variants, []) == variants


def test_a_variant_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    _, variants = loaded(written(tmp_path, {"1 frame/s": {}, "2 frames/s": {"sampling.fps": 2}}))
    with pytest.raises(ConfigError, match=r"no variant '2 frame/s'; nearest: '2 frames/s', '1 frame/s'"):
        select(variants, ["2 frame/s"])
