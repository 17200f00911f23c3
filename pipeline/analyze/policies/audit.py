"""The audit log of a library: every decision of every policy, with all data needed to repeat it.

The log is a folder of JSON Lines files, called parts. A run writes a part after several hundred decisions, and parts
never change. The first line of a part is its header, with the policy, the fingerprints of encoder and sampling, and the
vectors and calibration that score the parts of the conditions. Each further line is one decision.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from pipeline.analyze.policies.decision import Decision, decision_from, decision_json
from pipeline.analyze.policies.part_scoring import PartScorer
from pipeline.analyze.policies.policy import Policy
from pipeline.config import validate
from pipeline.errors import ConfigError, QueryError, StoreError
from pipeline.parsing import MOST_RECORD_BYTES
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.audit_parts import AUDIT_FOLDER, PART, audit_parts
from pipeline.types.record_json import checked_text, parsed

__all__ = ["AuditHeader", "AuditLog", "AuditWriter", "LoggedDecisions"]

_FORMAT = 1
_DECISIONS_A_PART = 500
_BYTES_A_PART = 8 * 2**20
_SECONDS_A_PART = 30.0


@dataclass(frozen=True)
class AuditHeader:
    """The policy and the scorer of the decisions of one run.

    Attributes:
        run: The run's id.
        policy: The policy, including its defaults.
        scorer: Scorer of the parts of its conditions.
        recorded_at: Name of the metadata with the recording time of a video's start.
        identity: Identity of policy, labels, concepts, encoder and sampling.
        policy_fingerprint: Fingerprint of the policy alone.
        labels: Fingerprint of the label set; None if the policy names none.
        concepts: Fingerprints of the concepts, by name.
        encoder: Fingerprint of the encoder.
        sampling: Fingerprint of the sampling.
        version: Version of momentseek.
    """

    run: str
    policy: Policy
    scorer: PartScorer
    recorded_at: str
    identity: str
    encoder: str
    sampling: str
    version: str
    labels: str | None = None
    concepts: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON values."""
        return {
            "kind": "header",
            "format": _FORMAT,
            "run": self.run,
            "identity": self.identity,
            "policy_fingerprint": self.policy.fingerprint,
            "policy": self.policy.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            "labels": self.labels,
            "concepts": dict(self.concepts),
            "encoder": self.encoder,
            "sampling": self.sampling,
            "recorded_at": self.recorded_at,
            "version": self.version,
            "scorer": self.scorer.as_json(),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> AuditHeader:
        """Read a header from JSON values.

        Raises:
            ValueError: It is not a header of this format.
        """
        try:
            if fields["kind"] != "header" or fields["format"] != _FORMAT:
                raise ValueError(f"it is no header of format {_FORMAT}")
            policy = validate(Policy, fields["policy"], "the policy")
            scorer = PartScorer.from_json(fields["scorer"])
            if lacking := scorer.lacks(policy.parts):
                raise ValueError(f"it has no vector of {lacking[0]!r}")
            return cls(
                run=checked_text(fields["run"]),
                policy=policy,
                scorer=scorer,
                recorded_at=checked_text(fields["recorded_at"]),
                identity=checked_text(fields["identity"]),
                encoder=checked_text(fields["encoder"]),
                sampling=checked_text(fields["sampling"]),
                version=checked_text(fields["version"]),
                labels=None if fields["labels"] is None else checked_text(fields["labels"]),
                concepts={checked_text(name): checked_text(each) for name, each in fields["concepts"].items()},
            )
        except (AttributeError, ConfigError, KeyError, TypeError) as error:
            raise ValueError(f"its header cannot be read ({error})") from error


class AuditLog:
    """The audit log of one library. Its constructor accesses no files.

    Args:
        root_url: The library's folder or URL.
    """

    def __init__(self, root_url: str) -> None:
        self._place = AtomicFolder(root_url)

    def writer(self, header: AuditHeader, clock: Callable[[], float] = time.monotonic) -> AuditWriter:
        """Start the log of a run; use the result as a context manager."""
        return AuditWriter(self._place, header, clock)

    def runs(self) -> list[str]:
        """List the ids of the runs in the log, oldest first.

        Raises:
            StoreError: The log cannot be listed.
        """
        return list(dict.fromkeys(_run_of(name) for name in audit_parts(self._place)))

    def parts(self, run: str) -> list[str]:
        """List the parts of a run, in order.

        Args:
            run: The run's id. "last" is the last run by name, which is the latest unless MOMENTSEEK_RUN_ID was used.

        Raises:
            QueryError: There is no such run.
            StoreError: The log cannot be listed.
        """
        names = audit_parts(self._place)
        wanted = _run_of(names[-1]) if run == "last" and names else run
        found = [name for name in names if _run_of(name) == wanted]
        if not found:
            runs = ", ".join(list(dict.fromkeys(map(_run_of, names)))[-5:]) or "none"
            raise QueryError(f"the audit log has no run {run!r}; the latest are: {runs}")
        return found

    def header(self, part: str) -> AuditHeader:
        """Read the header of a part.

        Raises:
            StoreError: The part cannot be read.
        """
        return self._header(part, self.lines(part))

    def decisions(self, part: str) -> Iterator[Decision]:
        """Read the decisions of a part, in order, without those of videos removed since.

        Raises:
            StoreError: The part cannot be read.
        """
        for number, line in enumerate(self.lines(part)[1:], 2):
            decision = self.decision(part, number, line)
            if decision is not None:
                yield decision

    def lines(self, part: str) -> list[bytes]:
        """Read the lines of a part.

        Raises:
            StoreError: The part cannot be read.
        """
        try:
            lines = self._place.read(part).splitlines()
        except OSError as error:
            raise StoreError(f"{self._place.root}/{part}: cannot be read: {error}") from error
        if not lines:
            raise StoreError(f"{self._place.root}/{part}: is empty, and no part of an audit log; move it away")
        return lines

    def decision(self, part: str, number: int, line: bytes) -> Decision | None:
        """Read a line of a part; None if its video was removed.

        Raises:
            StoreError: The line is not a decision.
        """
        try:
            fields = parsed(line)
            if fields.get("kind") == "removed":
                return None
            return decision_from(fields)
        except ValueError as error:
            raise StoreError(
                f"{self._place.root}/{part}: line {number} cannot be read: {error}; move the file away, or put the one"
                " that was written there back"
            ) from error

    def _header(self, part: str, lines: list[bytes]) -> AuditHeader:
        try:
            return AuditHeader.from_json(parsed(lines[0]))
        except ValueError as error:
            raise StoreError(f"{self._place.root}/{part}: {error}; move the file away") from error

    def logged(self, identity: str) -> LoggedDecisions:
        """Collect the logged decisions of runs with an identity.

        Raises:
            StoreError: The log cannot be read.
        """
        return LoggedDecisions(self, [name for name in audit_parts(self._place) if self._is_of(name, identity)])

    def _is_of(self, part: str, identity: str) -> bool:
        try:
            return parsed(self.lines(part)[0]).get("identity") == identity
        except ValueError as error:
            raise StoreError(f"{self._place.root}/{part}: {error}; move the file away") from error


class AuditWriter:
    """Writes the decisions of one run in parts; a context manager, which writes the last part when it ends.

    Args:
        place: The library's folder.
        header: First line of each part.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, place: AtomicFolder, header: AuditHeader, clock: Callable[[], float]) -> None:
        self._place = place
        self._header = json.dumps(header.as_json()).encode() + b"\n"
        self._run = header.run
        self._clock = clock
        self._number = 0
        self._lines: list[bytes] = []
        self._bytes = 0
        self._since = clock()
        self.parts: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def add(self, decision: Decision) -> None:
        """Log a decision. It is written after 500 decisions or half a minute, or at the end.

        Raises:
            StoreError: A part cannot be written.
        """
        line = json.dumps({"kind": "decision", **decision_json(decision)}).encode() + b"\n"
        if len(line) > MOST_RECORD_BYTES:
            raise StoreError(
                f"{decision.uri}: has {len(decision.flags)} flagged intervals, too many for one line of the audit log;"
                " join them by merge_gap_seconds, or raise min_seconds"
            )
        self._lines.append(line)
        self._bytes += len(line)
        is_late = self._clock() - self._since >= _SECONDS_A_PART
        if is_late or len(self._lines) >= _DECISIONS_A_PART or self._bytes >= _BYTES_A_PART:
            self.flush()

    def flush(self) -> None:
        """Write the remaining decisions.

        Raises:
            StoreError: The part cannot be written.
        """
        if self._lines:
            content = self._header + b"".join(self._lines)
            # A run may have the id of an earlier one; neither replaces a part of the other.
            while not self._place.create(self._name(), content):
                self._number += 1
            self.parts.append(self._name())
            self._number += 1
            self._lines, self._bytes = [], 0
        self._since = self._clock()

    def _name(self) -> str:
        return f"{AUDIT_FOLDER}/{self._run}.{self._number:05d}.jsonl"


class LoggedDecisions:
    """Look-up of logged decisions by video. It holds their positions and the part read last.

    Args:
        log: The log.
        parts: The parts to search; of several decisions about a video the latest counts.
    """

    def __init__(self, log: AuditLog, parts: list[str]) -> None:
        self._log = log
        self._parts = parts
        self._places: dict[str, tuple[str, int, int]] = {}
        self._open: tuple[int, list[bytes]] = (-1, [])
        for number, part in enumerate(parts):
            for line_number, line in enumerate(log.lines(part)):
                decision = None if line_number == 0 else log.decision(part, line_number + 1, line)
                if decision is not None:
                    place = decision.decided_at, number, line_number
                    self._places[decision.video_id] = max(place, self._places.get(decision.video_id, place))

    def find(self, video_id: str, identity: str) -> Decision | None:
        """Find the last decision about a video if it was made from the same input and the video could be read."""
        if video_id not in self._places:
            return None
        _, number, line_number = self._places[video_id]
        if self._open[0] != number:
            self._open = number, self._log.lines(self._parts[number])
        decision = self._log.decision(self._parts[number], line_number + 1, self._open[1][line_number])
        # A video that could not be read then may be readable now.
        return decision if decision is not None and decision.input == identity and decision.problem is None else None


def _run_of(part: str) -> str:
    match = PART.fullmatch(part.rpartition("/")[2])
    return "" if match is None else match["run"]
