"""What a policy decides about one video: which rules are for it, and what keeps one from being checked."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from contracts.word_world import shown, video

from pipeline.analyze.policies.decision import Decision, RuleOutcome
from pipeline.analyze.policies.part_scoring import CalibratedPart, PartScorer
from pipeline.analyze.policies.policy import as_policy
from pipeline.analyze.policies.policy_evaluator import PolicyEvaluator
from pipeline.errors import StoreError
from pipeline.search.calibration import Calibration
from pipeline.types import FrameEmbeddings, Status, VideoRecord

PARTS = {word: CalibratedPart(shown(word), Calibration(0.4, 40.0, 6.9)) for word in ("red", "green")}
AT_NIGHT = "2026-11-20T23:59:57"


def evaluator(rules: dict[str, Any], identity: str = "identity", **options: Any) -> PolicyEvaluator:
    scorer = PartScorer(PARTS, **options)
    return PolicyEvaluator(as_policy({"rules": rules}), scorer, recorded_at="recorded_at", identity=identity)


def decided(rules: dict[str, Any], *shots: str, metadata: dict[str, Any] | None = None, **options: Any) -> Decision:
    record, frames = video("a", *shots, metadata=metadata)
    return evaluator(rules, **options).decide(record, lambda _: frames)


def spans(outcome: RuleOutcome) -> list[tuple[float, float]]:
    return [(flag.start_seconds, flag.end_seconds) for flag in outcome.flags]


def test_each_rule_has_an_outcome_in_the_order_of_the_policy() -> None:
    found = decided({"seen": {"when": "red"}, "other": {"when": "green"}}, "blue", "red", "blue")
    seen, other = found.rules
    assert (seen.rule, spans(seen), seen.problem, seen.is_applicable) == ("seen", [(2.0, 4.0)], None, True)
    assert (other.rule, spans(other), other.problem, other.is_applicable) == ("other", [], None, True)
    assert seen.best is not None
    assert other.best is not None
    assert (seen.best.score > 0.9, other.best.score < 0.1) == (True, True)
    assert list(seen.best.parts) == ["red"]
    assert (found.video_id, found.uri, found.problem) == ("a", "/videos/a.mp4", None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.decided_at)


@pytest.mark.parametrize(("site", "is_applicable"), [("yard", True), ("hall", False), (None, False)])
def test_a_rule_is_for_videos_with_its_metadata(site: str | None, is_applicable: bool) -> None:
    rules = {"all": {"when": "red"}, "yard": {"when": "red", "where": {"site": "yard"}}}
    found = decided(rules, "red", metadata={"site": site} if site else None)
    assert [(each.rule, each.is_applicable, spans(each)) for each in found.rules] == [
        ("all", True, [(0.0, 2.0)]),
        ("yard", is_applicable, [(0.0, 2.0)] if is_applicable else []),
    ]


def test_frames_are_read_only_where_a_rule_is_for_the_video() -> None:
    record, _ = video("a", "red")

    def read(video_id: str) -> FrameEmbeddings:
        raise StoreError(f"{video_id}: is broken")

    of_others = evaluator({"yard": {"when": "red", "where": {"site": "yard"}}}).decide(record, read)
    assert (of_others.problem, of_others.rules) == (None, (RuleOutcome("yard", is_applicable=False),))
    broken = evaluator({"all": {"when": "red"}}).decide(record, read)
    assert (broken.problem, broken.rules) == ("a: is broken", (RuleOutcome("all"),))


def test_a_video_without_a_frame_is_not_checked() -> None:
    record, frames = video("a", "red")
    none = replace(frames, pts=frames.pts[:0], times_seconds=frames.times_seconds[:0], vectors=frames.vectors[:0])
    found = evaluator({"all": {"when": "red"}}).decide(record, lambda _: none)
    assert (found.problem, found.rules) == ("it has no sampled frame", (RuleOutcome("all"),))


@pytest.mark.parametrize(("problem", "said"), [("at 1.000 s, the file is broken", ": at 1.000 s"), (None, "decoded")])
def test_a_damaged_video_is_checked_as_far_as_it_goes(problem: str | None, said: str) -> None:
    record, frames = video("a", "red")
    partial = replace(record, status=Status.PARTIAL, covered_seconds=1.25, problem=problem)
    found = evaluator({"all": {"when": "red"}}).decide(partial, lambda _: frames)
    assert found.problem is not None
    assert found.problem.startswith("checked in part: 1.2 of 2.0 s could be decoded")
    assert said in found.problem
    assert spans(found.rules[0]) == [(0.0, 2.0)]


@pytest.mark.parametrize(("begins", "expected"), [(AT_NIGHT, [(3.0, 4.0)]), ("2026-11-20T12:00", [])])
def test_a_rule_for_hours_is_checked_within_them(begins: str, expected: list[tuple[float, float]]) -> None:
    rules = {"late": {"when": "red", "time_of_day": "00:00-06:00"}}
    [outcome] = decided(rules, "red", "red", metadata={"recorded_at": begins}).rules
    assert (spans(outcome), outcome.problem) == (expected, None)
    assert (outcome.best is None) == (not expected)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "the video's metadata 'recorded_at', which says when it begins, is not there"),
        ({"recorded_at": 5}, "which says when it begins, 5 is not a date and time"),
    ],
)
def test_without_a_time_of_recording_a_rule_for_hours_stays_open_and_others_do_not(
    metadata: dict[str, Any], said: str
) -> None:
    rules = {"late": {"when": "red", "time_of_day": "00:00-06:00"}, "all": {"when": "red"}}
    late, whole = decided(rules, "red", metadata=metadata).rules
    assert late.problem is not None
    assert said in late.problem
    assert "it is for 00:00-06:00" in late.problem
    assert (spans(late), late.best, late.is_applicable) == ([], None, True)
    assert (spans(whole), whole.problem) == ([(0.0, 2.0)], None)


def test_words_that_the_model_does_not_know_are_named_once_each() -> None:
    unknown = {"green": ("grene", "grass"), "red": ("grene",)}
    rules = {"both": {"when": {"all": ["red", "green"]}}, "known": {"when": "red"}}
    both, known = decided(rules, "red", unknown_words=unknown).rules
    assert both.problem == "the model does not know 'grene', 'grass'; rephrase it"
    assert known.problem == "the model does not know 'grene'; rephrase it"


def changed(record: VideoRecord) -> dict[str, VideoRecord]:
    return {
        "video_id": replace(record, video_id="b"),
        "metadata": replace(record, metadata={"site": "yard"}),
        "status": replace(record, status=Status.PARTIAL),
        "covered_seconds": replace(record, covered_seconds=1.5),
        "frame_count": replace(record, frame_count=9),
    }


def test_a_decision_is_made_anew_where_what_it_depends_on_has_changed() -> None:
    record, _ = video("a", "red")
    rules = {"all": {"when": "red"}}
    inputs = {name: evaluator(rules).input_of(each) for name, each in changed(record).items()}
    inputs["identity"] = evaluator(rules, identity="other").input_of(record)
    by_other_entry = PolicyEvaluator(
        as_policy({"rules": rules}), PartScorer(PARTS), recorded_at="at", identity="identity"
    )
    inputs["recorded_at"] = by_other_entry.input_of(record)
    same = evaluator(rules).input_of(record)
    assert len({same, *inputs.values()}) == 1 + len(inputs)
    assert evaluator(rules).input_of(replace(record, names=("/elsewhere.mp4",), duration_seconds=99.0)) == same
