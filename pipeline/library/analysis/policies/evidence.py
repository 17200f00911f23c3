"""Contact sheets of the flagged intervals of a check, one file for every dozen of a rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.analyze.policies.condition import condition_log_odds
from pipeline.analyze.policies.flags import Flag
from pipeline.errors import StoreError
from pipeline.library.analysis.policies.check import CheckedVideo, PolicyCheck
from pipeline.search import Answer, as_query
from pipeline.search.answer import Explanation
from pipeline.search.localization import Curve
from pipeline.segment.intervals import end_of
from pipeline.types import FrameEmbeddings, Moment, VideoRecord

__all__ = ["EvidenceSheets"]

_TILES = 12


@dataclass
class _Sheet:
    """The intervals of a rule that are not drawn yet."""

    number: int = 1
    moments: list[Moment] = field(default_factory=list)
    curves: dict[str, tuple[Curve, ...]] = field(default_factory=dict)


class EvidenceSheets:
    """Draws the reported intervals of a check; a context manager, which draws the last sheets when it ends.

    Sheets are named after the run, so that none are overwritten.

    Args:
        check: The check.
        folder: Folder of the sheets; it is created.

    Attributes:
        written: Paths of the written sheets.
    """

    def __init__(self, check: PolicyCheck, folder: Path) -> None:
        self._check = check
        self._folder = folder
        self._sheets = {name: _Sheet() for name in check.policy.rules}
        self.written: list[Path] = []

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"no sheets can be written to {str(self._folder)!r}: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            for rule in self._sheets:
                self._draw(rule)

    def add(self, checked: CheckedVideo) -> dict[tuple[str, int], str]:
        """Add the reported intervals of a video; sheets are drawn when they are full.

        Returns:
            The path of each interval's sheet, by rule and number of the interval.

        Raises:
            StoreError: A sheet cannot be written, or the video's embeddings are broken.
        """
        decision, record = checked.decision, checked.record
        found: dict[tuple[str, int], str] = {}
        if record is None or not any(flag.cooled_by is None for _, flag in decision.flags):
            return found
        frames = self._check.library.store.read(record.video_id)
        for outcome in decision.rules:
            reported = [(n, flag) for n, flag in enumerate(outcome.flags) if flag.cooled_by is None]
            if not reported:
                continue
            curve = self._curve(outcome.rule, frames)
            for number, flag in reported:
                sheet = self._sheets[outcome.rule]
                found[outcome.rule, number] = str(self._path(outcome.rule))
                sheet.moments.append(_moment(record, frames, flag, checked))
                sheet.curves[record.video_id] = (curve,)
                if len(sheet.moments) == _TILES:
                    self._draw(outcome.rule)
        return found

    def _path(self, rule: str) -> Path:
        return self._folder / f"{self._check.header.run}-{rule}-{self._sheets[rule].number:04d}.png"

    def _curve(self, name: str, frames: FrameEmbeddings) -> Curve:
        rule = self._check.policy.rules[name]
        of_parts = self._check.header.scorer.log_odds(rule.when.parts, frames.vectors)
        cuts = np.asarray(frames.cuts_seconds or (), np.float64)
        return Curve(frames.times_seconds, condition_log_odds(rule.when, of_parts), cuts, end_of(frames))

    def _draw(self, name: str) -> None:
        from pipeline.export import contact_sheet

        sheet, rule = self._sheets[name], self._check.policy.rules[name]
        if not sheet.moments:
            return
        answer = Answer(
            query=as_query(str(rule.when), {"page": sheet.number}),
            moments=tuple(sheet.moments),
            found=len(sheet.moments),
            top=_TILES,
            min_score=rule.enter,
            nearest=None,
            curves=sheet.curves,
            explanation=Explanation((), "", (), ()),
        )
        path = self._path(name)
        picture = contact_sheet(answer, self._check.library.indexed_videos, order=f"rule {name}, in order of time")
        try:
            picture.save(path, format="PNG")
        except OSError as error:
            raise StoreError(f"{path}: the sheet cannot be written: {error}") from error
        self.written.append(path)
        self._sheets[name] = _Sheet(sheet.number + 1)


def _moment(record: VideoRecord, frames: FrameEmbeddings, flag: Flag, checked: CheckedVideo) -> Moment:
    return Moment(
        video_id=record.video_id,
        uri=record.last_name,
        is_gone=not record.names,
        start_seconds=flag.start_seconds,
        end_seconds=flag.end_seconds,
        best_seconds=flag.peak.seconds,
        score=flag.peak.score,
        time_base=frames.time_base,
        recorded_at=checked.recorded_at(flag.peak.seconds),
    )
