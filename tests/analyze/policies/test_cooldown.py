from __future__ import annotations

from contracts.word_world import video

from pipeline.analyze.policies.cooldown import Cooldowns, in_order_of_recording
from pipeline.analyze.policies.decision import Decision, RuleOutcome
from pipeline.analyze.policies.flags import Flag, Peak
from pipeline.analyze.policies.policy import as_policy
from pipeline.types import VideoRecord

POLICY = as_policy({"rules": {"seen": {"when": "red", "cooldown_seconds": 10}, "free": "red"}})


def record(name: str, begins: str | None = None, camera: str | None = "gate") -> VideoRecord:
    entries = {"camera": camera, "recorded_at": begins}
    return video(name, "red", metadata={key: value for key, value in entries.items() if value is not None})[0]


def reported(cooldowns: Cooldowns, of: VideoRecord, *starts: float, rule: str = "seen") -> list[float]:
    flags = tuple(Flag(start, start + 2, Peak(start, 0.9), 0.9) for start in starts)
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
