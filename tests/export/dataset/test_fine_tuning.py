"""Labels to a fine-tuned library: docs/how-to/fine-tuning.md, a plain loop in place of open_clip's trainer."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from pipeline import Library
from pipeline.encode.weights.interpolation import interpolate_checkpoints
from pipeline.export.dataset import DatasetSettings, Split, split_of
from pipeline.library.analysis.dataset import caption_source, export_dataset
from pipeline.run_config import load_run_config
from sample_videos.demo_model.train import ARCHITECTURE, WEIGHTS_NAME

FILMS = ("fire-drill", "street-corner", "loading-dock", "winter-road")
SHIFTS = {"day": "shift one", "sunset": "shift two", "night": "shift three"}
STEPS = 10
BATCH = 16


@pytest.fixture(scope="module")
def library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("films") / "library"
    settings = [f"library={folder}", "execution.executor=in_process", "index.backend=memory"]
    with Library.open(load_run_config("demo", settings)) as opened:
        assert all(report.status == "done" for report in opened.index([films / f"{name}.mp4" for name in FILMS]))
        yield opened


def labels(films: Path, target: Path) -> Path:
    """The films' labels of day, sunset and night in a company's own words, which the model cannot know."""
    lines = map(json.loads, (films / "moments.jsonl").read_text().splitlines())
    held = []
    for line in lines:
        shifts = SHIFTS.keys() & set(line["concepts"])
        if line["vid"] in FILMS and line["relevant_windows"] and len(shifts) == 1:
            held.append({**line, "query": SHIFTS[shifts.pop()]})
    target.write_text("".join(json.dumps(line) + "\n" for line in held))
    return target


def read_split(folder: Path, split: Split) -> list[tuple[Image.Image, str]]:
    found = []
    for path in sorted(folder.glob(f"{split}-*.tar")):
        with tarfile.open(path) as shard:
            content = {member.name: shard.extractfile(member).read() for member in shard}
        keys = [name.removesuffix(".txt") for name in content if name.endswith(".txt")]
        found += [(Image.open(io.BytesIO(content[f"{key}.jpg"])), content[f"{key}.txt"].decode()) for key in keys]
    return found


class FineTuning:
    """A contrastive loop over the samples of a data set, from the demo model's weights."""

    def __init__(self, films: Path) -> None:
        torch.manual_seed(1)
        config = json.loads(ARCHITECTURE.read_text())
        self.model = open_clip.CLIP(**config["model_cfg"])
        self.model.load_state_dict(load_file(films / "demo_model" / WEIGHTS_NAME))
        self.tokenizer = open_clip.SimpleTokenizer(context_length=config["model_cfg"]["text_cfg"]["context_length"])
        self.preprocess = config["preprocess_cfg"]
        self.size = config["model_cfg"]["vision_cfg"]["image_size"]
        # The image tower's statistics stay, as where it is locked.
        self.model.eval()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=3e-5)

    def loss(self, samples: list[tuple[Image.Image, str]]) -> torch.Tensor:
        """Cross-entropy of each picture over the three texts."""
        texts = list(SHIFTS.values())
        pixels = np.stack([np.asarray(picture.resize(self.size[::-1])) for picture, _ in samples])
        mean, std = (torch.tensor(self.preprocess[name]).view(3, 1, 1) for name in ("mean", "std"))
        images = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std
        embedded = self.model.encode_image(images, normalize=True)
        said = self.model.encode_text(self.tokenizer(texts), normalize=True)
        wanted = torch.tensor([texts.index(text) for _, text in samples])
        return torch.nn.functional.cross_entropy(self.model.logit_scale.exp() * embedded @ said.T, wanted)

    def evaluate(self, samples: list[tuple[Image.Image, str]]) -> float:
        with torch.no_grad():
            return float(self.loss(samples))

    def step(self, samples: list[tuple[Image.Image, str]]) -> None:
        self.optimizer.zero_grad()
        self.loss(samples).backward()
        self.optimizer.step()


@pytest.mark.slow
def test_a_fine_tuned_demo_model_is_better_on_other_videos(library: Library, films: Path, tmp_path: Path) -> None:
    source = caption_source(library, labels(films, tmp_path / "moments.jsonl"))
    ids = {library.find(name)[0] for name in FILMS}
    # The least share with which a video is in each split.
    share = next(n / 100 for n in range(1, 100) if len({split_of(video, n / 100) for video in ids}) == 2)
    settings = DatasetSettings(side_pixels=126, same_picture=1.0, validation_share=share)
    manifest = export_dataset(library, tmp_path / "data", [source], settings).manifest
    train, validation = (read_split(tmp_path / "data", split) for split in Split)
    assert [len(train), len(validation)] == [manifest["splits"][split]["samples"] for split in Split]

    tuning = FineTuning(films)
    before = tuning.evaluate(validation)
    order = np.random.default_rng(1).integers(len(train), size=(STEPS, BATCH))
    for batch in order:
        tuning.step([train[place] for place in batch])
    assert tuning.evaluate(validation) < 0.8 * before

    save_file(tuning.model.state_dict(), tmp_path / "tuned.safetensors")
    original = films / "demo_model" / WEIGHTS_NAME
    interpolate_checkpoints(original, tmp_path / "tuned.safetensors", 0.5, tmp_path / "mixed.safetensors")
    overrides = [f"library={tmp_path / 'second'}", f"encoder.checkpoint={tmp_path / 'mixed.safetensors'}"]
    overrides += ["execution.executor=in_process", "index.backend=memory"]
    with Library.open(load_run_config("demo", overrides)) as second:
        assert [report.status for report in second.index([films / "fire-drill.mp4"])] == ["done"]
        assert second.store.encoder_fingerprint != library.store.encoder_fingerprint
        assert second.search("shift three", min_score=0.0)
