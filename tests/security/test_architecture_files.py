"""Architecture files and checkpoints of others: they set numbers, and load, run and download nothing."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_model import TEXT, VIT, make_tiny_model

from pipeline.encode import Encoding
from pipeline.encode.open_clip import OpenClipEncoder
from pipeline.errors import ConfigError, EncoderError, MomentseekError, WeightsUnavailableError
from pipeline.run_config import load_run_config

Changed = Callable[..., Encoding]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Encoding:
    return Encoding.model_validate(make_tiny_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def changed(tiny: Encoding, tmp_path: Path) -> Changed:
    """Makes a model whose architecture file says something else, in whatever place of it."""

    def settings(change: dict[str, Any], form: str = "flat", name: str = "a.json") -> Encoding:
        model: dict[str, Any] = {"embed_dim": 24, "vision_cfg": dict(VIT), "text_cfg": dict(TEXT)}
        for key, value in change.items():
            where: Any = model
            *outer, last = key.split(".")
            for part in outer:
                where = where[part]
            where[last] = value
        whole = model if form == "flat" else {"model_cfg": model, "preprocess_cfg": {}}
        (tmp_path / name).write_text(json.dumps(whole))
        return tiny.model_copy(update={"architecture": str(tmp_path / name)})

    return settings


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A folder that is a tokenizer of its own, whose code writes a file when it is run; a file for gzip, too."""
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    mark = tmp_path / "was-run"
    code = f"open({str(mark)!r}, 'w').close()\nclass Own: pass\n"
    (folder / "own.py").write_text(code)
    for name in ("config.json", "tokenizer_config.json"):
        auto = {"AutoTokenizer": ["own.Own", None], "AutoConfig": "own.Own", "AutoModel": "own.Own"}
        (folder / name).write_text(json.dumps({"auto_map": auto, "model_type": "own"}))
    (folder / "merges.gz").write_bytes(gzip.compress(b"secret\n" * 60_000))
    return folder


LOADING = {
    "code of a tokenizer": {
        "text_cfg.hf_tokenizer_name": "{folder}",
        "text_cfg.tokenizer_kwargs": {"trust_remote_code": True},
    },
    "a tokenizer's folder": {"text_cfg.hf_tokenizer_name": "{folder}"},
    "a tokenizer of a hub": {"text_cfg.hf_tokenizer_name": "someone/tokenizer"},
    "a tokenizer as a list": {"text_cfg.hf_tokenizer_name": ["{folder}"]},
    "code alone": {"text_cfg.tokenizer_kwargs": {"trust_remote_code": True}},
    "a vocabulary's file": {"text_cfg.tokenizer_kwargs": {"bpe_path": "{folder}/merges.gz"}},
    "an expression": {"text_cfg.tokenizer_kwargs": {"additional_special_tokens": ["(a+)+$"]}},
    "a text tower": {"text_cfg.hf_model_name": "{folder}", "text_cfg.hf_proj_type": "mlp"},
    "an image tower of a hub": {"vision_cfg.timm_model_name": "hf-hub:someone/model"},
    "an image tower of a hub, spelled as before": {"vision_cfg.timm_model_name": "hf_hub:someone/model"},
    "an image tower's folder": {"vision_cfg.timm_model_name": "local-dir:{folder}"},
    "an image tower's path": {"vision_cfg.timm_model_name": "{folder}/regnetx_002"},
    "an unknown image tower": {"vision_cfg.timm_model_name": "regnetx_002;x"},
    "a key of timm": {"vision_cfg.checkpoint_path": "{folder}/merges.gz"},
    "a key at the top": {"pretrained_hf": True},
    "a dtype": {"text_cfg.norm_kwargs": {"device": "cuda"}},
    "a function": {"vision_cfg.act_kwargs": {"inplace": True}},
    "a decoder's tokenizer": {
        "multimodal_cfg": {"hf_model_name": "{folder}"},
        "custom_text": True,
        "vision_cfg.output_tokens": True,
        "text_cfg.output_tokens": True,
    },
}


@pytest.mark.parametrize("form", ["flat", "whole"])
@pytest.mark.parametrize("kind", LOADING)
def test_a_file_that_loads_something_is_refused(changed: Changed, canary: Path, kind: str, form: str) -> None:
    change = json.loads(json.dumps(LOADING[kind]).replace("{folder}", str(canary)))
    with pytest.raises(ConfigError, match=r"_cfg|pretrained_hf"):
        OpenClipEncoder(changed(change, form)).preprocessing()
    with pytest.raises(ConfigError):
        OpenClipEncoder(changed(change, form)).open()
    assert not (canary.parent / "was-run").exists()


SIZES = {
    "width": {"vision_cfg.width": 10**12},
    "layers": {"text_cfg.layers": 10**9},
    "vocabulary": {"text_cfg.vocab_size": 10**12},
    "context": {"text_cfg.context_length": 10**7},
    "embedding": {"embed_dim": 10**10},
    "image": {"vision_cfg.image_size": [10**6, 10**6]},
    "patches": {"vision_cfg.patch_size": 1, "vision_cfg.image_size": 1024, "vision_cfg.width": 8192},
    "a patch of nothing": {"vision_cfg.patch_size": 0},
    "a head of nothing": {"vision_cfg.head_width": 0},
    "heads": {"text_cfg.heads": 3},
    "ratio": {"text_cfg.mlp_ratio": 1e300},
    "text for a number": {"vision_cfg.width": "32"},
    "true for a number": {"vision_cfg.layers": True},
    "a fraction for a number": {"vision_cfg.layers": 1.5},
}


