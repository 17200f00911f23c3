"""The accepted containers, and messages for rejected files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from pipeline.io.media import Media
from pipeline.uris import suffix_of

__all__ = ["CONTAINERS", "ENCRYPTED", "why_unopened", "why_without_video"]

CONTAINERS = (
    "mov,matroska,webm,avi,mpegts,mpeg,flv,asf,gif,apng,ogg,mxf,nut,rm,dv,wtv,ivf,yuv4mpegpipe,nsv,swf"
    # Streams without a container.
    ",h264,hevc,vvc,mpegvideo,m4v,mjpeg,mpjpeg,smjpeg,av1,obu,vc1,vc1test,dirac,cavsvideo,h261,h263"
    # Audio files, which are opened to be rejected with a clear message.
    ",mp3,wav,flac,aac"
)
"""FFmpeg's names of the accepted containers; none of them makes FFmpeg read another file."""

ENCRYPTED = (
    "its video is encrypted (Common Encryption, used by streaming services) and cannot be decoded without the key;"
    " decrypt it, or get a copy that is not encrypted"
)
"""The problem of a video with copy protection."""

_UNFINISHED_SUFFIXES = frozenset({".crdownload", ".download", ".opdownload", ".part", ".partial", ".!qb", ".ytdl"})
_ISO_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide"})
_MAX_BOXES = 10_000
_CHUNK_BYTES = 2**20
_FLASH = re.compile(rb"[FCZ]WS")


def why_unopened(media: Media, reason: str) -> str:
    """Explain why FFmpeg cannot open a file, and what to do.

    Args:
        media: The file.
        reason: FFmpeg's description of the error.
    """
    with media.open() as file:
        head = file.read(16)
        if not any(head) and _holds_only_zeros(file):
            return "it contains only zero bytes: space was reserved for it, but nothing was written; copy it again"
        boxes = set(_boxes(file)) if head[4:8] in _ISO_BOXES else None
    if suffix_of(media.uri) in _UNFINISHED_SUFFIXES:
        return f"an unfinished download, which cannot be opened ({reason}); complete the download"
    if boxes is not None and not boxes & {b"moov", b"moof"}:
        return (
            "its index (moov) is missing: the recording or the copy was interrupted; copy it again, or repair it with"
            " the camera manufacturer's program"
        )
    if _FLASH.match(head):
        return f"a Flash file that FFmpeg cannot open ({reason}); leave it out, or convert it with another program"
    return f"not a video file that FFmpeg can open ({reason}); it is truncated, damaged or not a video: copy it again"


def why_without_video(container: str, kinds: Iterable[str], *, has_cover: bool) -> str:
    """Describe what a file contains instead of a video stream.

    Args:
        container: FFmpeg's name of the container.
        kinds: Types of the file's streams.
        has_cover: Whether the file has a cover picture.
    """
    others = ", ".join(sorted(set(kinds)))
    found = " and ".join([others] * bool(others) + ["a cover picture"] * has_cover)
    if found:
        return f"no video stream, only {found}; leave it out"
    if container == "swf":
        return "no video stream: a Flash file of drawings or programs; leave it out, or record it as a video"
    return "it contains nothing: it ends at 0 s; copy it again"


def _holds_only_zeros(file: BinaryIO) -> bool:
    while chunk := file.read(_CHUNK_BYTES):
        if chunk.count(0) != len(chunk):
            return False
    return True


def _boxes(file: BinaryIO) -> Iterator[bytes]:
    """Yield the types of an ISO media file's boxes, up to the first incomplete one."""
    end = file.seek(0, 2)
    position = 0
    for _ in range(_MAX_BOXES):
        file.seek(position)
        header = file.read(16)
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if len(header) < 8 or (size and size < 8):
            return
        yield header[4:8]
        position = position + size if size else end
        if position >= end:
            return
