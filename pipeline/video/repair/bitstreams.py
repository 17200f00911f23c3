"""Detection of random access points in packets of compressed video.

Containers state which packets are keyframes, often wrongly: MP4 files without a sync sample table, recorders that flag
every packet, encoders with intra refresh, whose recovery points are not keyframes. The codec's own syntax is reliable,
and a few bytes are sufficient. Each test here takes a packet and returns whether decoding can start with it: its
picture is coded without reference to others, and no picture shown after it refers to an earlier one.

Sources: ITU-T H.264 (7.3.1, 7.3.3, D.1.8), H.265 (7.3.1.2, table 7-1), H.263 (5.1), H.262 (6.2.3), ISO/IEC 14496-2
(6.2.5), RFC 6386 (VP8, 9.1), the bitstream specifications of VP9, AV1 and Theora; FFmpeg's decoders of Sorenson Video 1
and CineForm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

__all__ = ["KeyframeTest", "keyframe_test"]

KeyframeTest = Callable[[bytes], bool]
"""Returns whether a packet is a random access point, given its bytes; False for unreadable packets."""

_INTRA_SLICES = (2, 4)
_RECOVERY_POINT = 6
_SLICE_HEADER_BYTES = 16


def keyframe_test(codec: str, extradata: bytes) -> KeyframeTest | None:
    """Make the keyframe test of a stream.

    Args:
        codec: FFmpeg's name of the codec.
        extradata: The codec's configuration in the container; may be empty.

    Returns:
        The test; None for an unsupported codec.
    """
    if codec == "h264":
        is_sized = extradata[:1] == b"\1" and len(extradata) > 4
        return _guarded(partial(_h264, length_bytes=(extradata[4] & 3) + 1 if is_sized else None))
    if codec == "hevc":
        is_sized = len(extradata) > 21 and bool(extradata[0] or extradata[1] or extradata[2] > 1)
        return _guarded(partial(_hevc, length_bytes=(extradata[21] & 3) + 1 if is_sized else None))
    test = _TESTS.get(codec)
    return None if test is None else _guarded(test)


def _guarded(test: KeyframeTest) -> KeyframeTest:
    def is_keyframe(data: bytes) -> bool:
        try:
            return test(data)
        except (IndexError, ValueError):
            return False  # truncated or damaged

    return is_keyframe


class _Bits:
    """Reads bits, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError(f"{count} bits wanted, {self._left} left")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def golomb(self) -> int:
        """Read an unsigned Exp-Golomb code."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def _units(data: bytes, length_bytes: int | None) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each NAL unit: by lengths, or by start codes if `length_bytes` is None."""
    if length_bytes is None or data.startswith(b"\0\0\0\1"[-length_bytes:]):  # no first unit is one byte long
        start = data.find(b"\0\0\1")
        while start >= 0:
            following = data.find(b"\0\0\1", start + 3)
            yield start + 3, len(data) if following < 0 else following
            start = following
        return
    place = 0
    while place + length_bytes < len(data):
        start = place + length_bytes
        place = start + int.from_bytes(data[place:start], "big")
        if place > len(data):
            raise ValueError("a NAL unit is longer than its packet")
        if place > start:
            yield start, place


def _unescaped(data: bytes) -> bytes:
    return data.replace(b"\0\0\3", b"\0\0")


def _h264(data: bytes, *, length_bytes: int | None) -> bool:
    """Detect an IDR picture, or an intra picture whose recovery point message states that it needs no other frame.

    Slices are read up to a second field, which may refer to the first.
    """
    recovers_at_once = False
    pictures = 0
    for start, end in _units(data, length_bytes):
        kind = data[start] & 31
        if kind == 5:
            return True
        if kind == 6:
            recovers_at_once |= _recovery_frames(_unescaped(data[start + 1 : end])) == 0
        elif kind in (1, 2):
            if not recovers_at_once:
                return False
            bits = _Bits(_unescaped(data[start + 1 : start + 1 + _SLICE_HEADER_BYTES]))
            pictures += bits.golomb() == 0  # a picture's first macroblock
            if pictures > 1:
                break
            if bits.golomb() % 5 not in _INTRA_SLICES:
                return False
    return recovers_at_once and pictures > 0


