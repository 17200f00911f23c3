"""Evaluation of policies: decides about videos one after another, from their frame embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.analyze.frame_intervals import frame_intervals
from pipeline.analyze.policies.cooldown import Cooldowns
from pipeline.analyze.policies.decision import Decision, RuleOutcome
from pipeline.analyze.policies.flags import peak_of, rule_flags
from pipeline.analyze.policies.part_scoring import PartScorer
from pipeline.analyze.policies.policy import Policy, Rule
from pipeline.errors import StoreError
from pipeline.fingerprints import fingerprint
from pipeline.search.filters.metadata import has_metadata
from pipeline.search.filters.recording_time import RecordingTimes, date_problem, recording_begins
from pipeline.types import FrameEmbeddings, Status, VideoRecord

__all__ = ["EarlierDecisions", "PolicyEvaluator", "decisions"]

Windows = list[tuple[float, float]]
_Read = Callable[[str], FrameEmbeddings]


class EarlierDecisions(Protocol):
    """A look-up of earlier decisions."""

    def find(self, video_id: str, identity: str) -> Decision | None:
        """Find the decision about a video made from the same input; None if there is none."""


class PolicyEvaluator:
    """Decides about single videos, with the embeddings of one video in memory.

    Args:
        policy: The policy.
        scorer: Scorer of the parts of its conditions.
        recorded_at: Name of the metadata with the recording time of a video's start.
        identity: Identity of policy, labels, concepts, encoder and sampling.
    """

    def __init__(self, policy: Policy, scorer: PartScorer, *, recorded_at: str, identity: str) -> None:
        self.policy = policy
        self.scorer = scorer
        self._recorded_at = recorded_at
        self._identity = identity

    def input_of(self, record: VideoRecord) -> str:
        """Return the identity of a decision's input, which includes everything but the calibration of scores."""
        facts = {
            "video_id": record.video_id,
            "metadata": dict(record.metadata),
            "status": record.status.value,
            "covered_seconds": record.covered_seconds,
            "frame_count": record.frame_count,
            "recorded_at": self._recorded_at,
        }
        return fingerprint(self._identity, facts)

    def decide(self, record: VideoRecord, read: _Read) -> Decision:
        """Decide about a video. Cooldowns are applied later, by `Cooldowns`.

        Args:
            record: The video's record.
            read: Reads the frame embeddings of a video.
        """
        problem = _damage(record)
        outcomes: dict[str, RuleOutcome] = {}
        frames: FrameEmbeddings | None = None
        rules = {name: rule for name, rule in self.policy.rules.items() if has_metadata(record, rule.where)}
        if rules:
            try:
                frames = read(record.video_id)
            except StoreError as error:
                problem = str(error)
            else:
                if not len(frames):
                    frames, problem = None, "it has no sampled frame"
        if frames is not None:
            outcomes = self._outcomes(record, rules, frames)
        return Decision(
            video_id=record.video_id,
            uri=record.last_name,
            decided_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            input=self.input_of(record),
            rules=tuple(
                outcomes.get(name, RuleOutcome(name, is_applicable=name in rules)) for name in self.policy.rules
            ),
            problem=problem,
        )

    def _outcomes(
        self, record: VideoRecord, rules: Mapping[str, Rule], frames: FrameEmbeddings
    ) -> dict[str, RuleOutcome]:
        problems = {name: self._problem(rule, record) for name, rule in rules.items()}
        wanted = {part.name: part for name, rule in rules.items() if problems[name] is None for part in rule.when.parts}
        of_parts = self.scorer.log_odds(tuple(wanted.values()), frames.vectors)
        intervals = frame_intervals(frames)
        found = {}
        for name, rule in rules.items():
            if problems[name] is not None:
                found[name] = RuleOutcome(name, problem=problems[name])
                continue
            windows = self._windows(rule, record, intervals.duration_seconds)
            own: dict[str, npt.NDArray[np.float64]] = {part.name: of_parts[part.name] for part in rule.when.parts}
            flags = tuple(rule_flags(rule, intervals, own, windows))
            found[name] = RuleOutcome(name, flags, peak_of(rule, intervals, own, windows))
        return found

    def _problem(self, rule: Rule, record: VideoRecord) -> str | None:
        """Return the reason why a rule cannot be evaluated on a video; None if it can."""
        words = [word for part in rule.when.parts for word in self.scorer.unknown_words.get(part.name, ())]
        if words:
            return f"the model does not know {', '.join(map(repr, dict.fromkeys(words)))}; rephrase it"
        if rule.time_of_day is None or recording_begins(record.metadata, self._recorded_at) is not None:
            return None
        value = record.metadata.get(self._recorded_at)
        why = "is not there" if value is None else str(date_problem(value))
        return (
            f"it is for {rule.time_of_day}, and the video's metadata {self._recorded_at!r}, which says when it begins,"
            f" {why}"
        )

    def _windows(self, rule: Rule, record: VideoRecord, end_seconds: float) -> Windows | None:
        times = RecordingTimes.of(time_of_day=rule.time_of_day)
        begins = recording_begins(record.metadata, self._recorded_at)
        return None if times is None or begins is None else times.intervals(begins, end_seconds)


def _damage(record: VideoRecord) -> str | None:
    if record.status is not Status.PARTIAL:
        return None
    detail = f": {record.problem}" if record.problem else ""
    return f"checked in part: {record.covered_seconds:.1f} of {record.duration_seconds:.1f} s could be decoded{detail}"


def decisions(
    evaluator: PolicyEvaluator,
    records: Iterable[VideoRecord],
    read: _Read,
    cooldowns: Cooldowns,
    earlier: EarlierDecisions | None = None,
) -> Iterator[tuple[VideoRecord, Decision, bool]]:
    """Decide about several videos.

    Args:
        evaluator: Makes the decisions.
        records: The videos' records, ordered by recording time.
        read: Reads the frame embeddings of a video.
        cooldowns: Marks intervals within cooldowns.
        earlier: Earlier decisions to reuse; None to make all of them again.

    Yields:
        Each record, its decision, and whether the decision is new.
    """
    for record in records:
        known = None if earlier is None else earlier.find(record.video_id, evaluator.input_of(record))
        decision = evaluator.decide(record, read) if known is None else known
        yield record, cooldowns.applied(decision, record), known is None
