"""Answers and truth by a seed, with all that is awkward: ties, touching windows, duplicates, scores out of order."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

SEED, QUERIES = 20261121, 500
DURATION = 150.0


@dataclass(frozen=True)
class Generated:
    """A labelled query as QVHighlights' files have it, and what was answered."""

    label: dict[str, Any]
    windows: list[tuple[float, float, float]]
    saliency: list[float]


def generated() -> list[Generated]:
    rng = random.Random(SEED)
    return [_query(rng, number) for number in range(QUERIES)]


def _query(rng: random.Random, number: int) -> Generated:
    truth = _truth(rng)
    windows = [_answer(rng, truth) for _ in range(rng.choice((1, 2, 5, 10, 10, 14)))]
    if rng.random() < 0.3:
        windows += [windows[0], (*windows[-1][:2], windows[0][2])]
    if rng.random() < 0.5:
        windows.sort(key=lambda window: -window[2])
    duration = DURATION if rng.random() < 0.8 else 149.0
    clips = int(duration / 2)
    shown = (int(start / 2) + step for start, end in truth for step in range(int((end - start) / 2)))
    ids = sorted({min(clips - 1, clip) for clip in shown})
    label = {
        "qid": number,
        "query": f"text {number}",
        "vid": f"video{number % 40}",
        "duration": duration,
        "relevant_windows": [list(window) for window in truth],
        "relevant_clip_ids": ids or [0],
        "saliency_scores": [[rng.choice((0, 1, 2, 3, 4, 4)) for _ in range(3)] for _ in ids or [0]],
    }
    length = rng.choice((clips, clips, clips + 1, clips - 2))
    # One decimal: many clips tie.
    return Generated(label, windows, [round(rng.random(), rng.choice((1, 4))) for _ in range(length)])


def _truth(rng: random.Random) -> list[tuple[float, float]]:
    """Disjoint windows on a grid of two seconds, some of which touch."""
    edges, at = [], 0
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        start = at + rng.choice((0, 1, 4, 9))
        end = start + rng.choice((1, 3, 5, 8, 15, 20, 30))
        if end > 75:
            break
        edges.append((2.0 * start, 2.0 * end))
        at = end
    return edges or [(0.0, 150.0)]


def _answer(rng: random.Random, truth: list[tuple[float, float]]) -> tuple[float, float, float]:
    score = round(rng.random(), rng.choice((1, 3)))
    start, end = rng.choice(truth)
    kind = rng.random()
    if kind < 0.2:
        return start, end, score
    if kind < 0.3:
        # Touches the true window, and shares nothing with it.
        return (end, end + 4.0, score) if rng.random() < 0.5 or start < 4 else (start - 4.0, start, score)
    if kind < 0.4:
        # Half of it, exactly.
        return start, (start + end) / 2, score
    if kind < 0.75:
        shift, stretch = rng.uniform(-6, 6), rng.uniform(-4, 4)
        return max(0.0, start + shift), max(start + shift, 0.0) + max(1.0, end - start + stretch), score
    somewhere = rng.uniform(0, 140)
    return somewhere, somewhere + rng.uniform(0.5, 60), score