@pytest.mark.parametrize("kind", SIZES)
def test_a_size_out_of_range_is_refused_before_anything_is_allocated(changed: Changed, kind: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConfigError, match=r"_cfg|embed_dim") as caught:
        OpenClipEncoder(changed(SIZES[kind])).open()
    assert len(str(caught.value)) < 1500
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize(
    "change",
    [
        {"vision_cfg.width": 8192, "vision_cfg.layers": 128},
        {"text_cfg.vocab_size": 2_000_000, "text_cfg.width": 8192},
        {"vision_cfg": {"timm_model_name": "vit_7b_patch16_dinov3", "image_size": 224}},
    ],
)
def test_a_network_larger_than_its_checkpoint_is_refused_before_it_is_allocated(
    changed: Changed, change: dict[str, Any]
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsUnavailableError, match=r"the network has [\d,]+ parameters, but the file"):
        OpenClipEncoder(changed(change)).open()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000


@pytest.mark.parametrize("name", ["hf-hub:someone", "local-dir:.", "my-siglip", "siglip2", "ViT-B-32"])
def test_the_name_of_the_file_means_nothing(changed: Changed, name: str) -> None:
    # open_clip would ask a hub, read a folder or download a vocabulary for such names.
    model = OpenClipEncoder(changed({}, name=f"{name}.json")).open()
    assert model.encode_texts(["a dog"]).shape == (1, 24)


def test_a_network_that_is_measured_first_opens_without_a_warning(changed: Changed, caplog: Any) -> None:
    OpenClipEncoder(changed({})).open()
    assert not caplog.records


def test_weights_of_timm_are_never_asked_for(tiny: Encoding, tmp_path: Path) -> None:
    from pipeline.encode.architecture_file import read_architecture

    vision = {"timm_model_name": "test_resnet", "timm_model_pretrained": True, "image_size": 64}
    (tmp_path / "a.json").write_text(json.dumps({"embed_dim": 24, "vision_cfg": vision, "text_cfg": TEXT}))
    assert read_architecture(tmp_path / "a.json", "a")[0]["vision_cfg"]["timm_model_pretrained"] is False


@pytest.mark.parametrize(
    ("preprocess", "problem"),
    [
        ({"std": [0, 1, 1]}, "std"),
        ({"mean": [1e300] * 3}, "mean"),
        ({"size": 10**9}, "size"),
        ({"mode": "../RGB"}, "mode"),
        ({"fill_color": -1}, "fill_color"),
        ({"interpolation": "x" * 10_000}, "interpolation"),
        ({"code": "x"}, "code: unknown setting"),
    ],
)
def test_preprocessing_is_numbers_in_range(
    tiny: Encoding, tmp_path: Path, preprocess: dict[str, Any], problem: str
) -> None:
    model = {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": TEXT}
    (tmp_path / "a.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": preprocess}))
    with pytest.raises(ConfigError, match=problem) as caught:
        OpenClipEncoder(tiny.model_copy(update={"architecture": str(tmp_path / "a.json")})).preprocessing()
    assert len(str(caught.value)) < 1500


def test_every_network_of_open_clip_that_names_nothing_else_is_taken(tmp_path: Path) -> None:
    import open_clip

    from pipeline.encode.architecture_file import read_architecture

    taken = 0
    for path in sorted((Path(open_clip.__file__).parent / "model_configs").glob("*.json")):
        given = json.loads(path.read_text())
        if given["text_cfg"].keys() & {"hf_model_name", "hf_tokenizer_name"}:
            with pytest.raises(ConfigError, match=r"set encoder\.model to its name"):
                read_architecture(path, path.name)
        else:
            assert read_architecture(path, path.name)[0] == given
            taken += 1
    assert taken > 90


@pytest.mark.parametrize("setting", ["architecture", "checkpoint"])
@pytest.mark.parametrize("kind", ["fifo", "link to a fifo", "device", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(tiny: Encoding, tmp_path: Path, setting: str, kind: str) -> None:
    path = tmp_path / ("a.json" if setting == "architecture" else "a.pt")
    os.mkfifo(tmp_path / "fifo")
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"fifo": tmp_path / "fifo", "link to a fifo": tmp_path / "link", "device": "/dev/zero"}[kind])
        (tmp_path / "link").symlink_to(tmp_path / "fifo")
    encoder = OpenClipEncoder(tiny.model_copy(update={setting: str(path)}))
    with pytest.raises(MomentseekError):
        encoder.open()
    with pytest.raises(MomentseekError):
        _ = encoder.fingerprint


