"""Labels for made-up libraries: intervals are given, and no model scores anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.analyze.frame_intervals import frame_intervals
from pipeline.analyze.labels.label_scorer import LabelScorer, LabelVector
from pipeline.analyze.labels.label_set import LabelSet, as_label_set
from pipeline.analyze.labels.label_store import LabelStore
from pipeline.analyze.labels.snapshot import keep_snapshot, make_current
from pipeline.analyze.labels.tracks import LabelInterval, LabelTrack, SampledFrames, VideoLabels
from pipeline.library import Library

__all__ = ["SITE", "Made", "keep_labels"]

Made = Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]

SITE = as_label_set(
    {"labels": {"person": "red", "forklift": "blue", "dust": {"prompts": "green", "mode": "score_only"}}}
)


def keep_labels(
    library: Library, made: Made, label_set: LabelSet = SITE, *, name: str = "site", renew: bool = False
) -> LabelStore:
    """Keep labels of videos with these intervals, as `momentseek label` would before it writes them to the index.

    Args:
        library: The library.
        made: By video and label the intervals.
        label_set: The labels.
        name: What it is called.
        renew: Whether it was calibrated anew.
    """
    frames_of = {video_id: library.store.read(video_id) for video_id in made}
    store = LabelStore(library.config.library, label_set.fingerprint, library.store.encoder_fingerprint)
    names = [label.name for label in label_set.active]
    width = next((frames.vectors.shape[1] for frames in frames_of.values()), 4)
    vector = np.eye(1, width, dtype=np.float32)[0]
    offset = 1.0 if renew else 0.0
    scorer = LabelScorer(names, [LabelVector(n, "prompts", vector, 1.0, offset) for n in range(len(names))])
    snapshot = keep_snapshot(store, name, label_set, scorer, len(made), replace=renew)
    for video_id, frames in frames_of.items():
        tracks = [
            LabelTrack(
                label.name,
                tuple(LabelInterval(start, end, start, 0.9) for start, end in made[video_id].get(label.name, ())),
            )
            for label in label_set.active
            if label.mode == "on"
        ]
        store.write(
            VideoLabels(
                video_id=video_id,
                labels=tuple(names),
                frames=frame_intervals(frames),
                log_odds=np.zeros((len(frames), len(names)), np.float16),
                tracks=tuple(tracks),
                sampled=SampledFrames.in_embeddings(frames, library.store.sampling_fingerprint),
                scorer_fingerprint=snapshot.fingerprint,
            )
        )
    make_current(store)
    return store
