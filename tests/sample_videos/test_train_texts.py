"""The text tower in training is the one that open_clip runs, and nothing of the image tower changes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline.encode import OpenClipEncoder
from pipeline.encode.vocabulary import vocabulary_from
from pipeline.run_config import load_run_config
from sample_videos.demo_model.spoken import VOCABULARY
from sample_videos.demo_model.train_texts import (
    ARCHITECTURE_NAME,
    FOLDER,
    WEIGHTS_NAME,
    TextTower,
    truth_loss,
    with_vocabulary,
)

TEXTS = ["a red car", "unknown", "show me a person in a hard hat on a construction site at night please", "smoke"]


@pytest.fixture(scope="module")
def tower() -> TextTower:
    config = json.loads((FOLDER / ARCHITECTURE_NAME).read_text())["model_cfg"]
    return TextTower(config, load_file(str(FOLDER / WEIGHTS_NAME)))


def test_texts_get_the_embeddings_that_a_search_gives_them(tower: TextTower) -> None:
    with torch.no_grad():
        vectors = tower.encode(TEXTS).numpy()
    model = OpenClipEncoder(load_run_config("demo").encoder).open()
    np.testing.assert_allclose(vectors, model.encode_texts(TEXTS), atol=1e-4)


def test_what_is_saved_is_what_was_read_and_trains_texts_alone(tower: TextTower) -> None:
    weights = load_file(str(FOLDER / WEIGHTS_NAME))
    saved = tower.halves({name: value.clone() for name, value in tower.network.state_dict().items()})
    assert saved.keys() == weights.keys()
    assert all(torch.equal(saved[name], value) for name, value in weights.items())
    assert not any(parameter is one for parameter in tower.network.visual.parameters() for one in tower.parameters)


def test_the_vocabulary_goes_into_the_architecture_file() -> None:
    text = with_vocabulary({"model_cfg": {"embed_dim": 1}})
    assert max(map(len, text.splitlines())) <= 120
    assert json.loads(text)["model_cfg"] == {"embed_dim": 1}
    assert vocabulary_from(json.loads(text)["vocabulary"]) == VOCABULARY


def test_what_cannot_be_said_has_no_gradient_and_rare_truth_counts_more() -> None:
    logits = torch.zeros(2, 5, requires_grad=True)
    truth = torch.tensor([[1.0, -1, -1, -1, -1], [1, 1, -1, -1, 0]])
    torch.autograd.backward(truth_loss(logits, truth))
    assert logits.grad is not None
    (rare, common), false = logits.grad[:, 0], logits.grad[0, 1]
    assert float(rare / false) == pytest.approx(-2.0)
    assert float(common / false) == pytest.approx(-1.0)
    assert float(logits.grad[1, 4]) == 0.0
