"""One moment after another: chains of spans of one video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.search.moments import Span

__all__ = ["Chain", "chains"]

_CERTAIN = 5.0
"""Log-odds from which on spans are equally certain; of certain ones, those that are nearer belong together."""
_MOST_OF_A_STEP = 256
"""Spans of a step in one video, best first; a chain of weaker ones would not be shown."""


@dataclass(frozen=True)
class Chain:
    """Spans that follow each other, one a step; as strong as the weakest."""

    spans: tuple[Span, ...]

    @property
    def score(self) -> float:
        """Log-odds of the weakest."""
        return min(span.score for span in self.spans)

    @property
    def gap_seconds(self) -> float:
        """Time between its spans in all; what overlaps counts nothing."""
        pairs = zip(self.spans, self.spans[1:], strict=False)
        return sum(max(0.0, later.start_seconds - earlier.end_seconds) for earlier, later in pairs)


def chains(steps: Sequence[Sequence[Span]], within_seconds: Sequence[float]) -> list[Chain]:
    """The best chains of one video, none sharing a span with a better one; best first, ties by start.

    For each span of a step the best chain that ends in it is kept (dynamic programming over steps): the one whose
    weakest link is strongest; of equal or certain ones, the one with the least time between its spans.

    Args:
        steps: The spans of each step.
        within_seconds: For each step but the first, the most time between the end of the one before and its start. It
            must begin later and end later than that one.
    """
    ending = [Chain((span,)) for span in _best(steps[0])]
    for spans, within in zip(steps[1:], within_seconds, strict=True):
        longer = []
        for span in _best(spans):
            options = [Chain((*chain.spans, span)) for chain in ending if _follows(chain.spans[-1], span, within)]
            if options:
                longer.append(max(options, key=lambda chain: (min(chain.score, _CERTAIN), -chain.gap_seconds)))
        ending = longer
    used: set[tuple[int, Span]] = set()
    found = []
    for chain in sorted(ending, key=lambda chain: (-min(chain.score, _CERTAIN), chain.gap_seconds, _start(chain))):
        links = set(enumerate(chain.spans))
        if not links & used:
            used |= links
            found.append(chain)
    return sorted(found, key=lambda chain: (-chain.score, _start(chain)))


def _start(chain: Chain) -> float:
    return chain.spans[0].start_seconds


def _best(spans: Sequence[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: (-span.score, span.start_seconds))[:_MOST_OF_A_STEP]


def _follows(earlier: Span, later: Span, within_seconds: float) -> bool:
    is_later = later.start_seconds > earlier.start_seconds and later.end_seconds > earlier.end_seconds
    return is_later and later.start_seconds - earlier.end_seconds <= within_seconds
