"""What benchmarks share: models of random weights, the stages of a run, the order of runs, and the machine's facts."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from pipeline.encode import Encoder, Encoding
from pipeline.execution import LibrarySink, Stages
from pipeline.index import MemoryIndex
from pipeline.sampling import FrameSampler
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore
from pipeline.video import Decoding, make_decoder

__all__ = [
    "TINY",
    "VIT_B_32",
    "VIT_L_14",
    "Tower",
    "alternating",
    "medians",
    "random_model",
    "rounded",
    "run_facts",
    "stages_in",
    "write_result",
]

T = TypeVar("T")

_TEXT = {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1}
_PACKAGES = ("momentseek", "ray", "torch", "open_clip_torch", "av", "opencv-python-headless", "numpy", "pyarrow")


@dataclass(frozen=True)
class Tower:
    """An image tower.

    Attributes:
        name: Its name in open_clip's registry; none of open_clip's own.
        embed_dim: Length of an embedding.
        vision: open_clip's description of it.
    """

    name: str
    embed_dim: int
    vision: Mapping[str, int]


VIT_B_32 = Tower("random-b-32", 512, {"layers": 12, "width": 768, "patch_size": 32, "image_size": 224})
VIT_L_14 = Tower("random-l-14", 768, {"layers": 24, "width": 1024, "patch_size": 14, "image_size": 224})
TINY = Tower("random-tiny", 512, {"layers": 1, "width": 64, "patch_size": 32, "image_size": 224})
"""Next to no work, but embeddings as long as those of ViT-B/32."""


def random_model(folder: Path, tower: Tower = VIT_B_32, text: Mapping[str, int] = _TEXT) -> Encoding:
    """A model of random weights of a fixed seed, for speed does not depend on them; open_clip knows it by its name.

    Args:
        folder: Where its files are written.
        tower: The image tower.
        text: open_clip's description of the text tower, by default a small one.
    """
    import open_clip
    import torch
    from safetensors.torch import save_file

    architecture, checkpoint = folder / f"{tower.name}.json", folder / f"{tower.name}.safetensors"
    description = {"embed_dim": tower.embed_dim, "vision_cfg": dict(tower.vision), "text_cfg": dict(text)}
    architecture.write_text(json.dumps(description))
    open_clip.add_model_config(architecture)
    torch.manual_seed(0)
    network = open_clip.create_model(tower.name)
    save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, str(checkpoint))
    return Encoding(model=tower.name, architecture=str(architecture), checkpoint=str(checkpoint))


def stages_in(folder: str, encoder: Encoder, sampler: FrameSampler) -> Stages:
    """The stages of one run, with an empty store and index."""
    return Stages(
        decoder=make_decoder(Decoding()),
        sampler=sampler,
        encoder=encoder,
        sink=LibrarySink(
            store=ParquetStore(folder, "benchmark", "benchmark"),
            recipe=RowRecipe(segmenter=FixedWindows(), aggregator=MeanPooling(), fingerprint="benchmark"),
            index=MemoryIndex(),
        ),
    )


def alternating(ways: Mapping[str, Callable[[], T]], repeats: int, *, warm_up: bool = True) -> Iterator[tuple[str, T]]:
    """What the ways return, one after another, so many times; a round before the first is a warm-up, thrown away."""
    for repeat in range(-1 if warm_up else 0, repeats):
        for name, way in ways.items():
            result = way()
            if repeat >= 0:
                yield name, result


def medians(values: Mapping[str, Iterable[float]]) -> dict[str, float]:
    """The median of each way's figures."""
    return {name: median(of_way) for name, of_way in values.items()}


def rounded(value: Any, digits: int = 3) -> Any:
    """The same with its floats rounded, however deep they lie."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        return {key: rounded(each, digits) for key, each in value.items()}
    return [rounded(each, digits) for each in value] if isinstance(value, list | tuple) else value


def run_facts(module: str) -> dict[str, Any]:
    """The command, the machine and the versions."""
    processor = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "command": " ".join(["python", "-m", module, *map(_without_folder, sys.argv[1:])]),
        "machine": {"processor": processor, "processors": os.cpu_count(), "platform": platform.platform()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }


def _without_folder(argument: str) -> str:
    """What is somewhere on this machine, by its name alone."""
    path = Path(argument)
    is_elsewhere = path.is_absolute() or argument.startswith("..")
    return path.name if is_elsewhere else argument


def write_result(output: Path, module: str, content: Mapping[str, Any]) -> None:
    """Write the facts of the run and what it found as JSON."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({**run_facts(module), **content}, indent=2) + "\n", encoding="utf-8")
