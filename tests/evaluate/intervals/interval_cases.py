"""Makes cases of one label in one video, of a frame each second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.evaluate.intervals import Interval, LabelCase, Prediction, joined

__all__ = ["case", "predicted"]


def predicted(start: float, end: float, confidence: float = 0.9, decided: float | None = None) -> Prediction:
    return Prediction(start, end, confidence, (start + end) / 2, start if decided is None else decided)


def case(
    scores: Sequence[float] = (),
    events: Sequence[Interval] = (),
    predictions: Sequence[Prediction] | None = (),
    *,
    unknown: Sequence[Interval] = (),
    label: str = "forklift",
    video: str = "park",
    duration: float | None = None,
) -> LabelCase:
    times = np.arange(len(scores), dtype=np.float64)
    found = np.asarray(scores, np.float64)
    return LabelCase(
        label=label,
        video=video,
        video_id=f"id-{video}",
        events=joined(events),
        unknown=joined(unknown),
        duration_seconds=float(len(scores)) if duration is None else duration,
        times_seconds=times,
        scores=found,
        is_positive=found >= 0.5,
        predictions=None if predictions is None else tuple(predictions),
    )
