"""Fingerprints stay what they were: existing libraries are found by them.

A store's folder is named after the fingerprints of sampling and encoder, and every key in an index holds that of the
segmentation. Where one of the values below changes, no library that was made before is found again: its frames lie in
a folder that nobody opens, its rows are written anew, and all of its videos have to be embedded once more.

So a value is renewed only where the results of a stage change on purpose. Then raise that stage's revision in
`pipeline.run_config`, replace the values here by those that the failing test prints, and say in the change log that
libraries have to be indexed again. A class that was renamed or moved, or a field with another spelling, is no reason:
keep `fingerprint_name`, and the names of fields. A new field changes the values too, unless it is left out of the hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pipeline.analyze.labels.label_set import as_label_set
from pipeline.analyze.policies.policy import as_policy
from pipeline.config import Settings
from pipeline.config_files import bundled_names
from pipeline.encode import make_encoder
from pipeline.errors import StoreError
from pipeline.fingerprints import fingerprint
from pipeline.run_config import RunConfig, load_run_config
from pipeline.sampling import Composite, CutDetection, FixedRate, Keyframe, Novelty, SceneChange
from pipeline.search.settings import Searching
from pipeline.segment import FixedWindows, MaxPooling, MeanPooling, Medoid, Scales, Shots
from pipeline.store import ParquetStore
from pipeline.testing.store import made_frames, made_record
from pipeline.video import Decoding

# By the name of the configuration: sampling, segmentation, encoder.
SHIPPED = {
    "default": ("5df40e52a60d", "aba0d6437dfc", "710988c38bcf"),
    "demo": ("658e60cbd5be", "8fa65c922fe6", "f301385bd3d8"),
    "large": ("5df40e52a60d", "aba0d6437dfc", "8e7a289a0077"),
    "pe-core": ("5df40e52a60d", "aba0d6437dfc", "3682de2c810d"),
    "siglip2": ("5df40e52a60d", "aba0d6437dfc", "5b04c256dbdd"),
    "small": ("5df40e52a60d", "aba0d6437dfc", "f76c8edbcd91"),
}

# Of each class that is hashed, with its defaults.
CLASSES: dict[str, tuple[Settings, str]] = {
    "Decoding": (Decoding(), "d1fd68057cc7"),
    "FixedRate": (FixedRate(), "67059c26d7cc"),
    "Keyframe": (Keyframe(), "b5444b47cecc"),
    "SceneChange": (SceneChange(), "df4bd63ccdd2"),
    "Novelty": (Novelty(), "5670c9681ee5"),
    "Composite": (Composite(parts=(FixedRate(), Keyframe())), "7e68a03218dd"),
    "FixedWindows": (FixedWindows(), "3c85b6493b06"),
    "Shots": (Shots(), "c433e5cca44b"),
    "Scales": (Scales(), "e0b4a17ae4c6"),
    "MeanPooling": (MeanPooling(), "88f412a1ccbf"),
    "MaxPooling": (MaxPooling(), "90ddee76a0ea"),
    "Medoid": (Medoid(), "053d64bdfa3e"),
}

# No library depends on this one: it tells evaluations of different searches apart, and is renewed with a default.
SEARCHING = "e40d54e9328c"


LABELS = {
    "labels": {"hat": "a hard hat", "vest": {"prompts": ["a yellow vest"], "enter": 0.7}},
    "groups": {"worn": ["hat", "vest"]},
}
POLICY = {"rules": {"bare": {"when": {"all": ["a person", {"not": "a hard hat"}]}, "enter": 0.6}}}


def hashed_classes() -> Iterator[type[Settings]]:
    """The classes of this package that `RunConfig` may give to `fingerprint`."""
    for section in ("decoding", "sampling", "segmentation", "aggregation", "search"):
        for cls in classes_in(RunConfig.model_fields[section].annotation):
            # The class of another package counts by its own name and version.
            if not cls.__name__.startswith("Plugin"):
                yield cls


def classes_in(annotation: Any) -> Iterator[type[Settings]]:
    if isinstance(annotation, type):
        yield annotation
        return
    for inner in annotation.__args__:
        yield from classes_in(inner)


@pytest.mark.parametrize("name", bundled_names())
def test_a_shipped_configuration_keeps_its_fingerprints(name: str) -> None:
    config = load_run_config(name)
    found = config.sampling_fingerprint, config.segmentation_fingerprint, make_encoder(config.encoder).fingerprint
    assert found == SHIPPED[name]


@pytest.mark.parametrize("name", CLASSES)
def test_a_hashed_class_keeps_its_fingerprint(name: str) -> None:
    settings, expected = CLASSES[name]
    assert fingerprint(settings) == expected


def test_the_settings_of_a_search_keep_their_fingerprint() -> None:
    assert fingerprint(Searching()) == SEARCHING


def test_labels_keep_their_fingerprint() -> None:
    """By it, the label files of a library that are there already are known again."""
    assert as_label_set(LABELS).fingerprint == "c56dc44c64ea"


def test_a_policy_keeps_its_fingerprint() -> None:
    """By it, decisions in the audit log are known again; otherwise all videos are decided anew."""
    assert as_policy(POLICY).fingerprint == "0c56d124a63f"
    (name,) = list(POLICY["rules"])[:1]
    smoothed = {**POLICY, "rules": {**POLICY["rules"], name: {**POLICY["rules"][name], "smooth_seconds": 1}}}
    assert as_policy(smoothed).fingerprint != "0c56d124a63f"


def test_every_hashed_class_says_its_name_itself() -> None:
    names = {cls.__name__: vars(cls).get("fingerprint_name") for cls in hashed_classes()}
    assert names == {name: name for name in (*CLASSES, "Searching")}


def test_a_renamed_class_keeps_its_fingerprint() -> None:
    class Windows(Settings):
        fingerprint_name: ClassVar[str] = "FixedWindows"
        strategy: str = "fixed_windows"
        length_seconds: float = 4.0
        overlap_seconds: float = 2.0

    assert fingerprint(Windows()) == fingerprint(FixedWindows())


def test_a_subclass_is_not_taken_for_its_base() -> None:
    class Windows(FixedWindows):
        pass

    assert fingerprint(Windows()) != fingerprint(FixedWindows())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FixedRate(), FixedRate(fps=2.0)),
        (FixedRate(), FixedRate(tolerance_seconds=0.1)),
        (FixedRate(), FixedRate(cuts=CutDetection())),
        (FixedRate(cuts=CutDetection()), FixedRate(cuts=CutDetection(min_shot_seconds=0.7))),
        (Decoding(), Decoding(backend="opencv")),
        (Shots(), Shots(max_seconds=None)),
        (Scales(), Scales(lengths_seconds=(2.0, 8.0))),
        (MeanPooling(), Medoid()),
    ],
)
def test_what_is_set_and_what_is_left_at_its_default_both_count(one: Settings, other: Settings) -> None:
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(other, one) != fingerprint(one, other)


def test_a_default_counts_by_its_value_however_it_came() -> None:
    said = load_run_config(overrides=["sampling.fps=1.0", "decoding.threads=1", "segmentation.length_seconds=4.0"])
    assert said.segmentation_fingerprint == RunConfig().segmentation_fingerprint


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"sampling_fingerprint": "s2"}, "sampling_fingerprint s2 instead of s1"),
        ({"encoder_fingerprint": "e2"}, "encoder_fingerprint e2 instead of e1"),
        ({}, "video_id v1 instead of v9"),
    ],
)
@pytest.mark.parametrize("read", ["read", "record", "outline"])
def test_a_file_of_another_store_is_refused_and_named(
    tmp_path: Path, read: str, other: dict[str, str], said: str
) -> None:
    ours = ParquetStore(str(tmp_path), "s1", "e1")
    theirs = replace(ours, **other)
    for store in (ours, theirs):
        store.write(made_record(), made_frames())
    name = "v1.parquet" if other else "v9.parquet"
    source = tmp_path / "frames" / f"{theirs.sampling_fingerprint}-{theirs.encoder_fingerprint}" / "v1.parquet"
    source.rename(tmp_path / "frames" / "s1-e1" / name)
    with pytest.raises(StoreError, match=rf"belongs to another video or store \({said}\); move it back"):
        getattr(ours, read)(name.removesuffix(".parquet"))
