"""Plugins keep the contracts of their seams; docs/how-to/python.md says how other people test theirs."""

from __future__ import annotations

import pytest

from pipeline import load_run_config
from pipeline.encode import Encoder, make_encoder
from pipeline.testing.encoder import EncoderContract
from pipeline.testing.sampler import SamplerContract


class TestPluginSampler(SamplerContract):
    sampler = load_run_config(None, ["sampling.strategy=plugin_examples:EveryNth"]).sampling
    holds_frames_back = False
    knows_time_on_screen = False


class TestPluginOfASubclass(SamplerContract):
    sampler = load_run_config(None, ["sampling.strategy=plugin_examples:Dense"]).sampling


class TestPluginEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self) -> Encoder:
        return make_encoder(load_run_config(None, ["encoder.class=plugin_examples:MeanColour"]).encoder)
