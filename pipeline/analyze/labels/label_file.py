"""Label files (Parquet): the label scores of one video's sampled frames, with its tracks in the metadata.

Columns: time_seconds, start_seconds and end_seconds (float64; the frame and its interval) and log_odds, of fixed
length: the little-endian float16 values of all labels, in order. As lists of numbers, they would take three times as
long to write. The metadata's "momentseek" is JSON: the names of the labels, the tracks, the identity of the frames, and
the fingerprints. Tracks are read without the scores, so totals over a library read only the ends of its files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.analyze.frame_intervals import FrameIntervals
from pipeline.analyze.labels.tracks import LabelInterval, LabelTrack, SampledFrames, VideoLabels
from pipeline.errors import StoreError
from pipeline.parsing import MOST_JSON_BYTES, parse_json
from pipeline.store.checks import MOST_SECONDS, check_seconds, shown
from pipeline.store.frames_file import check_memory
from pipeline.store.frames_metadata import METADATA_KEY

__all__ = ["MOST_LABELS", "MOST_NAME_LENGTH", "details_in", "read_labels", "sampled_in", "tracks_in", "write_labels"]

_FORMAT = 1
_SCORE = np.dtype("<f2")
_KIND = "labels"
_SECONDS = ("time_seconds", "start_seconds", "end_seconds")
# A quarter of a million scores of 100 labels; larger pages do not reduce the size of the file.
_GROUP_ROWS = 65_536
MOST_LABELS = 10_000
MOST_NAME_LENGTH = 200


def write_labels(file: IO[bytes], labels: VideoLabels, fingerprints: Mapping[str, str]) -> None:
    """Write a label file.

    Args:
        file: The file, open for writing; it stays open.
        labels: The video's labels.
        fingerprints: The store's label_set_fingerprint and encoder_fingerprint.

    Raises:
        StoreError: The tracks have too many intervals for a file.
        OSError: The file cannot be written.
    """
    details = json.dumps(_details_of(labels, fingerprints), separators=(",", ":")).encode()
    if len(details) > MOST_JSON_BYTES:
        count = sum(len(track.intervals) for track in labels.tracks)
        raise StoreError(
            f"{labels.video_id}: {count:,} intervals are more than a label file can hold; raise min_seconds or"
            " merge_gap_seconds of the labels, or lower their exit scores"
        )
    kind = pa.binary(_SCORE.itemsize * len(labels.labels))
    schema = pa.schema(
        [*(pa.field(name, pa.float64()) for name in _SECONDS), pa.field("log_odds", kind)],
        metadata={METADATA_KEY: details},
    )
    scores = pa.py_buffer(np.ascontiguousarray(labels.log_odds, _SCORE))
    frames = labels.frames
    columns = [pa.array(each) for each in (frames.times_seconds, frames.starts_seconds, frames.ends_seconds)]
    columns.append(pa.Array.from_buffers(kind, len(frames), [None, scores]))
    pq.write_table(
        pa.table(columns, schema=schema),
        file,
        row_group_size=_GROUP_ROWS,
        compression="zstd",
        use_dictionary=False,
        use_byte_stream_split=["log_odds"],
        write_page_checksum=True,
        # Minima and maxima are useless for scores and rarely needed for times.
        write_statistics=False,
    )


def _details_of(labels: VideoLabels, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    sampled = labels.sampled
    return {
        "format": _FORMAT,
        "kind": _KIND,
        "video_id": labels.video_id,
        **fingerprints,
        "scorer_fingerprint": labels.scorer_fingerprint,
        "labels": list(labels.labels),
        "tracks": {
            track.label: [
                [each.start_seconds, each.end_seconds, each.peak_seconds, each.confidence] for each in track.intervals
            ]
            for track in labels.tracks
        },
        "sampled": {
            "sampling_fingerprint": sampled.sampling_fingerprint,
            "frame_count": sampled.frame_count,
            "duration_seconds": sampled.duration_seconds,
        },
        "duration_seconds": labels.frames.duration_seconds,
        "versions": _versions(),
    }


def details_in(parquet: pq.ParquetFile, ours: Mapping[str, str], path: str) -> dict[str, Any]:
    """Read the metadata of a label file, and check its format, video and store.

    Args:
        parquet: The open file.
        ours: The expected video_id, label_set_fingerprint and encoder_fingerprint.
        path: Path of the file, for messages.

    Raises:
        StoreError: The file has the format of another version, or belongs to another video or store.
        KeyError, TypeError, ValueError: The file is damaged.
    """
    details = parse_json(parquet.schema_arrow.metadata[METADATA_KEY], most_bytes=MOST_JSON_BYTES)
    if not isinstance(details, dict) or details["kind"] != _KIND:
        raise ValueError("it is not a label file")
    if details["format"] != _FORMAT:
        raise StoreError(
            f"{path}: has format {shown(details['format'])}, and this version of momentseek reads format {_FORMAT}:"
            " update momentseek, or delete the file and label the video again"
        )
    wrong = [f"{name} {shown(details[name])} instead of {ours[name]}" for name in ours if details[name] != ours[name]]
    if wrong:
        raise StoreError(f"{path}: belongs elsewhere ({', '.join(wrong)}); move it back or delete it")
    _check_names(details["labels"])
    _check_fingerprint("scorer_fingerprint", details["scorer_fingerprint"])
    return details


def sampled_in(details: Mapping[str, Any], rows: int) -> SampledFrames:
    """Return the identity of a label file's frames.

    Args:
        details: Metadata from `details_in`.
        rows: Number of rows of the file.

    Raises:
        KeyError, TypeError, ValueError: The file is damaged.
    """
    sampled = details["sampled"]
    _check_fingerprint("sampling_fingerprint", sampled["sampling_fingerprint"])
    check_seconds("duration_seconds", sampled["duration_seconds"])
    if type(sampled["frame_count"]) is not int or sampled["frame_count"] != rows:
        raise ValueError(f"it says {shown(sampled['frame_count'])} frames, but has {rows}")
    return SampledFrames(sampled["sampling_fingerprint"], rows, float(sampled["duration_seconds"]))


def tracks_in(details: Mapping[str, Any]) -> tuple[LabelTrack, ...]:
    """Return the tracks in a label file's metadata.

    Raises:
        KeyError, TypeError, ValueError: The file is damaged.
    """
    names = set(details["labels"])
    tracks = []
    for label, intervals in details["tracks"].items():
        if label not in names:
            raise ValueError(f"it has a track of {shown(label)}, but no scores of it")
        track = LabelTrack(label, tuple(_interval(*each) for each in intervals))
        _check_order(track)
        tracks.append(track)
    return tuple(tracks)


def read_labels(parquet: pq.ParquetFile, details: Mapping[str, Any]) -> VideoLabels:
    """Read the scores and tracks of a label file.

    Args:
        parquet: The open file.
        details: Metadata from `details_in`.

    Raises:
        KeyError, TypeError, ValueError, ArrowException, OSError: The file is damaged.
    """
    count = len(details["labels"])
    rows = _check_columns(parquet, count)
    table = parquet.read()
    if len(table) != rows or any(column.null_count for column in table.columns):
        raise ValueError("it has an unexpected number of rows, or rows without a value")
    times, starts, ends = (np.array(table[name].to_numpy()) for name in _SECONDS)
    scores = np.concatenate(
        [np.empty((0, count), np.float16), *(_scores(each, count) for each in table["log_odds"].chunks)]
    )
    if np.isnan(scores).any():
        raise ValueError("it has scores that are not numbers")
    check_seconds("duration_seconds", details["duration_seconds"])
    frames = FrameIntervals(starts, ends, times, float(details["duration_seconds"]))
    _check_frames(frames)
    return VideoLabels(
        video_id=details["video_id"],
        labels=tuple(details["labels"]),
        frames=frames,
        log_odds=scores,
        tracks=tracks_in(details),
        sampled=sampled_in(details, rows),
        scorer_fingerprint=details["scorer_fingerprint"],
    )


def _scores(chunk: pa.Array, labels: int) -> npt.NDArray[np.float16]:
    """Decode the scores of some frames: float16 (M, L)."""
    content = chunk.buffers()[1]
    size = _SCORE.itemsize * labels
    scores = np.frombuffer(content, _SCORE, count=len(chunk) * labels, offset=chunk.offset * size)
    return scores.reshape(len(chunk), labels).astype(np.float16, copy=False)


def _check_columns(parquet: pq.ParquetFile, labels: int) -> int:
    """Check the columns' types and the memory they need: a few kilobytes can represent any number of rows."""
    schema = parquet.schema_arrow
    if sorted(schema.names) != sorted([*_SECONDS, "log_odds"]):
        raise ValueError(f"its columns are {shown(', '.join(schema.names))}")
    for name in _SECONDS:
        if schema.field(name).type != pa.float64():
            raise ValueError(f"its column {name} is of type {schema.field(name).type}, not double")
    if (kind := schema.field("log_odds").type) != pa.binary(_SCORE.itemsize * labels):
        raise ValueError(f"its scores are of type {kind}, and it names {labels} labels")
    rows = int(parquet.metadata.num_rows)
    check_memory(rows, _SCORE.itemsize * labels + 8 * len(_SECONDS))
    return rows


