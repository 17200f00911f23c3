"""Recognizes files that refer to other files: playlists, scripts and XML.

FFmpeg detects the format of a file by its beginning, after ID3 tags. If MPEG packets follow a playlist, some versions
of FFmpeg read the packets, and others the files that the playlist names. The libraries used here contain several
versions, so files with such a beginning are always rejected.
"""

from __future__ import annotations

import re

__all__ = ["playlist_kind"]

_ID3 = b"ID3"
_ID3_HEADER_BYTES = 10
_ID3_FOOTER_FLAG = 0x10

_KINDS = {
    "a playlist of HLS": rb"#ext(m3u|inf|-x-)",
    "a script of FFmpeg that joins files": rb"ffconcat\b|file\s+['\"]",
    "XML or HTML": (
        rb"<\?xml|<!(doctype|--)|<(\w{1,20}:)?(html|head|body|script|svg|rss|mpd|smil|asx|wpl|playlist|packinglist|assetmap"
        rb"|compositionplaylist|smoothstreamingmedia|xmeml|fcpxml|seq|par|switch|video|media)\b"
    ),
    "a playlist of a player": rb"\[(playlist|reference|default)\]|rtsptext|smiltext|#m3u|;\s*playlist",
    "a description of a network stream": rb"v=0\s+o=",
    "an index of subtitles in another file": rb"#\s*vobsub",
    "a script that opens files": (
        rb"#!|(avi|ffvideo|ffms2|directshow|dss2|lwlibavvideo|mpeg2|image)source\s*\(|(load\w{0,20}plugin|import)\s*\("
        rb"|(import|from)\s+vapoursynth|setmemorymax"
    ),
    "a list of addresses": rb"(https?|ftp|file|rtsp|rtmp|mms|concat|subfile|data|crypto|cache|async)[a-z+]{0,6}:",
}
_FORM = re.compile(
    b"|".join(b"(?P<kind%d>%b)" % (number, form) for number, form in enumerate(_KINDS.values())), re.IGNORECASE
)
_NAMES = tuple(_KINDS)
_BLANK = b" \t\r\n\f\v\0"
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def playlist_kind(head: bytes) -> str | None:
    """Name the kind of a file that refers to other files; None for other files.

    Args:
        head: The first bytes of the file, or all of it. If they are only part of an ID3 tag, its kind is that of music,
            since videos do not start with such a tag.
    """
    content = _without_id3(head)
    if content is None:
        return "an ID3 tag, as music does"
    encoding = _UTF16.get(content[:2])
    if encoding is not None:
        content = content[2:].decode(encoding, "replace").encode()
    match = _FORM.match(content.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK))
    return None if match is None or match.lastgroup is None else _NAMES[int(match.lastgroup.removeprefix("kind"))]


def _without_id3(head: bytes) -> bytes | None:
    """Remove ID3 tags (id3.org, ID3v2.4.0, section 3.1); None if they are longer than the head."""
    while head.startswith(_ID3) and len(head) >= _ID3_HEADER_BYTES:
        sizes = head[6:_ID3_HEADER_BYTES]
        if 0xFF in head[3:5] or any(size & 0x80 for size in sizes):
            break
        length = 0
        for size in sizes:
            length = length * 128 + size
        footer = _ID3_HEADER_BYTES if head[5] & _ID3_FOOTER_FLAG else 0
        end = _ID3_HEADER_BYTES + length + footer
        if end >= len(head):
            return None
        head = head[end:]
    return head
