from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.encode import Encoding, OpenClipEncoder
from pipeline.encode.text_tower import TextTower, TextTowerFile
from pipeline.encode.text_tower import export as export_module
from pipeline.encode.text_tower.bpe import BpeTokenizer
from pipeline.encode.text_tower.clip_graph import clip_graph
from pipeline.encode.text_tower.export import export_text_tower
from pipeline.encode.text_tower.half_precision import with_half_weights
from pipeline.encode.text_tower.onnx_contents import check_onnx
from pipeline.encode.text_tower.probe_texts import PROBE_TEXTS
from pipeline.errors import EncoderError, TextTooLongError

Models = Callable[..., Encoding]
Exported = tuple[TextTowerFile, bytes]

ODD_TEXTS = [
    *("", " ", "\n\t", "a" * 300, "don't 'S 'RE I'LL", "naïve façade", "ÅÄÖ ﬃ ½ №", "مرحبا بالعالم", "नमस्ते"),
    *("👩‍🚒 and 🇩🇪", "&amp;lt; &copy; &#x41;", "<END_OF_TEXT> x", "x_y-z/w\\v", "1234567890"),
    *("\u200bzero\u200bwidth", "İstanbul ŞİŞLİ", "\u201ccurly\u201d \u2018quotes\u2019 \u2014 dash\u2026"),
    *("\x1b[31mred\x1b[0m", "hello\ufffd\x00world"),
]


@pytest.fixture(scope="module")
def merges() -> list[str]:
    from pipeline.encode.text_tower.export import _tokenizing

    return _tokenizing(_open_clips_tokenizer()).merges.split("\n")


def _open_clips_tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


EXPORTED: dict[str, Exported] = {}


def _exported(settings: Encoding) -> Exported:
    """Export a model's tower once: prompts and batches make no difference to it."""
    if settings.model not in EXPORTED:
        EXPORTED[settings.model] = OpenClipEncoder(settings).open().export_text_tower("abc123")
    return EXPORTED[settings.model]


def _tower(models: Models, name: str, **settings: Any) -> tuple[TextTower, Any, Exported]:
    chosen = models(name, precision="fp32", **settings)
    model = OpenClipEncoder(chosen).open()
    file, content = _exported(chosen)
    return TextTower(chosen, TextTowerFile.from_json(file.to_json()), lambda: content), model, (file, content)


@pytest.mark.parametrize("context", [8, 77])
def test_the_tokenizer_gives_open_clips_tokens(merges: list[str], context: int) -> None:
    texts = [*ODD_TEXTS, *PROBE_TEXTS]
    found = BpeTokenizer(merges)(texts, context)
    expected = _open_clips_tokenizer()(texts, context).numpy()
    for text, one, other in zip(texts, found, expected, strict=True):
        assert one.tolist() == other.tolist(), repr(text)


@pytest.mark.parametrize("prompts", [("{}",), ("{}", "a photo of {}.")])
@pytest.mark.parametrize("name", ["square", "demo", "worded"])
def test_an_exported_tower_embeds_as_torch_does(models: Models, name: str, prompts: tuple[str, ...]) -> None:
    tower, model, (file, _) = _tower(models, name, prompts=prompts, batch_size=3)
    texts = ["a red car", "two dogs run", "a red car", "über 9 Bäume", "x"]
    cosines = np.sum(tower.encode_texts(texts) * model.encode_texts(texts), axis=1)
    assert cosines.min() > 0.9999
    assert file.cosine > 0.999
    assert tower.encode_texts([]).shape == (0, 24)
    assert [tower.unknown_words(text) for text in texts] == [model.unknown_words(text) for text in texts]
    assert tower.too_long(["a", "a " * 30]) == model.too_long(["a", "a " * 30])
    assert (file.logit_scale, file.logit_bias) == (model.logit_scale, model.logit_bias)


def test_a_long_text_is_refused_or_cut_as_torch_does(models: Models) -> None:
    tower, *_ = _tower(models, "square")
    with pytest.raises(TextTooLongError, match="only 16"):
        tower.encode_texts(["word " * 20])
    cutting, model, _ = _tower(models, "square", long_text="truncate")
    long = ["word " * 20 + "cat"]
    np.testing.assert_allclose(cutting.encode_texts(long), model.encode_texts(long), atol=2e-3)