def _check_frames(frames: FrameIntervals) -> None:
    starts, ends, times = frames.starts_seconds, frames.ends_seconds, frames.times_seconds
    is_interval = (starts >= 0) & (starts <= times) & (times <= ends) & (starts < ends) & (ends <= MOST_SECONDS)
    if not is_interval.all() or (starts[1:] < ends[:-1]).any():
        raise ValueError("its frames do not follow one another")


def _check_names(names: object) -> None:
    if not isinstance(names, list) or not 1 <= len(names) <= MOST_LABELS:
        raise ValueError(f"its labels are {shown(names)}, expected 1 to {MOST_LABELS} names")
    for name in names:
        if not isinstance(name, str) or not 1 <= len(name) <= MOST_NAME_LENGTH:
            raise ValueError(f"it has a label {shown(name)}")
        name.encode()
    if len(set(names)) < len(names):
        raise ValueError("it has a label twice")


def _check_fingerprint(field: str, value: object) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= MOST_NAME_LENGTH or not value.isascii():
        raise ValueError(f"its {field} is {shown(value)}")


def _interval(start: object, end: object, peak: object, confidence: object) -> LabelInterval:
    """Check one interval of a track."""
    for field, value in (("start", start), ("end", end), ("peak", peak), ("confidence", confidence)):
        check_seconds(f"track's {field}", value)
    made = LabelInterval(*map(float, (start, end, peak, confidence)))  # type: ignore[arg-type]
    if not (made.start_seconds < made.end_seconds and made.start_seconds <= made.peak_seconds <= made.end_seconds):
        raise ValueError(f"it has an interval from {start} to {end} s with its peak at {peak} s")
    if made.confidence > 1:
        raise ValueError(f"it has a confidence of {confidence}")
    return made


def _check_order(track: LabelTrack) -> None:
    for one, following in zip(track.intervals, track.intervals[1:], strict=False):
        if following.start_seconds < one.end_seconds:
            raise ValueError(f"the intervals of {shown(track.label)} are out of order")


@cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("momentseek", "pyarrow", "numpy")}
