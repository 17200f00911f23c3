"""The import of open_clip without timm and torch's compiler, which appear when they are used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tiny_model import make_tiny_model

PROJECT = Path(__file__).parents[3]

_LOADED = "print(*sorted({name for name in sys.modules} & {'timm', 'torch._dynamo'}))\n"
_DEMO = (
    "import sys\n"
    "import numpy as np\n"
    "from pipeline.encode import OpenClipEncoder\n"
    "from pipeline.run_config import load_run_config\n"
    "model = OpenClipEncoder(load_run_config('demo').encoder).open()\n"
    "model.encode_images(np.zeros((2, *model._shape), np.uint8)), model.encode_texts(['a red car'])\n"
)


def _output(code: str) -> list[str]:
    run = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_a_model_with_a_tower_of_timm_is_used_without_torchs_compiler() -> None:
    assert _output(_DEMO + _LOADED) == ["timm"]


def test_another_model_is_used_without_timm_as_well(tmp_path: Path) -> None:
    settings = json.dumps(make_tiny_model(tmp_path))
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from pipeline.encode import Encoding, OpenClipEncoder\n"
        f"model = OpenClipEncoder(Encoding.model_validate_json({settings!r})).open()\n"
        "model.encode_images(np.zeros((2, *model._shape), np.uint8)), model.encode_texts(['a red car'])\n"
    )
    assert _output(code + _LOADED) == [""]


def test_what_was_left_out_works_when_it_is_used_after_all() -> None:
    later = (
        "import torch, torchvision, open_clip\n"
        "from pipeline.encode.startup.open_clip_import import import_open_clip\n"
        "box = torch.tensor([[0, 0.0, 0.0, 2.0, 2.0]])\n"
        "torch.use_deterministic_algorithms(True)\n"
        "print(*torchvision.ops.roi_align(torch.ones(1, 1, 4, 4), box, 2).shape)\n"
        "print(torch._dynamo.utils.is_compile_supported.__module__)\n"
        "import_open_clip(with_timm=True)\n"
        "tower = open_clip.model.TimmModel('resnet10t', embed_dim=8, image_size=32).eval()\n"
        "print(tower(torch.zeros(1, 3, 32, 32)).shape[1])\n"
    )
    assert _output(_DEMO + later) == ["1 1 2 2", "torch._dynamo.utils", "8"]


def test_a_model_with_a_tower_of_timm_is_opened_after_one_without() -> None:
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from tempfile import mkdtemp\n"
        "from pipeline.encode.startup.open_clip_import import import_open_clip\n"
        "import_open_clip(with_timm=False)\n"
        "import open_clip\n"
        "import_open_clip(with_timm=True)\n"
        "text = {'context_length': 8, 'vocab_size': 49408, 'width': 16, 'heads': 2, 'layers': 1}\n"
        "vision = {'timm_model_name': 'resnet10t', 'timm_pool': '', 'timm_proj': 'linear', 'image_size': 32}\n"
        "path = Path(mkdtemp()) / 'tiny-timm.json'\n"
        "path.write_text(json.dumps({'embed_dim': 8, 'vision_cfg': vision, 'text_cfg': text}))\n"
        "open_clip.add_model_config(path)\n"
        "print(type(open_clip.create_model('tiny-timm', load_weights=False).visual).__name__)\n"
    )
    assert _output(code)[-1] == "TimmModel"


def test_open_clip_is_imported_with_the_compiler_if_torchvision_takes_more_from_it() -> None:
    code = (
        "import importlib.abc, sys\n"
        "class NewerVersion(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'torchvision.ops.roi_align':\n"
        "            from torch._dynamo.utils import counters\n"
        "sys.meta_path.insert(0, NewerVersion())\n"
        "from pipeline.encode.startup.open_clip_import import import_open_clip\n"
        "import_open_clip(with_timm=False)\n"
        "import open_clip\n"
        "print(hasattr(sys.modules['torch._dynamo.utils'], 'counters'), hasattr(open_clip, 'create_model'))\n"
    )
    assert _output(code) == ["True True"]
