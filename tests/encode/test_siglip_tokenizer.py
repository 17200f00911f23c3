"""SigLIP 2's texts: open_clip and transformers together, on a small tokenizer in the form of the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from model_hub import ModelHub

PROJECT = Path(__file__).resolve().parent.parent.parent
SIGLIP = PROJECT / "build" / "siglip"
REPOSITORY = "timm/ViT-B-16-SigLIP2-256"
# Gemma's, which SigLIP 2 uses, but for the words that it knows. Lower case is open_clip's doing, the end token the
# tokenizer's own. Nothing is said of the side of the padding: transformers pads Gemma's texts on the left by default.
CONFIGURATION = {
    "tokenizer_class": "GemmaTokenizer",
    "add_bos_token": False,
    "add_eos_token": True,
    **{f"{name}_token": f"<{name}>" for name in ("pad", "eos", "bos", "unk", "mask")},
}
WRITE = """
import json
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
tokenizer.decoder = decoders.Replace("\u2581", " ")
trainer = trainers.BpeTrainer(vocab_size=16, special_tokens=special, show_progress=False)
tokenizer.train_from_iterator(["a dog in snow", "dog dog dog snow"] * 50, trainer)
tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
print(json.dumps({"file": tokenizer.to_str(), "ids": tokenizer.encode("a dog in snow").ids}))
"""
READ = """
import json, sys
from pipeline.encode.loading import loaded_tokenizer
from pipeline.encode.architecture import architecture_of
from pipeline.encode.requirements import check_packages
from pipeline.encode.prompts import PromptedTexts
from pipeline.run_config import load_run_config
settings = load_run_config("siglip2").encoder.model_copy(update={"cache_dir": sys.argv[1]})
check_packages(settings, settings.model)
texts = PromptedTexts(settings, loaded_tokenizer(settings, architecture_of(settings)), 64)
rows = [texts.tokens(text)[0].tolist() for text in ("a dog in snow", "A Dog, in snow!")]
print(json.dumps({"rows": rows, "too_long": [bool(texts.too_long([" ".join(["dog"] * n)])) for n in (5, 64)]}))
"""


def run(code: str, *arguments: str, **variables: str) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}:{SIGLIP}", **variables}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.siglip
@pytest.mark.slow
def test_texts_are_cleaned_ended_and_padded_to_the_context(tmp_path: Path) -> None:
    tokenizer = json.loads(run(WRITE))
    files = {"tokenizer.json": tokenizer["file"], "tokenizer_config.json": json.dumps(CONFIGURATION)}
    with ModelHub({f"{REPOSITORY}/{name}": content.encode() for name, content in files.items()}) as hub:
        said = json.loads(run(READ, str(tmp_path), HF_ENDPOINT=hub.endpoint))
    plain, shouted = said["rows"]
    assert tokenizer["ids"][-1] == 1
    assert plain == tokenizer["ids"] + [0] * (64 - len(tokenizer["ids"]))
    assert shouted == plain
    assert said["too_long"] == [False, True]
