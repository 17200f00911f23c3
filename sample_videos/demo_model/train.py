"""Train the demo model: `python -m sample_videos.demo_model.train --minutes 80 --out DIR`.

The learning rate follows the share of the minutes that have passed, so a slower machine trains on fewer pictures and
still ends with a finished model. An interrupted run goes on with `--resume`; with more `--minutes` than before, what is
added is a cycle of its own, that begins with a high rate again (SGDR, arXiv 1608.03983).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from torch.nn.attention import SDPBackend, sdpa_kernel

from sample_videos.casting import cast_scene
from sample_videos.demo_model.batches import Batch, PicturePool
from sample_videos.demo_model.loss import TruthLoss
from sample_videos.statements import CONCEPTS
from sample_videos.truth import facts, truth_matrix

ARCHITECTURE = Path(__file__).with_name("open_clip_config.json")
WEIGHTS_NAME = "open_clip_model.safetensors"
TRAINING_SEED = 1
CONCEPTS_WEIGHT = 3.0
# Share of the minutes in which the image tower learns from the concepts alone, before there are sentences.
CONCEPTS_ALONE = 0.5
# What is worn covers few pixels, and its gradient is lost among those of places and vehicles.
WORN_WEIGHT = 3.0


def build_model() -> tuple[torch.nn.Module, Any, dict[str, Any]]:
    """The untrained model, its tokenizer and its preprocessing, as open_clip makes them of the architecture file."""
    architecture = json.loads(ARCHITECTURE.read_text())
    model = open_clip.CLIP(**architecture["model_cfg"])
    tokenizer = open_clip.SimpleTokenizer(context_length=architecture["model_cfg"]["text_cfg"]["context_length"])
    return model, tokenizer, architecture["preprocess_cfg"]


def _concept_layer(width: int) -> torch.nn.Linear:
    """A linear layer that begins with saying of each concept how often it is true, and nothing more."""
    rng = random.Random(TRAINING_SEED)
    known = [facts(cast_scene(rng), 1.0) for _ in range(1000)]
    shown = (truth_matrix(list(CONCEPTS.values()), known) == 1).mean(axis=1).clip(0.002, 0.998)
    layer = torch.nn.Linear(width, len(CONCEPTS))
    torch.nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.bias.copy_(torch.from_numpy(np.log(shown / (1 - shown))))
    return layer


class Trainer:
    """The state of a run: model, averaged model, optimizer and clock."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model, self.tokenizer, preprocess = build_model()
        self.model = model.to(self.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.mean = torch.tensor(preprocess["mean"], device=self.device).view(1, 3, 1, 1) * 255
        self.std = torch.tensor(preprocess["std"], device=self.device).view(1, 3, 1, 1) * 255
        self.concepts = _concept_layer(self.model.visual.head.proj.out_features).to(self.device)
        worn = torch.tensor(["hat" in name or "vest" in name for name in CONCEPTS], device=self.device)
        self.weights = torch.where(worn, WORN_WEIGHT, 1.0)
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": 0.05, "factor": 1.0},
            {"params": others, "weight_decay": 0.0, "factor": 1.0},
            {"params": [*self.concepts.parameters()], "weight_decay": 0.0, "factor": 10.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98))
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.loss = TruthLoss()
        self.steps = self.steps_of_cycle = 0
        self.elapsed_seconds = 0.0
        self.cycle: tuple[float, float] = (0.0, 60.0 * options.minutes)
        self.seen_tokens = torch.zeros(49408, dtype=torch.bool)
        self.encode_image = self.model.visual
        if options.compile:
            self.encode_image = torch.compile(self.model.visual)

    @property
    def progress(self) -> float:
        """Share of the cycle that is over, 0 to 1."""
        start, end = self.cycle
        return min(1.0, max(0.0, (self.elapsed_seconds - start) / (end - start)))

    def step(self, batch: Batch) -> float:
        """Learn from one batch and return its loss."""
        rate = self.options.learning_rate * min(1.0, (self.steps_of_cycle + 1) / 200)
        rate *= 0.5 * (1 + math.cos(math.pi * self.progress)) + 0.01
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            images = self.encode_image(self._augmented(batch)).float()
        truth = torch.from_numpy(batch.truth).to(self.device, torch.float32)
        loss: torch.Tensor = CONCEPTS_WEIGHT * self._concept_loss(images, truth[:, : len(CONCEPTS)])
        if self.elapsed_seconds >= CONCEPTS_ALONE * self.cycle[1]:
            loss = loss + self._sentence_loss(images, batch.texts, truth)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(60))
        self.steps += 1
        self.steps_of_cycle += 1
        self._follow()
        return float(loss.detach())

    def _concept_loss(self, images: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """What a linear layer, which is thrown away afterwards, gets wrong when it reads the concepts off embeddings.

        Text and image tower alone settle on what kinds of things there are and learn no colours for an hour: as long as
        sentences that differ in a colour have the same embedding, pictures gain nothing by telling colours, and the
        other way round. This loss does not wait for the sentences.
        """
        margins = torch.nn.functional.logsigmoid(truth * self.concepts(images))
        return -(margins * truth.abs() * self.weights).sum() / len(images)

    def _sentence_loss(self, images: torch.Tensor, texts: Sequence[str], truth: torch.Tensor) -> torch.Tensor:
        """The loss of the pairs of pictures and sentences, which trains both towers."""
        tokens = self.tokenizer(list(texts))
        self.seen_tokens[tokens.unique()] = True
        with (
            torch.autocast(self.device.type, dtype=torch.bfloat16),
            sdpa_kernel(SDPBackend.MATH),  # the flash kernel's backward is slow on a CPU
        ):
            embeddings = self.model.encode_text(tokens.to(self.device)).float()
        self.loss.tell(truth)
        loss: torch.Tensor = self.loss(
            torch.nn.functional.normalize(images, dim=-1),
            torch.nn.functional.normalize(embeddings, dim=-1),
            self.model.logit_scale.exp(),
            self.model.logit_bias,
        )
        return loss

    def _augmented(self, batch: Batch) -> torch.Tensor:
        """Normalised images, each flipped, blurred, brightened or dimmed by chance."""
        images = torch.from_numpy(batch.images).to(self.device).permute(0, 3, 1, 2).float()
        count = len(images)
        flip = torch.rand(count) < 0.5
        images[flip] = images[flip].flip(-1)
        blur = torch.rand(count) < 0.25
        images[blur] = torch.nn.functional.avg_pool2d(images[blur], 3, stride=1, padding=1, count_include_pad=False)
        gain = torch.empty(count, 1, 1, 1, device=self.device).uniform_(0.85, 1.15)
        shift = torch.empty(count, 3, 1, 1, device=self.device).uniform_(-8, 8)
        images = (images * gain + shift).clamp_(0, 255)
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged model, which is what is saved, a step towards the model."""
        weight = 1 - min(0.995, (self.steps + 1) / (self.steps + 10))
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, weight)
            else:
                self.average[name].copy_(value)

    def save_weights(self, path: Path) -> None:
        """Write the averaged model as half-precision safetensors; rows of tokens never read are set to zero."""
        state = {name: value.detach().clone() for name, value in self.average.items()}
        state["token_embedding.weight"][~self.seen_tokens] = 0
        halves = {n: (v.half() if v.is_floating_point() else v).contiguous().cpu() for n, v in state.items()}
        partial = path.with_suffix(".partial")
        save_file(halves, str(partial), metadata={"format": "pt", "steps": str(self.steps)})
        partial.replace(path)

    def save(self, folder: Path) -> None:
        """Write the weights and all that `--resume` needs."""
        self.save_weights(folder / WEIGHTS_NAME)
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "concepts": self.concepts.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "seen_tokens": self.seen_tokens,
            "steps": self.steps,
            "elapsed_seconds": self.elapsed_seconds,
            "cycle": self.cycle,
        }
        torch.save(state, folder / "resume.partial")
        (folder / "resume.partial").replace(folder / "resume.pt")

    def restore(self, folder: Path) -> None:
        """Go on where `save` left off."""
        state = torch.load(folder / "resume.pt", map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average, self.seen_tokens = state["average"], state["seen_tokens"]
        self.steps, self.elapsed_seconds = state["steps"], state["elapsed_seconds"]
        end = 60.0 * self.options.minutes
        if end <= self.elapsed_seconds:
            raise ValueError(f"trained for {self.elapsed_seconds / 60:.1f} minutes already; say more --minutes")
        if state["cycle"][1] == end:
            self.cycle = tuple(state["cycle"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.concepts.load_state_dict(state["concepts"])
        else:
            self.cycle = (self.elapsed_seconds, end)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m sample_videos.demo_model.train", description="Train the demo model.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the weights and the state of the run")
    parser.add_argument("--minutes", type=float, default=80.0, help="how long to train in all (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="pictures a step (default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3, help="peak rate of AdamW (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw (default: %(default)s)")
    parser.add_argument("--pool", type=int, default=20_000, help="pictures kept for more than one batch")
    parser.add_argument(
        "--reuse", type=float, default=3, help="batches that a picture serves in (default: %(default)s)"
    )
    parser.add_argument("--compile", action="store_true", help="compile the image tower (needs a C++ compiler)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    return parser.parse_args(arguments)


def main() -> int:
    """Train until the minutes are spent."""
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(TRAINING_SEED)
    trainer = Trainer(options)
    if options.resume:
        trainer.restore(options.out)
    rng = random.Random(TRAINING_SEED + trainer.steps)
    pool = PicturePool(workers=options.workers, capacity=options.pool, seed=TRAINING_SEED + trainer.steps)
    smoothed = float("nan")
    last = saved = time.monotonic()
    try:
        while trainer.progress < 1.0:
            least = min(2_000, options.pool)
            pool.refill(at_least=least, up_to=least + trainer.steps * options.batch / options.reuse)
            loss = trainer.step(pool.batch(options.batch, rng))
            smoothed = loss if math.isnan(smoothed) else 0.98 * smoothed + 0.02 * loss
            now = time.monotonic()
            trainer.elapsed_seconds += now - last
            last = now
            if trainer.steps % 20 == 0:
                seen = trainer.steps * options.batch
                print(
                    f"step {trainer.steps}  {trainer.progress:4.0%}  loss {smoothed:.3f}  scale"
                    f" {float(trainer.model.logit_scale.detach().exp()):.1f}  {seen} pictures seen, {pool.drawn} drawn",
                    file=sys.stderr,
                    flush=True,
                )
            if now - saved > 180:
                trainer.save(options.out)
                saved = now
    finally:
        pool.close()
        trainer.save(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
