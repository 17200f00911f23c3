"""Verification of keyframe flags before a decoder starts at a packet.

A decoder that starts at a packet that is not a random access point loses or invents frames without any error. Keyframe
flags of containers are therefore checked by the most reliable method that the codec allows:

- By the packet's own syntax (see `bitstreams`), or by a codec without references between pictures. False flags are
  removed before decoding; the only cost is longer groups of pictures.
- Otherwise by the decoder's mark on pictures: the first picture after each start must belong to the keyframe and be
  marked as one. If it is not, the pass is repeated without leaving packets out.
- If neither is possible, because a decoder marks no pictures, no packet is left out.

Packets without a flag are tested only if keyframes alone are requested.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from pipeline.video.repair.bitstreams import keyframe_test

if TYPE_CHECKING:
    import av
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

__all__ = ["FalseKeyframeError", "FlagCheck", "KeyframeFlags"]


class FalseKeyframeError(Exception):
    """Decoding started at a packet that is not a keyframe; never raised beyond this package."""


class FlagCheck(Enum):
    """How a packet's keyframe flag is checked."""

    PACKET = "the packet itself"
    PICTURE = "the picture that the decoder makes of it"
    NOTHING = "nothing"


class KeyframeFlags:
    """Checks the keyframe flags of a stream's packets.

    Args:
        context: The stream's decoder.
        marks_keyframes: Whether the decoder marks the pictures of keyframes.
    """

    def __init__(self, context: VideoCodecContext, *, marks_keyframes: bool) -> None:
        self._test = None
        if context.codec.intra_only:
            self.check = FlagCheck.PACKET
            return
        self._test = keyframe_test(context.codec.canonical_name, context.extradata or b"")
        if self._test is not None:
            self.check = FlagCheck.PACKET
        else:
            self.check = FlagCheck.PICTURE if marks_keyframes else FlagCheck.NOTHING

    @property
    def can_test(self) -> bool:
        """Whether packets are tested; codecs without references need no test, since all packets are keyframes."""
        return self._test is not None

    def is_keyframe(self, packet: Packet[VideoStream]) -> bool:
        """Whether a packet is a keyframe regardless of its flag; False if packets are not tested."""
        return self._test is not None and self._test(bytes(packet))

    def remove_false_flag(self, packet: Packet[VideoStream]) -> bool:
        """Remove a false flag from a packet; return whether there was one."""
        if self._test is None or not packet.is_keyframe or not packet.size or self._test(bytes(packet)):
            return False
        packet.is_keyframe = False
        return True

    def check_start(self, keyframe: Packet[VideoStream], picture: av.VideoFrame) -> None:
        """Check the first picture after a start.

        Args:
            keyframe: The packet at which decoding started.
            picture: The first decoded picture.

        Raises:
            FalseKeyframeError: The picture shows that the packet is not a keyframe.
        """
        if self.check is FlagCheck.PACKET:
            return
        if not picture.key_frame or picture.pts != keyframe.pts:
            raise FalseKeyframeError
