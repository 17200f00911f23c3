from __future__ import annotations

import pytest
from contracts.decoder_contract import UNTIMED, DecoderContract

from pipeline.video import Decoding, VideoDecoder, make_decoder


class TestOpenCVDecoder(DecoderContract):
    refuses = UNTIMED | {"av1.mp4", "mpeg2.mpg", "two-streams.mkv"}

    @pytest.fixture
    def decoder(self) -> VideoDecoder:
        return make_decoder(Decoding(backend="opencv"))
