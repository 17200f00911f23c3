"""Check of a library's videos by a policy, with its audit log; and the replay of such a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from pipeline.analyze.policies.audit import AuditHeader, AuditLog
from pipeline.analyze.policies.cooldown import Cooldowns, in_order_of_recording
from pipeline.analyze.policies.decision import Decision, RuleOutcome
from pipeline.analyze.policies.evaluation import PolicyEvaluator, decisions
from pipeline.analyze.policies.policy import Policy
from pipeline.errors import StoreError
from pipeline.library.analysis.policies.scoring import policy_scorer
from pipeline.library.index_handle import check_writable
from pipeline.library.library import Library
from pipeline.library.privacy import apply_privacy
from pipeline.run_id import new_run_id
from pipeline.search.filters.metadata import check_names
from pipeline.search.filters.recording_time import recorded_at, recording_begins
from pipeline.types import Scalar, VideoRecord

__all__ = ["Checked", "PolicyCheck", "open_check"]

OnVideo = Callable[[int, int], None]


@dataclass(frozen=True)
class Checked:
    """A video that was checked.

    Attributes:
        decision: What the policy says of it.
        record: Its record; None where that cannot be read.
        is_new: Whether it was decided now; else an earlier run has logged the decision.
        begins: When its playback clock was at zero; None where that is not known.
    """

    decision: Decision
    record: VideoRecord | None
    is_new: bool
    begins: datetime | None = None

    def recorded_at(self, seconds: float) -> datetime | None:
        """When a second of the video was recorded; None where that is not known."""
        return recorded_at(self.begins, seconds)


@dataclass(frozen=True)
class PolicyCheck:
    """A policy that is ready to check the videos of a library.

    Attributes:
        library: The library.
        header: What decisions are made with.
        evaluator: Decides.
        records: The records of the videos to check, in the order of their recording.
        broken: By id, the errors of videos whose records cannot be read.
    """

    library: Library
    header: AuditHeader
    evaluator: PolicyEvaluator
    records: Sequence[VideoRecord]
    broken: Mapping[str, StoreError]

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self.header.policy

    def run(
        self, *, resume: bool = False, on_video: OnVideo | None = None, is_logged: bool = True
    ) -> Iterator[Checked]:
        """Decide about the videos in turn, and log each new decision.

        What was decided is logged where the iteration ends early, too.

        Args:
            resume: Take over decisions that earlier runs have logged, of the same policy, encoder and videos.
            on_video: Called with the number of videos done and their total.
            is_logged: Whether decisions are logged.

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

    def _all(self, made: Iterator[tuple[VideoRecord, Decision, bool]]) -> Iterator[Checked]:
        for video_id, error in self.broken.items():
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
            rules = tuple(RuleOutcome(name) for name in self.policy.rules)
            yield Checked(Decision(video_id, video_id, now, self.header.identity, rules, str(error)), None, True)
        for record, decision, is_new in made:
            begins = recording_begins(record.metadata, self.header.recorded_at)
            yield Checked(decision, record, is_new, begins)


def open_check(
    library: Library, policy: Policy, names: Sequence[str] = (), where: Mapping[str, Scalar] | None = None
) -> PolicyCheck:
    """Make a policy ready to check a library: embed and calibrate its phrases, labels and concepts.

    Args:
        library: The library.
        policy: The policy.
        names: Only these videos: file names, paths, URIs, ids or patterns; empty for all.
        where: Only videos whose metadata has these entries.

    Raises:
        ConfigError: The policy names an unknown label or concept, or one of another encoder.
        QueryError: A name stands for no video, no video has metadata of a name that the policy or the caller gives, or
            the library holds no video yet.
        WeightsUnavailableError: The model cannot be had.
        StoreError: The library cannot be listed.
    """
    records, broken = library.survey()
    if records:
        for rule in policy.rules.values():
            check_names(records, rule.where)
    if names or where:
        # A video whose record is broken is found by its id, and is as little checked as the others of its kind.
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
    return PolicyCheck(library, header, evaluator, in_order_of_recording(records, entry), broken)