def test_weights_are_stored_in_half_precision(models: Models) -> None:
    *_, (file, content) = _tower(models, "square")
    weights = onnx.load_from_string(content).graph.initializer
    sizes = {one.name: int(np.prod(one.dims)) for one in weights if one.data_type == TensorProto.FLOAT}
    assert max(sizes.values()) < 1024
    assert file.size_bytes == len(content) < 49408 * 16 * 2.2


def test_a_weight_beyond_half_precision_stays_as_it_is() -> None:
    large = np.full((64, 64), 1e6, np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 64])],
        [numpy_helper.from_array(large, "w")],
    )
    (weight,) = with_half_weights(helper.make_model(graph)).graph.initializer
    assert weight.data_type == TensorProto.FLOAT


def test_the_second_exporter_is_used_if_the_first_fails(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("removed")

    monkeypatch.setattr(sys.modules[__name__], "EXPORTED", {})
    monkeypatch.setattr(export_module, "is_clip_tower", lambda _: False)
    monkeypatch.setattr(export_module, "_by_tracing", fail)
    tower, model, _ = _tower(models, "square")
    assert float(np.sum(tower.encode_texts(["a dog"]) * model.encode_texts(["a dog"]))) > 0.9999


def test_torch_does_not_trace_a_standard_tower(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "EXPORTED", {})
    monkeypatch.setattr(export_module, "_traced", None)
    assert _tower(models, "square")[2][0].cosine > 0.999


def _without_end(network: Any) -> Any:
    """A graph that reads the features of the first token instead of the last."""
    model = clip_graph(network)
    for node in model.graph.node:
        if node.op_type == "ArgMax":
            node.op_type = "ArgMin"
    return model


def _of_another_structure(network: Any) -> Any:
    raise AttributeError("'CLIP' object has no attribute 'resblocks'")


@pytest.mark.parametrize("built", [_without_end, _of_another_structure])
def test_torch_exports_what_is_not_built_correctly(
    models: Models, monkeypatch: pytest.MonkeyPatch, built: Callable[[Any], Any]
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "EXPORTED", {})
    monkeypatch.setattr(export_module, "clip_graph", built)
    tower, model, _ = _tower(models, "square")
    texts = ["a dog runs", "a"]
    assert np.sum(tower.encode_texts(texts) * model.encode_texts(texts), axis=1).min() > 0.9999


def test_a_tower_that_differs_from_torch_is_refused(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "is_clip_tower", lambda _: False)
    traced = export_module._traced

    def wrong(*given: Any) -> Any:
        model = traced(*given)
        for one in model.graph.initializer:
            if "text_projection" in one.name:
                one.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(one)[::-1].copy(), one.name))
        return model

    monkeypatch.setattr(sys.modules[__name__], "EXPORTED", {})
    monkeypatch.setattr(export_module, "_traced", wrong)
    with pytest.raises(EncoderError, match="differ from torch"):
        _tower(models, "square")


def test_a_tokenizer_of_another_kind_is_refused(models: Models) -> None:
    class Other:
        pass

    with pytest.raises(EncoderError, match="type Other"):
        export_text_tower(None, Other(), fingerprint="x", vocabulary=None, logit_scale=1.0, logit_bias=None)


@pytest.mark.parametrize("length", [0, 10, 1000, -1000, -1])
def test_a_truncated_file_is_refused(models: Models, length: int) -> None:
    _, _, (file, content) = _tower(models, "square")
    with pytest.raises(EncoderError):
        TextTower(models("square"), file, lambda: content[:length]).encode_texts(["a"])
    with pytest.raises(EncoderError):
        check_onnx(content[:length])


def test_a_changed_byte_is_noticed(models: Models) -> None:
    _, _, (file, content) = _tower(models, "square")
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    with pytest.raises(EncoderError, match="differs from the exported file"):
        TextTower(models("square"), file, lambda: bytes(changed)).encode_texts(["a"])


