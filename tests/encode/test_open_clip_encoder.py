from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.config import validate
from pipeline.encode import Encoding, OpenClipEncoder
from pipeline.errors import ConfigError, EncoderError, TextTooLongError, WeightsUnavailableError
from pipeline.testing.encoder import EncoderContract, drawn_picture

Models = Callable[..., Encoding]


class TestSquareModel(EncoderContract):
    @pytest.fixture
    def encoder(self, models: Models) -> OpenClipEncoder:
        return OpenClipEncoder(models("square", precision="fp32"))


class TestDemoLikeModel(EncoderContract):
    @pytest.fixture
    def encoder(self, models: Models) -> OpenClipEncoder:
        return OpenClipEncoder(models("demo", batch_size=2))


class TestModelOfFewWords(EncoderContract):
    @pytest.fixture
    def encoder(self, models: Models) -> OpenClipEncoder:
        return OpenClipEncoder(models("worded", prompts=("{}", "a photo of {}.")))


class TestBf16Model(EncoderContract):
    @pytest.fixture
    def encoder(self, models: Models) -> OpenClipEncoder:
        return OpenClipEncoder(models("oblong", precision="bf16", prompts=("{}", "a photo of {}.")))


@pytest.mark.gpu
class TestOnTheGpu(EncoderContract):
    @pytest.fixture
    def encoder(self, models: Models) -> OpenClipEncoder:
        return OpenClipEncoder(models("demo", device="cuda"))


