from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline.analyze.labels.label_set import LabelSet, as_label_set, read_label_set
from pipeline.config_files import bundled_names
from pipeline.encode.vocabulary import vocabulary_from
from pipeline.errors import ConfigError

PROJECT = Path(__file__).parents[3]
DEMO_ARCHITECTURE = PROJECT / "sample_videos" / "demo_model" / "open_clip_config.json"


def read(folder: Path, text: str) -> LabelSet:
    path = folder / "labels.yaml"
    path.write_text(text, encoding="utf-8")
    return read_label_set(path)


def test_a_label_may_be_a_text_a_list_or_its_name_alone(tmp_path: Path) -> None:
    found = read(tmp_path, "labels: {forklift: a forklift, fire: [a fire, flames], hard-hat: }")
    assert [(label.name, label.prompts) for label in found.labels] == [
        ("forklift", ("a forklift",)),
        ("fire", ("a fire", "flames")),
        ("hard-hat", ("hard hat",)),
    ]


def test_a_label_says_all_that_there_is(tmp_path: Path) -> None:
    (tmp_path / "box.png").write_bytes(b"picture")
    [label] = read(
        tmp_path,
        """
        labels:
          damaged-box:
            prompts: [a damaged box, a crushed box]
            templates: ["{}", "a photo of {}"]
            contrast: an intact box
            examples: [{image: box.png}, {like: dock.mp4, at: 12}, {like: dock.mp4, start: 3, end: 5}]
            mode: score_only
            enter: 0.7
            exit: 0.4
            min_seconds: 2
            merge_gap_seconds: 1.5
            aggregate: share
        """,
    ).labels
    assert label.texts == ("a damaged box", "a photo of a damaged box", "a crushed box", "a photo of a crushed box")
    assert label.contrast_texts == ("an intact box", "a photo of an intact box")
    assert label.examples[0].image == str(tmp_path / "box.png")
    assert (label.mode, label.enter, label.exit, label.aggregate) == ("score_only", 0.7, 0.4, "share")
    assert (label.min_seconds, label.merge_gap_seconds) == (2, 1.5)


def test_defaults_are_laid_under_each_label(tmp_path: Path) -> None:
    found = read(tmp_path, "defaults: {enter: 0.8, mode: score_only}\nlabels: {a: x, b: {prompts: y, enter: 0.3}}")
    assert [(label.enter, label.mode) for label in found.labels] == [(0.8, "score_only"), (0.3, "score_only")]


def test_an_interval_ends_at_half_the_score_unless_said_otherwise(tmp_path: Path) -> None:
    text = "defaults: {enter: 0.8}\nlabels: {a: x, b: {prompts: y, enter: 0.3}, c: {prompts: z, exit: 0.7}}"
    assert [label.exit for label in read(tmp_path, text).labels] == [0.4, 0.15, 0.7]


def test_a_prompt_may_name_a_concept(tmp_path: Path) -> None:
    [label] = read(tmp_path, "labels: {vest: {prompts: ['concept:hi-vis', a vest], templates: 'a photo of {}'}}").labels
    assert (label.concepts, label.texts) == (("concept:hi-vis",), ("a photo of a vest",))
    with pytest.raises(ConfigError, match="`contrast` and no `prompts`"):
        read(tmp_path, "labels: {vest: {prompts: 'concept:hi-vis', contrast: a shirt}}")


def test_on_and_off_need_no_quotes(tmp_path: Path) -> None:
    found = read(tmp_path, "labels: {a: {prompts: x, mode: off}, b: {prompts: y, mode: on}}")
    assert [label.mode for label in found.labels] == ["off", "on"]
    assert [label.name for label in found.active] == ["b"]


@pytest.mark.parametrize("groups", ["light: day | night", "light: [day, night]", "light: {labels: [day, night]}"])
def test_a_group_may_be_written_in_three_ways(tmp_path: Path, groups: str) -> None:
    found = read(tmp_path, f"labels: {{box: , day: , night: }}\ngroups:\n  {groups}\n")
    assert found.groups["light"].labels == ("day", "night")
    assert found.active_groups == (((1, 2), False),)


