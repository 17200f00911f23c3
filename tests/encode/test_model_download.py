"""A model by its tag from end to end: a real network with random weights, from a stand-in of the model hub."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from model_hub import ModelHub

from pipeline.encode import OpenClipEncoder
from pipeline.run_config import load_run_config
from pipeline.testing.encoder import drawn_picture

SMALL = load_run_config("small").encoder
FILE = "timm/MobileCLIP2-S0-OpenCLIP/open_clip_model.safetensors"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the preset `small`, in half precision: 150 MB."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(7)
    tensors = open_clip.create_model(SMALL.model).state_dict()
    for name, tensor in tensors.items():
        # A fresh network's statistics are 0 and 1, with which merged and separate branches agree too easily.
        if name.endswith(("running_mean", "running_var")):
            tensor.uniform_(0.5, 1.5)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    save_file({name: tensor.contiguous() for name, tensor in halves.items()}, path)
    return path


def test_merged_branches_embed_as_the_separate_ones(weights: Path) -> None:
    import open_clip
    import torch

    images = np.stack([drawn_picture(256, 256, seed) for seed in range(2)])
    reference = open_clip.create_model(SMALL.model, pretrained=str(weights)).eval()
    with torch.inference_mode():
        # open_clip's own table: a mean of 0 and a deviation of 1.
        expected = reference.encode_image(torch.from_numpy(images).permute(0, 3, 1, 2) / 255, normalize=True).numpy()
    settings = SMALL.model_copy(update={"checkpoint": str(weights), "precision": "fp32", "device": "cpu"})
    model = OpenClipEncoder(settings).open()
    np.testing.assert_allclose(model.encode_images(images), expected, atol=1e-4)
    parts = {name for name, _ in model._network.visual.named_parameters()}
    assert any("reparam_conv" in name for name in parts)
    assert not any("conv_kxk" in name for name in parts)


def test_a_preset_is_downloaded_indexes_and_answers_offline(
    weights: Path, tmp_path: Path, make_film: Callable[[Path], None]
) -> None:
    make_film(tmp_path / "film.mp4")
    library, cache = str(tmp_path / "library"), str(tmp_path / "cache")
    settings = ("--set", f"encoder.cache_dir={cache}", "--set", "index.backend=memory")
    with ModelHub({FILE: weights.read_bytes()}) as hub:
        run(
            "index",
            "film.mp4",
            "-c",
            "small",
            "--in-process",
            "-l",
            library,
            *settings,
            folder=tmp_path,
            hub=hub.endpoint,
        )
        assert hub.downloads == [(FILE, "")]
    assert "film.mp4" in run("videos", "-l", library, folder=tmp_path)
    run("search", "a grey picture", "-l", library, folder=tmp_path, hub="http://127.0.0.1:9", HF_HUB_OFFLINE="1")


@pytest.fixture
def make_film() -> Callable[[Path], None]:
    import av

    def make(path: Path) -> None:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=5)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for grey in range(0, 200, 20):
                picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))

    return make


def run(*arguments: str, folder: Path, hub: str = "", **variables: str) -> str:
    """Run the command in a process of its own, which reads HF_ENDPOINT as the hub's client is imported."""
    project = str(Path(__file__).resolve().parent.parent.parent)
    environment = {**os.environ, "PYTHONPATH": project, "HF_ENDPOINT": hub, **variables}
    command = [sys.executable, "-c", "import sys; from pipeline.cli import main; sys.exit(main())", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
