from __future__ import annotations

import pytest
from contracts.decoder_contract import UNTIMED, DecoderContract

from pipeline.video import Decoding, VideoDecoder, make_decoder


class TestDecordDecoder(DecoderContract):
    refuses = UNTIMED | frozenset(
        {
            "av1.mp4",
            "animation.gif",
            "slides.gif",
            "edit-list-b-frames.mp4",
            "edit-list.mp4",
            "mirrored-and-turned.mp4",
            "mirrored.mp4",
            "no-duration.mkv",
            "one-frame.gif",
            "two-streams.mkv",
        }
    )

    @pytest.fixture
    def decoder(self) -> VideoDecoder:
        return make_decoder(Decoding(backend="decord"))
