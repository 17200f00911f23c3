"""Print and write what a check found: flagged intervals, and videos that could not be checked."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

import click

from pipeline.cli.console.tables import complain, echo, print_json, print_table

if TYPE_CHECKING:
    from pipeline.analyze.policies.policy import Policy
    from pipeline.library.analysis.policies.check import CheckedVideo

__all__ = ["CheckOutput", "report_problems"]

_COLUMNS = (
    "kind", "policy", "rule", "severity", "action", "video_id", "uri", "camera", "recorded_at", "start_seconds",
    "end_seconds", "peak_seconds", "score", "confidence", "cooled_by", "evidence", "problems",
)  # fmt: skip
_SUFFIXES = (".csv", ".jsonl")


class _ResultFile:
    """A file of results, .csv or .jsonl, that is there once the check has ended without an error."""

    def __init__(self, path: Path, option: str) -> None:
        if path.suffix.lower() not in _SUFFIXES:
            raise click.UsageError(f"{option} {str(path)!r}: name a file that ends in {' or '.join(_SUFFIXES)}")
        self._path = path
        self._is_csv = path.suffix.lower() == ".csv"
        try:
            self._partial: IO[str] = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed at the end of the check
                "w", encoding="utf-8", newline="", dir=path.parent, prefix=".partial-", delete=False
            )
        except OSError as error:
            raise click.ClickException(f"{option} {str(path)!r} cannot be written: {error}") from error
        if self._is_csv:
            csv.writer(self._partial).writerow(_COLUMNS)

    def write(self, row: Mapping[str, Any]) -> None:
        if self._is_csv:
            texts = {**row, "problems": "; ".join(row.get("problems", ()))}
            csv.writer(self._partial).writerow([texts.get(name, "") for name in _COLUMNS])
        else:
            self._partial.write(json.dumps(row) + "\n")

    def close(self, *, is_whole: bool) -> None:
        self._partial.close()
        partial = Path(self._partial.name)
        if is_whole:
            partial.chmod(0o666 & ~_umask())
            partial.replace(self._path)
        else:
            partial.unlink(missing_ok=True)


class CheckOutput:
    """Prints the results of a check as they come, and writes them to files; a context manager.

    Args:
        policy: The policy.
        as_json: Whether JSON is printed, and no table.
        output: A file that gets all results, .csv or .jsonl; None for none.
        queue: A file that gets the reported intervals of rules with the action queue; None for none.

    Attributes:
        severities: Of what was flagged.
        videos: How many videos were checked.
        flagged: How many of them have a flagged interval.
        problems: How many could not be checked, or not whole.
        intervals: How many flagged intervals were reported.
        cooled: How many were not, within a cooldown.
    """

    def __init__(self, policy: Policy, *, as_json: bool, output: Path | None, queue: Path | None = None) -> None:
        self._policy = policy
        self._as_json = as_json
        self._output = None if output is None else _ResultFile(output, "--output")
        self._queue = None if queue is None else _ResultFile(queue, "--queue")
        self._has_header = False
        self._told: set[str] = set()
        self.severities: set[str] = set()
        self.videos = self.flagged = self.problems = self.intervals = self.cooled = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._output, self._queue):
            if file is not None:
                file.close(is_whole=kind is None)

    def add(self, checked: CheckedVideo, evidence: Mapping[tuple[str, int], str]) -> None:
        """Print and write what was found in a video.

        Args:
            checked: The video.
            evidence: By rule and number of the interval, the sheet on which it is drawn.
        """
        decision = checked.decision
        self.videos += 1
        rows = [
            self._interval(checked, outcome.rule, number, evidence.get((outcome.rule, number)))
            for outcome in decision.rules
            for number in range(len(outcome.flags))
        ]
        self.flagged += bool(rows)
        self.severities.update(row["severity"] for row in rows)
        self.cooled += sum(row["cooled_by"] is not None for row in rows)
        self.intervals += sum(row["cooled_by"] is None for row in rows)
        if decision.problems:
            self.problems += 1
            rows.append(
                {
                    "kind": "unchecked",
                    "policy": self._policy.name,
                    "video_id": decision.video_id,
                    "uri": decision.uri,
                    "problems": list(decision.problems),
                }
            )
        for row in rows:
            self._write(row)
        if self._as_json:
            for row in rows:
                print_json(row)
        else:
            self._print([row for row in rows if row["kind"] == "flag" and row["cooled_by"] is None])
        report_problems(checked, self._told)

    def finish(self, run: str) -> None:
        """Print the totals on standard error.

        Args:
            run: The id of the run in the audit log.
        """
        from pipeline.render.text import counted

        said = f"{counted(self.intervals, 'flagged interval')} in {self.flagged} of {counted(self.videos, 'video')}"
        if self.cooled:
            said += f"; {self.cooled} more within a cooldown"
        if self.problems:
            said += f"; {counted(self.problems, 'video')} not checked, or not whole"
        echo(f"{said}; run {run} of the audit log", err=True)

    def _interval(self, checked: CheckedVideo, name: str, number: int, evidence: str | None) -> dict[str, Any]:
        decision = checked.decision
        rule = self._policy.rules[name]
        flag = next(outcome for outcome in decision.rules if outcome.rule == name).flags[number]
        recorded = checked.recorded_at(flag.start_seconds)
        return {
            "kind": "flag",
            "subject": str(rule.when),
            "reason": f"{self._policy.name}: {name}",
            "policy": self._policy.name,
            "rule": name,
            "severity": str(rule.severity),
            "action": str(rule.action),
            "video_id": decision.video_id,
            "uri": decision.uri,
            "camera": None if checked.record is None else checked.record.metadata.get(self._policy.camera),
            "recorded_at": None if recorded is None else recorded.isoformat(timespec="milliseconds"),
            "start_seconds": flag.start_seconds,
            "end_seconds": flag.end_seconds,
            "peak_seconds": flag.peak.seconds,
            "score": flag.peak.score,
            "confidence": flag.confidence,
            "parts": dict(flag.peak.parts),
            "cooled_by": flag.cooled_by,
            "is_new": checked.is_new,
            "evidence": evidence,
        }

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._output is not None:
            self._output.write(row)
        if self._queue is not None and row.get("action") == "queue" and row["cooled_by"] is None:
            self._queue.write(row)

    def _print(self, rows: Sequence[Mapping[str, Any]]) -> None:
        from pipeline.render.text import score_text
        from pipeline.timecode import format_seconds

        if not rows:
            return
        cells = [
            [
                row["severity"],
                row["rule"],
                format_seconds(row["start_seconds"]),
                format_seconds(row["end_seconds"]),
                format_seconds(row["peak_seconds"]),
                score_text(row["score"]),
                score_text(row["confidence"]),
                row["uri"],
            ]
            for row in rows
        ]
        header = ["severity", "rule", "from", "to", "best", "score", "confidence", "video"]
        least = [8, max(map(len, self._policy.rules)), 10, 10, 10, 5, 10, 0]
        print_table(header, cells, right=(2, 3, 4, 5, 6), min_widths=least, is_continued=self._has_header)
        self._has_header = True


def report_problems(checked: CheckedVideo, told: set[str]) -> None:
    """Name a video that could not be checked, and why, on standard error.

    What keeps a rule from being evaluated at all is said once, and not of each video.

    Args:
        checked: The video.
        told: What was said of rules so far.
    """
    decision = checked.decision
    if decision.problem is not None:
        complain(f"not checked: {decision.uri}: {decision.problem}")
    for outcome in decision.rules:
        if outcome.problem is None:
            continue
        if "does not know" in outcome.problem:
            text = f"rule {outcome.rule} cannot be checked: {outcome.problem}"
            if text not in told:
                complain(text)
            told.add(text)
        else:
            complain(f"not checked: {decision.uri}: rule {outcome.rule}: {outcome.problem}")


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask
