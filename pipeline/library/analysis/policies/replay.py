"""Replays a run of the audit log: repeats its decisions from the logged data, and compares them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pipeline.analyze.policies.audit import AuditHeader, AuditLog
from pipeline.analyze.policies.decision import Decision, RuleOutcome
from pipeline.analyze.policies.flags import BestFrame, Flag
from pipeline.analyze.policies.policy_evaluator import PolicyEvaluator
from pipeline.errors import QueryError, StoreError
from pipeline.library.library import Library

__all__ = ["ReplayResult", "ReplayedDecision", "replay"]

OnVideo = Callable[[int, int], None]

_SCORE_TOLERANCE = 1e-3
"""Tolerance for probabilities: on other processors, products differ in the last bits of a float32."""
_TIME_TOLERANCE_SECONDS = 1e-6


class ReplayResult(StrEnum):
    """The result of the comparison of a decision with the logged one."""

    SAME = "same"
    DIFFERENT = "different"
    INCOMPARABLE = "incomparable"


@dataclass(frozen=True)
class ReplayedDecision:
    """A repeated decision.

    Attributes:
        video_id: The video's id.
        uri: Its name in the log.
        result: The result of the comparison.
        text: The difference, or the reason why it cannot be compared; empty for equal decisions.
    """

    video_id: str
    uri: str
    result: ReplayResult
    text: str = ""


def replay(library: Library, run: str, *, on_video: OnVideo | None = None) -> Iterator[ReplayedDecision]:
    """Repeat the decisions of a run from the logged policy, vectors and calibration and the stored embeddings.

    No model is loaded. Cooldowns are not computed again, since they depend on earlier runs; the log names the interval
    that each of them follows.

    Args:
        library: The library.
        run: The run's id; "last" for the latest.
        on_video: Called with the number of decisions compared and their total.

    Raises:
        QueryError: There is no such run, or it was made with another encoder or sampling.
        StoreError: The log cannot be read.
    """
    log = AuditLog(library.config.library)
    parts = log.parts(run)
    total = sum(len(log.lines(part)) - 1 for part in parts)
    done = 0
    for part in parts:
        header = log.header(part)
        _check_same(library, header)
        evaluator = PolicyEvaluator(
            header.policy, header.scorer, recorded_at=header.recorded_at, identity=header.identity
        )
        for decision in log.decisions(part):
            yield _compared(library, evaluator, decision)
            done += 1
            if on_video is not None:
                on_video(done, total)


def _check_same(library: Library, header: AuditHeader) -> None:
    store = library.store
    for what, then, now in (
        ("encoder", header.encoder, store.encoder_fingerprint),
        ("sampling", header.sampling, store.sampling_fingerprint),
    ):
        if then != now:
            raise QueryError(
                f"the run {header.run!r} was made with another {what} ({then}) than the library has now ({now}); open"
                " the library with the configuration of that run (--config, --set)"
            )


def _compared(library: Library, evaluator: PolicyEvaluator, logged: Decision) -> ReplayedDecision:
    made = _made_again(library, evaluator, logged)
    if isinstance(made, str):
        return ReplayedDecision(logged.video_id, logged.uri, ReplayResult.INCOMPARABLE, made)
    text = "" if made.problem == logged.problem else f"its problem was {logged.problem}, and is {made.problem}"
    for then, now in zip(logged.rules, made.rules, strict=True):
        if not text and (difference := _difference(then, now)) is not None:
            text = f"rule {then.rule}: {difference}"
    return ReplayedDecision(logged.video_id, logged.uri, ReplayResult.DIFFERENT if text else ReplayResult.SAME, text)


def _made_again(library: Library, evaluator: PolicyEvaluator, logged: Decision) -> Decision | str:
    """Repeat a decision; return it, or the reason why it cannot be compared."""
    if [each.rule for each in logged.rules] != list(evaluator.policy.rules):
        return "the log has the outcomes of other rules than its policy"
    try:
        record = library.store.record(logged.video_id)
        if record is None:
            return "the video is not in the library any more"
        if evaluator.input_of(record) != logged.input:
            return "the video's metadata or frames have changed since"
        return evaluator.decide(record, library.store.read)
    except StoreError as error:
        return str(error)
    except ValueError as error:
        return f"the logged vectors do not fit the library's: {error}"


def _difference(then: RuleOutcome, now: RuleOutcome) -> str | None:
    """Describe the difference between two outcomes of a rule; None if they are equal."""
    if (then.rule, then.problem, then.is_applicable) != (now.rule, now.problem, now.is_applicable):
        return "it could be evaluated then or can be now, and not both"
    if len(then.flags) != len(now.flags):
        return f"{len(then.flags)} intervals were flagged, and {len(now.flags)} are"
    for one, other in zip(then.flags, now.flags, strict=True):
        if (text := _flag_difference(one, other)) is not None:
            return text
    return _best_difference(then.best, now.best)


def _flag_difference(then: Flag, now: Flag) -> str | None:
    times = [(then.start_seconds, now.start_seconds), (then.end_seconds, now.end_seconds)]
    if not _near(times, _TIME_TOLERANCE_SECONDS):
        return (
            f"{then.start_seconds:.3f}-{then.end_seconds:.3f} s was flagged, and"
            f" {now.start_seconds:.3f}-{now.end_seconds:.3f} s is"
        )
    if not _near([(then.peak.score, now.peak.score), (then.confidence, now.confidence)], _SCORE_TOLERANCE):
        return f"at {then.start_seconds:.3f} s the score was {then.peak.score:.4f}, and is {now.peak.score:.4f}"
    return None


def _best_difference(then: BestFrame | None, now: BestFrame | None) -> str | None:
    if then is None or now is None:
        return None if then is now else "a best frame was found then or is now, and not both"
    names = then.parts.keys() | now.parts.keys()
    scores = [(then.parts.get(name, math.nan), now.parts.get(name, math.nan)) for name in names]
    if _near([(then.score, now.score), *scores], _SCORE_TOLERANCE):
        return None
    return f"the best score was {then.score:.4f}, and is {now.score:.4f}"


def _near(pairs: list[tuple[float, float]], tolerance: float) -> bool:
    return all(abs(one - other) <= tolerance for one, other in pairs)
