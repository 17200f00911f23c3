"""The audit log's parts: when one is written, and what of a broken one is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contracts.word_world import shown

from pipeline.analyze.policies import audit
from pipeline.analyze.policies.audit import AuditHeader, AuditLog
from pipeline.analyze.policies.decision import Decision
from pipeline.analyze.policies.part_scoring import CalibratedPart, PartScorer
from pipeline.analyze.policies.policy import as_policy
from pipeline.errors import StoreError
from pipeline.search.calibration import Calibration

POLICY = as_policy({"rules": {"red": "red"}})
SCORER = PartScorer({"red": CalibratedPart(shown("red"), Calibration(0.4, 40.0, 6.9))})


def header(run: str = "run") -> AuditHeader:
    return AuditHeader(run, POLICY, SCORER, "recorded_at", "identity", "encoder", "sampling", "0.1")


def decision(video_id: str, note: str = "input", when: str = "now", problem: str | None = None) -> Decision:
    return Decision(video_id, f"/videos/{video_id}.mp4", when, note, problem=problem)


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(str(tmp_path))


def sizes(log: AuditLog) -> list[int]:
    """How many decisions are in each part of the last run."""
    return [len(list(log.decisions(part))) for part in log.parts("last")]


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [1]), (499, [499]), (500, [500]), (501, [500, 1]), (1000, [500, 500])]
)
def test_a_part_has_five_hundred_decisions_at_most(log: AuditLog, count: int, expected: list[int]) -> None:
    with log.writer(header(), clock=lambda: 0.0) as writer:
        for number in range(count):
            writer.add(decision(f"v{number}"))
    assert sizes(log) == expected
    assert writer.parts == log.parts("run") == [f"audit/run.{k:05d}.jsonl" for k in range(len(expected))]


@pytest.mark.parametrize(("seconds", "written"), [(29.9, 0), (30.0, 1)])
def test_what_is_half_a_minute_old_is_written(log: AuditLog, seconds: float, written: int) -> None:
    times = iter([100.0, 100.0 + seconds, 100.0 + seconds])
    with log.writer(header(), clock=lambda: next(times, 1000.0)) as writer:
        writer.add(decision("v"))
        assert len(writer.parts) == written
    assert sizes(log) == [1]


def test_the_half_minute_begins_anew_with_each_part(log: AuditLog) -> None:
    times = iter([0.0, 30.0, 40.0, 69.0])
    with log.writer(header(), clock=lambda: next(times, 70.0)) as writer:
        for number in range(3):
            writer.add(decision(f"v{number}"))
            assert len(writer.parts) == (1 if number < 2 else 2)


@pytest.mark.parametrize(("lines", "more"), [(3, 0), (2, 1)])
def test_a_part_that_is_large_is_written(log: AuditLog, monkeypatch: pytest.MonkeyPatch, lines: int, more: int) -> None:
    line = len(json.dumps({"kind": "decision", **audit.decision_json(decision("v0"))})) + 1
    monkeypatch.setattr(audit, "_BYTES_A_PART", lines * line + more)
    with log.writer(header(), clock=lambda: 0.0) as writer:
        for number in range(7):
            writer.add(decision(f"v{number}"))
    assert sizes(log) == [3, 3, 1]


@pytest.mark.parametrize("is_too_long", [False, True])
def test_a_line_that_could_not_be_read_again_is_refused(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch, is_too_long: bool
) -> None:
    line = len(json.dumps({"kind": "decision", **audit.decision_json(decision("v0"))})) + 1
    monkeypatch.setattr(audit, "MOST_RECORD_BYTES", line - is_too_long)
    with log.writer(header()) as writer:
        if is_too_long:
            with pytest.raises(StoreError, match="too many for one line of the audit log"):
                writer.add(decision("v0"))
        else:
            writer.add(decision("v0"))
    assert log.runs() == ([] if is_too_long else ["run"])


def test_a_run_without_decisions_leaves_no_part(log: AuditLog) -> None:
    with log.writer(header()) as writer:
        writer.flush()
    assert (writer.parts, log.runs()) == ([], [])


def test_runs_are_listed_once_each(log: AuditLog) -> None:
    for run in ("b", "a"):
        with log.writer(header(run)) as writer:
            for _ in range(2):
                writer.add(decision("v"))
                writer.flush()
    assert log.runs() == ["a", "b"]
    assert log.parts("last") == log.parts("b") == ["audit/b.00000.jsonl", "audit/b.00001.jsonl"]


def written(log: AuditLog, folder: Path) -> Path:
    """The file of a part with two decisions."""
    with log.writer(header()) as writer:
        for name in ("a", "b"):
            writer.add(decision(name))
    return folder / log.parts("run")[0]


def without_kind(fields: dict[str, Any]) -> None:
    fields["kind"] = "decision"


def of_another_format(fields: dict[str, Any]) -> None:
    fields["format"] = 2


def without_run(fields: dict[str, Any]) -> None:
    del fields["run"]


def with_no_texts(fields: dict[str, Any]) -> None:
    fields["identity"] = 5


def without_vector(fields: dict[str, Any]) -> None:
    fields["policy"]["rules"]["red"]["when"] = "green"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_kind, "it is no header of format 1"),
        (of_another_format, "it is no header of format 1"),
        (without_run, "its header cannot be read"),
        (with_no_texts, ""),
        (without_vector, "it has no vector of 'green'"),
    ],
)
def test_a_header_that_is_none_is_refused(
    log: AuditLog, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    path = written(log, tmp_path)
    first, *lines = path.read_bytes().splitlines()
    fields = json.loads(first)
    change(fields)
    path.write_bytes(b"\n".join([json.dumps(fields).encode(), *lines]))
    with pytest.raises(StoreError, match=rf"audit/run\.00000\.jsonl: .*{said}.*move the file away"):
        log.header(log.parts("run")[0])


def test_a_part_that_cannot_be_read_is_named(log: AuditLog, tmp_path: Path) -> None:
    path = written(log, tmp_path)
    part = log.parts("run")[0]
    path.unlink()
    with pytest.raises(StoreError, match=r"audit/run\.00000\.jsonl: cannot be read: "):
        log.lines(part)


def test_a_decision_that_cannot_be_read_is_named_by_its_line(log: AuditLog, tmp_path: Path) -> None:
    path = written(log, tmp_path)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:2], b'{"kind": "decision"}']))
    found = log.decisions(log.parts("run")[0])
    assert next(found) == decision("a")
    with pytest.raises(StoreError, match="line 3 cannot be read: it is no decision"):
        next(found)


def test_a_header_that_is_no_json_is_refused_where_earlier_decisions_are_looked_for(
    log: AuditLog, tmp_path: Path
) -> None:
    written(log, tmp_path).write_bytes(b"[")
    with pytest.raises(StoreError, match="move the file away"):
        log.logged("identity")


def test_what_could_not_be_checked_and_what_another_policy_decided_is_not_found(log: AuditLog) -> None:
    with log.writer(header()) as writer:
        for each in (decision("a"), decision("b", problem="it cannot be read"), decision("c", when="2"), decision("d")):
            writer.add(each)
    with log.writer(header("then")) as writer:
        writer.add(decision("c", when="1"))
        writer.add(decision("d", when="now", problem="it cannot be read"))
    logged = log.logged("identity")
    assert [logged.find(name, "input") for name in ("a", "b", "c")] == [decision("a"), None, decision("c", when="2")]
    # Of two at the same time, the later part counts.
    assert logged.find("d", "input") is None
    assert log.logged("another").find("a", "input") is None
