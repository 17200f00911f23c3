"""Opens FFmpeg's containers safely, and probes the best video stream and its clock.

The playback clock starts at the earliest start of all audio and video streams, which a player shows as 0:00. A negative
start of an audio stream counts as 0, because such samples only prime the decoder and are not played. Frames that an
edit list leaves out are not shown, so they are not given out and do not count.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

from pipeline.allocator import give_back
from pipeline.errors import UnsupportedVideoError
from pipeline.io.media import Media
from pipeline.types import VideoInfo
from pipeline.video.limits import MOST_PIXELS
from pipeline.video.picture import UPRIGHT, Orientation
from pipeline.video.playback_clock import duration_seconds, expected_end, start_time
from pipeline.video.refusals import CONTAINERS, ENCRYPTED, why_unopened, why_without_video
from pipeline.video.repair.padding import PADDED_CONTAINERS, ShortenedFile, content_end
from pipeline.video.repair.picture_order import FirstPackets, StoredOrder

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["Probe", "open_stream", "probe", "reason_of"]

# Files that FFmpeg reads through a Python object need none of its protocols, so their content cannot open other files.
_NO_PROTOCOL = "none"
_DECODER_OPTIONS = {"max_pixels": str(MOST_PIXELS)}
_PROBED_PACKETS = 300
_MANY_FRAMES = 100_000


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Properties of a video that are known before it is decoded.

    Attributes:
        media: The checked file, open as long as it is read.
        info: The public properties.
        stream_index: Index of the best video stream among all streams.
        stream_start_ticks: Start of the stream in ticks of its time base.
        orientation: Orientation of the pictures.
        expected_end: End of the stream on the playback clock; None if the container does not state it.
        has_other_ends: Whether `expected_end` is that of the whole file, in which another stream may be longer.
        order: Replacement of the presentation times; None if the container stores usable ones.
        may_restart: Whether the clock may restart or jump in this kind of container.
        marks_keyframes: Whether the decoder marks the first picture as a keyframe.
    """

    media: Media
    info: VideoInfo
    stream_index: int
    stream_start_ticks: int
    orientation: Orientation
    expected_end: Fraction | None
    has_other_ends: bool
    marks_keyframes: bool
    order: StoredOrder | None = None
    may_restart: bool = False

    @property
    def is_matroska(self) -> bool:
        """Whether it is a Matroska or WebM file."""
        return "matroska" in self.info.container

    @property
    def reads_all(self) -> bool:
        """Whether the packets of other streams must be read, too."""
        return self.has_other_ends or self.is_matroska

    @property
    def frame_duration(self) -> Fraction | None:
        """Average duration of a frame in seconds; None if the container does not state the rate."""
        return 1 / self.info.average_rate if self.info.average_rate else None


def probe(media: Media) -> Probe:
    """Probe the best video stream of a checked file, before a backend's library opens the file.

    Raises:
        VideoNotFoundError: The file no longer exists.
        VideoReadError: The server or store fails or stalls.
        UnsupportedVideoError: The file is not a video, or has no video stream with a known codec.
    """
    uri = media.uri
    with _opened(media) as container:
        stream = _best_stream(container, uri)
        time_base = _time_base(stream, uri)
        first_packets = FirstPackets(stream)
        packets = first_packets.watched(_unencrypted(container.demux(stream), uri))
        picture = _first_picture(packets, stream)
        media.raise_failure()
        orientation = _orientation(picture)
        order = first_packets.order(container)
        zero = start_time(container, picture, stream, order)
        end, has_other_ends = expected_end(media, container, stream, zero)
        width, height = orientation.upright_size(*_coded_size(stream, picture, uri))
        info = VideoInfo(
            uri=uri,
            container=container.format.name,
            codec=stream.codec_context.codec.canonical_name,
            width=width,
            height=height,
            rotation_degrees=orientation.rotation_degrees,
            time_base=time_base,
            start_time=zero,
            average_rate=_average_rate(stream, order),
            duration_seconds=duration_seconds(stream, end, zero, order),
        )
        return Probe(
            media=media,
            info=info,
            stream_index=stream.index,
            stream_start_ticks=stream.start_time or 0,
            orientation=orientation,
            expected_end=end,
            has_other_ends=has_other_ends,
            order=order,
            may_restart=order is None and _may_restart(container),
            marks_keyframes=picture is not None and bool(picture.key_frame),
        )


