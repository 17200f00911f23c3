from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.encode import Encoding
from pipeline.encode import processor_cost as cost_module
from pipeline.encode.processor_cost import processor_seconds_per_image

AMX = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_bf16\n"
PLAIN = "processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16_not\n"


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A processor with AMX, without a GPU; returns the file that describes the processor."""
    file = tmp_path / "cpuinfo"
    file.write_text(AMX)
    monkeypatch.setattr(cost_module, "_CPU_FILE", file)
    monkeypatch.setattr(cost_module, "_GPU_DEVICE", tmp_path / "nvidia0")
    return file


def seconds(**settings: Any) -> float:
    return processor_seconds_per_image(Encoding(**settings))


def test_the_default_model_takes_some_milliseconds() -> None:
    """ViT-B/32 encodes 36 images a second on a processor of the AMD EPYC, and 54 on one of the Intel Xeon."""
    assert 1 / 54 < seconds() < 1 / 36
    # 21.3 images a second on two processors (benchmarks/results/encode.json).
    assert seconds(precision="fp32") == pytest.approx(2 / 21.3, rel=0.05)


@pytest.mark.parametrize(
    ("model", "tag", "gflop"),
    [
        # As open_clip's table of models states, in multiplications and additions.
        ("ViT-B-16", "openai", 2 * 17.6),
        ("ViT-L-14", "openai", 2 * 81.1),
    ],
)
def test_larger_towers_take_longer(model: str, tag: str, gflop: float) -> None:
    assert seconds(model=model, pretrained=tag) == pytest.approx(gflop * 1e9 / 400e9, rel=0.06)


def test_another_kind_of_tower_counts_as_the_default_one() -> None:
    assert seconds(model="RN50", pretrained="openai") == pytest.approx(seconds(), rel=0.01)


def test_an_architecture_file_is_read(tmp_path: Path) -> None:
    vision = {"layers": 12, "width": 768, "patch_size": 16, "image_size": [112, 224]}
    network = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": {"width": 16, "heads": 2, "layers": 1}}
    path = tmp_path / "own.json"
    path.write_text(json.dumps(network))
    own = seconds(model="own", architecture=str(path), checkpoint=str(path))
    # 98 patches instead of ViT-B/16's 196.
    assert own == pytest.approx(seconds(model="ViT-B-16", pretrained="openai") / 2, rel=0.03)


@pytest.mark.parametrize("content", [PLAIN, "", None])
def test_a_processor_without_bf16_takes_longer(content: str | None, machine: Path) -> None:
    machine.unlink() if content is None else machine.write_text(content)
    assert seconds() == seconds(precision="fp32")


def test_a_gpu_leaves_the_processors_free(tmp_path: Path) -> None:
    assert seconds(device="cuda:1") == 0.0
    (tmp_path / "nvidia0").touch()
    assert seconds() == 0.0
    assert seconds(device="cpu") > 0.0
