"""Draw the map of a library: a sample of its moments, laid out by likeness."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from pipeline.analyze.library_map.cluster_names import name_clusters, read_vocabulary
from pipeline.analyze.library_map.layout import find_clusters, lay_out
from pipeline.analyze.library_map.page import MapPoint, map_page
from pipeline.encode.protocol import OpenEncoder
from pipeline.errors import QueryError, StoreError, VideoError
from pipeline.library.library import Library
from pipeline.render.text import file_name
from pipeline.search.filters.recording_time import recorded_at, recording_begins
from pipeline.timecode import format_seconds
from pipeline.types import VideoRecord
from pipeline.video.frame_at import picture_at

__all__ = ["LibraryMap", "draw_map"]

_WIDTH, _HEIGHT, _QUALITY = 216, 216, 60


@dataclass(frozen=True)
class LibraryMap:
    """A drawn map.

    Attributes:
        html: The page.
        moments: Moments on it.
        total: Moments of the videos; greater where only a sample is drawn.
        clusters: The names of the clusters.
        broken: By id, the errors of videos whose files cannot be read.
    """

    html: str
    moments: int
    total: int
    clusters: tuple[str, ...]
    broken: dict[str, StoreError]


@dataclass(frozen=True)
class _Place:
    """A moment of the map before it has a position."""

    record: VideoRecord
    start_seconds: float
    end_seconds: float
    vector: npt.NDArray[np.float32]

    @property
    def middle_seconds(self) -> float:
        return (self.start_seconds + self.end_seconds) / 2


def draw_map(
    library: Library,
    records: Sequence[VideoRecord] | None = None,
    *,
    most: int = 1500,
    camera: str = "camera",
    pictures: bool = True,
    words: Sequence[str] | None = None,
    on_picture: Callable[[int, int], None] | None = None,
) -> LibraryMap:
    """Draw the moments of a library by likeness, as one self-contained HTML page.

    A moment is a segment, as the library's segmentation divides videos. Of more than `most`, a sample is drawn that is
    spread evenly over the videos.

    Args:
        library: The library.
        records: Of the videos that are drawn; None for all.
        most: Most moments.
        camera: Name of the metadata entry that names a video's camera.
        pictures: Whether the page holds a picture of each moment, for which the videos are decoded.
        words: Names that clusters may get; None for the words that come with the package.
        on_picture: Called with the number of pictures done and their total.

    Raises:
        QueryError: There is no moment to draw.
        ConfigError: The segmentation needs cuts, and a video has none.
        WeightsUnavailableError: The model that embeds the words cannot be had.
    """
    broken: dict[str, StoreError] = {}
    if records is None:
        records, broken = library.survey()
    total, places = _sampled(library, records, most, broken)
    if not places:
        raise QueryError("there is no moment to draw: the videos have no sampled frames")
    vectors = np.stack([place.vector for place in places])
    positions = lay_out(vectors)
    clusters = find_clusters(positions)
    names = _names(library.model(), vectors, clusters, read_vocabulary() if words is None else words)
    jpegs = list(_pictures(library, places, on_picture)) if pictures else [None] * len(places)
    colourings = _colourings(library, places, clusters, names, camera)
    points = [
        MapPoint(
            x=float(x),
            y=float(y),
            video=file_name(place.record.last_name),
            interval=f"{format_seconds(place.start_seconds)} - {format_seconds(place.end_seconds)}",
            place=f"{file_name(place.record.last_name)}@{place.middle_seconds:.2f}",
            cluster=int(cluster),
            values=tuple(values[number] for values in colourings.values()),
            picture=jpegs[number],
        )
        for number, (place, (x, y), cluster) in enumerate(zip(places, positions, clusters, strict=True))
    ]
    figures = {"moment": len(points), "video": len({place.record.video_id for place in places})}
    html = map_page(points, names, list(colourings), library=library.config.library, figures=figures)
    return LibraryMap(html, len(points), total, tuple(names), broken)


def _sampled(
    library: Library, records: Sequence[VideoRecord], most: int, broken: dict[str, StoreError]
) -> tuple[int, list[_Place]]:
    """Every k-th segment of the videos, as many as may be; and how many segments there are."""
    stride, total = 1, 0
    kept: list[tuple[int, _Place]] = []
    for record in records:
        if record.video_id in broken:
            continue
        try:
            rows = library.config.row_recipe.rows(library.store.read(record.video_id), record.metadata)
        except StoreError as error:
            broken[record.video_id] = error
            continue
        for row in rows:
            if total % stride == 0:
                segment = row.segment
                kept.append((total, _Place(record, segment.start_seconds, segment.end_seconds, row.vector)))
            total += 1
        while len(kept) > most:
            stride *= 2
            kept = [(number, place) for number, place in kept if number % stride == 0]
    return total, [place for _, place in kept]


def _names(
    model: OpenEncoder, vectors: npt.NDArray[np.float32], clusters: npt.NDArray[np.int64], words: Sequence[str]
) -> list[str]:
    known = [word for word in words if not model.unknown_words(word)]
    if not known:
        return [""] * (int(clusters.max(initial=-1)) + 1)
    return name_clusters(vectors, clusters, known, model.encode_texts(known))


def _colourings(
    library: Library, places: Sequence[_Place], clusters: npt.NDArray[np.int64], names: Sequence[str], camera: str
) -> dict[str, list[str | None]]:
    """What the points can be coloured by, with the value of each: only what tells them apart."""
    found: dict[str, list[str | None]] = {
        "cluster": [names[number] or f"cluster {number + 1}" if number >= 0 else None for number in clusters.tolist()],
        "video": [file_name(place.record.last_name) for place in places],
        camera: [None if (value := place.record.metadata.get(camera)) is None else str(value) for place in places],
        "hour of day": [_hour(library, place) for place in places],
    }
    return {name: values for name, values in found.items() if name == "cluster" or len(set(values) - {None}) > 0}


def _hour(library: Library, place: _Place) -> str | None:
    begins = recording_begins(place.record.metadata, library.config.search.recorded_at)
    moment: datetime | None = recorded_at(begins, place.middle_seconds)
    return None if moment is None else f"{moment.hour:02d}:00"


def _pictures(
    library: Library, places: Sequence[_Place], on_picture: Callable[[int, int], None] | None
) -> Iterator[str | None]:
    """The picture in the middle of each moment, as JPEG in base64; None where the video cannot be read."""
    from PIL import Image

    for number, place in enumerate(places, 1):
        encoded = None
        with suppress(VideoError), library.indexed_videos.open(place.record.video_id) as stream:
            image = Image.fromarray(picture_at(stream, place.middle_seconds))
            image.thumbnail((_WIDTH, _HEIGHT), Image.Resampling.BILINEAR)
            buffer = io.BytesIO()
            image.save(buffer, format="JPEG", quality=_QUALITY, optimize=True)
            encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
        if on_picture is not None:
            on_picture(number, len(places))
        yield encoded
