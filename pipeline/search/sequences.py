"""Sequences: finds chains of moments that follow one another in a video."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.search.localization import Span

__all__ = ["Chain", "chains"]

Floats = npt.NDArray[np.float64]

_CERTAIN_LOG_ODDS = 5.0
"""Spans with at least these log-odds count as equally certain; of certain spans, those closest in time are chained."""
_MAX_SPANS_PER_STEP = 256
"""Only the best spans of each step in a video are chained; a chain of weaker ones would not be shown."""


@dataclass(frozen=True)
class Chain:
    """A sequence of spans, one per step; its score is that of the weakest span."""

    spans: tuple[Span, ...]

    @property
    def score(self) -> float:
        """Log-odds of the weakest span."""
        return min(span.score for span in self.spans)


def chains(steps: Sequence[Sequence[Span]], within_seconds: Sequence[float]) -> list[Chain]:
    """Find the best chains of one video; chains share no spans. Best first, ties by start.

    The best chain is selected, then the best chain of the remaining spans, and so on. The best chain is the one whose
    weakest span is strongest; among equal or certain ones, the one with the least time between its spans; among these,
    the earliest.

    Args:
        steps: The spans of each step.
        within_seconds: For each step but the first, the maximum time between the end of the previous span and the start
            of this one. This one must also start later and end later.
    """
    if len(steps) == 1:
        alone = (Chain((span,)) for span in _best(steps[0]) if span.score > -math.inf)
        return sorted(alone, key=lambda chain: (-chain.score, chain.spans[0].start_seconds))
    links = [_StepSpans(_best(spans)) for spans in steps]
    found: list[Chain] = []
    while rows := _best_chains(links, within_seconds):
        for chain in rows:
            # If a better chain has used one of these spans, the remaining chains must be computed again.
            if not all(each.is_free[row] for each, row in zip(links, chain, strict=True)):
                break
            found.append(Chain(tuple(each.spans[row] for each, row in zip(links, chain, strict=True))))
            for each, row in zip(links, chain, strict=True):
                each.is_free[row] = False
    return sorted(found, key=lambda chain: (-chain.score, chain.spans[0].start_seconds))


class _StepSpans:
    """The spans of a step as arrays, ordered by start, and which of them no chain has used yet."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = spans
        self.starts = np.asarray([span.start_seconds for span in spans], np.float64)
        self.ends = np.asarray([span.end_seconds for span in spans], np.float64)
        self.scores = np.minimum([span.score for span in spans], _CERTAIN_LOG_ODDS)
        self.is_free = np.ones(len(spans), np.bool_)


def _best_chains(links: Sequence[_StepSpans], within_seconds: Sequence[float]) -> list[tuple[int, ...]]:
    """Return the best chain that ends in each free span of the last step, as one row per step; best first.

    This is dynamic programming over the steps: the best chain to a span extends the best chain to an earlier span.
    """
    scores = np.where(links[0].is_free, links[0].scores, -np.inf)
    gaps = np.zeros(len(scores))
    predecessors: list[npt.NDArray[np.intp]] = []
    for earlier, later, within in zip(links, links[1:], within_seconds, strict=False):
        if not len(earlier.spans) or not len(later.spans):
            return []
        wait = later.starts - earlier.ends[:, None]
        follows = (later.starts > earlier.starts[:, None]) & (later.ends > earlier.ends[:, None]) & (wait <= within)
        options = np.where(follows & later.is_free, np.minimum(scores[:, None], later.scores), -np.inf)
        waits = np.where(options == options.max(axis=0), gaps[:, None] + np.maximum(wait, 0.0), np.inf)
        predecessor = waits.argmin(axis=0)
        columns = np.arange(len(later.spans))
        scores, gaps = options[predecessor, columns], waits[predecessor, columns]
        predecessors.append(predecessor)
    ends = [row for row in np.lexsort((gaps, -scores)).tolist() if scores[row] > -np.inf]
    return [_backtrack(row, predecessors) for row in ends]


def _backtrack(row: int, predecessors: Sequence[npt.NDArray[np.intp]]) -> tuple[int, ...]:
    """Return the rows of a chain, one per step, given its row in the last step."""
    rows = [row]
    for predecessor in reversed(predecessors):
        rows.append(int(predecessor[rows[-1]]))
    return tuple(reversed(rows))


def _best(spans: Sequence[Span]) -> list[Span]:
    strongest = sorted(spans, key=lambda span: (-span.score, span.start_seconds))[:_MAX_SPANS_PER_STEP]
    return sorted(strongest, key=lambda span: span.start_seconds)