def _with(path: Path, out: Path, name: str, content: bytes, kind: int = zipfile.ZIP_STORED) -> Path:
    """A copy of an archive of torch in which one entry is another."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", kind) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, content if entry.filename.endswith(name) else old.read(entry.filename))
    return out


def _saved(path: Path, tensors: Any) -> Path:
    torch.save(tensors, path)
    return path


class _Run:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _overlapping(folder: Path) -> Path:
    """An archive whose entries are all the same bytes of it, so that they come to a hundred times its size."""
    content = bytes(100_000)
    path = folder / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data/0", content)
        first = archive.infolist()[0]
        for number in range(1, 100):
            entry = zipfile.ZipInfo(f"a/data/{number}")
            entry.file_size = entry.compress_size = len(content)
            entry.CRC, entry.header_offset = first.CRC, first.header_offset
            archive.filelist.append(entry)
            archive.NameToInfo[entry.filename] = entry
        archive._didModify = True
    return path


CHECKPOINTS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a header of gigabytes": (
        lambda folder: _written(folder / "a.safetensors", (10**12).to_bytes(8, "little") + b"{}"),
        "header claims",
    ),
    "offsets beyond the file": (
        lambda folder: _written(
            folder / "a.safetensors",
            (80).to_bytes(8, "little")
            + b'{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'.ljust(80),
        ),
        "broken or belongs to another model",
    ),
    "a bomb": (
        lambda folder: _with(
            _saved(folder / "b.pt", {"a": torch.zeros(8)}),
            folder / "a.pt",
            "data/0",
            bytes(10**8),
            zipfile.ZIP_DEFLATED,
        ),
        "a compressed archive",
    ),
    "overlapping entries": (_overlapping, r"claim more bytes|damaged archive"),
    "a tensor of one number": (
        lambda folder: _saved(folder / "a.pt", {"visual.positional_embedding": torch.zeros(1).expand(10**6, 10**6)}),
        "claims 1,000,000,000,000 numbers",
    ),
    "code": (lambda folder: _saved(folder / "a.pt", {"a": _Run(folder / "was-run")}), "contains more than tensors"),
    "code in the old form": (
        lambda folder: _written(folder / "a.pt", pickle.dumps(_Run(folder / "was-run"))),
        "neither a safetensors file",
    ),
    "NumPy": (lambda folder: _written(folder / "a.npz", b"PK\3\4"), "NumPy files"),
    "a list": (lambda folder: _saved(folder / "a.pt", [torch.zeros(1)]), "broken or belongs to another model"),
    "names that are numbers": (
        lambda folder: _saved(folder / "a.pt", {1: torch.zeros(1)}),
        "broken or belongs to another",
    ),
    "no tensors": (
        lambda folder: _saved(folder / "a.pt", {"a": "b", "state_dict": {}}),
        "broken or belongs to another",
    ),
    "another shape": (
        lambda folder: _saved(folder / "a.pt", {"logit_scale": torch.zeros(7), "positional_embedding": torch.zeros(3)}),
        "broken or belongs to another",
    ),
    "a damaged archive": (lambda folder: _written(folder / "a.pt", b"PK\3\4" + bytes(1000)), "damaged archive"),
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_a_checkpoint_that_is_none_is_refused_cheaply(tiny: Encoding, tmp_path: Path, kind: str) -> None:
    make, problem = CHECKPOINTS[kind]
    path = make(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsUnavailableError, match=problem) as caught:
        OpenClipEncoder(tiny.model_copy(update={"checkpoint": str(path)})).open()
    assert "weights_only" not in str(caught.value)
    assert not (tmp_path / "was-run").exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_a_text_tower_that_cannot_embed_is_named(tmp_path: Path) -> None:
    import open_clip

    text = {**TEXT, "vocab_size": 100}
    (tmp_path / "small.json").write_text(json.dumps({"embed_dim": 24, "vision_cfg": VIT, "text_cfg": text}))
    open_clip.add_model_config(tmp_path / "small.json")
    torch.save(open_clip.create_model("small").state_dict(), tmp_path / "a.pt")
    with pytest.raises(EncoderError, match="text tower cannot embed"):
        OpenClipEncoder(
            Encoding(architecture=str(tmp_path / "small.json"), checkpoint=str(tmp_path / "a.pt"), model="small")
        ).open()


@pytest.mark.parametrize(
    "pretrained", ["/etc/passwd", "https://x.org/a.pt", "hf-hub:a/b", "./a.pt", "~/a.pt", "laion2b_s34b_b79k/../a"]
)
def test_a_tag_is_one_of_open_clips_tables(tmp_path: Path, pretrained: str) -> None:
    (tmp_path / "c.yaml").write_text(f"encoder: {{pretrained: '{pretrained}'}}")
    config = load_run_config(tmp_path / "c.yaml")
    with pytest.raises(ConfigError, match="has no weights named"):
        OpenClipEncoder(config.encoder).open()


def test_a_checkpoint_named_like_a_tag_is_the_file(
    tiny: Encoding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openai").write_bytes(b"not weights")
    with pytest.raises(WeightsUnavailableError, match="neither a safetensors file"):
        OpenClipEncoder(Encoding(model="ViT-B-32", checkpoint="openai")).open()