def _random_images(count: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.stack([drawn_picture(width, height, seed) for seed in range(count)])


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, pipeline.encode; print({'torch', 'open_clip', 'PIL'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


@pytest.mark.parametrize(
    ("name", "height", "width", "mean", "std"),
    [
        ("demo", 54, 96, (0.5,) * 3, (0.25,) * 3),
        ("square", 64, 64, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    ],
)
def test_embeddings_equal_open_clips_own(
    models: Models, name: str, height: int, width: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    import open_clip
    import torch
    from torchvision.transforms.functional import normalize

    settings = models(name, precision="fp32")
    network = open_clip.create_model(f"reference-{name}", pretrained=settings.checkpoint).eval()
    images = _random_images(3, height, width)
    pixels = normalize(torch.from_numpy(images).permute(0, 3, 1, 2) / 255, mean, std)
    with torch.inference_mode():
        expected_images = network.encode_image(pixels, normalize=True).numpy()
        expected_texts = network.encode_text(open_clip.tokenize(["a red car"], 16), normalize=True).numpy()
    model = OpenClipEncoder(settings).open()
    np.testing.assert_allclose(model.encode_images(images), expected_images, atol=1e-5)
    np.testing.assert_allclose(model.encode_texts(["a red car"]), expected_texts, atol=1e-5)


@pytest.mark.parametrize("name", ["square", "demo"])
def test_bf16_stays_close_to_fp32(models: Models, name: str) -> None:
    shape = {"square": (64, 64), "demo": (54, 96)}[name]
    images = _random_images(4, *shape)
    exact = OpenClipEncoder(models(name, precision="fp32")).open()
    rounded = OpenClipEncoder(models(name, precision="bf16")).open()
    assert (exact.precision, rounded.precision) == ("fp32", "bf16")
    assert np.sum(exact.encode_images(images) * rounded.encode_images(images), axis=1).min() > 0.99
    np.testing.assert_array_equal(exact.encode_texts(["a dog"]), rounded.encode_texts(["a dog"]))


def test_fp16_on_a_processor_is_refused(models: Models) -> None:
    with pytest.raises(ConfigError, match=r"encoder\.precision: fp16 needs a GPU"):
        OpenClipEncoder(models("square", device="cpu", precision="fp16")).open()


def test_an_unknown_device_is_refused(models: Models) -> None:
    with pytest.raises(ConfigError, match=r"encoder\.device: 'gpu' cannot be used on this machine"):
        OpenClipEncoder(models("square", device="gpu")).open()


def test_threads_are_set_at_open(models: Models) -> None:
    import torch

    before = torch.get_num_threads()
    try:
        OpenClipEncoder(models("square", threads=1)).open()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_prompts_are_averaged_and_normalised(models: Models) -> None:
    plain = OpenClipEncoder(models("square")).open()
    model = OpenClipEncoder(models("square", prompts=("a {} here", "{}"), batch_size=1)).open()
    mean = plain.encode_texts(["a dog here", "dog"]).mean(axis=0)
    np.testing.assert_allclose(model.encode_texts(["cat", "dog"])[1], mean / np.linalg.norm(mean), atol=1e-5)


def test_braces_in_a_text_are_taken_literally(models: Models) -> None:
    plain = OpenClipEncoder(models("square")).open()
    model = OpenClipEncoder(models("square", prompts=("a {}",))).open()
    np.testing.assert_allclose(model.encode_texts(["{0} {}"]), plain.encode_texts(["a {0} {}"]), atol=1e-6)


def _words(count: int) -> str:
    return " ".join(["dog"] * count)


def test_the_longest_text_that_fits_is_taken(models: Models) -> None:
    model = OpenClipEncoder(models("square")).open()
    assert model.too_long([_words(14), _words(15)]) == (_words(15),)
    assert model.encode_texts([_words(14)]).shape == (1, 24)


def test_a_longer_text_is_refused(models: Models) -> None:
    model = OpenClipEncoder(models("square")).open()
    with pytest.raises(
        TextTooLongError, match=r"17 tokens, but the context of tiny-square has only 16; .*encoder\.long_text"
    ):
        model.encode_texts(["short", _words(15)])


def test_the_prompt_counts_towards_the_length(models: Models) -> None:
    model = OpenClipEncoder(models("square", prompts=("{}", "a photo of {}."))).open()
    with pytest.raises(TextTooLongError, match="'a photo of dog"):
        model.encode_texts([_words(12)])


def test_a_longer_text_is_truncated_where_asked(models: Models, caplog: pytest.LogCaptureFixture) -> None:
    model = OpenClipEncoder(models("square", long_text="truncate")).open()
    with caplog.at_level(logging.WARNING, logger="pipeline.encode.prompts"):
        long = model.encode_texts([_words(15) + " cat"])
    assert "has 18 tokens" in caplog.text
    np.testing.assert_allclose(long, model.encode_texts([_words(14)]), atol=1e-6)


def test_a_broken_embedding_is_refused_by_name(models: Models) -> None:
    model = OpenClipEncoder(models("square", batch_size=2)).open()
    encode = model._network.encode_image

    def spoil_the_last_batch(pixels: Any) -> Any:
        features = encode(pixels)
        return features if len(features) == 2 else features * float("nan")

    model._network.encode_image = spoil_the_last_batch
    with pytest.raises(EncoderError, match="image 2: the model's embedding has length nan"):
        model.encode_images(_random_images(3, 64, 64))


def test_a_zero_text_embedding_is_refused_by_name(models: Models) -> None:
    model = OpenClipEncoder(models("square", prompts=("{}", "a photo of {}."))).open()
    encode = model._network.encode_text

    def spoil_the_third_prompt(tokens: Any) -> Any:
        features = encode(tokens).clone()
        features[2] = 0
        return features

    model._network.encode_text = spoil_the_third_prompt
    with pytest.raises(EncoderError, match=r"text 'a dog': the model's embedding has length 0\.0"):
        model.encode_texts(["a cat", "a dog"])


def test_weights_without_a_network_fail_soon_and_name_three_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(WeightsUnavailableError) as caught:
        OpenClipEncoder(Encoding(cache_dir=str(tmp_path))).open()
    assert time.monotonic() - began < 30
    message = str(caught.value)
    assert "ViT-B-32 (laion2b_s34b_b79k)" in message
    assert "hf download laion/CLIP-ViT-B-32-laion2B-s34B-b79K" in message
    assert all(way in message for way in ("encoder.cache_dir", "encoder.checkpoint", "--config demo"))


def test_offline_mode_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsUnavailableError, match="HF_HUB_OFFLINE is set"):
        OpenClipEncoder(Encoding(cache_dir=str(tmp_path))).open()


def test_weights_in_the_cache_need_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    from pipeline.encode.weights.location import weights_file

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K"
    file = repository / "snapshots" / "abc" / "open_clip_model.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    assert weights_file(Encoding(cache_dir=str(tmp_path))) == file


def test_a_pickled_encoder_finds_its_files_from_elsewhere(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = models("square")
    assert settings.checkpoint is not None
    assert settings.architecture is not None
    here = Path(settings.checkpoint).parent
    relative = {"checkpoint": Path(settings.checkpoint).name, "architecture": Path(settings.architecture).name}
    monkeypatch.chdir(here)
    pickled = pickle.dumps(OpenClipEncoder(settings.model_copy(update={**relative, "cache_dir": "cache"})))
    monkeypatch.chdir(tmp_path)
    copy = pickle.loads(pickled)
    assert copy.fingerprint == OpenClipEncoder(settings).fingerprint
    assert copy.settings.cache_dir == str(here / "cache")


def test_a_missing_checkpoint_is_named() -> None:
    encoder = OpenClipEncoder(Encoding(checkpoint="/nowhere/a.pt"))
    with pytest.raises(WeightsUnavailableError, match=r"there is no file '/nowhere/a\.pt'"):
        encoder.open()
    with pytest.raises(WeightsUnavailableError, match=r"encoder\.checkpoint cannot be read"):
        _ = encoder.fingerprint


@pytest.mark.parametrize("kind", ["cut", "text", "pickle", "empty"])
def test_a_broken_checkpoint_is_named(models: Models, tmp_path: Path, kind: str) -> None:
    settings = models("square")
    assert settings.checkpoint is not None
    whole = Path(settings.checkpoint).read_bytes()
    content = {"cut": whole[:5000], "text": b"hello", "pickle": pickle.dumps([], protocol=2), "empty": b""}[kind]
    broken = tmp_path / ("broken.safetensors" if kind == "cut" else "broken.pt")
    broken.write_bytes(content)
    with pytest.raises(WeightsUnavailableError, match=r"broken\.(pt|safetensors)' is ") as caught:
        OpenClipEncoder(settings.model_copy(update={"checkpoint": str(broken)})).open()
    assert "weights_only" not in str(caught.value)


def test_a_checkpoint_of_another_model_is_named(models: Models) -> None:
    settings = models("square").model_copy(update={"checkpoint": models("demo").checkpoint})
    with pytest.raises(WeightsUnavailableError, match="broken or belongs to another model"):
        OpenClipEncoder(settings).open()


def test_a_torch_checkpoint_is_taken(models: Models, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    settings = models("square")
    assert settings.checkpoint is not None
    torch.save({"state_dict": load_file(settings.checkpoint)}, tmp_path / "a.pt")
    model = OpenClipEncoder(settings.model_copy(update={"checkpoint": str(tmp_path / "a.pt")})).open()
    np.testing.assert_array_equal(
        model.encode_texts(["a dog"]), OpenClipEncoder(settings).open().encode_texts(["a dog"])
    )


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"encoder\.model: unknown model 'ViT-B32'; did you mean 'ViT-B-32'\?"):
        OpenClipEncoder(Encoding(model="ViT-B32")).preprocessing()
    with pytest.raises(ConfigError, match=r"encoder\.pretrained: .*'laion2b_s34b'; did you mean 'laion2b_s34b_b79k'\?"):
        OpenClipEncoder(Encoding(pretrained="laion2b_s34b")).preprocessing()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "cannot be read as JSON"),
        ("[1]", "not an open_clip architecture"),
        ('{"embed_dim": 1}', "vision_cfg, text"),
    ],
)
def test_a_faulty_architecture_is_named(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "a.json").write_text(content)
    settings = Encoding(architecture=str(tmp_path / "a.json"), checkpoint="x.pt")
    with pytest.raises(ConfigError, match=problem):
        OpenClipEncoder(settings).preprocessing()


def test_a_faulty_preprocess_cfg_is_named(models: Models, tmp_path: Path) -> None:
    text = Path(str(models("demo").architecture)).read_text().replace('"squash"', '"stretch"')
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigError, match="preprocess_cfg cannot be used: resize_mode is shortest, longest or squash"):
        OpenClipEncoder(Encoding(architecture=str(tmp_path / "a.json"), checkpoint="x.pt")).preprocessing()


@pytest.mark.parametrize(
    ("vocabulary", "problem"),
    [(["a"], "expected"), ({"unknown": "x", "words": ["Car"]}, "single lower-case words")],
)
def test_a_faulty_vocabulary_is_named(models: Models, tmp_path: Path, vocabulary: object, problem: str) -> None:
    content = json.loads(Path(str(models("worded").architecture)).read_text()) | {"vocabulary": vocabulary}
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=f"a.json': vocabulary: .*{problem}"):
        OpenClipEncoder(Encoding(architecture=str(tmp_path / "a.json"), checkpoint="x.pt")).preprocessing()


