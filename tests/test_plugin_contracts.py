"""Plugins keep the contracts of their seams; docs/how-to/python.md says how other people test theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pipeline import load_run_config
from pipeline.encode import Encoder, make_encoder
from pipeline.testing import EncoderContract, SamplerContract

PROJECT = Path(__file__).resolve().parent.parent
PLUGIN = """
from typing import ClassVar, Literal

import numpy as np

from pipeline.config import Settings
from pipeline.testing import AggregatorContract, EncoderContract, SamplerContract
from pipeline.types import Skip


class EveryFrame(Settings):
    revision: ClassVar[str] = "1"
    strategy: Literal["every_frame"] = "every_frame"
    fault: str = ""
    skip: ClassVar[Skip] = Skip.NOTHING
    grid: ClassVar[None] = None
    cut_searches: ClassVar[tuple[()]] = ()
    finds_cuts: ClassVar[bool] = False

    def begin(self, info):
        return EveryFramePass(self.fault)


class EveryFramePass:
    held_since = cuts = seen_until = step = None

    def __init__(self, fault):
        self._fault, self._first = fault, None

    def feed(self, frame):
        if self._fault == "late" and self._first is None:
            self._first = frame
            return []
        return [] if self._fault == "none" else [frame]

    def finish(self):
        return [] if self._first is None else [self._first]


class FirstRow:
    def __init__(self, scale):
        self.scale = scale

    def aggregate(self, vectors):
        if len(vectors) == 0:
            raise ValueError("N at least 1")
        return vectors[0].copy() * np.float32(self.scale)


class TestSampler(SamplerContract):
    sampler = EveryFrame()
    holds_frames_back = False
    knows_time_on_screen = False


class TestLateSampler(TestSampler):
    sampler = EveryFrame(fault="late")


class TestEmptySampler(TestSampler):
    sampler = EveryFrame(fault="none")


class TestAggregator(AggregatorContract):
    aggregator = FirstRow(1)


class TestLongAggregator(AggregatorContract):
    aggregator = FirstRow(2)


class TestUnfinishedEncoder(EncoderContract):
    pass
"""


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


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pytest says of each test when the author of a plugin runs it, in a folder of its own; "" where it passes."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "test_plugin.py").write_text(PLUGIN)
    command = [sys.executable, "-m", "pytest", "--strict-markers", "-W", "error", "--junitxml=report.xml"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "MOMENTSEEK_EXAMPLES": "20"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    # Written by this very run.
    cases = ElementTree.parse(folder / "report.xml").iter("testcase")
    return {
        f"{case.get('classname', '').removeprefix('test_plugin.')}.{case.get('name')}": "".join(case.itertext())
        for case in cases
    }


def test_a_plugin_in_another_folder_passes_the_suites(results: dict[str, str]) -> None:
    good = {name: said for name, said in results.items() if name.startswith(("TestSampler.", "TestAggregator."))}
    assert len(good) == 16
    assert {name: said for name, said in good.items() if said} == {}


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        # The values of a failed assertion are shown: pytest has rewritten the suite.
        (
            "TestLateSampler.test_chosen_frames_are_fed_ones_in_their_order",
            ["frames must come out in the order of their times, each once", "assert [1, 0] == [0, 1]"],
        ),
        (
            "TestEmptySampler.test_chosen_frames_are_fed_ones_in_their_order",
            ["a video with frames must yield at least one", "len([])"],
        ),
        (
            "TestLateSampler.test_what_is_held_back_is_no_earlier_than_said",
            ["a frame came out earlier than `held_since`"],
        ),
        ("TestEmptySampler.test_one_frame_is_chosen_of_one", ["the only frame of a video must be chosen"]),
        ("TestLongAggregator.test_the_result_is_a_unit_vector", ["aggregates must have unit length"]),
        ("TestUnfinishedEncoder.test_pickling_keeps_the_fingerprint", ["give the fixture `encoder`"]),
    ],
)
def test_a_plugin_that_breaks_a_contract_is_told_how(results: dict[str, str], name: str, messages: list[str]) -> None:
    assert [message for message in messages if message not in results[name]] == [], results[name]


@pytest.mark.parametrize("package", ["pytest", "hypothesis"])
def test_a_missing_package_is_named_with_its_remedy(package: str) -> None:
    code = f"""if True:
        import sys
        sys.modules[{package!r}] = None
        from pipeline.errors import MissingPackageError
        try:
            import pipeline.testing
        except MissingPackageError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pipeline.testing needs pytest and hypothesis (")
    assert package in done.stdout
    assert done.stdout.endswith("run: pip install 'momentseek[testing]'\n")
