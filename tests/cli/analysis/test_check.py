"""`momentseek check`: flagged intervals, exit codes, the audit log, its replay, and what is erased of it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import Library
from pipeline.analyze.concepts.concept import Concept
from pipeline.analyze.concepts.concept_store import ConceptStore
from pipeline.analyze.concepts.fitting import ConceptSource, marks_digest
from pipeline.analyze.policies.audit import AuditLog
from pipeline.analyze.policies.policy import read_policy
from pipeline.analyze.review.review_item import read_flags
from pipeline.library.analysis.policies.check import open_check
from pipeline.run_config import load_run_config

# A random model scores anything a little, and nothing near 1.
ANYTHING, NOTHING = 1e-9, 0.999999


def write_policy(folder: Path, rules: dict[str, Any], **fields: Any) -> Path:
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump({"rules": rules, **fields}))
    return path


def rule(enter: float = ANYTHING, **fields: Any) -> dict[str, Any]:
    return {"when": "a person", "enter": enter, **fields}


def parts_of(library: Path) -> list[Path]:
    return sorted((library / "audit").glob("*.jsonl"))


def test_flagged_intervals_are_printed_written_and_logged(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, {"seen": rule(severity="high"), "unseen": rule(NOTHING)})
    out, sheets = tmp_path / "out.csv", tmp_path / "sheets"
    result = momentseek("check", policy, *four, "--json", "--output", out, "--evidence", sheets)
    assert result.code == 0, result.err
    flags = result.objects()
    assert [(flag["kind"], flag["rule"], flag["start_seconds"]) for flag in flags] == [("flag", "seen", 0.0)] * 4
    assert all(flag["parts"] == {"a person": flag["score"]} for flag in flags)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["video_id"] for row in rows] == [flag["video_id"] for flag in flags]
    (sheet,) = sheets.glob("*-seen-0001.png")
    assert {row["evidence"] for row in rows} == {str(sheet)}
    (part,) = parts_of(tmp_path / "library")
    header, *decisions = map(json.loads, part.read_text().splitlines())
    assert (header["policy"]["name"], header["policy_fingerprint"]) == ("policy", header["policy_fingerprint"])
    assert {len(header["scorer"]["parts"]), len(decisions)} == {1, 4}
    assert [each["rule"] for each in decisions[0]["rules"]] == ["seen", "unseen"]
    assert decisions[0]["rules"][1]["best"]["score"] < NOTHING


@pytest.mark.parametrize(("fail_on", "code"), [(None, 0), ("low", 3), ("medium", 3), ("high", 3), ("critical", 0)])
def test_the_exit_code_says_what_was_flagged(momentseek, four, tmp_path, fail_on, code):
    policy = write_policy(tmp_path, {"seen": rule(severity="high"), "unseen": rule(NOTHING, severity="critical")})
    option = () if fail_on is None else ("--fail-on", fail_on)
    assert momentseek("check", policy, *four, *option).code == code


def test_rules_are_for_videos_with_their_metadata(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, {"gate": rule(where={"camera": "gate"}), "all": rule()})
    flags = momentseek("check", policy, *four, "--json", "--where", "floor=1").objects()
    assert sorted((Path(flag["uri"]).name, flag["rule"]) for flag in flags) == [
        ("a.mp4", "all"), ("a.mp4", "gate"), ("odd[1].mp4", "all")
    ]  # fmt: skip
    wrong = write_policy(tmp_path, {"gate": rule(where={"camra": "gate"})})
    result = momentseek("check", wrong, *four)
    assert (result.code, "did you mean 'camera'?" in result.err) == (2, True)


def test_a_cooldown_is_for_a_camera_and_its_clock(momentseek, four, tmp_path):
    for name, begins in (("a.mp4", "10:00:00"), ("b.mp4", "10:00:30"), ("yard", "10:00:31"), ("odd[1]", "10:05:00")):
        momentseek("metadata", name, "--set", f"recorded_at=2026-11-30T{begins}", *four)
    policy = write_policy(tmp_path, {"seen": rule(cooldown_seconds=60)})
    flags = momentseek("check", policy, *four, "--json").objects()
    assert [(Path(flag["uri"]).name, flag["cooled_by"] is None) for flag in flags] == [
        ("a.mp4", True), ("b.mp4", False), ("yard.mp4", True), ("odd[1].mp4", True)
    ]  # fmt: skip
    result = momentseek("check", policy, *four)
    assert "3 flagged intervals in 4 of 4 videos; 1 more within a cooldown" in result.err
    assert "b.mp4" not in result.out


def test_hours_need_a_date_and_a_video_without_one_is_named(momentseek, four, tmp_path):
    momentseek("metadata", "a.mp4", "--set", "recorded_at=2026-11-30T21:59:59", *four)
    momentseek("metadata", "b.mp4", "--set", "recorded_at=2026-11-30T12:00:00", *four)
    policy = write_policy(tmp_path, {"night": rule(time_of_day="22:00-6:00")})
    result = momentseek("check", policy, "a.mp4", "b.mp4", *four, "--json")
    assert [(flag["start_seconds"], flag["end_seconds"]) for flag in result.objects()] == [(1.0, 3.0)]
    assert result.code == 0
    result = momentseek("check", policy, *four, "--json")
    assert result.code == 1
    unchecked = {Path(each["uri"]).name for each in result.objects() if each["kind"] == "unchecked"}
    assert unchecked == {"odd[1].mp4", "yard.mp4"}
    assert "yard.mp4: rule night: it is for 22:00-6:00" in result.err


def test_a_video_whose_embeddings_are_broken_is_named_and_the_others_are_checked(four, tmp_path):
    policy = read_policy(write_policy(tmp_path, {"seen": rule(NOTHING)}))
    with Library.open(load_run_config(four[1])) as library:
        library.searcher()
        files = sorted((tmp_path / "library" / "frames").glob("*/*.parquet"))
        content = files[0].read_bytes()
        files[0].write_bytes(content[:200])
        checked = list(open_check(library, policy).run())
        assert [(bool(each.decision.problem), each.record is None) for each in checked].count((True, True)) == 1
        assert len(checked) == 4
        files[0].write_bytes(content)
        # What could be read neither then nor from the log is decided again.
        again = list(open_check(library, policy).run(resume=True))
        assert sorted((each.is_new, each.decision.problem) for each in again) == [(False, None)] * 3 + [(True, None)]


def test_a_replay_makes_the_same_decisions_and_tells_when_one_was_changed(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, {"seen": rule(), "unseen": rule(NOTHING)})
    assert momentseek("check", policy, *four).code == 0
    result = momentseek("check", "--replay", "last", *four)
    assert (result.code, result.err) == (0, "4 same, 0 different, 0 incomparable\n")
    (part,) = parts_of(tmp_path / "library")
    header, first, *rest = part.read_text().splitlines()
    changed = json.loads(first)
    changed["rules"][0]["flags"] = []
    part.write_text("\n".join([header, json.dumps(changed), *rest, ""]))
    momentseek("metadata", json.loads(rest[0])["video_id"], "--set", "x=1", *four)
    result = momentseek("check", "--replay", "last", *four)
    assert (result.code, result.err.splitlines()[-1]) == (1, "2 same, 1 different, 1 incomparable")
    assert "rule seen: 0 intervals were flagged, and 1 are" in result.err


@pytest.mark.parametrize("damage", ["header", "vector", "part", "json"])
def test_a_hostile_log_is_refused_clearly(momentseek, four, tmp_path, damage):
    policy = write_policy(tmp_path, {"seen": rule()})
    momentseek("check", policy, *four)
    (part,) = parts_of(tmp_path / "library")
    first, *rest = part.read_text().splitlines()
    header = json.loads(first)
    if damage == "header":
        header["policy"] = {"name": "x"}
    elif damage == "vector":
        header["scorer"]["parts"]["a person"]["vector"] = "AAAA"
    elif damage == "part":
        header["scorer"]["parts"] = {}
    else:
        rest[0] = "{"
    part.write_text("\n".join([json.dumps(header), *rest, ""]))
    result = momentseek("check", "--replay", "last", *four)
    assert result.code == 1
    assert "unexpected" not in result.err


def test_a_run_goes_on_from_what_the_same_policy_and_encoder_decided(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, {"seen": rule()})
    momentseek("check", policy, "a.mp4", "yard.mp4", *four)
    momentseek("metadata", "yard.mp4", "--set", "x=1", *four)
    flags = momentseek("check", policy, *four, "--json", "--resume").objects()
    assert {Path(flag["uri"]).name: flag["is_new"] for flag in flags} == {
        "a.mp4": False, "b.mp4": True, "yard.mp4": True, "odd[1].mp4": True
    }  # fmt: skip
    other = write_policy(tmp_path, {"seen": rule(2e-9)})
    assert all(flag["is_new"] for flag in momentseek("check", other, *four, "--json", "--resume").objects())


def test_removing_a_video_erases_it_from_the_log(momentseek, four, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        momentseek("metadata", name, "--set", "recorded_at=2026-11-30T10:00:00", *four)
    policy = write_policy(tmp_path, {"seen": rule(cooldown_seconds=60)})
    flags = momentseek("check", policy, *four, "--json").objects()
    gone = next(flag for flag in flags if flag["cooled_by"] is None and flag["camera"] == "gate")
    assert momentseek("remove", gone["video_id"], "--yes", *four).code == 0
    (part,) = parts_of(tmp_path / "library")
    assert gone["video_id"] not in part.read_text()
    assert Path(gone["uri"]).name not in part.read_text()
    log = AuditLog(str(tmp_path / "library"))
    assert len(list(log.decisions(log.parts("last")[0]))) == 3
    assert momentseek("check", "--replay", "last", *four).code == 0


def test_labels_are_those_of_the_policys_file(momentseek, four, tmp_path):
    (tmp_path / "labels.yaml").write_text("labels: {helmet: a hard hat, dark: {prompts: dark, mode: 'off'}}\n")
    seen = {"when": {"any": [{"label": "helmet"}, "a person"]}, "enter": ANYTHING}
    policy = write_policy(tmp_path, {"seen": seen}, labels="labels.yaml")
    flags = momentseek("check", policy, *four, "--json").objects()
    assert {frozenset(flag["parts"]) for flag in flags} == {frozenset({"label:helmet", "a person"})}
    assert momentseek("check", "--replay", "last", *four).code == 0
    for name, said in (("helmt", "did you mean 'helmet'?"), ("dark", "which is off")):
        wrong = write_policy(tmp_path, {"seen": {"when": {"label": name}}}, labels="labels.yaml")
        result = momentseek("check", wrong, *four)
        assert (result.code, said in result.err) == (2, True), result.err


def test_concepts_are_those_of_the_library_and_its_encoder(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, {"seen": {"when": {"concept": "grey"}, "enter": ANYTHING}})
    result = momentseek("check", policy, *four)
    assert (result.code, "a concept that the policy names cannot be used" in result.err) == (2, True), result.err
    with Library.open(load_run_config(four[1])) as library:
        vector = library.frames("a.mp4").vectors[0]
        digest = marks_digest(ConceptSource("grey", "grey", None), [])
        fields = {"level": 0.1, "scale": 9.0, "log_odds": 1.0, "base": 0.1, "precision": 1.0, "recall": 1.0}
        concept = Concept("grey", "grey", None, vector, encoder_fingerprint=library.store.encoder_fingerprint, yes=9,
                          no=9, marks_digest=digest, fitted_at="2026-11-30T00:00:00Z", **fields)  # fmt: skip
        ConceptStore(library.config.library).write(concept)
        other = replace(concept, name="other", encoder_fingerprint="0" * 12)
        ConceptStore(library.config.library).write(other)
    flags = momentseek("check", policy, *four, "--json").objects()
    assert {frozenset(flag["parts"]) for flag in flags} == {frozenset({"concept:grey"})}
    assert momentseek("check", "--replay", "last", *four).code == 0
    foreign = write_policy(tmp_path, {"seen": {"when": "concept:other"}})
    result = momentseek("check", foreign, *four)
    assert (result.code, "another encoder" in result.err) == (2, True), result.err


def test_what_is_queued_can_be_reviewed(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, {"unsure": rule(action="queue"), "other": rule()})
    queue = tmp_path / "queue.jsonl"
    assert momentseek("check", policy, *four, "--queue", queue).code == 0
    with queue.open("rb") as file:
        items = read_flags(file, "queue")
    assert [(item.subject, item.reason) for item in items] == [("a person", "policy: unsure")] * 4


@pytest.mark.parametrize(
    "arguments",
    [(), ("--replay", "last", "--fail-on", "high"), ("protective-equipment", "--replay", "last"), ("--replay", "none")],
)
def test_wrong_use_is_refused(momentseek, same_four, arguments):
    assert momentseek("check", *arguments, *same_four).code == 2


def test_protective_equipment_on_the_demo_models_films(momentseek, films_library):
    result = momentseek("check", "protective-equipment", "-l", films_library, "--json", "--fail-on", "high")
    assert result.code == 3, result.err
    found = {(Path(flag["uri"]).name, flag["rule"]) for flag in result.objects()}
    assert ("fire-drill.mp4", "no-hard-hat") in found


@pytest.mark.parametrize("name", ["damaged-goods", "unfit-for-publication", "restricted-area-at-night"])
def test_other_policies_run_on_the_demo_models_films_as_far_as_its_words_go(momentseek, films_library, name):
    result = momentseek("check", name, "-l", films_library)
    assert result.code in (0, 1), result.err
    assert "unexpected" not in result.err
    if name == "unfit-for-publication":
        assert "the model does not know" in result.err


@pytest.mark.parametrize("command", ["check", "route"])
def test_a_rule_that_applies_to_no_video_is_noted(momentseek, four, tmp_path, command):
    given = rule(where={"camera": "gaet"}, action="route", to="held")
    policy = write_policy(tmp_path, {"typo": given}, destinations={"held": {"folder": "held"}}, otherwise="held")
    into = ["--into", tmp_path / "into", "--dry-run"] if command == "route" else []
    result = momentseek(command, policy, *four, *into)
    assert result.code == 0, result.err
    assert "note: rule 'typo' applies to no video: camera is never 'gaet'; it is 'gate'" in result.err
