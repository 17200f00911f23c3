"""Estimate the remaining time of a batch.

There are two estimates. The first uses the speed of readers and encoders while they work, so that the time to start
them, or to load a model, does not affect it; it is available from the first batch on. The second uses the progress
since an encoder returned the first batch, including all delays; it is used once there have been two more batches per
reader.
"""

from __future__ import annotations

from pipeline.execution.progress import ProgressEvent

__all__ = ["seconds_left"]


def seconds_left(event: ProgressEvent, videos: int) -> float | None:
    """Estimate the time for the rest of a batch from the videos begun so far; None if there is no estimate.

    Videos that needed no work are not representative of the others.

    Args:
        event: The latest progress of the batch.
        videos: Number of videos in the batch.
    """
    work, stages = event.work, event.stages
    if work is None or not work.videos_begun or work.read <= 0 or stages.decode <= 0:
        return None
    without_work = max(event.videos_skipped, event.videos_ended - work.videos_over)
    not_begun = max(0, videos - work.videos_begun - without_work)
    unfinished = not_begun + work.videos_begun - work.videos_over
    left = work.begun - work.read + not_begun * work.begun / work.videos_begun
    if unfinished <= 0:
        return None
    speed = work.read / stages.decode
    # One reader has to finish the longest video by itself.
    longest = work.longest_left / speed
    share_encoded = work.frames_encoded / event.frames_sampled if event.frames_sampled else 1.0
    if work.steady > 0:
        return max(longest, (left + work.read * (1 - share_encoded)) * work.steady_seconds / work.steady)
    reading = left / (speed * max(1, min(work.readers, unfinished)))
    encoding = 0.0
    if work.frames_encoded and stages.encode > 0:
        frames_left = left * event.frames_sampled / work.read + event.frames_sampled - work.frames_encoded
        encoding = frames_left * stages.encode / (work.frames_encoded * max(1, work.encoders))
    writing = (stages.store + stages.index) * unfinished / max(1, work.videos_over)
    return max(longest, reading, encoding, writing)
