"""Estimates the remaining time of a batch.

Two reckonings are made. The first goes by how fast readers and encoders are while they work, so that what it took to
start them, or to load a model, promises nothing of the rest; it can be made from the first batch on. The second goes by
what was done since the first batch came out of an encoder, whatever held it up, and is taken once every reader has had
its turn twice.
"""

from __future__ import annotations

from pipeline.execution.progress import ProgressEvent

__all__ = ["seconds_left"]


def seconds_left(event: ProgressEvent, videos: int) -> float | None:
    """Estimate how long the rest of a batch takes, from the videos begun so far; None where there is no estimate.

    Videos that needed no work say nothing of the others.

    Args:
        event: What the batch says of itself.
        videos: How many there are.
    """
    work, stages = event.work, event.stages
    if work is None or not work.videos_begun or work.read <= 0 or stages.decode <= 0:
        return None
    without_work = max(event.videos_skipped, event.videos_ended - work.videos_over)
    waiting = max(0, videos - work.videos_begun - without_work)
    unfinished = waiting + work.videos_begun - work.videos_over
    to_come = waiting * work.begun / work.videos_begun
    left = work.begun - work.read + to_come
    if unfinished <= 0:
        return None
    speed = work.read / stages.decode
    alone = work.longest_left / speed
    share_encoded = work.frames_encoded / event.frames_sampled if event.frames_sampled else 1.0
    if work.steady > 0:
        return max(alone, (left + work.read * (1 - share_encoded)) * work.steady_seconds / work.steady)
    reading = left / (speed * max(1, min(work.readers, unfinished)))
    encoding = 0.0
    if work.frames_encoded and stages.encode > 0:
        frames_left = left * event.frames_sampled / work.read + event.frames_sampled - work.frames_encoded
        encoding = frames_left * stages.encode / (work.frames_encoded * max(1, work.encoders))
    writing = (stages.store + stages.index) * unfinished / max(1, work.videos_over)
    return max(alone, reading, encoding, writing)
