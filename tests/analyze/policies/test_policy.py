from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.analyze.policies.policy import Policy, Severity, as_policy, read_policy
from pipeline.config import validate
from pipeline.config_files import bundled_names
from pipeline.errors import ConfigError

TEXT = """
defaults: {enter: 0.6, exit: 0.4, severity: high}
rules:
  no-hat: {when: {all: [a person, {not: a hard hat}]}, min_seconds: 2, action: route, to: held, where: {camera: gate}}
  fire: a fire
destinations: {held: {manifest: held.csv}, seen: {command: [/bin/echo, "{path}", "{{}}"]}}
otherwise: [seen]
"""


def policy(text: str) -> Policy:
    return as_policy(yaml.safe_load(text))


def test_defaults_lie_under_each_rule() -> None:
    made = policy(TEXT)
    assert (made.rules["no-hat"].enter, made.rules["fire"].least) == (0.6, 0.4)
    assert made.rules["fire"].severity is Severity.HIGH
    assert (made.rules["no-hat"].to, made.otherwise) == (("held",), ("seen",))
    assert [part.name for part in made.parts] == ["a person", "a hard hat", "a fire"]


def test_a_policy_is_the_same_once_written_and_read() -> None:
    made = policy(TEXT)
    again = validate(Policy, made.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    assert (again, again.fingerprint) == (made, made.fingerprint)


def test_the_fingerprint_changes_with_rules_and_not_with_descriptions() -> None:
    plain = policy(TEXT).fingerprint
    assert policy(TEXT + "description: why\n").fingerprint == plain
    assert policy(TEXT.replace("0.6", "0.61")).fingerprint != plain
    assert policy(TEXT.replace("a fire", "a flame")).fingerprint != plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: {}", "rules: "),
        ("rulez: {a: x}", "rulez: unknown setting; did you mean 'rules'?"),
        ("rules: [x]", "rules: "),
        ("rules: {a: {when: x, entr: 1}}", "rules.a.entr: unknown setting; did you mean 'enter'?"),
        ("rules: {a: {enter: 0.3}}", "rules.a.when: "),
        ("defaults: {entr: 1}\nrules: {a: x}", "defaults.entr: unknown setting; did you mean 'enter'?"),
        ("rules: {a: {when: x, exit: 0.9}}", "rules.a: exit 0.9 is above enter 0.5"),
        ("rules: {a: {when: {label: x}}}", "label:x is named, and the policy has no label file"),
        ("rules: {a: x, A: y}", "the rule 'a' is given twice"),
        ("rules: {a/b: x}", "'a/b' does not"),
        ("rules: {a: {when: x, time_of_day: '25:00-1:00'}}", "rules.a.time_of_day: not a time of day"),
        ("rules: {a: {when: x, action: route}}", "rules.a: the action route names no destination"),
        (
            "rules: {a: {when: x, action: route, to: held}}\ndestinations: {hold: {folder: f}}",
            "rule 'a' names the destination 'held', which is not there; did you mean 'hold'?",
        ),
        (
            "rules: {a: x}\nunchecked: away",
            "`unchecked` names the destination 'away', which is not there; there are: none",
        ),
        (
            "rules: {a: x}\nunchecked: away\ndestinations: {near: {folder: f}, far: {folder: g}}",
            "`unchecked` names the destination 'away', which is not there; there are: near, far",
        ),
        ("rules: {a: x}\ndestinations: {d: {folder: f, manifest: m.csv}}", "this one has folder, manifest"),
        ("rules: {a: x}\ndestinations: {d: {manifest: m.xls}}", "a manifest ends in .csv"),
        ("rules: {a: x}\ndestinations: {d: {manifest: m.csv, place: link}}", "`place` belongs to a folder"),
        ("rules: {a: x}\ndestinations: {d: {command: [echo, '{secret}']}}", "it may name path, video_id"),
        ("rules: {a: x}\ndestinations: {d: {command: [echo, '{path.__class__}']}}", "it may name path, video_id"),
        ("rules: {a: x}\ndestinations: {d: {command: ['{path}']}}", "the program of a `command` is named in full"),
        ("rules: {a: x}\ndestinations: {d: {command: []}}", "`command` is empty"),
    ],
)
def test_bad_policies_are_refused_with_their_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        policy(text)
    assert said in str(error.value)


def test_a_rule_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("rules:\n  a: x\n  a: y\n")
    with pytest.raises(ConfigError, match="line 3, column 3: the key 'a' is given twice"):
        read_policy(tmp_path / "p.yaml")


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'protective-equipment'"):
        read_policy("protectiv-equipment")


def test_label_files_are_found_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("labels: {hat: a hard hat}\n")
    fields: dict[str, Any] = {"labels": "own.yaml", "rules": {"a": {"when": {"label": "hat"}}}}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(fields))
    assert read_policy(tmp_path / "p.yaml").labels == str(tmp_path / "own.yaml")


@pytest.mark.parametrize("name", bundled_names("policies"))
def test_policies_that_come_with_momentseek_can_be_read(name: str) -> None:
    made = read_policy(name)
    assert (made.name, bool(made.description)) == (name, True)
