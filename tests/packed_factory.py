"""MPEG-4 with packed B-frames, as DivX and XviD write it: a packet holds a P-picture and the B-picture after it.

The packet that the B-picture would have had holds a placeholder, a picture that is not coded (ISO/IEC 14496-2, 6.2.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
from video_factory import Made, make_video, steady

_MARK = b"\x00\x00\x01\xb2DivX503b1393p"
_PICTURE = b"\x00\x00\x01\xb6"
_USER_DATA = re.compile(rb"\x00\x00\x01\xb2[^\x00]*")
_HEADERS_END = re.compile(rb"\x00\x00\x01[\xb3\xb6]")
_B_PICTURE = 2


def make_packed(
    path: Path,
    count: int,
    *,
    rate: int = 25,
    waiting: Sequence[int] = (),
    held: Sequence[int] = (),
) -> Made:
    """Write numbered pictures with two packed B-frames between P-pictures.

    Args:
        path: The suffix names the container. Every packet's presentation time is its decoding time, as in copies of
            AVI files, so that times collide with the order of the pictures.
        count: Pictures.
        rate: Pictures a second.
        waiting: Numbers of packets before which a chunk is left empty, as encoders do that wait for a B-frame.
        held: Numbers of packets before which the picture stays for a second more, as where frames were dropped.
    """
    plain = make_video(
        path.with_name(f"{path.stem}-plain.avi"),
        steady(count, rate),
        codec="mpeg4",
        options={"bf": "2", "b_strategy": "0"},
        time_base=Fraction(1, rate),
        keyframe_every=12,
    )
    with av.open(str(plain.path)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        if stream.codec_context.extradata:
            copy.codec_context.extradata = _marked(stream.codec_context.extradata)
        chunk = 0
        packets = [bytes(packet) for packet in source.demux(stream) if packet.size]
        for number, data in enumerate(_packed(packets, rate)):
            chunk += (number in waiting) + rate * (number in held)
            packet = av.Packet(data)
            packet.pts = packet.dts = chunk
            packet.duration, packet.time_base, packet.stream = 1, Fraction(1, rate), copy
            packet.is_keyframe = data[4:5] == b"\xb0" or _kind(data) == 0
            target.mux(packet)
            chunk += 1
    return Made(path, tuple(Fraction(k, rate) for k in range(count)), plain.numbers, Fraction(count, rate))


def _packed(packets: Sequence[bytes], rate: int) -> Iterator[bytes]:
    """As many packets as there were: each run of B-pictures begins one packet earlier, and ends in a placeholder."""
    place = 0
    while place < len(packets):
        run = [packets[place]]
        while place + len(run) < len(packets) and _kind(packets[place + len(run)]) == _B_PICTURE:
            run.append(packets[place + len(run)])
        first = _marked(run[0])
        if len(run) == 1:
            yield first
        else:
            yield first + run[1]
            yield from run[2:]
            yield placeholder(rate)
        place += len(run)


def _kind(data: bytes) -> int:
    """0 is an I-picture, 1 a P-picture, 2 a B-picture."""
    return data[data.index(_PICTURE) + 4] >> 6


def _marked(data: bytes) -> bytes:
    """Headers that say that B-frames are packed; what has no headers stays as it is."""
    if b"\x00\x00\x01\x20" not in data:
        return data
    data = _USER_DATA.sub(b"", data)
    end = _HEADERS_END.search(data)
    place = end.start() if end else len(data)
    return data[:place] + _MARK + data[place:]


def placeholder(rate: int) -> bytes:
    """A P-picture that is not coded, of a stream of so many pictures a second."""
    # Coding type P, no full second, a marker, the time within the second, a marker, not coded; then stuffing.
    bits = "01" + "0" + "1" + "0" * max(1, (rate - 1).bit_length()) + "1" + "0"
    bits += "0" + "1" * (-(len(bits) + 1) % 8)
    return _PICTURE + int(bits, 2).to_bytes(len(bits) // 8, "big")