@contextmanager
def open_stream(probed: Probe, *, reads_all: bool) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a checked file again, to decode it from its beginning.

    Args:
        probed: The result of `probe` for the file.
        reads_all: Whether to read the packets of the other streams, too.

    Raises:
        VideoNotFoundError: The file no longer exists.
        UnsupportedVideoError: The file has changed.
    """
    from av.stream import Discard

    uri = probed.info.uri
    with _opened(probed.media) as container:
        streams = [stream for stream in container.streams.video if stream.index == probed.stream_index]
        if not streams:
            raise UnsupportedVideoError(uri, "the file changed while it was read")
        if not reads_all:
            for other in container.streams:
                if other.index != probed.stream_index:
                    other.discard = Discard.all
        streams[0].codec_context.options = dict(_DECODER_OPTIONS)
        yield container, streams[0]


def reason_of(error: Exception) -> str:
    """Return FFmpeg's description of an error, without numbers and paths."""
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _opened(media: Media) -> Iterator[InputContainer]:
    container = _container(media, media.target())
    with ExitStack() as files:
        if container.format.name in PADDED_CONTAINERS and (shortened := _without_padding(media)) is not None:
            container.close()
            container = _container(media, files.enter_context(shortened))
        is_long = any(stream.frames > _MANY_FRAMES for stream in container.streams)
        try:
            if is_long:
                # FFmpeg makes several copies of an MP4 file's index: for ten hours, they leave 55 MiB of unused memory.
                give_back()
            yield container
        finally:
            container.close()
            if is_long:
                give_back()


def _container(media: Media, target: str | BinaryIO) -> InputContainer:
    import av

    protocols = "file" if isinstance(target, str) else _NO_PROTOCOL
    try:
        return av.open(
            target,
            "r",
            container_options={"format_whitelist": CONTAINERS, "protocol_whitelist": protocols},
            options=dict(_DECODER_OPTIONS),
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError, OverflowError) as error:
        media.raise_failure()
        raise UnsupportedVideoError(media.uri, why_unopened(media, reason_of(error))) from error


def _without_padding(media: Media) -> BinaryIO | None:
    """Return the file up to its padding; None if it has no padding."""
    with media.open() as file:
        size_bytes = content_end(file)
    return None if size_bytes is None else io.BufferedReader(ShortenedFile(media.open(), size_bytes))


def _best_stream(container: InputContainer, uri: str) -> VideoStream:
    """Return FFmpeg's choice among the video streams, without cover pictures."""
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    videos = [stream for stream in container.streams.video if not stream.disposition & pictures]
    if not videos:
        kinds = [stream.type for stream in container.streams if stream.type != "video"]
        problem = why_without_video(container.format.name, kinds, has_cover=bool(container.streams.video))
        raise UnsupportedVideoError(uri, problem)
    known = [stream for stream in videos if _has_decoder(stream)]
    if not known:
        raise UnsupportedVideoError(
            uri, "no decoder for its video stream's codec; convert it: ffmpeg -i FILE -c:v libx264 -c:a copy NEW.mp4"
        )
    best = container.streams.best("video")
    return next((stream for stream in known if best is not None and stream.index == best.index), known[0])


def _has_decoder(stream: VideoStream) -> bool:
    # PyAV's context is None if FFmpeg has no decoder, contrary to its annotations.
    context: object = stream.codec_context
    return context is not None


def _coded_size(stream: VideoStream, picture: av.VideoFrame | None, uri: str) -> tuple[int, int]:
    """Return the width and height of the first picture, or the container's values if no picture can be decoded."""
    source = stream.codec_context if picture is None else picture
    if source.width < 1 or source.height < 1:
        problem = f"its {stream.codec_context.name} stream has no size, or one above 16384 x 8192; it is damaged"
        raise UnsupportedVideoError(uri, problem)
    return source.width, source.height


def _time_base(stream: VideoStream, uri: str) -> Fraction:
    if stream.time_base is None or stream.time_base <= 0:
        raise UnsupportedVideoError(uri, "its video stream has no time base; the file is damaged")
    return Fraction(stream.time_base)


def _unencrypted(packets: Iterable[Packet[VideoStream]], uri: str) -> Iterator[Packet[VideoStream]]:
    """Yield the packets; an encrypted one raises an error."""
    for packet in packets:
        if packet.has_sidedata("encryption_info"):
            raise UnsupportedVideoError(uri, ENCRYPTED)
        yield packet


def _first_picture(packets: Iterable[Packet[VideoStream]], stream: VideoStream) -> av.VideoFrame | None:
    """Decode the first picture, which has the orientation, within a limited number of packets."""
    import av

    stream.codec_context.options = dict(_DECODER_OPTIONS)
    try:
        for count, packet in enumerate(packets):
            try:
                pictures = packet.decode()
            except av.FFmpegError:
                pictures = []
            if pictures:
                return pictures[0]
            if count >= _PROBED_PACKETS:
                break
    except av.FFmpegError:
        pass  # frames() will get the same error and report it
    return None


def _orientation(picture: av.VideoFrame | None) -> Orientation:
    from av.sidedata.sidedata import Type

    # PyAV's annotations include only motion vectors.
    side_data: Any = {} if picture is None else picture.side_data
    matrix = side_data.get(Type.DISPLAYMATRIX)
    return UPRIGHT if matrix is None else Orientation.from_display_matrix(bytes(matrix))


def _may_restart(container: InputContainer) -> bool:
    from av.format import Flags

    return Flags.ts_discont in Flags(container.format.flags)


def _average_rate(stream: VideoStream, order: StoredOrder | None) -> Fraction | None:
    if order is not None and order.is_counted:
        return 1 / (order.step * Fraction(stream.time_base or 1))
    return stream.average_rate if stream.average_rate and stream.average_rate > 0 else None
