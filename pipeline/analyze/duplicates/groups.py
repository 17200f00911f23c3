"""Groups of copies, each with a suggested original."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.analyze.duplicates.pairs import DuplicatePair
from pipeline.types import VideoRecord

__all__ = ["CopyGroup", "copy_groups", "shared_share"]

LEAST_SHARE = 0.5
"""Minimum shared part of the shorter of two copies: a common opening is not sufficient."""
_AS_LONG = 0.95


@dataclass(frozen=True)
class CopyGroup:
    """Videos that are copies of each other, directly or indirectly.

    Attributes:
        original: Id of the suggested original: among the members of at least 95 % of the maximum length, the one with
            the most pixels; of ties the longest, then the one with the lowest id.
        members: Ids of all members, the original first, the others sorted.
    """

    original: str
    members: tuple[str, ...]


def shared_share(pairs: Iterable[DuplicatePair], shorter_seconds: float) -> float:
    """Compute the share of the shorter of two videos that the pairs between them cover, 0 to 1."""
    shared = sum(min(pair.a.duration_seconds, pair.b.duration_seconds) for pair in pairs)
    return min(1.0, shared / shorter_seconds) if shorter_seconds > 0 else 0.0


def copy_groups(pairs: Iterable[DuplicatePair], records: Mapping[str, VideoRecord]) -> list[CopyGroup]:
    """Group videos that share at least half of the shorter one (connected components).

    Args:
        pairs: Pairs of different videos; pairs within a video are ignored.
        records: Records of all videos in the pairs, by id.
    """
    between: defaultdict[tuple[str, str], list[DuplicatePair]] = defaultdict(list)
    for pair in pairs:
        if pair.a.video_id != pair.b.video_id:
            one, other = sorted((pair.a.video_id, pair.b.video_id))
            between[one, other].append(pair)
    leaders: dict[str, str] = {}

    def leader(video_id: str) -> str:
        while leaders.setdefault(video_id, video_id) != video_id:
            video_id = leaders[video_id]
        return video_id

    for (one, other), shared in between.items():
        if shared_share(shared, min(records[each].duration_seconds for each in (one, other))) >= LEAST_SHARE:
            leaders[max(leader(one), leader(other))] = min(leader(one), leader(other))
    members: defaultdict[str, list[str]] = defaultdict(list)
    for video_id in sorted(leaders):
        members[leader(video_id)].append(video_id)
    return [_group(ids, records) for ids in members.values() if len(ids) > 1]


def _group(ids: list[str], records: Mapping[str, VideoRecord]) -> CopyGroup:
    longest = max(records[each].duration_seconds for each in ids)
    whole = [each for each in ids if records[each].duration_seconds >= _AS_LONG * longest]
    original = min(whole, key=lambda each: (-_pixels(records[each]), -records[each].duration_seconds, each))
    return CopyGroup(original, (original, *(each for each in ids if each != original)))


def _pixels(record: VideoRecord) -> int:
    return record.info.width * record.info.height