def test_a_model_of_few_words_says_which_it_does_not_know(models: Models) -> None:
    model = OpenClipEncoder(models("worded")).open()
    assert model.unknown_words("A red Dragon and a car") == ("Dragon", "and")
    assert model.unknown_words("a red car") == ()
    one, same, other = model.encode_texts(["a red-car", "A RED, car!", "a red unknown"])
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3
    assert OpenClipEncoder(models("square")).open().unknown_words("A red Dragon and a car") == ()


def test_unknown_words_take_little_of_the_context(models: Models) -> None:
    text = "an antidisestablishmentarian counterrevolutionary " * 8
    assert OpenClipEncoder(models("worded")).open().too_long([text]) == ()
    assert OpenClipEncoder(models("square")).open().too_long([text]) == (text,)


def test_the_bias_of_a_sigmoid_is_told_and_that_of_a_softmax_is_none(models: Models) -> None:
    assert OpenClipEncoder(models("demo")).open().logit_bias == pytest.approx(-4.0)
    assert OpenClipEncoder(models("square")).open().logit_bias is None


def test_a_bias_that_the_checkpoint_lacks_is_none(models: Models, tmp_path: Path) -> None:
    """open_clip puts 0 in its place, which would say that every picture belongs to every text."""
    from safetensors.torch import load_file, save_file

    settings = models("demo")
    weights = {name: value for name, value in load_file(str(settings.checkpoint)).items() if name != "logit_bias"}
    save_file(weights, str(tmp_path / "w.safetensors"))
    model = OpenClipEncoder(settings.model_copy(update={"checkpoint": str(tmp_path / "w.safetensors")})).open()
    assert model.logit_bias is None


