"""Train the demo model's text tower alone: `python -m sample_videos.demo_model.train_texts --pictures DIR --out DIR`.

The image tower stays as it is, bit for bit. Pictures are embedded once by the committed one and kept in `--pictures`
with all that they show, so that a step is the text tower's alone: a third of a second on one core.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from pipeline.encode import make_encoder
from pipeline.run_config import load_run_config
from sample_videos.demo_model.claims import claims_about, truth_of
from sample_videos.demo_model.embedded_pictures import draw_pictures, read_pictures
from sample_videos.demo_model.spoken import VOCABULARY

FOLDER = Path(__file__).parent
WEIGHTS_NAME = "open_clip_model.safetensors"
ARCHITECTURE_NAME = "open_clip_config.json"
TRAINING_SEED = 7
BUCKETS = 4
SHOWN = 640
"""Pictures of a step."""
MOST_WEIGHT = 20.0
"""A pair that belongs together counts as the square root of how many do not for each that does, up to this."""


class TextTower:
    """The text side of a network in training: its text tower, scale and bias.

    Args:
        config: open_clip's configuration of the network.
        weights: The weights to begin with.
    """

    def __init__(self, config: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
        self.network = open_clip.CLIP(**config)
        self.network.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
        self.network.visual.requires_grad_(requires_grad=False)
        self._image_tower = {name: value for name, value in weights.items() if name.startswith("visual.")}
        self._tokenizer = open_clip.SimpleTokenizer(context_length=config["text_cfg"]["context_length"])

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """What is trained."""
        return [parameter for parameter in self.network.parameters() if parameter.requires_grad]

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit vectors of texts; those of about the same length go through together, so that little is padding."""
        order = sorted(range(len(texts)), key=lambda number: len(texts[number].split()))
        size = -(-len(order) // BUCKETS)
        parts = [order[first : first + size] for first in range(0, len(order), size)]
        with sdpa_kernel(SDPBackend.MATH):  # the flash kernel's backward is slow on a CPU
            vectors = torch.cat([self._encoded([texts[number] for number in part]) for part in parts])
        return vectors[torch.tensor(order).argsort()]

    def _encoded(self, texts: Sequence[str]) -> torch.Tensor:
        tokens = self._tokenizer(list(texts))
        tokens = tokens[:, : int(tokens.argmax(dim=-1).max()) + 1]
        network, length = self.network, tokens.shape[1]
        hidden = network.token_embedding(tokens) + network.positional_embedding[:length]
        hidden = network.ln_final(network.transformer(hidden, attn_mask=network.attn_mask[:length, :length]))
        features: torch.Tensor = hidden[torch.arange(len(hidden)), tokens.argmax(dim=-1)] @ network.text_projection
        return functional.normalize(features, dim=-1)

    def halves(self, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Weights in half precision, the image tower's as they were; tokens outside the vocabulary are zero."""
        halves = {name: (v.half() if v.is_floating_point() else v).contiguous() for name, v in values.items()}
        tokens = self._tokenizer([*VOCABULARY.words, VOCABULARY.unknown]).unique()
        embeddings = torch.zeros_like(halves["token_embedding.weight"])
        embeddings[tokens] = halves["token_embedding.weight"][tokens]
        return halves | {"token_embedding.weight": embeddings} | self._image_tower


def truth_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The sigmoid loss of pairs with known truth (1, -1, or 0 without a gradient), float (sentences, pictures).

    A sentence that few pictures make true would learn to be true of none; the weights of those pictures prevent it.
    """
    true = (truth > 0).sum(dim=1, keepdim=True).clamp(min=1)
    false = (truth < 0).sum(dim=1, keepdim=True)
    weights = torch.where(truth > 0, (false / true).sqrt().clamp(1.0, MOST_WEIGHT), truth.abs())
    return -100 * (functional.logsigmoid(truth * logits) * weights).mean()


def train(tower: TextTower, folder: Path, steps: int, learning_rate: float) -> dict[str, torch.Tensor]:
    """Train and return the running average of the weights."""
    network, rng = tower.network, random.Random(f"momentseek text tower {TRAINING_SEED}")
    pictures = read_pictures(folder)
    matrices = [p for p in tower.parameters if p.ndim > 1]
    others = [p for p in tower.parameters if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98))
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    smoothed = 0.0
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / 100) * (0.51 + 0.5 * math.cos(math.pi * step / steps))
        chosen = rng.sample(range(len(pictures.facts)), min(SHOWN, len(pictures.facts)))
        known = [pictures.facts[number] for number in chosen]
        claims = claims_about(known, rng)
        truth = torch.from_numpy(truth_of(claims, known)).float()
        cosines = tower.encode([claim.text for claim in claims]) @ torch.from_numpy(pictures.vectors[chosen]).T
        loss = truth_loss(network.logit_scale.exp() * cosines + network.logit_bias, truth)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(tower.parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            network.logit_scale.clamp_(0, math.log(60))
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    average[name].lerp_(value, 1 - min(0.995, (step + 1) / (step + 10)))
        smoothed = 0.95 * smoothed + 0.05 * float(loss.detach()) if step else float(loss.detach())
        if step % 50 == 49:
            print(f"step {step + 1}  loss {smoothed:.2f}", file=sys.stderr, flush=True)
    return average


def with_vocabulary(architecture: dict[str, Any]) -> str:
    """The text of an architecture file that declares the vocabulary, many words a line."""
    declared = {"unknown": VOCABULARY.unknown, "words": "WORDS"}
    indent = 12 * " "
    words = textwrap.fill(
        ", ".join(map(json.dumps, sorted(VOCABULARY.words))), 120, initial_indent=indent, subsequent_indent=indent
    )
    text = json.dumps({**architecture, "vocabulary": declared}, indent=4)
    return text.replace('"WORDS"', f"[\n{words}\n        ]") + "\n"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m sample_videos.demo_model.train_texts", description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the embedded pictures")
    parser.add_argument("--count", type=int, default=7168, help="pictures to draw (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the weights and the architecture file")
    parser.add_argument(
        "--weights", type=Path, default=FOLDER / WEIGHTS_NAME, help="weights to begin with (default: the committed)"
    )
    parser.add_argument("--steps", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="peak rate of AdamW (default: %(default)s)")
    parser.add_argument(
        "--bias-shift", type=float, default=0.0, help="added to the bias at last (default: %(default)s)"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw what is missing, train, and write weights and architecture."""
    options = parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    draw_pictures(make_encoder(load_run_config("demo").encoder).open(), options.pictures, options.count)
    torch.manual_seed(TRAINING_SEED)
    architecture = json.loads((FOLDER / ARCHITECTURE_NAME).read_text())
    tower = TextTower(architecture["model_cfg"], load_file(str(options.weights)))
    average = train(tower, options.pictures, options.steps, options.learning_rate)
    average["logit_bias"] += options.bias_shift
    metadata = {"format": "pt", "text_steps": str(options.steps)}
    save_file(tower.halves(average), str(options.out / WEIGHTS_NAME), metadata=metadata)
    (options.out / ARCHITECTURE_NAME).write_text(with_vocabulary(architecture))
    return 0


if __name__ == "__main__":
    sys.exit(main())
