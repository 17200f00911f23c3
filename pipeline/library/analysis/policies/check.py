"""Checks a library's videos by a policy, with an audit log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from pipeline.analyze.policies.audit import AuditHeader, AuditLog
from pipeline.analyze.policies.cooldown import Cooldowns, in_order_of_recording
from pipeline.analyze.policies.decision import Decision, RuleOutcome
from pipeline.analyze.policies.policy import Policy
from pipeline.analyze.policies.policy_evaluator import PolicyEvaluator, decisions
from pipeline.errors import StoreError
from pipeline.library.analysis.policies.scoring import policy_scorer
from pipeline.library.index_handle import check_writable
from pipeline.library.library import Library
from pipeline.library.privacy import apply_privacy
from pipeline.parsing import shown
from pipeline.run_id import new_run_id
from pipeline.search.filters.metadata import check_names, metadata_hint
from pipeline.search.filters.recording_time import recorded_at, recording_begins
from pipeline.types import Scalar, VideoRecord

__all__ = ["CheckedVideo", "PolicyCheck", "open_check"]

OnVideo = Callable[[int, int], None]


@dataclass(frozen=True)
class CheckedVideo:
    """A checked video.

    Attributes:
        decision: The policy's decision.
        record: The video's record; None if it cannot be read.
        is_new: Whether the decision was made now, and not by an earlier run.
        begins: Recording time of the start of playback; None if unknown.
    """

    decision: Decision
    record: VideoRecord | None
    is_new: bool
    begins: datetime | None = None

    def recorded_at(self, seconds: float) -> datetime | None:
        """Return the recording time of a second of the video; None if unknown."""
        return recorded_at(self.begins, seconds)


@dataclass(frozen=True)
class PolicyCheck:
    """A policy prepared to check the videos of a library.

    Attributes:
        library: The library.
        header: The header of the audit log.
        evaluator: Makes the decisions.
        records: The records of the videos to check, ordered by recording time.
        broken: The errors of videos whose records cannot be read, by id.
        notes: Messages about rules that apply to no video of the library.
    """

    library: Library
    header: AuditHeader
    evaluator: PolicyEvaluator
    records: Sequence[VideoRecord]
    broken: Mapping[str, StoreError]
    notes: tuple[str, ...] = ()

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self.header.policy

    def run(
        self, *, resume: bool = False, on_video: OnVideo | None = None, is_logged: bool = True
    ) -> Iterator[CheckedVideo]:
        """Decide about the videos one after another, and log each new decision.

        If the iteration ends early, the decisions made until then are logged as well.

        Args:
            resume: Whether to reuse logged decisions of earlier runs with the same policy, encoder and videos.
            on_video: Called with the number of videos done and their total.
            is_logged: Whether to log decisions.

        Raises:
            StoreError: The log cannot be read or written, or the library is read-only.
        """
        if is_logged:
            check_writable(self.library.config.library)
            apply_privacy(self.library.config)
        log = AuditLog(self.library.config.library)
        earlier = log.logged(self.header.identity) if resume else None
        cooldowns = Cooldowns(self.policy, self.header.recorded_at)
        total = len(self.records) + len(self.broken)
        made = decisions(self.evaluator, self.records, self.library.store.read, cooldowns, earlier)
        done = 0
        with log.writer(self.header) as writer:
            for checked in self._all(made):
                if checked.is_new and is_logged:
                    writer.add(checked.decision)
                done += 1
                if on_video is not None:
                    on_video(done, total)
                yield checked

    def _all(self, made: Iterator[tuple[VideoRecord, Decision, bool]]) -> Iterator[CheckedVideo]:
        for video_id, error in self.broken.items():
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
            rules = tuple(RuleOutcome(name) for name in self.policy.rules)
            yield CheckedVideo(Decision(video_id, video_id, now, self.header.identity, rules, str(error)), None, True)
        for record, decision, is_new in made:
            begins = recording_begins(record.metadata, self.header.recorded_at)
            yield CheckedVideo(decision, record, is_new, begins)


def open_check(
    library: Library, policy: Policy, names: Sequence[str] = (), where: Mapping[str, Scalar] | None = None
) -> PolicyCheck:
    """Prepare a policy for a library: embed and calibrate its phrases, labels and concepts.

    Args:
        library: The library.
        policy: The policy.
        names: File names, paths, URIs, ids or patterns of the videos to check; empty for all.
        where: Metadata entries of the videos to check.

    Raises:
        ConfigError: The policy names an unknown label or concept, or one of another encoder.
        QueryError: A name fits no video, no video has metadata with a name given by the policy or the caller, or the
            library has no video yet.
        WeightsUnavailableError: The weights of the model are not available.
        StoreError: The library cannot be listed.
    """
    records, broken = library.survey()
    notes = tuple(_rule_notes(records, policy)) if records else ()
    if names or where:
        # A video with a broken record can be named only by its id; it counts as not checked, like other broken videos.
        ids = [name for name in names if name in broken]
        rest = [name for name in names if name not in broken]
        broken = {video_id: error for video_id, error in broken.items() if video_id in ids}
        records = list(library.select(*rest, where=where).records) if rest or not ids else []
    parts = policy_scorer(library, policy)
    entry = library.config.search.recorded_at
    header = AuditHeader(
        run=new_run_id(),
        policy=policy,
        scorer=parts.scorer,
        recorded_at=entry,
        identity=parts.identity,
        encoder=parts.encoder,
        sampling=library.config.sampling_fingerprint,
        version=version("momentseek"),
        labels=parts.labels,
        concepts=parts.concepts,
    )
    evaluator = PolicyEvaluator(policy, parts.scorer, recorded_at=entry, identity=parts.identity)
    return PolicyCheck(library, header, evaluator, in_order_of_recording(records, entry), broken, notes)


def _rule_notes(records: Sequence[VideoRecord], policy: Policy) -> Iterator[str]:
    """Describe the rules that apply to no video; a misspelt value would otherwise look like a library without flags.

    Raises:
        QueryError: A rule names metadata that no video has.
    """
    for name, rule in policy.rules.items():
        check_names(records, rule.where)
        if hint := metadata_hint(records, rule.where):
            yield f"rule {shown(name)} applies to no video: {hint}"