def test_fingerprint_follows_the_weights_and_nothing_else(models: Models, tmp_path: Path) -> None:
    settings = models("square")
    same = OpenClipEncoder(settings).fingerprint
    others = {"device": "cuda", "precision": "bf16", "prompts": ("a {}",), "batch_size": 7, "threads": 1}
    assert OpenClipEncoder(settings.model_copy(update=others)).fingerprint == same
    copy = tmp_path / "moved.safetensors"
    copy.write_bytes(Path(str(settings.checkpoint)).read_bytes())
    assert OpenClipEncoder(settings.model_copy(update={"checkpoint": str(copy)})).fingerprint == same
    weights = copy.read_bytes()
    copy.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert OpenClipEncoder(settings.model_copy(update={"checkpoint": str(copy)})).fingerprint != same
    assert OpenClipEncoder(Encoding()).fingerprint != OpenClipEncoder(Encoding(pretrained="openai")).fingerprint


def test_description_names_model_and_weights(models: Models) -> None:
    assert OpenClipEncoder(Encoding()).description == "ViT-B-32 (laion2b_s34b_b79k)"
    assert OpenClipEncoder(models("square")).description == "tiny-square (square.safetensors)"


def test_tags_that_want_quick_gelu_get_it() -> None:
    from pipeline.encode.architecture import architecture_of

    assert architecture_of(Encoding(pretrained="openai")).quick_gelu
    assert not architecture_of(Encoding()).quick_gelu


def test_relative_paths_are_found_in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.encode.architecture import resolved

    monkeypatch.chdir(tmp_path)
    assert resolved("pyproject.toml").is_file()
    (tmp_path / "pyproject.toml").touch()
    assert resolved("pyproject.toml") == Path("pyproject.toml")


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("prompts", ["a photo"], 'contain "{}" once'),
        ("prompts", [], "at least one prompt"),
        ("pretrained", None, "no weights"),
        ("architecture", "a.json", "needs `checkpoint`"),
        ("model", "hf-hub:laion/x", "names with a prefix are not supported"),
        ("batch_size", 0, "greater than or equal to 1"),
    ],
)
def test_settings_refuse(setting: str, value: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        validate(Encoding, json.loads(json.dumps({setting: value})))


def test_a_text_is_encoded_once_however_often_it_is_asked(models: Models) -> None:
    model = OpenClipEncoder(models("square")).open()
    encode, tokens_seen = model._network.encode_text, []

    def counted(tokens: Any) -> Any:
        tokens_seen.append(len(tokens))
        return encode(tokens)

    model._network.encode_text = counted
    first = model.encode_texts(["a cat", "a dog", "a cat"])
    first_as_it_was = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(model.encode_texts(["a dog", "a cat"]), first_as_it_was[[1, 2]])
    np.testing.assert_array_equal(model.encode_texts(["a bird", "a dog"])[1], first_as_it_was[1])
    assert tokens_seen == [2, 1]
