"""A real model that is tiny: open_clip's architecture, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

VIT = {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32}
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}


def make_tiny_model(folder: Path, seed: int = 7) -> dict[str, str]:
    """Write it into a folder, and return the settings of its encoder."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    architecture, checkpoint = folder / "tiny-cli.json", folder / "tiny-cli.safetensors"
    architecture.write_text(json.dumps({"embed_dim": 24, "vision_cfg": VIT, "text_cfg": TEXT}))
    open_clip.add_model_config(architecture)
    torch.manual_seed(seed)
    network = open_clip.create_model("tiny-cli")
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, str(checkpoint))
    return {"model": "tiny", "architecture": str(architecture), "checkpoint": str(checkpoint)}
