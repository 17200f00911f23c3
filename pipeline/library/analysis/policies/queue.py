"""The review queue of a library's policies: what rules with the action `queue` have flagged, and nobody has marked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.analyze.marks.mark import Mark
from pipeline.analyze.policies.audit import AuditHeader, AuditLog
from pipeline.analyze.policies.decision import Decision
from pipeline.analyze.policies.policy import Action, Severity
from pipeline.analyze.review.review_item import ReviewItem, is_marked
from pipeline.errors import StoreError
from pipeline.library.analysis.marks import mark_store
from pipeline.library.library import Library
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.audit_parts import AUDIT_FOLDER, PART

__all__ = ["PolicyQueue", "QueuedFlag"]


@dataclass(frozen=True)
class QueuedFlag:
    """A flagged interval that waits for review.

    Attributes:
        item: The interval; its subject is the rule's condition.
        policy: Name of the policy.
        rule: Name of the rule.
        severity: The rule's severity.
        peak_seconds: Time of its best frame.
        confidence: The scores of its frames, aggregated as the rule defines.
        decided_at: Time of the decision in UTC.
    """

    item: ReviewItem
    policy: str
    rule: str
    severity: Severity
    peak_seconds: float
    confidence: float
    decided_at: str


@dataclass(frozen=True)
class _LoggedFlags:
    """What a decision has put into the queue; the latest decision of a policy about a video counts."""

    policy: str
    video_id: str
    decided_at: str
    flags: tuple[QueuedFlag, ...]


class PolicyQueue:
    """Reads the queue from the audit log, of which each part is read once. Safe to use in several threads.

    Args:
        library: The library.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._log = AuditLog(library.config.library)
        self._place = AtomicFolder(library.config.library, AUDIT_FOLDER)
        self._parts: dict[str, tuple[str, tuple[_LoggedFlags, ...]]] = {}
        self._lock = threading.Lock()

    def waiting(self) -> list[QueuedFlag]:
        """Return the flagged intervals that wait for review: the most severe first, then those with the best scores.

        Intervals of videos that are no longer in the library are left out.

        Raises:
            StoreError: The log or marks cannot be read.
        """
        with self._lock:
            self._refresh()
            latest: dict[tuple[str, str], _LoggedFlags] = {}
            for _, logged in self._parts.values():
                for one in logged:
                    known = latest.get((one.policy, one.video_id))
                    if known is None or known.decided_at <= one.decided_at:
                        latest[one.policy, one.video_id] = one
        found = [flag for one in latest.values() for flag in self._unmarked(one)]
        return sorted(found, key=lambda flag: (-flag.severity.rank, -(flag.item.score or 0.0), flag.item.video_id))

    def _unmarked(self, logged: _LoggedFlags) -> Iterator[QueuedFlag]:
        if not logged.flags or self._library.store.record(logged.video_id) is None:
            return
        marks: list[Mark] = mark_store(self._library).marks(video_id=logged.video_id)
        yield from (flag for flag in logged.flags if not is_marked(flag.item, marks))

    def _refresh(self) -> None:
        """Read the parts that are new, or that were changed since because a video was removed."""
        try:
            names, versions_of = self._place.listing(".jsonl")
            versions = versions_of([name for name in names if PART.fullmatch(name)])
        except OSError as error:
            raise StoreError(f"{self._place.root}: cannot be listed: {error}") from error
        self._parts = {
            name: self._parts[name]
            if version and name in self._parts and self._parts[name][0] == version
            else (version, tuple(self._read(f"{AUDIT_FOLDER}/{name}")))
            for name, version in sorted(versions.items())
        }

    def _read(self, part: str) -> Iterator[_LoggedFlags]:
        header = self._log.header(part)
        for decision in self._log.decisions(part):
            flags = tuple(_queued(header, decision))
            yield _LoggedFlags(header.policy.name, decision.video_id, decision.decided_at, flags)


def _queued(header: AuditHeader, decision: Decision) -> Iterator[QueuedFlag]:
    for name, flag in decision.flags:
        rule = header.policy.rules.get(name)
        if rule is None or rule.action is not Action.QUEUE or flag.cooled_by is not None:
            continue
        item = ReviewItem(
            decision.video_id,
            flag.start_seconds,
            flag.end_seconds,
            str(rule.when),
            flag.peak.score,
            f"{header.policy.name}: {name}",
        )
        yield QueuedFlag(
            item,
            header.policy.name,
            name,
            rule.severity,
            flag.peak.seconds,
            flag.confidence,
            decision.decided_at,
        )
