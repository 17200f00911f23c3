"""Finds the moments of a library's cameras that differ most from the rest of their recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.analyze.unusual.density import FrameDensity
from pipeline.analyze.unusual.moments import UnusualMoment, UsualDistances, listed_once, moments_of_video
from pipeline.analyze.unusual.reference import CameraVideo, sample_reference
from pipeline.analyze.unusual.settings import UnusualSettings
from pipeline.errors import StoreError
from pipeline.library.analysis.cameras import CAMERA, cameras_of, check_camera
from pipeline.library.library import Library
from pipeline.search.filters.recording_time import recorded_at, recording_begins
from pipeline.types import FrameEmbeddings, Scalar, VideoRecord

__all__ = ["FoundUnusual", "UnusualAnswer", "UnusualCamera", "find_unusual"]

_ENOUGH = 50
"""Maximum number of moments per video in memory."""


@dataclass(frozen=True)
class FoundUnusual:
    """An unusual moment with its video.

    Attributes:
        moment: The interval and its distance from the rest.
        record: The video's record.
        camera: The camera's name in the video's metadata; None if it has none.
        recorded_at: Recording time of its best frame; None if unknown.
    """

    moment: UnusualMoment
    record: VideoRecord
    camera: Scalar | None
    recorded_at: datetime | None


@dataclass(frozen=True)
class UnusualCamera:
    """An examined camera.

    Attributes:
        camera: The camera's name in the metadata; None for videos without it.
        videos: Number of its videos.
        frames: Number of their sampled frames.
        median_distance: The usual distance; None if there are too few frames, or all are too close together in time.
    """

    camera: Scalar | None
    videos: int
    frames: int
    median_distance: float | None


@dataclass(frozen=True)
class UnusualAnswer:
    """The unusual moments of a library.

    Attributes:
        moments: The moments, most unusual first.
        cameras: The examined cameras.
        broken: The errors of videos whose files cannot be read, by id.
    """

    moments: tuple[FoundUnusual, ...]
    cameras: tuple[UnusualCamera, ...]
    broken: dict[str, StoreError]


def find_unusual(
    library: Library,
    records: Sequence[VideoRecord] | None = None,
    *,
    camera: str = CAMERA,
    top: int = 10,
    settings: UnusualSettings | None = None,
    on_video: Callable[[int, int], None] | None = None,
) -> UnusualAnswer:
    """Find the moments that differ most from the rest of their camera's recordings.

    Frame embeddings are read twice, one video at a time. Apart from the records, memory does not grow with the library.

    Args:
        library: The library.
        records: Records of the videos to examine; None for all.
        camera: Name of the metadata entry that names a video's camera.
        top: Maximum number of moments.
        settings: Settings of the search.
        on_video: Called with the number of videos done and their total; each counts twice.

    Raises:
        QueryError: No video has a metadata entry `camera`, and it is not the usual one.
        StoreError: The library cannot be listed.
    """
    settings = settings or UnusualSettings()
    broken: dict[str, StoreError] = {}
    if records is None:
        records, broken = library.survey()
    check_camera(records, camera)
    progress = _Progress(2 * len(records), on_video)
    found: list[FoundUnusual] = []
    cameras = []
    for name, of_camera in cameras_of(records, camera):
        examined = _Camera(library, of_camera, settings, progress, broken)
        moments = examined.moments(top)
        frames = sum(record.frame_count for record in of_camera)
        cameras.append(UnusualCamera(name, len(of_camera), frames, examined.median_distance))
        known = {record.video_id: record for record in of_camera}
        found += [_found(library, one, known[one.video_id], name) for one in moments]
    found.sort(key=lambda one: (-one.moment.distance, one.record.video_id, one.moment.start_seconds))
    return UnusualAnswer(tuple(found[:top]), tuple(cameras), broken)


def _found(library: Library, moment: UnusualMoment, record: VideoRecord, camera: Scalar | None) -> FoundUnusual:
    begins = recording_begins(record.metadata, library.config.search.recorded_at)
    return FoundUnusual(moment, record, camera, recorded_at(begins, moment.peak_seconds))


class _Progress:
    def __init__(self, total: int, on_video: Callable[[int, int], None] | None) -> None:
        self._total = total
        self._done = 0
        self._on_video = on_video

    def step(self) -> None:
        self._done += 1
        if self._on_video is not None:
            self._on_video(self._done, self._total)


class _Camera:
    """The examination of one camera.

    Attributes:
        median_distance: The usual distance, after the examination.
    """

    def __init__(
        self,
        library: Library,
        records: Sequence[VideoRecord],
        settings: UnusualSettings,
        progress: _Progress,
        broken: dict[str, StoreError],
    ) -> None:
        self._store = library.store
        self._search = library.config.search
        self._settings = settings
        self._progress = progress
        self._broken = broken
        self._videos = [
            CameraVideo(
                record.video_id, record.frame_count, recording_begins(record.metadata, self._search.recorded_at)
            )
            for record in records
        ]
        self.median_distance: float | None = None

    def moments(self, top: int) -> list[UnusualMoment]:
        """Find its unusual moments, most unusual first; none if there are too few frames."""
        try:
            reference = sample_reference(self._videos, self._read(), self._settings.reference_frames)
            density = FrameDensity(reference, self._settings)
            usual = UsualDistances.of(density.typical_distances(), self._settings.quantile)
        except ValueError:
            return []
        self.median_distance = usual.median
        found: list[UnusualMoment] = []
        for number, (video, frames) in enumerate(zip(self._videos, self._read(), strict=True)):
            if frames is not None:
                unusual = density.measure(frames, number, video.begins)
                found += moments_of_video(frames, unusual, usual, self._search)[: max(top, _ENOUGH)]
        return listed_once(found, self._settings.same_picture, top)

    def _read(self) -> Iterator[FrameEmbeddings | None]:
        for video in self._videos:
            frames = None
            if video.video_id not in self._broken:
                try:
                    frames = self._store.read(video.video_id)
                except StoreError as error:
                    self._broken[video.video_id] = error
            self._progress.step()
            yield frames