def test_a_label_that_is_off_leaves_its_group(tmp_path: Path) -> None:
    text = "labels: {day: , dusk: {prompts: dusk, mode: off}, night: }\ngroups: {light: {labels: [day, dusk%s]%s}}"
    assert read(tmp_path, text % (", night", ", exhaustive: true")).active_groups == (((0, 1), True),)
    assert read(tmp_path, text % ("", "")).active_groups == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("labels: {hat: {promts: a hat}}", r"labels\.hat\.promts: unknown setting; did you mean 'prompts'"),
        ("labels: {hat: a hat}\ngroop: {}", r"groop: unknown setting; did you mean 'groups'"),
        ("labels: {hat: a hat}\ndefaults: {entre: 0.2}", r"defaults\.entre: unknown setting; did you mean 'enter'"),
        ("labels: {hat: a hat, hat: a helmet}", r"the key 'hat' is given twice"),
        ("labels: {hat: a hat, Hat: a helmet}", r"the label 'hat' is given twice"),
        ("labels: {}", r"1 to 1000 labels, this one has 0"),
        ("labels: {hat: {mode: off}}", r"neither `prompts` nor `examples`"),
        ("labels: {hat: {prompts: a hat, mode: off}}", r"all labels are off"),
        ("labels: [hat]", r"labels: expected `name: prompts`"),
        ("labels: {hat: 3}", r"labels\.hat: "),
        ("title: hats", r"labels: .*[Rr]equired"),
        ("labels: {hat: ''}", r"labels\.hat\.prompts\.0: it is empty"),
        ("labels: {hat: [a hat, '  ']}", r"labels\.hat\.prompts\.1: it is empty"),
        ("labels: {hat: {prompts: a hat, contrast: ['']}}", r"labels\.hat\.contrast\.0: it is empty"),
        ("labels: {hat: {prompts: a hat, templates: a photo}}", r"labels\.hat\.templates\.0: a template has `\{\}`"),
        ("labels: {hat: {prompts: a hat, templates: []}}", r"labels\.hat\.templates: "),
        ("labels: {hat: {contrast: a cap}}", r"neither `prompts` nor `examples`"),
        ("labels: {hat: {examples: [{like: a.mp4, at: 1}], contrast: a cap}}", r"`contrast` and no `prompts`"),
        ("labels: {hat: {examples: [{text: a hat}]}}", r"write it under `prompts`"),
        ("labels: {hat: {examples: [{image: none.png}]}}", r"labels\.hat\.examples\.0: the example .*none\.png"),
        ("labels: {hat: {prompts: a hat, enter: 0.3, exit: 0.5}}", r"exit 0.5, above enter 0.3"),
        ("labels: {hat: {prompts: a hat, enter: 1.5}}", r"labels\.hat\.enter: "),
        ("labels: {hat: {prompts: a hat, mode: maybe}}", r"labels\.hat\.mode: "),
        ("labels: {hat: {prompts: a hat, name: cap}}", r"the name of a label is its key"),
        ("labels: {no: a no}", r"labels: False is not a text; put the name in quotes"),
        ("labels: {hat: a hat, cap: a cap}\ngroups: {head: hat | cpa}", r"names 'cpa', .*did you mean 'cap'"),
        ("labels: {hat: a hat, cap: a cap}\ngroups: {head: hat}", r"fewer than two labels"),
        ("labels: {a: , b: , c: }\ngroups: {x: a | b, y: b | c}", r"'b' is in a group twice, or in two"),
        ("labels: {a: , b: }\ngroups: {x: a | b | a}", r"'a' is in a group twice"),
    ],
)  # fmt: skip
def test_a_fault_names_its_place_and_what_to_do(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read(tmp_path, text)


def test_a_file_that_is_not_there_names_those_that_come_with_momentseek(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'vehicles'"):
        read_label_set(tmp_path / "vehicels.yaml")


def test_a_file_may_extend_one_that_comes_with_momentseek(tmp_path: Path) -> None:
    found = read(tmp_path, "extends: vehicles\nlabels: {library: {prompts: a library, enter: 0.9}}")
    assert [label.name for label in found.labels[:-1]] == [label.name for label in read_label_set("vehicles").labels]
    assert found.labels[-1].name == "library"


def test_the_fingerprint_is_of_what_changes_results() -> None:
    def of(*, title: str = "", hat: object = "a hat", off: object = "a cap", groups: object = None) -> str:
        labels = {"hat": hat, "off": {"prompts": off, "mode": "off"}}
        return as_label_set({"title": title, "labels": labels, "groups": groups or {}}).fingerprint

    assert of() == of(title="hats") == of(off="caps") == of(hat={"prompts": ["a hat"], "enter": 0.5})
    others = [
        of(hat="a helmet"),
        of(hat={"prompts": "a hat", "contrast": "a cap"}),
        of(hat={"prompts": "a hat", "enter": 0.6}),
    ]
    assert len({of(), *others}) == 4


def test_an_example_counts_by_its_content(tmp_path: Path) -> None:
    def of(folder: str, content: bytes) -> str:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "hat.png").write_bytes(content)
        return as_label_set(
            {"labels": {"hat": {"examples": {"image": "hat.png"}}}}, folder=tmp_path / folder
        ).fingerprint

    assert of("a", b"one") == of("b", b"one") != of("c", b"two")


def test_the_files_of_the_page_can_be_read(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "how-to" / "labels.md").read_text(encoding="utf-8")
    for name in ("badge.png", "visitors.mp4"):
        (tmp_path / name).write_bytes(b"example")
    yard, extended = [read(tmp_path, block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert [label.name for label in yard.labels][-2:] == ["day", "night"]
    assert len(yard.labels[3].examples) == 3
    by_name = {label.name: label for label in extended.active}
    assert by_name.keys() >= {"bus", "truck", "tow-truck"}
    assert (by_name["truck"].enter, by_name["truck"].prompts[0]) == (0.7, "a truck")


BUNDLED = bundled_names("labels")


def test_label_files_come_with_momentseek() -> None:
    assert BUNDLED == ["packaging", "people-and-protective-equipment", "sample-world", "vehicles", "weather-and-light"]


@pytest.mark.parametrize("name", BUNDLED)
def test_they_fit_the_context_of_clip(name: str) -> None:
    labels = read_label_set(name).labels
    # A token has one character at least, and the context 77 tokens, two of which mark the ends.
    assert all(len(text) <= 75 for label in labels for text in (*label.texts, *label.contrast_texts))


@pytest.mark.parametrize("name", BUNDLED)
def test_what_is_on_is_in_words_of_the_demo_model_and_the_rest_is_not(name: str) -> None:
    declared = json.loads(DEMO_ARCHITECTURE.read_text(encoding="utf-8"))["vocabulary"]
    vocabulary = vocabulary_from(declared)
    assert vocabulary is not None
    label_set = read_label_set(name)
    for label in label_set.active:
        assert not [text for text in (*label.texts, *label.contrast_texts) if vocabulary.unknown_words(text)]
    off = [label for label in label_set.labels if label.mode == "off" and label.name != "clear-weather"]
    assert all(vocabulary.unknown_words(" ".join(label.texts)) for label in off)


@pytest.mark.parametrize("name", sorted(set(BUNDLED) - {"sample-world"}))
def test_a_label_that_is_off_can_be_turned_on_by_a_file_that_extends_it(tmp_path: Path, name: str) -> None:
    off = next(label for label in read_label_set(name).labels if label.mode == "off")
    changed = read(tmp_path, f"extends: {name}\nlabels: {{{off.name}: {{mode: on}}}}")
    assert off.name in [label.name for label in changed.active]


def test_the_sample_worlds_labels_are_those_of_its_intervals() -> None:
    lines = (PROJECT / "sample_videos" / "intervals.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["label"] for line in lines} == {
        label.name for label in read_label_set("sample-world").active
    }
