"""Sequences: chains of moments that follow one another in a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.search.localization import Span

__all__ = ["Chain", "chains"]

Floats = npt.NDArray[np.float64]

_CERTAIN = 5.0
"""Log-odds from which on spans are equally certain; of certain ones, those that are nearer belong together."""
_MOST_OF_A_STEP = 256
"""Spans of a step in one video, best first; a chain of weaker ones would not be shown."""


@dataclass(frozen=True)
class Chain:
    """A sequence of spans, one a step; it scores as its weakest."""

    spans: tuple[Span, ...]

    @property
    def score(self) -> float:
        """Log-odds of the weakest."""
        return min(span.score for span in self.spans)


def chains(steps: Sequence[Sequence[Span]], within_seconds: Sequence[float]) -> list[Chain]:
    """Find the best chains of one video, none sharing a span with a better one; best first, ties by start.

    The best of all is taken, then the best of the spans that are left, and so on. It is the one whose weakest link is
    strongest; of equal or certain ones, the one with the least time between its spans; of these, the earliest.

    Args:
        steps: The spans of each step.
        within_seconds: For each step but the first, the most time between the end of the one before and its start. It
            must begin later and end later than that one.
    """
    links = [_Links(_best(spans)) for spans in steps]
    found: list[Chain] = []
    while rows := _strongest(links, within_seconds):
        for chain in rows:
            # Of what was joined to a span that is taken by now, all is joined anew.
            if not all(each.is_free[row] for each, row in zip(links, chain, strict=True)):
                break
            found.append(Chain(tuple(each.spans[row] for each, row in zip(links, chain, strict=True))))
            for each, row in zip(links, chain, strict=True):
                each.is_free[row] = False
    return sorted(found, key=lambda chain: (-chain.score, chain.spans[0].start_seconds))


class _Links:
    """The spans of a step as arrays, by start, and which of them no chain has taken."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = spans
        self.starts = np.asarray([span.start_seconds for span in spans], np.float64)
        self.ends = np.asarray([span.end_seconds for span in spans], np.float64)
        self.scores = np.minimum([span.score for span in spans], _CERTAIN)
        self.is_free = np.ones(len(spans), np.bool_)


def _strongest(links: Sequence[_Links], within_seconds: Sequence[float]) -> list[tuple[int, ...]]:
    """For each free span of the last step the best chain that ends there, as its rows in the steps; best first.

    This is dynamic programming over the steps: the best chain to a span is the best of those to the spans before it.
    """
    scores = np.where(links[0].is_free, links[0].scores, -np.inf)
    gaps = np.zeros(len(scores))
    befores: list[npt.NDArray[np.intp]] = []
    for earlier, later, within in zip(links, links[1:], within_seconds, strict=False):
        if not len(earlier.spans) or not len(later.spans):
            return []
        wait = later.starts - earlier.ends[:, None]
        follows = (later.starts > earlier.starts[:, None]) & (later.ends > earlier.ends[:, None]) & (wait <= within)
        options = np.where(follows & later.is_free, np.minimum(scores[:, None], later.scores), -np.inf)
        waits = np.where(options == options.max(axis=0), gaps[:, None] + np.maximum(wait, 0.0), np.inf)
        before = waits.argmin(axis=0)
        columns = np.arange(len(later.spans))
        scores, gaps = options[before, columns], waits[before, columns]
        befores.append(before)
    ends = [row for row in np.lexsort((gaps, -scores)).tolist() if scores[row] > -np.inf]
    return [_traced(row, befores) for row in ends]


def _traced(row: int, befores: Sequence[npt.NDArray[np.intp]]) -> tuple[int, ...]:
    """The rows of a chain in the steps, from its row in the last."""
    rows = [row]
    for before in reversed(befores):
        rows.append(int(before[rows[-1]]))
    return tuple(reversed(rows))


def _best(spans: Sequence[Span]) -> list[Span]:
    strongest = sorted(spans, key=lambda span: (-span.score, span.start_seconds))[:_MOST_OF_A_STEP]
    return sorted(strongest, key=lambda span: span.start_seconds)
