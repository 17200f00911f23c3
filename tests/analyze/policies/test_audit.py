from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contracts.word_world import shown, video

from pipeline.analyze.policies.audit import AuditHeader, AuditLog
from pipeline.analyze.policies.decision import Decision, RuleOutcome
from pipeline.analyze.policies.part_scoring import CalibratedPart, PartScorer
from pipeline.analyze.policies.policy import as_policy
from pipeline.analyze.policies.policy_evaluator import PolicyEvaluator
from pipeline.errors import QueryError, StoreError
from pipeline.search.calibration import Calibration
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.audit_parts import erase_from_audit, parts_with

POLICY = as_policy({"rules": {"red": {"when": {"all": ["red", {"not": "green"}]}}}})
SCORER = PartScorer(
    {word: CalibratedPart(shown(word), Calibration(0.4, 40.0, 6.9)) for word in ("red", "green")},
    unknown_words={"green": ("grene",)},
)


def header(run: str) -> AuditHeader:
    return AuditHeader(run, POLICY, SCORER, "recorded_at", "identity", "encoder", "sampling", "0.1")


def decision(video_id: str, note: str = "input", when: str = "now") -> Decision:
    return Decision(video_id, f"/videos/{video_id}.mp4", when, note, (RuleOutcome("red"),))


def test_parts_are_written_as_decisions_come_and_at_the_end(tmp_path: Path) -> None:
    seconds = iter(range(0, 1000, 10))
    log = AuditLog(str(tmp_path))
    with log.writer(header("run"), clock=lambda: float(next(seconds))) as writer:
        for number in range(6):
            writer.add(decision(f"v{number}"))
    assert len(log.parts("run")) == 2
    assert [each.video_id for part in log.parts("last") for each in log.decisions(part)] == [f"v{n}" for n in range(6)]


def test_what_was_decided_is_kept_where_a_run_is_interrupted(tmp_path: Path) -> None:
    log = AuditLog(str(tmp_path))
    with pytest.raises(KeyboardInterrupt), log.writer(header("run")) as writer:  # noqa: PT012 - the writer is left by it
        writer.add(decision("a"))
        raise KeyboardInterrupt
    assert [each.video_id for each in log.decisions(log.parts("run")[0])] == ["a"]


def test_a_run_of_an_earlier_ones_id_replaces_nothing(tmp_path: Path) -> None:
    log = AuditLog(str(tmp_path))
    for name in ("a", "b"):
        with log.writer(header("run")) as writer:
            writer.add(decision(name))
    assert [each.video_id for part in log.parts("run") for each in log.decisions(part)] == ["a", "b"]


def test_a_header_is_the_same_once_written_and_read(tmp_path: Path) -> None:
    log = AuditLog(str(tmp_path))
    with log.writer(header("run")) as writer:
        writer.add(decision("a"))
    found = log.header(log.parts("run")[0])
    assert (found.policy, found.identity, found.encoder) == (POLICY, "identity", "encoder")
    assert (found.scorer.unknown_words, found.scorer.parts["red"].calibration) == (
        SCORER.unknown_words, SCORER.parts["red"].calibration
    )  # fmt: skip
    np.testing.assert_array_equal(found.scorer.parts["red"].vector, SCORER.parts["red"].vector)


def test_earlier_decisions_are_found_by_their_input(tmp_path: Path) -> None:
    log = AuditLog(str(tmp_path))
    for note, when in (("old", "2026-11-30T01"), ("new", "2026-11-30T02")):
        with log.writer(header(note)) as writer:
            writer.add(decision("a", note, when))
    logged = log.logged("identity")
    assert logged.find("a", "new") == decision("a", "new", "2026-11-30T02")
    assert logged.find("a", "old") is None
    assert logged.find("b", "new") is None
    assert log.logged("other").find("a", "new") is None


def test_unknown_runs_and_broken_parts_are_refused(tmp_path: Path) -> None:
    log = AuditLog(str(tmp_path))
    with pytest.raises(QueryError, match="the latest are: none"):
        log.parts("last")
    with log.writer(header("run")) as writer:
        writer.add(decision("a"))
    part = tmp_path / log.parts("run")[0]
    part.write_bytes(b"")
    with pytest.raises(StoreError, match="is empty"):
        log.header(log.parts("run")[0])


def test_a_video_is_erased_and_others_stay(tmp_path: Path) -> None:
    log = AuditLog(str(tmp_path))
    with log.writer(header("run")) as writer:
        writer.add(decision("aaaa"))
        writer.add(decision("bbbb", "after aaaa at 3.000 s"))
    place = AtomicFolder(str(tmp_path))
    assert parts_with(place, "aaaa") == log.parts("run")
    assert erase_from_audit(place, "aaaa") == log.parts("run")
    assert parts_with(place, "aaaa") == []
    assert list(log.decisions(log.parts("run")[0])) == [decision("bbbb", "after a removed video at 3.000 s")]


@pytest.mark.parametrize("video_id", ["a", "e", "run", "aaa"])
def test_an_id_within_other_words_is_left(tmp_path: Path, video_id: str) -> None:
    log = AuditLog(str(tmp_path))
    with log.writer(header("run")) as writer:
        writer.add(decision(video_id))
        writer.add(decision("aaaa"))
    assert erase_from_audit(AtomicFolder(str(tmp_path)), video_id) == log.parts("run")
    assert log.header(log.parts("run")[0]).policy == POLICY
    assert [each.video_id for each in log.decisions(log.parts("run")[0])] == ["aaaa"]


def test_words_that_the_model_does_not_know_leave_a_rule_open() -> None:
    record, frames = video("a", "red", "green")
    evaluator = PolicyEvaluator(POLICY, SCORER, recorded_at="recorded_at", identity="identity")
    (outcome,) = evaluator.decide(record, lambda _: frames).rules
    assert outcome.problem == "the model does not know 'grene'; rephrase it"


def test_a_frame_of_both_does_not_count() -> None:
    record, frames = video("a", "red", "red green", "blue", "red")
    scorer = PartScorer(SCORER.parts)
    evaluator = PolicyEvaluator(POLICY, scorer, recorded_at="recorded_at", identity="identity")
    found = evaluator.decide(record, lambda _: frames)
    assert [(flag.start_seconds, flag.end_seconds) for _, flag in found.flags] == [(0.0, 2.0), (6.0, 8.0)]
    assert set(found.flags[0][1].peak.parts) == {"red", "green"}
