from __future__ import annotations

import pytest
from contracts.decoder_contract import DecoderContract

from pipeline.video import Decoding, VideoDecoder, make_decoder


class TestPyAVDecoder(DecoderContract):
    @pytest.fixture
    def decoder(self) -> VideoDecoder:
        return make_decoder(Decoding())
