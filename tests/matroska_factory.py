"""Matroska files written element by element, for what FFmpeg's muxer never writes: sound in laced blocks.

The elements and the three kinds of lacing are those of RFC 9559, sections 5 and 10.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from video_factory import Made

LACINGS = {"xiph": 0x02, "fixed": 0x04, "ebml": 0x06}
SOUNDS = {"pcm_s16le": b"A_PCM/INT/LIT", "ac3": b"A_AC3", "mp2": b"A_MPEG/L2", "flac": b"A_FLAC"}

_RATE = 48_000


def with_laced_sound(made: Made, path: Path, *, sound: str, lacing: str, codec_id: bytes = b"V_MPEG4/ISO/ASP") -> Path:
    """A copy of a video with a tone as long as it is, eight frames of it in each block.

    Args:
        made: A Matroska file that begins at 0.
        path: Where the copy is written.
        sound: One of `SOUNDS`.
        lacing: One of `LACINGS`.
        codec_id: Matroska's name of the video's codec.
    """
    with av.open(str(made.path)) as source:
        stream = source.streams.video[0]
        context = stream.codec_context
        pictures = [(round(p.pts * p.time_base * 1000), p) for p in source.demux(stream) if p.size]
        video = _track(1, b"\x01", codec_id, context.extradata or b"") + _element(
            "e0", _number("b0", context.width) + _number("ba", context.height)
        )
    private, pieces = _tone(sound, made.end)
    audio = _track(2, b"\x02", SOUNDS[sound], private) + _element(
        "e1", _element("b5", struct.pack(">d", _RATE)) + _number("9f", 2) + _number("6264", 16)
    )
    blocks = [(time, 1, 0x80 if packet.is_keyframe else 0, bytes(packet)) for time, packet in pictures]
    for first in range(0, len(pieces), 8):
        group = [data for _, data in pieces[first : first + 8]]
        body, flags = _laced(group, lacing) if len(group) > 1 else (group[0], 0)
        blocks.append((pieces[first][0], 2, 0x80 | flags, body))
    clusters = [
        _number("e7", start)
        + b"".join(_block(*block, since=start) for block in sorted(blocks) if start <= block[0] < start + 500)
        for start in range(0, int(made.end * 1000), 500)
    ]
    _write(path, [video, audio], clusters, made.end)
    return path


def as_video_for_windows(made: Made, path: Path) -> Made:
    """A copy of an AVI file as old versions of mkvmerge made it: its packets have the times at which they are decoded.

    Args:
        made: A file of MPEG-4.
        path: Where the copy is written.
    """
    with av.open(str(made.path)) as source:
        stream = source.streams.video[0]
        context = stream.codec_context
        packets = [(p.dts * p.time_base * 1000, p) for p in source.demux(stream) if p.size]
        header = struct.pack("<IiiHH4sIiiII", 40, context.width, context.height, 1, 24, b"XVID", 0, 0, 0, 0, 0)
        video = _track(1, b"\x01", b"V_MS/VFW/FOURCC", header + (context.extradata or b"")) + _element(
            "e0", _number("b0", context.width) + _number("ba", context.height)
        )
    blocks = [_block(round(time), 1, 0x80 if p.is_keyframe else 0, bytes(p), since=0) for time, p in packets]
    duration = _number("23e383", round((made.times[1] - made.times[0]) * 10**9))
    _write(path, [video + duration], [_number("e7", 0) + b"".join(blocks)], made.end)
    return Made(path, made.times, made.numbers, made.end)


def _write(path: Path, tracks: Sequence[bytes], clusters: Sequence[bytes], end: Fraction) -> None:
    facts = _number("2ad7b1", 1_000_000) + _element("4489", struct.pack(">d", float(end * 1000)))
    segment = (
        _element("1549a966", facts + _element("4d80", b"test") + _element("5741", b"test"))
        + _element("1654ae6b", b"".join(_element("ae", track) for track in tracks))
        + b"".join(_element("1f43b675", cluster) for cluster in clusters)
    )
    path.write_bytes(_element("1a45dfa3", _element("4282", b"matroska")) + _element("18538067", segment))


def _tone(sound: str, length: Fraction) -> tuple[bytes, list[tuple[int, bytes]]]:
    """The codec's private data, and the frames of sound with their times in milliseconds."""
    context = av.CodecContext.create(sound, "w")
    context.sample_rate, context.layout = _RATE, "stereo"
    context.format = "fltp" if sound == "ac3" else "s16"
    context.open()
    size = context.frame_size or 960
    noise = np.random.default_rng(1).normal(0, 0.2, (2, int(length * _RATE)))
    packets = []
    for first in range(0, noise.shape[1] - size, size):
        part = noise[:, first : first + size].clip(-1, 1)
        if sound == "ac3":
            frame = av.AudioFrame.from_ndarray(part.astype(np.float32), format="fltp", layout="stereo")
        else:
            whole = (part.T.ravel() * 30_000).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = _RATE, first, Fraction(1, _RATE)
        packets.extend(context.encode(frame))
    packets.extend(context.encode(None))
    data = [bytes(packet) for packet in packets]
    extra = context.extradata or b""
    private = b"fLaC\x80" + len(extra).to_bytes(3, "big") + extra if sound == "flac" else b""
    return private, [(number * size * 1000 // _RATE, each) for number, each in enumerate(data)]


def _laced(frames: Sequence[bytes], lacing: str) -> tuple[bytes, int]:
    """A block's body, and its flags; fixed lacing falls back to EBML's where frames differ in size."""
    sizes = [len(frame) for frame in frames]
    if lacing == "fixed" and len(set(sizes)) > 1:
        lacing = "ebml"
    head = bytes([len(frames) - 1])
    if lacing == "xiph":
        head += b"".join(b"\xff" * (size // 255) + bytes([size % 255]) for size in sizes[:-1])
    elif lacing == "ebml":
        head += struct.pack(">Q", sizes[0] | 1 << 56)
        for before, size in pairwise(sizes[:-1]):
            head += struct.pack(">Q", (size - before + 2**55 - 1) | 1 << 56)
    return head + b"".join(frames), LACINGS[lacing]


def _track(number: int, kind: bytes, codec: bytes, private: bytes) -> bytes:
    held = _element("63a2", private) if private else b""
    return _number("d7", number) + _number("73c5", number) + _element("83", kind) + _element("86", codec) + held


def _block(time: int, track: int, flags: int, body: bytes, *, since: int) -> bytes:
    return _element("a3", bytes([0x80 | track]) + struct.pack(">hB", time - since, flags) + body)


def _number(identifier: str, value: int) -> bytes:
    return _element(identifier, value.to_bytes(4, "big"))


def _element(identifier: str, body: bytes) -> bytes:
    return bytes.fromhex(identifier) + struct.pack(">Q", len(body) | 1 << 56) + body
