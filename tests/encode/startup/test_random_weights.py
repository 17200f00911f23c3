"""Networks that are built without random weights, since these are read from a file."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from tiny_model import make_tiny_model

from pipeline.encode.architecture import architecture_of, register, resolved
from pipeline.encode.loading import loaded_network
from pipeline.encode.settings import Encoding
from pipeline.encode.startup.random_weights import without_random_weights
from pipeline.run_config import load_run_config


def _demo() -> Encoding:
    settings = load_run_config("demo").encoder
    assert isinstance(settings, Encoding)
    return settings


def test_all_weights_of_a_loaded_network_are_those_of_its_file() -> None:
    settings = _demo()
    architecture = architecture_of(settings)
    register(architecture)
    network = loaded_network(settings, replace(architecture))
    stored = load_file(str(resolved(str(settings.checkpoint))))
    found = network.state_dict()
    assert set(stored) == set(found)
    assert all(torch.equal(found[name], weight.float()) for name, weight in stored.items())


def test_random_weights_are_left_out_in_this_thread_only() -> None:
    def spread() -> float:
        return float(torch.nn.init.normal_(torch.zeros(1000)).std())

    with without_random_weights(), ThreadPoolExecutor(1) as other:
        assert spread() == 0.0
        assert float(torch.nn.init.trunc_normal_(torch.zeros(1000)).std()) == 0.0
        assert other.submit(spread).result() > 0.9
    assert spread() > 0.9


def test_random_tensors_are_zero() -> None:
    generator = torch.Generator().manual_seed(1)
    with without_random_weights():
        assert not torch.randn(4, 3).any()
        assert torch.randn((2, 5), generator=generator, dtype=torch.float64).sum().dtype == torch.float64
        assert (0.1 * torch.randn(7)).shape == (7,)
    assert torch.randn(9).any()


def test_tensors_without_data_keep_their_form() -> None:
    with torch.device("meta"), without_random_weights():
        weight = 0.5 * torch.randn(3, 2) * 2
        mask = torch.empty(4, 4).fill_(-torch.inf).triu_(1)
        outer = torch.randn(3, 1) * torch.randn(1, 5)
    assert (weight.is_meta, weight.shape, mask.shape, outer.shape) == (True, (3, 2), (4, 4), (3, 5))
    with without_random_weights():
        assert torch.equal(torch.ones(2) * 3, torch.full((2,), 3.0))


def test_the_size_of_a_network_is_found_without_sympy(tmp_path: Path) -> None:
    """open_clip makes the embeddings of a vision transformer's positions with `torch.randn`."""
    make_tiny_model(tmp_path)
    code = (
        "import sys; from pathlib import Path; from pipeline.encode import Encoding, OpenClipEncoder\n"
        "files = {'architecture': 'tiny-cli.json', 'checkpoint': 'tiny-cli.safetensors'}\n"
        "OpenClipEncoder(Encoding(model='tiny', **files)).open()\n"
        "print('sympy' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout == "False\n"
