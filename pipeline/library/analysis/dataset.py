"""Exports frames of a library with texts as training data."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.analyze.labels.label import Label
from pipeline.analyze.marks.mark import Mark, Verdict
from pipeline.errors import MomentseekError, QueryError, StoreError, VideoDecodeError, VideoError
from pipeline.evaluate import LabelledQuery, read_labelled
from pipeline.evaluate.run import video_ids_of
from pipeline.export.dataset import (
    DatasetSettings,
    DatasetWriter,
    PickedFrame,
    Sample,
    TextInterval,
    jpeg_of,
    pick_frames,
)
from pipeline.library.analysis.label_views import open_view
from pipeline.library.analysis.marks import mark_store
from pipeline.library.library import Library
from pipeline.video.protocol import VideoStream

__all__ = ["DatasetSource", "ExportedDataset", "caption_source", "export_dataset", "label_source", "mark_source"]

FORMAT = 1
# Maximum distance of two frames, in seconds, up to which decoding continues instead of seeking.
_DECODED_ON_SECONDS = 5.0


@dataclass(frozen=True)
class DatasetSource:
    """Labelled intervals from one source.

    Attributes:
        kind: "captions", "marks" or "labels".
        name: Name of the file, without its folder, or of the label set; empty for marks.
        sha256: Hash of the file, of all marks, or of all intervals of the labels.
        intervals: The labelled intervals of the library's videos.
    """

    kind: str
    name: str
    sha256: str
    intervals: tuple[TextInterval, ...]


@dataclass(frozen=True)
class ExportedDataset:
    """The result of an export.

    Attributes:
        manifest: The manifest.
        broken: The errors of videos that were left out, by id.
        without_frames: Number of intervals without a sampled frame.
    """

    manifest: dict[str, Any]
    broken: dict[str, MomentseekError]
    without_frames: int


def caption_source(library: Library, path: str | Path, queries: Sequence[LabelledQuery] | None = None) -> DatasetSource:
    """Read labelled moments as a source: the text of each query describes its windows.

    Args:
        library: The library of the videos.
        path: Path of a labelled set.
        queries: The queries to use; None for all.

    Raises:
        ConfigError: The file cannot be read.
        QueryError: A video is not in the library, or its name fits several.
    """
    queries = read_labelled(path) if queries is None else queries
    ids = video_ids_of(library, (query.video for query in queries))
    intervals = [
        TextInterval(ids[query.video], start, end, query.text, "captions")
        for query in queries
        for start, end in query.windows
    ]
    return DatasetSource(
        "captions", Path(path).name, hashlib.sha256(Path(path).read_bytes()).hexdigest(), tuple(intervals)
    )


def mark_source(library: Library) -> DatasetSource:
    """Read the library's marks as a source: the subject of each yes mark describes its part.

    Frames within a no mark for the same subject are excluded.

    Raises:
        StoreError: The marks cannot be read.
    """
    marks = mark_store(library).marks()
    denied: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for mark in marks:
        if mark.verdict is Verdict.NO:
            denied[_about(mark)].append((mark.start_seconds, mark.end_seconds))
    intervals = [
        TextInterval(
            mark.video_id, mark.start_seconds, mark.end_seconds, mark.subject, "marks", tuple(denied[_about(mark)])
        )
        for mark in marks
        if mark.verdict is Verdict.YES
    ]
    digest = hashlib.sha256("\n".join(f"{asdict(mark)}" for mark in marks).encode())
    return DatasetSource("marks", "", digest.hexdigest(), tuple(intervals))


def label_source(library: Library, label_set: str | None = None) -> DatasetSource:
    """Read the intervals of the library's labels as a source: the prompts of each label describe them in turn.

    The name of a label without prompts is used instead. Videos without labels contribute nothing.

    Args:
        library: The library.
        label_set: Name, file name or fingerprint of a label set; None for the current one.

    Raises:
        QueryError: The library has no labels, or no such label set.
        StoreError: The labels of a video cannot be read.
    """
    view = open_view(library, library.videos(), label_set=label_set)
    texts = {one.name: _texts_of(one) for one in view.chosen.snapshot.label_set.active}
    intervals = []
    for record, tracks in view.tracks():
        for track in tracks:
            for interval, text in zip(track.intervals, itertools.cycle(texts[track.label]), strict=False):
                intervals.append(
                    TextInterval(record.video_id, interval.start_seconds, interval.end_seconds, text, "labels")
                )
    if view.problems:
        raise view.problems[0]
    digest = hashlib.sha256("\n".join(map(str, intervals)).encode())
    return DatasetSource("labels", view.chosen.snapshot.name, digest.hexdigest(), tuple(intervals))


def _texts_of(label: Label) -> tuple[str, ...]:
    return tuple(text for text in label.prompts if text not in label.concepts) or (label.name.replace("-", " "),)


def _about(mark: Mark) -> tuple[str, str]:
    return mark.video_id, mark.subject.casefold()


def export_dataset(
    library: Library,
    folder: str | Path,
    sources: Sequence[DatasetSource],
    settings: DatasetSettings | None = None,
    *,
    on_video: Callable[[int, int], None] | None = None,
) -> ExportedDataset:
    """Write frames with their texts as WebDataset shards; see `pipeline.export.dataset`.

    Frames are decoded at the exact times of the sampled frames. A video that cannot be read is left out completely.

    Args:
        library: The library of the videos.
        folder: The new folder; it must be missing or empty.
        sources: The labelled intervals.
        settings: Settings of the selection of frames, the format and the split.
        on_video: Called with the number of videos done and their total.

    Raises:
        QueryError: The sources have no interval, or no frame can be exported.
        StoreError: The folder is not empty, or cannot be written.
    """
    settings = settings or DatasetSettings()
    by_video = _by_video(sources)
    broken: dict[str, MomentseekError] = {}
    without = 0
    with DatasetWriter(folder, settings) as writer:
        for number, video_id in enumerate(sorted(by_video), 1):
            try:
                samples, lacking = _samples_of(library, video_id, by_video[video_id], settings)
            except (StoreError, VideoError) as error:
                broken[video_id] = error
            else:
                without += lacking
                for sample in samples:
                    writer.add(sample)
            if on_video is not None:
                on_video(number, len(by_video))
        if not writer.samples:
            reason = f"; the first error: {next(iter(broken.values()))}" if broken else ""
            raise QueryError(f"no frame of the {len(by_video)} videos could be exported{reason}")
        manifest = writer.finish(_manifest(library, sources, settings, broken, without))
    return ExportedDataset(manifest, broken, without)


def _manifest(
    library: Library, sources: Sequence[DatasetSource], settings: DatasetSettings, broken: dict[str, Any], without: int
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "momentseek": version("momentseek"),
        "encoder_fingerprint": library.store.encoder_fingerprint,
        "sampling_fingerprint": library.config.sampling_fingerprint,
        "settings": settings.model_dump(),
        "sources": [
            {"kind": one.kind, "name": one.name, "sha256": one.sha256, "intervals": len(one.intervals)}
            for one in sources
        ],
        "intervals_without_frames": without,
        "videos_left_out": sorted(broken),
    }


def _by_video(sources: Sequence[DatasetSource]) -> dict[str, list[TextInterval]]:
    found: dict[str, list[TextInterval]] = defaultdict(list)
    for source in sources:
        for interval in source.intervals:
            found[interval.video_id].append(interval)
    if not found:
        raise QueryError("there is nothing to export: the sources describe no part of a video")
    return found


def _samples_of(
    library: Library, video_id: str, intervals: Sequence[TextInterval], settings: DatasetSettings
) -> tuple[list[Sample], int]:
    """Return the samples of a video, in order of time, and the number of intervals without a sampled frame."""
    frames = library.store.read(video_id)
    picked, without = pick_frames(frames, intervals, settings)
    if not picked:
        return [], without
    times = frames.times_seconds
    rows = sorted({one.row for one in picked})
    with library.indexed_videos.open(video_id) as stream:
        pictures = dict(zip(rows, _pictures(stream, times[rows], settings.side_pixels), strict=True))
    return [_sample(one, float(times[one.row]), pictures[one.row]) for one in picked], without


def _sample(picked: PickedFrame, seconds: float, jpeg: bytes) -> Sample:
    interval = picked.interval
    about = {
        "source": interval.source,
        "start_seconds": interval.start_seconds,
        "end_seconds": interval.end_seconds,
    }
    return Sample(interval.video_id, seconds, interval.text, jpeg, about)


def _pictures(stream: VideoStream, times: npt.NDArray[np.float64], side_pixels: int) -> Iterator[bytes]:
    """Decode the frames at these times as JPEG of a limited size; frames close together are decoded in one pass."""
    starts = [0, *(np.flatnonzero(np.diff(times) > _DECODED_ON_SECONDS) + 1), len(times)]
    for first, end in itertools.pairwise(starts):
        wanted = list(times[first:end])
        # The float may be rounded up, so decoding starts slightly earlier.
        for frame in stream.frames(start=max(Fraction(0), Fraction(wanted[0]) - Fraction(1, 1000))):
            if abs(float(frame.time) - wanted[0]) < 1e-6:
                wanted.pop(0)
                scale = min(1.0, side_pixels / min(frame.width, frame.height))
                size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
                yield jpeg_of(frame.rgb(*size))
            if not wanted:
                break
        if wanted:
            raise VideoDecodeError(stream.info.uri, f"there is no frame at {wanted[0]:.3f} s, where one was sampled")