def _recovery_frames(message: bytes) -> int | None:
    """Return `recovery_frame_cnt` of the recovery point in a unit's SEI messages; None without a recovery point."""
    place = 0
    while place + 2 <= len(message) and message[place] != 0x80:
        kind, place = _sei_number(message, place)
        size, place = _sei_number(message, place)
        if kind == _RECOVERY_POINT:
            return _Bits(message[place : place + size]).golomb()
        place += size
    return None


def _sei_number(message: bytes, place: int) -> tuple[int, int]:
    number = 0
    while message[place] == 0xFF:
        number, place = number + 0xFF, place + 1
    return number + message[place], place + 1


def _hevc(data: bytes, *, length_bytes: int | None) -> bool:
    """Detect an intra random access point (BLA, IDR or CRA) of the base layer."""
    for start, _ in _units(data, length_bytes):
        kind = (data[start] >> 1) & 63
        layer = (data[start] & 1) << 5 | data[start + 1] >> 3
        if kind < 32 and layer == 0:
            return 16 <= kind <= 23
    return False


def _mpeg12(data: bytes) -> bool:
    """Detect an I picture; for field pictures, the first field counts."""
    place = data.index(b"\0\0\1\0") + 4
    return (data[place + 1] >> 3) & 7 == 1


def _mpeg4(data: bytes) -> bool:
    """Detect an I-VOP, or an I picture of a stream with short headers, which is H.263."""
    place = data.find(b"\0\0\1\xb6")
    return _h263(data) if place < 0 else data[place + 4] >> 6 == 0


def _h263(data: bytes) -> bool:
    bits = _Bits(data[:16])
    if bits.take(22) != 0b100000:
        return False
    bits.take(8 + 5)  # picture number and flags
    if bits.take(3) != 7:  # 7 means that an extended header follows
        return bits.take(1) == 0
    has_extended_type = bits.take(3) == 1
    bits.take(18 if has_extended_type else 0)
    return bits.take(3) == 0


def _vp8(data: bytes) -> bool:
    return data[0] & 1 == 0


def _vp9(data: bytes) -> bool:
    bits = _Bits(data[:2])
    if bits.take(2) != 2:
        return False
    profile = bits.take(1) + 2 * bits.take(1)
    if profile == 3:
        bits.take(1)
    shows_existing, is_inter = bits.take(1), bits.take(1)
    return not shows_existing and not is_inter


def _av1(data: bytes) -> bool:
    """Detect a key frame that is shown immediately; one shown later is followed by frames that refer to older ones."""
    place, is_still = 0, False
    while place < len(data):
        header = data[place]
        kind = (header >> 3) & 15
        place += 2 if header & 4 else 1
        size = len(data) - place
        if header & 2:
            size, place = _leb128(data, place)
        if kind == 1:
            is_still = bool(data[place] >> 3 & 1)  # reduced_still_picture_header
        elif kind in (3, 6):
            bits = _Bits(data[place : place + 1])
            return is_still or (bits.take(1) == 0 and bits.take(2) == 0 and bits.take(1) == 1)
        place += size
    return False


def _leb128(data: bytes, place: int) -> tuple[int, int]:
    number = 0
    for count in range(8):
        byte = data[place + count]
        number |= (byte & 127) << 7 * count
        if byte < 128:
            return number, place + count + 1
    raise ValueError("a number is longer than 8 bytes")


def _theora(data: bytes) -> bool:
    return data[0] & 0b1100_0000 == 0


def _sorenson1(data: bytes) -> bool:
    bits = _Bits(data[:4])
    bits.take(22 + 8)  # start code and picture number
    return bits.take(2) == 0


def _cineform(data: bytes) -> bool:
    """Detect a sample of the type "intra frame"; other types contain or need a second frame."""
    return data.startswith(b"\0\1\0\x09")


_TESTS: dict[str, KeyframeTest] = {
    "mpeg1video": _mpeg12,
    "mpeg2video": _mpeg12,
    "mpeg4": _mpeg4,
    "h263": _h263,
    "vp8": _vp8,
    "vp9": _vp9,
    "av1": _av1,
    "theora": _theora,
    "svq1": _sorenson1,
    "cfhd": _cineform,
}
