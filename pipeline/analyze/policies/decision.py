"""Decisions of a policy about videos, and their JSON format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.analyze.policies.flags import BestFrame, Flag
from pipeline.types.record_json import checked_text

__all__ = ["Decision", "RuleOutcome", "decision_from", "decision_json"]


@dataclass(frozen=True)
class RuleOutcome:
    """The outcome of one rule for one video.

    Attributes:
        rule: The rule's name.
        flags: The flagged intervals, in order.
        best: The frame with the best score; None if no frame was scored.
        problem: The reason why the rule could not be evaluated; None if it was.
        is_applicable: Whether the rule applies to this video, by its metadata.
    """

    rule: str
    flags: tuple[Flag, ...] = ()
    best: BestFrame | None = None
    problem: str | None = None
    is_applicable: bool = True


@dataclass(frozen=True)
class Decision:
    """The decision of a policy about one video.

    Attributes:
        video_id: The video's id.
        uri: The video's last known name.
        decided_at: Time of the decision in UTC, such as "2026-11-21T17:00:00.123Z".
        input: Identity of everything that the decision depends on: policy, labels, concepts, encoder, frames and
            metadata.
        rules: The outcome of each rule, in the order of the policy.
        problem: The reason why the video was not checked completely; None if it was.
    """

    video_id: str
    uri: str
    decided_at: str
    input: str
    rules: tuple[RuleOutcome, ...] = ()
    problem: str | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """The reasons why the video was not checked completely; empty if all applicable rules were evaluated."""
        own = () if self.problem is None else (self.problem,)
        return own + tuple(f"rule {each.rule}: {each.problem}" for each in self.rules if each.problem is not None)

    @property
    def flags(self) -> tuple[tuple[str, Flag], ...]:
        """The flagged intervals of all rules with the rules' names, in the order of the rules."""
        return tuple((outcome.rule, flag) for outcome in self.rules for flag in outcome.flags)


def decision_json(decision: Decision) -> dict[str, Any]:
    """Convert a decision to JSON values; `decision_from` reads them."""
    return {
        "video_id": decision.video_id,
        "uri": decision.uri,
        "decided_at": decision.decided_at,
        "input": decision.input,
        "problem": decision.problem,
        "rules": [_outcome_json(outcome) for outcome in decision.rules],
    }


def _outcome_json(outcome: RuleOutcome) -> dict[str, Any]:
    return {
        "rule": outcome.rule,
        "is_applicable": outcome.is_applicable,
        "problem": outcome.problem,
        "best": None if outcome.best is None else _peak_json(outcome.best),
        "flags": [
            {
                "start_seconds": flag.start_seconds,
                "end_seconds": flag.end_seconds,
                "confidence": flag.confidence,
                "peak": _peak_json(flag.peak),
                "cooled_by": flag.cooled_by,
            }
            for flag in outcome.flags
        ],
    }


def _peak_json(peak: BestFrame) -> dict[str, Any]:
    return {"seconds": peak.seconds, "score": peak.score, "parts": dict(peak.parts)}


def decision_from(fields: Mapping[str, Any]) -> Decision:
    """Read a decision from JSON values.

    Raises:
        ValueError: A value is missing or has the wrong type.
    """
    try:
        return Decision(
            video_id=checked_text(fields["video_id"]),
            uri=checked_text(fields["uri"]),
            decided_at=checked_text(fields["decided_at"]),
            input=checked_text(fields["input"]),
            rules=tuple(map(_outcome, fields["rules"])),
            problem=_text_or_none(fields["problem"]),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"it is no decision ({error!r})") from error


def _outcome(fields: Mapping[str, Any]) -> RuleOutcome:
    return RuleOutcome(
        rule=checked_text(fields["rule"]),
        flags=tuple(map(_flag, fields["flags"])),
        best=None if fields["best"] is None else _peak(fields["best"]),
        problem=_text_or_none(fields["problem"]),
        is_applicable=fields["is_applicable"] is True,
    )


def _flag(fields: Mapping[str, Any]) -> Flag:
    return Flag(
        start_seconds=_number(fields["start_seconds"]),
        end_seconds=_number(fields["end_seconds"]),
        peak=_peak(fields["peak"]),
        confidence=_number(fields["confidence"]),
        cooled_by=_text_or_none(fields["cooled_by"]),
    )


def _peak(fields: Mapping[str, Any]) -> BestFrame:
    parts = {checked_text(name): _number(score) for name, score in fields["parts"].items()}
    return BestFrame(_number(fields["seconds"]), _number(fields["score"]), parts)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"a number was expected, not {value!r}")
    return float(value)


def _text_or_none(value: object) -> str | None:
    return None if value is None else checked_text(value)
