"""Names are looked up without torch, and what is found is what open_clip itself would say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.encode import Encoding, OpenClipEncoder
from pipeline.encode.architecture import architecture_of
from pipeline.encode.model_tables import _light_tables, model_tables
from pipeline.errors import ConfigError

_LOOK_UPS = {
    "a file's weights": """
from pipeline.run_config import load_run_config
encoder = make_encoder(load_run_config("demo").encoder)
encoder.find_weights()
encoder.preprocessing()
""",
    "a model by its tag": """
OpenClipEncoder(Encoding()).preprocessing()
try:
    OpenClipEncoder(Encoding(cache_dir="nowhere")).find_weights()
except WeightsUnavailableError:
    pass
""",
    "an unknown name": """
try:
    OpenClipEncoder(Encoding(model="ViT-B-3")).preprocessing()
except ConfigError as error:
    assert "did you mean 'ViT-B-32'" in str(error), error
""",
}


@pytest.mark.parametrize("code", _LOOK_UPS.values(), ids=list(_LOOK_UPS))
def test_looking_up_a_model_imports_no_torch(code: str) -> None:
    script = (
        "import sys\n"
        "from pipeline.encode import Encoding, OpenClipEncoder, make_encoder\n"
        "from pipeline.errors import ConfigError, WeightsUnavailableError\n"
        f"{code}\n"
        "print({'torch', 'torchvision', 'open_clip'} & set(sys.modules))"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, env=environment, timeout=60
    )
    assert (done.stdout.strip(), done.returncode) == ("set()", 0), done.stderr


def test_the_tables_are_open_clips_own() -> None:
    import open_clip

    light = _light_tables()
    known = [name for name in open_clip.list_models() if not name.startswith(("file-", "reference-", "tiny-"))]
    assert set(known) == set(light.list_models())
    assert known
    for name in known:
        assert light.get_model_config(name) == open_clip.get_model_config(name)
        tags = open_clip.list_pretrained_tags_by_model(name)
        assert light.list_pretrained_tags_by_model(name) == tags
        assert all(light.get_pretrained_cfg(name, tag) == open_clip.get_pretrained_cfg(name, tag) for tag in tags)
    assert light.get_model_config("ViT-B-3") is None
    assert light.get_pretrained_cfg("ViT-B-32", "LAION2B-s34b_b79k")["hf_hub"]
    assert light.get_pretrained_cfg("ViT-B-32", "nothing") == {}


def test_an_image_tower_that_timm_does_not_know_is_refused_when_the_model_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "tower.json"
    file.write_text(
        '{"embed_dim": 8, "vision_cfg": {"timm_model_name": "regnetx_9", "image_size": 32}, "text_cfg": {}}'
    )
    settings = Encoding(model="own", architecture=str(file), checkpoint=str(file))
    with pytest.raises(ConfigError, match="timm_model_name: 'regnetx_9' is not in timm's own registry"):
        OpenClipEncoder(settings).open()


def test_a_network_that_a_program_has_added_to_open_clip_is_known(tmp_path: Path) -> None:
    import open_clip

    added = tmp_path / "reference-added.json"
    added.write_text('{"embed_dim": 8, "vision_cfg": {"image_size": 32}, "text_cfg": {}}')
    open_clip.add_model_config(added)
    assert model_tables() is open_clip
    found = architecture_of(Encoding(model="reference-added", pretrained=None, checkpoint="mine.safetensors"))
    assert (found.dimension, found.preprocessing.image_width) == (8, 32)
