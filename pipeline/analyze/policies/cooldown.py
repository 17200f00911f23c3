"""Cooldowns: times after a reported interval in which those of the same rule and camera are logged, not reported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pipeline.analyze.policies.decision import Decision, RuleOutcome
from pipeline.analyze.policies.flags import Flag
from pipeline.analyze.policies.policy import Policy
from pipeline.search.filters.recording_time import recording_begins
from pipeline.types import VideoRecord

__all__ = ["Cooldowns", "in_order_of_recording"]

_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class _ReportedInterval:
    """The last reported interval of a rule and camera: its end on the camera's clock, and its name."""

    end_seconds: float
    name: str


class Cooldowns:
    """Marks the intervals within a cooldown, video by video.

    The videos of a camera share a clock if their metadata has the recording time; every other video has its own.

    Args:
        policy: The policy, with the cooldowns of its rules.
        recorded_at: Name of the metadata with the recording time of a video's start.
    """

    def __init__(self, policy: Policy, recorded_at: str) -> None:
        self._policy = policy
        self._recorded_at = recorded_at
        self._reported: dict[tuple[str, str], _ReportedInterval] = {}

    def applied(self, decision: Decision, record: VideoRecord) -> Decision:
        """Mark the intervals of a video, after those of earlier videos.

        Args:
            decision: The video's decision; its cooldowns are replaced.
            record: The video's record.
        """
        clock, begins = self._clock(record)
        return replace(
            decision, rules=tuple(self._outcome(outcome, clock, begins, decision) for outcome in decision.rules)
        )

    def _outcome(self, outcome: RuleOutcome, clock: str, begins: float, decision: Decision) -> RuleOutcome:
        rule = self._policy.rules.get(outcome.rule)
        seconds = 0.0 if rule is None else rule.cooldown_seconds
        if not seconds or not outcome.flags:
            return replace(outcome, flags=tuple(replace(flag, cooled_by=None) for flag in outcome.flags))
        flags: list[Flag] = []
        for flag in outcome.flags:
            before = self._reported.get((outcome.rule, clock))
            if before is not None and begins + flag.start_seconds < before.end_seconds + seconds:
                flags.append(replace(flag, cooled_by=before.name))
                continue
            flags.append(replace(flag, cooled_by=None))
            name = f"{decision.video_id} at {flag.start_seconds:.3f} s"
            self._reported[outcome.rule, clock] = _ReportedInterval(begins + flag.end_seconds, name)
        return replace(outcome, flags=tuple(flags))

    def _clock(self, record: VideoRecord) -> tuple[str, float]:
        """Return the name of a video's clock, and the video's start on this clock."""
        begins = recording_begins(record.metadata, self._recorded_at)
        camera = record.metadata.get(self._policy.camera)
        if begins is None or camera is None:
            return f"video {record.video_id}", 0.0
        # Times with and without a time zone are not comparable.
        return f"camera {camera!r} {begins.tzinfo is None}", _seconds_of(begins)


def in_order_of_recording(records: list[VideoRecord], recorded_at: str) -> list[VideoRecord]:
    """Order videos by recording time, as cooldowns require; those without one come last, by id."""

    def key(record: VideoRecord) -> tuple[bool, float, str]:
        begins = recording_begins(record.metadata, recorded_at)
        return begins is None, 0.0 if begins is None else _seconds_of(begins), record.video_id

    return sorted(records, key=key)


def _seconds_of(moment: datetime) -> float:
    return (moment - (_EPOCH if moment.tzinfo is None else _EPOCH.replace(tzinfo=UTC))).total_seconds()
