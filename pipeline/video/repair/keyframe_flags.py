"""Keyframe flags of packets, checked before a decoder starts at one.

A decoder that starts at a packet that is no random access point loses frames or invents them, and reports nothing. The
flag of a container is therefore a claim, checked by the best evidence that the codec allows:

- the packet's own syntax, see `bitstreams`, or a codec without any references between pictures. A false flag is taken
  back before anything is decoded, which costs nothing but longer groups of pictures;
- else the decoder's mark on the picture: the first one after each start must be that of the keyframe, and marked as
  one. Where it is not, the pass is made again without leaving anything out;
- where neither says anything, as for decoders that mark no picture, nothing is left out at all.

A packet without a flag is taken for a keyframe only where keyframes alone are wanted.
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

__all__ = ["Evidence", "FalseKeyframeError", "KeyframeFlags"]


class FalseKeyframeError(Exception):
    """Decoding started at a packet that is no keyframe; it never leaves this package."""


class Evidence(Enum):
    """What shows that a packet with a keyframe flag is a keyframe."""

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
            self.evidence = Evidence.PACKET
            return
        self._test = keyframe_test(context.codec.canonical_name, context.extradata or b"")
        if self._test is not None:
            self.evidence = Evidence.PACKET
        else:
            self.evidence = Evidence.PICTURE if marks_keyframes else Evidence.NOTHING

    @property
    def can_test(self) -> bool:
        """Whether packets are tested; those of codecs without references are all keyframes."""
        return self._test is not None

    def is_keyframe(self, packet: Packet[VideoStream]) -> bool:
        """Whether a packet is a keyframe, with or without its flag, where packets are tested."""
        return self._test is not None and self._test(bytes(packet))

    def is_taken_back(self, packet: Packet[VideoStream]) -> bool:
        """Take a false flag away from a packet; return whether there was one."""
        if self._test is None or not packet.is_keyframe or not packet.size or self._test(bytes(packet)):
            return False
        packet.is_keyframe = False
        return True

    def check_start(self, keyframe: Packet[VideoStream], picture: av.VideoFrame) -> None:
        """Check the first picture after a start.

        Args:
            keyframe: The packet that decoding started at.
            picture: The first one that the decoder made.

        Raises:
            FalseKeyframeError: The picture shows that it was no keyframe.
        """
        if self.evidence is Evidence.PACKET:
            return
        if not picture.key_frame or picture.pts != keyframe.pts:
            raise FalseKeyframeError
