from __future__ import annotations

from contracts.word_world import video

from pipeline.analyze.policies.cooldown import Cooldowns, in_order_of_recording
from pipeline.analyze.policies.decision import Decision, RuleOutcome
from pipeline.analyze.policies.flags import BestFrame, Flag
from pipeline.analyze.policies.policy import as_policy
from pipeline.types import VideoRecord

POLICY = as_policy({"rules": {"seen": {"when": "red", "cooldown_seconds": 10}, "free": "red"}})


def record(name: str, begins: str | None = None, camera: str | None = "gate") -> VideoRecord:
    entries = {"camera": camera, "recorded_at": begins}
    return video(name, "red", metadata={key: value for key, value in entries.items() if value is not None})[0]


def reported(cooldowns: Cooldowns, of: VideoRecord, *starts: float, rule: str = "seen") -> list[float]:
    flags = tuple(Flag(start, start + 2, BestFrame(start, 0.9), 0.9) for start in starts)
    decision = Decision(of.video_id, of.last_name, "now", "input", (RuleOutcome(rule, flags),))
    (outcome,) = cooldowns.applied(decision, of).rules
    return [flag.start_seconds for flag in outcome.flags if flag.cooled_by is None]


def test_a_cooldown_is_counted_from_the_end_of_the_last_reported_interval() -> None:
    cooldowns = Cooldowns(POLICY, "recorded_at")
    assert reported(cooldowns, record("a"), 0, 11, 12, 23.9, 24) == [0, 12, 24]
    assert reported(Cooldowns(POLICY, "recorded_at"), record("a"), 0, 3, rule="free") == [0, 3]


def test_videos_of_a_camera_are_on_one_clock() -> None:
    cooldowns = Cooldowns(POLICY, "recorded_at")
    assert reported(cooldowns, record("a", "2026-11-30T10:00:00"), 0) == [0]
    assert reported(cooldowns, record("b", "2026-11-30T10:00:08"), 0, 4) == [4]
    assert reported(cooldowns, record("c", "2026-11-30T10:00:09", "yard"), 0) == [0]
    assert reported(cooldowns, record("d", "2026-11-30T10:00:15"), 0) == []
    # A clock with a zone and one without cannot be compared; nor can a video without a date.
    assert reported(cooldowns, record("e", "2026-11-30T10:00:15+00:00"), 0) == [0]
    assert reported(cooldowns, record("f"), 0) == [0]


def test_zones_are_one_clock() -> None:
    cooldowns = Cooldowns(POLICY, "recorded_at")
    assert reported(cooldowns, record("a", "2026-11-30T10:00:00+01:00"), 0) == [0]
    assert reported(cooldowns, record("b", "2026-11-30T09:00:05+00:00"), 0) == []


def test_videos_are_ordered_by_their_recording() -> None:
    records = [record("a"), record("b", "2026-11-30T10:00:00"), record("c", "2026-11-30T09:00:00"), record("0")]
    assert [each.video_id for each in in_order_of_recording(records, "recorded_at")] == ["c", "b", "0", "a"]


def test_an_interval_names_the_one_for_whose_cooldown_it_is_not_reported() -> None:
    cooldowns = Cooldowns(POLICY, "recorded_at")
    one, other = record("a", "2026-11-30T10:00:00"), record("b", "2026-11-30T10:00:08")
    for of, start, expected in ((one, 0.5, None), (other, 0.0, "a at 0.500 s"), (other, 9.0, None)):
        flag = Flag(start, start + 2, BestFrame(start, 0.9), 0.9, cooled_by="an earlier run's")
        decision = Decision(of.video_id, of.last_name, "now", "input", (RuleOutcome("seen", (flag,)),))
        (outcome,) = cooldowns.applied(decision, of).rules
        assert [each.cooled_by for each in outcome.flags] == [expected]


def test_what_an_earlier_run_said_of_a_rule_without_cooldown_is_forgotten() -> None:
    flag = Flag(0.0, 2.0, BestFrame(0.0, 0.9), 0.9, cooled_by="an earlier run's")
    for rule in ("free", "gone"):
        decision = Decision("a", "a.mp4", "now", "input", (RuleOutcome(rule, (flag,)),))
        (outcome,) = Cooldowns(POLICY, "recorded_at").applied(decision, record("a")).rules
        assert outcome.flags[0].cooled_by is None


def test_rules_and_videos_without_a_camera_have_clocks_of_their_own() -> None:
    both = as_policy({"rules": {name: {"when": "red", "cooldown_seconds": 10} for name in "xy"}})
    cooldowns = Cooldowns(both, "recorded_at")
    one, other = (record(name, "2026-11-30T10:00:00", camera=None) for name in ("a", "b"))
    assert reported(cooldowns, one, 0, rule="x") == [0]
    assert reported(cooldowns, one, 5, rule="y") == [5]
    assert reported(cooldowns, other, 0, rule="x") == [0]
    assert reported(cooldowns, one, 11, rule="x") == []


def test_zones_are_ordered_by_the_time_that_they_name() -> None:
    begins = {"a": "2026-11-30T10:00:00+02:00", "b": "2026-11-30T09:00:00+00:00", "c": "2026-11-30T09:00:00+02:00"}
    records = [record(name, each) for name, each in begins.items()]
    assert [each.video_id for each in in_order_of_recording(records, "recorded_at")] == ["c", "a", "b"]
