"""`momentseek route`: videos go where the policy says, whole or not at all, and what is unchecked is never let pass."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import Library
from pipeline.run_config import load_run_config
from pipeline.types import Status

ANYTHING, NOTHING = 1e-9, 0.999999


def write_policy(folder: Path, **fields: Any) -> Path:
    gate = {"when": "a person", "enter": ANYTHING, "where": {"camera": "gate"}, "action": "route", "to": "held"}
    rest = {"when": "a person", "enter": NOTHING, "action": "route", "to": "held"}
    policy = {"rules": {"gate": gate, "rest": rest}, "otherwise": "publish", **fields}
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(policy))
    return path


MANIFESTS = {"held": {"manifest": "held.jsonl"}, "publish": {"manifest": "publish.csv"}}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_videos_are_copied_by_rule_and_the_others_go_otherwise(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, destinations={"held": {"folder": "held"}, "publish": {"folder": "publish"}})
    into = tmp_path / "into"
    result = momentseek("route", policy, *four, "--into", into)
    assert (result.code, result.err.splitlines()[-1]) == (0, "2 to held, 2 to publish")
    assert (names(into / "held"), names(into / "publish")) == (["a.mp4", "b.mp4"], ["odd_1.mp4", "yard.mp4"])
    assert (into / "held" / "a.mp4").read_bytes() == (tmp_path / "gate" / "a.mp4").read_bytes()
    # Once more, nothing is copied again.
    again = momentseek("route", policy, *four, "--into", into, "--json").objects()
    assert [each["is_new"] for routed in again for each in routed["deliveries"]] == [False] * 4
    assert names(into / "held") == ["a.mp4", "b.mp4"]


def test_no_file_is_replaced(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, destinations={"held": {"folder": "held"}, "publish": {"folder": "publish"}})
    held = tmp_path / "into" / "held"
    held.mkdir(parents=True)
    (held / "a.mp4").write_text("mine")
    (held / "b.mp4").symlink_to(tmp_path / "nowhere")
    routed = momentseek("route", policy, *four, "--into", tmp_path / "into", "--json").objects()
    ids = {Path(each["uri"]).name: each["video_id"][:8] for each in routed}
    assert names(held) == sorted(["a.mp4", f"a-{ids['a.mp4']}.mp4", "b.mp4", f"b-{ids['b.mp4']}.mp4"])
    assert (held / "a.mp4").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_links_lead_to_the_videos(momentseek, four, tmp_path):
    folders = {"held": {"folder": "held", "place": "link"}, "publish": {"folder": "publish"}}
    policy = write_policy(tmp_path, destinations=folders)
    for _ in range(2):
        assert momentseek("route", policy, *four, "--into", tmp_path / "into").code == 0
    assert (tmp_path / "into" / "held" / "a.mp4").readlink() == tmp_path / "gate" / "a.mp4"
    assert len(names(tmp_path / "into" / "held")) == 2


def test_manifests_can_be_indexed_and_are_not_replaced(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, destinations=MANIFESTS)
    assert momentseek("route", policy, *four, "--into", tmp_path / "into").code == 0
    held = [json.loads(line) for line in (tmp_path / "into" / "held.jsonl").read_text().splitlines()]
    assert [(Path(row["uri"]).name, row["rules"], row["severity"]) for row in sorted(held, key=str)] == [
        ("a.mp4", "gate", "medium"), ("b.mp4", "gate", "medium")
    ]  # fmt: skip
    again = momentseek("route", policy, *four, "--into", tmp_path / "into")
    assert (again.code, "already exists and is not replaced" in again.err) == (2, True)
    other = ("-l", tmp_path / "other", "-c", four[1])
    assert momentseek("index", tmp_path / "into" / "publish.csv", *other).code == 0
    assert len(momentseek("videos", *other, "--json").objects()) == 2


def test_a_dry_run_writes_nothing(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, destinations=MANIFESTS)
    result = momentseek("route", policy, *four, "--into", tmp_path / "into", "--dry-run")
    assert (result.code, result.err) == (0, "would go: 2 to held, 2 to publish\n")
    assert not (tmp_path / "into").exists()
    assert not (tmp_path / "library" / "audit").exists()


def test_a_command_gets_its_arguments_without_a_shell(momentseek, four, tmp_path):
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(repr(sys.argv[2:]) + chr(10))"
    command = [sys.executable, "-c", script, str(tmp_path / "log"), "{path}", "{rules}; rm -rf / $HOME", "{{x}}"]
    policy = write_policy(tmp_path, destinations={**MANIFESTS, "held": {"command": command}})
    assert momentseek("route", policy, *four, "--into", tmp_path / "into").code == 0
    lines = sorted((tmp_path / "log").read_text().splitlines())
    assert lines[0] == repr([str(tmp_path / "gate" / "a.mp4"), "gate; rm -rf / $HOME", "{x}"])


@pytest.mark.parametrize(
    ("script", "most_seconds", "said"),
    [
        ("raise SystemExit('no room')", 60.0, "exited with status 1: no room"),
        ("import time; time.sleep(60)", 1.0, "took"),
    ],
)
def test_a_command_that_fails_is_told(momentseek, four, tmp_path, script, most_seconds, said):
    held = {"command": [sys.executable, "-c", script], "timeout_seconds": most_seconds}
    policy = write_policy(tmp_path, destinations={**MANIFESTS, "held": held})
    result = momentseek("route", policy, "a.mp4", *four, "--into", tmp_path / "into")
    assert (result.code, said in result.err) == (1, True), result.err


def test_what_was_not_checked_whole_is_never_published(momentseek, four, tmp_path):
    with Library.open(load_run_config(four[1])) as library:
        (damaged,) = library.select("yard.mp4").records
        partial = replace(damaged, status=Status.PARTIAL, problem="half of it is lost", covered_seconds=1.5)
        library.store.write(partial, library.frames("yard.mp4"))
    unchecked = {"manifest": "unchecked.txt"}
    policy = write_policy(tmp_path, destinations={**MANIFESTS, "unchecked": unchecked}, unchecked="unchecked")
    result = momentseek("route", policy, *four, "--into", tmp_path / "one")
    assert result.code == 0
    assert "yard.mp4: checked in part: 1.5 of 3.0 s could be decoded: half of it is lost" in result.err
    assert (tmp_path / "one" / "unchecked.txt").read_text() == f"{tmp_path / 'yard.mp4'}\n"
    assert "yard.mp4" not in (tmp_path / "one" / "publish.csv").read_text()
    # Without such a place it goes nowhere, and the command fails.
    result = momentseek("route", write_policy(tmp_path, destinations=MANIFESTS), *four, "--into", tmp_path / "two")
    assert (result.code, "no destination: " in result.out) == (1, True)
    assert "yard.mp4" not in (tmp_path / "two" / "publish.csv").read_text()


def test_a_file_that_holds_another_video_by_now_is_not_published(momentseek, four, tmp_path):
    (tmp_path / "yard.mp4").write_bytes((tmp_path / "gate" / "a.mp4").read_bytes())
    policy = write_policy(tmp_path, destinations={"held": {"folder": "held"}, "publish": {"folder": "publish"}})
    result = momentseek("route", policy, *four, "--into", tmp_path / "into")
    assert (result.code, "is no longer the video that was indexed" in result.err) == (1, True)
    assert names(tmp_path / "into" / "publish") == ["odd_1.mp4"]


def test_wrong_destinations_are_refused_before_anything_is_done(momentseek, four, tmp_path):
    (tmp_path / "file").write_text("x")
    for held, said in (
        ({"folder": str(tmp_path / "file")}, "is not a folder"),
        ({"command": ["/no/such/program"]}, "program '/no/such/program' was not found"),
        ({"manifest": "publish.csv"}, "two of them write the manifest"),
    ):
        policy = write_policy(tmp_path, destinations={**MANIFESTS, "held": held})
        result = momentseek("route", policy, *four, "--into", tmp_path / "into")
        assert (result.code, said in result.err) == (2, True), result.err
    (tmp_path / "policy.yaml").write_text("rules: {a: a person}\n")
    assert "has the action route" in momentseek("route", tmp_path / "policy.yaml", *four).err
    assert not (tmp_path / "into").exists()