def _model(**parts: Any) -> bytes:
    weight = parts.get("weight") or numpy_helper.from_array(np.ones((2, 2), np.float32), "w")
    nodes = parts.get("nodes") or [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight]))
    model.functions.extend(parts.get("functions", []))
    return model.SerializeToString()


def _outside(name: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[2, 2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def test_a_file_that_reaches_outside_itself_is_refused() -> None:
    check_onnx(_model())
    inner = helper.make_graph([], "inner", [], [])
    cases: list[tuple[bytes, str]] = [
        (_model(weight=_outside("w")), "another file"),
        (_model(nodes=[helper.make_node("Constant", [], ["y"], value=_outside("c"))]), "another file"),
        (_model(nodes=[helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)]), "subgraphs"),
        (_model(nodes=[helper.make_node("Odd", ["x"], ["y"], domain="com.evil")]), "non-standard"),
        (_model(functions=[helper.make_function("d", "f", [], [], [], [])]), "functions"),
        (b"", "not an ONNX"),
        (b"PK\x03\x04 something else", "ONNX|truncated"),
    ]
    for content, said in cases:
        with pytest.raises(EncoderError, match=said):
            check_onnx(content)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"sha256": "zz"},
        {"dimension": 0},
        {"tokenizer": {"kind": "pickle"}},
        {"extra": 1},
        {"cosine": "x"},
    ],
)
def test_a_malformed_description_is_refused(models: Models, change: dict[str, Any]) -> None:
    _, _, (file, _) = _tower(models, "square")
    with pytest.raises(EncoderError, match="not a description"):
        TextTowerFile.from_json(json.dumps({**json.loads(file.to_json()), **change}).encode())


def test_texts_are_embedded_without_torch(models: Models, tmp_path: Any) -> None:
    _, model, (file, content) = _tower(models, "square")
    (tmp_path / "t.json").write_bytes(file.to_json())
    (tmp_path / "t.onnx").write_bytes(content)
    code = (
        "import sys, json; from pathlib import Path; from pipeline.encode import Encoding\n"
        "from pipeline.encode.text_tower import TextTower, TextTowerFile\n"
        "file = TextTowerFile.from_json(Path('t.json').read_bytes())\n"
        "tower = TextTower(Encoding(), file, Path('t.onnx').read_bytes)\n"
        "print(json.dumps(tower.encode_texts(['a red car']).tolist()))\n"
        "print({'torch', 'open_clip', 'onnx', 'ftfy', 'transformers'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    vectors, loaded = run.stdout.splitlines()
    np.testing.assert_allclose(json.loads(vectors), model.encode_texts(["a red car"]), atol=2e-3)
    assert loaded == "set()"


def test_the_demo_models_rankings_stay_the_same() -> None:
    """A hundred questions of the sample films: half precision swaps none of the first ten vectors."""
    project = Path(__file__).parents[2]
    folder = project / "sample_videos/demo_model"
    files = {"architecture": "open_clip_config.json", "checkpoint": "open_clip_model.safetensors"}
    settings = Encoding.model_validate({"model": "demo", **{key: str(folder / name) for key, name in files.items()}})
    model = OpenClipEncoder(settings).open()
    file, content = model.export_text_tower("demo")
    lines = (project / "sample_videos/moments.jsonl").read_text().splitlines()
    questions = list(dict.fromkeys(["a red car", *(json.loads(line)["query"] for line in lines)]))[:100]
    assert len(questions) == 100
    rng = np.random.default_rng(5)
    frames = model.encode_images(rng.integers(0, 256, (40, 126, 224, 3), np.uint8))
    texts = model.encode_texts(questions)
    noisy = np.concatenate([frames, texts + 0.05 * rng.normal(size=texts.shape).astype(np.float32)])
    expected = np.argsort(-(texts @ noisy.T), axis=1)[:, :10]
    vectors = TextTower(settings, file, lambda: content).encode_texts(questions)
    np.testing.assert_array_equal(np.argsort(-(vectors @ noisy.T), axis=1)[:, :10], expected)
    assert np.sum(vectors * texts, axis=1).min() > 0.9999
