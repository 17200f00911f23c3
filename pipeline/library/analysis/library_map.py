"""Draws the map of a library: a sample of its moments, arranged by similarity."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.library_map.cluster_names import name_clusters, read_vocabulary
from pipeline.analyze.library_map.layout import find_clusters, lay_out
from pipeline.analyze.library_map.page import MapPoint, map_page
from pipeline.encode.protocol import OpenEncoder
from pipeline.errors import QueryError, StoreError, VideoError
from pipeline.library.analysis.cameras import CAMERA, check_camera
from pipeline.library.analysis.map_colourings import label_colourings, metadata_colourings
from pipeline.library.library import Library
from pipeline.render.text import file_name
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
        moments: Number of moments on the map.
        total: Number of moments of the videos, which is larger if only a sample is drawn.
        clusters: Names of the clusters.
        broken: Errors of videos whose files cannot be read, by id.
    """

    html: str
    moments: int
    total: int
    clusters: tuple[str, ...]
    broken: dict[str, StoreError]


@dataclass(frozen=True)
class _Place:
    """A moment of the map without its position."""

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
    camera: str = CAMERA,
    label_set: str | None = None,
    pictures: bool = True,
    words: Sequence[str] | None = None,
    on_picture: Callable[[int, int], None] | None = None,
) -> LibraryMap:
    """Draw the moments of a library, arranged by similarity, as one self-contained HTML page.

    Moments are the segments of the library's videos. If there are more than `most`, a sample is drawn, evenly spread
    over the videos.

    Args:
        library: The library.
        records: Records of the videos to draw; None for all.
        most: Maximum number of moments.
        camera: Name of the metadata entry that names a video's camera.
        label_set: Name, file name or fingerprint of the label set that points can be coloured by; None for the one that
            was applied last, if any.
        pictures: Whether to include a picture of each moment, which requires decoding the videos.
        words: Possible names of clusters; None for the bundled words.
        on_picture: Called with the number of pictures done and their total.

    Raises:
        QueryError: There is no moment to draw, no video has a metadata entry `camera` and it is not the usual one, or
            the library has no such label set.
        StoreError: What is kept of the label set cannot be read.
        ConfigError: The segmentation needs cuts, and a video has none.
        WeightsUnavailableError: The weights of the model, which embeds the words, are not available.
    """
    broken: dict[str, StoreError] = {}
    if records is None:
        records, broken = library.survey()
    check_camera(records, camera)
    total, places = _sampled(library, records, most, broken)
    if not places:
        raise QueryError("there is no moment to draw: the videos have no sampled frames")
    vectors = np.stack([place.vector for place in places])
    positions = lay_out(vectors)
    clusters = find_clusters(positions)
    names = _names(library.model(), vectors, clusters, read_vocabulary() if words is None else words)
    jpegs = list(_pictures(library, places, on_picture)) if pictures else [None] * len(places)
    colourings = [
        ("cluster", _by_cluster(clusters, names)),
        *label_colourings(library, places, label_set),
        *metadata_colourings(library, places, camera),
    ]
    points = _points(places, positions, clusters, colourings, jpegs)
    figures = {"moment": len(points), "video": len({place.record.video_id for place in places})}
    html = map_page(points, names, [name for name, _ in colourings], library=library.config.library, figures=figures)
    return LibraryMap(html, len(points), total, tuple(names), broken)


def _sampled(
    library: Library, records: Sequence[VideoRecord], most: int, broken: dict[str, StoreError]
) -> tuple[int, list[_Place]]:
    """Return every k-th segment of the videos, as many as allowed, and the total number of segments."""
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


def _points(
    places: Sequence[_Place],
    positions: npt.NDArray[np.float64],
    clusters: npt.NDArray[np.int64],
    colourings: Sequence[tuple[str, list[str | None]]],
    jpegs: Sequence[str | None],
) -> list[MapPoint]:
    """The points of the page; the arguments are parallel, and so are the values of each colouring."""
    return [
        MapPoint(
            x=float(x),
            y=float(y),
            video=file_name(place.record.last_name),
            interval=f"{format_seconds(place.start_seconds)} - {format_seconds(place.end_seconds)}",
            place=f"{file_name(place.record.last_name)}@{place.middle_seconds:.2f}",
            cluster=int(cluster),
            values=tuple(values[number] for _, values in colourings),
            picture=jpegs[number],
        )
        for number, (place, (x, y), cluster) in enumerate(zip(places, positions, clusters, strict=True))
    ]


def _by_cluster(clusters: npt.NDArray[np.int64], names: Sequence[str]) -> list[str | None]:
    """Return the name of each moment's cluster; None where it is in none."""
    return [names[number] or f"cluster {number + 1}" if number >= 0 else None for number in clusters.tolist()]


def _pictures(
    library: Library, places: Sequence[_Place], on_picture: Callable[[int, int], None] | None
) -> Iterator[str | None]:
    """Decode the picture in the middle of each moment as JPEG in base64; None if the video cannot be read."""
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
