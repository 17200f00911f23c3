"""What a replay tells of a decision that was made again: any difference beyond rounding, and none within it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.analyze.policies.decision import RuleOutcome
from pipeline.analyze.policies.flags import BestFrame, Flag
from pipeline.library.analysis.policies.replay import _difference

PEAK = BestFrame(1.5, 0.9, {"red": 0.9, "green": 0.2})
FLAG = Flag(1.0, 2.0, PEAK, 0.8)
OUTCOME = RuleOutcome("seen", (FLAG, replace(FLAG, start_seconds=5.0, end_seconds=6.0)), PEAK)


def with_flag(**changes: object) -> RuleOutcome:
    """The second interval is another one."""
    return replace(OUTCOME, flags=(OUTCOME.flags[0], replace(OUTCOME.flags[1], **changes)))  # type: ignore[arg-type]


SAME = {
    "all": OUTCOME,
    "a start within rounding": with_flag(start_seconds=5.0 + 9e-7),
    "an end within rounding": with_flag(end_seconds=6.0 - 9e-7),
    "a confidence within rounding": with_flag(confidence=0.8009),
    "a peak within rounding": with_flag(peak=replace(PEAK, score=0.8991)),
    "the cooldown": with_flag(cooled_by="v at 1.000 s"),
    "the best score within rounding": replace(OUTCOME, best=replace(PEAK, score=0.9009)),
    "a part within rounding": replace(OUTCOME, best=replace(PEAK, parts={"red": 0.9, "green": 0.2009})),
}
FLAGGED = "2 intervals were flagged, and"
TIMES = "5.000-6.000 s was flagged, and"
SCORE = "at 5.000 s the score was 0.9000, and is"
EVALUATED = "it could be evaluated then or can be now, and not both"
BEST = "the best score was 0.9000, and is"
DIFFERENT = {
    "a problem": (replace(OUTCOME, problem="why"), EVALUATED),
    "whether it is for the video": (replace(OUTCOME, is_applicable=False), EVALUATED),
    "an interval less": (replace(OUTCOME, flags=OUTCOME.flags[:1]), f"{FLAGGED} 1 are"),
    "an interval more": (replace(OUTCOME, flags=(*OUTCOME.flags, FLAG)), f"{FLAGGED} 3 are"),
    "a start": (with_flag(start_seconds=5.00001), f"{TIMES} 5.000-6.000 s is"),
    "an end": (with_flag(end_seconds=6.5), f"{TIMES} 5.000-6.500 s is"),
    "a confidence": (with_flag(confidence=0.8011), f"{SCORE} 0.9000"),
    "a peak": (with_flag(peak=replace(PEAK, score=0.7)), f"{SCORE} 0.7000"),
    "the best score": (replace(OUTCOME, best=replace(PEAK, score=0.8)), f"{BEST} 0.8000"),
    "the score of a part": (replace(OUTCOME, best=replace(PEAK, parts={"red": 0.9, "green": 0.21})), f"{BEST} 0.9000"),
    "a part less": (replace(OUTCOME, best=replace(PEAK, parts={"red": 0.9})), f"{BEST} 0.9000"),
    "a part more": (replace(OUTCOME, best=replace(PEAK, parts={**PEAK.parts, "blue": 0.1})), f"{BEST} 0.9000"),
    "a best frame": (replace(OUTCOME, best=None), "a best frame was found then or is now, and not both"),
}


@pytest.mark.parametrize("name", SAME)
def test_rounding_is_no_difference(name: str) -> None:
    assert _difference(OUTCOME, SAME[name]) is None
    assert _difference(SAME[name], OUTCOME) is None


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs_is_told(name: str) -> None:
    now, said = DIFFERENT[name]
    assert _difference(OUTCOME, now) == said
    assert _difference(now, OUTCOME) is not None


def test_rules_without_a_frame_are_the_same() -> None:
    assert _difference(RuleOutcome("seen"), RuleOutcome("seen")) is None
    assert _difference(RuleOutcome("seen", best=PEAK), RuleOutcome("seen")) is not None
