"""What benchmarks share: a model of random weights, the stages of a run, and the facts of the machine."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.encode import Encoder, Encoding
from pipeline.execution import Stages
from pipeline.index import MemoryIndex
from pipeline.sampling import FrameSampler
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.store import ParquetStore
from pipeline.video import Decoding, make_decoder

__all__ = ["random_model", "run_facts", "stages_in"]

VIT_B_32 = {"layers": 12, "width": 768, "patch_size": 32, "image_size": 224}
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1}
_PACKAGES = ("momentseek", "ray", "torch", "open_clip_torch", "av", "opencv-python-headless", "numpy", "pyarrow")


def random_model(folder: Path) -> Encoding:
    """An image tower of ViT-B/32's size with random weights of a fixed seed: speed does not depend on them."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    architecture, checkpoint = folder / "random.json", folder / "random.safetensors"
    architecture.write_text(json.dumps({"embed_dim": 512, "vision_cfg": VIT_B_32, "text_cfg": TEXT}))
    open_clip.add_model_config(architecture)
    torch.manual_seed(0)
    network = open_clip.create_model("random")
    save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, str(checkpoint))
    return Encoding(model="random-b-32", architecture=str(architecture), checkpoint=str(checkpoint))


def stages_in(folder: str, encoder: Encoder, sampler: FrameSampler) -> Stages:
    """The stages of one run, with an empty store and index."""
    return Stages(
        decoder=make_decoder(Decoding()),
        sampler=sampler,
        encoder=encoder,
        store=ParquetStore(folder, "benchmark", "benchmark"),
        segmenter=FixedWindows(),
        aggregator=MeanPooling(),
        segmentation_fingerprint="benchmark",
        index=MemoryIndex(),
    )


def run_facts(module: str) -> dict[str, Any]:
    """The command, the machine and the versions."""
    processor = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "command": " ".join(["python", "-m", module, *sys.argv[1:]]),
        "machine": {"processor": processor, "processors": os.cpu_count(), "platform": platform.platform()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }
