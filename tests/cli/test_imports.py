"""What commands import: the heavy packages that they must do without, and how many modules of ours they may load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MODELS = {"torch", "torchvision", "open_clip", "transformers", "onnx", "timm", "safetensors"}
ANALYSES = {"sklearn", "matplotlib", "ray", "av", "cv2", "decord"}
INDEX = {"pymilvus", "milvus_lite", "faiss", "pandas", "grpc"}
NUMBERS = {"numpy", "pyarrow", "pydantic", "fsspec", "PIL", "scipy"}
EVERYTHING = MODELS | ANALYSES | INDEX | NUMBERS | {"onnxruntime", "yaml", "rich"}


def _loaded(*arguments: str, folder: Path) -> tuple[set[str], int]:
    """Run a command in a fresh process; return the packages that it loaded, and the number of our modules."""
    code = (
        "import json, sys; from pipeline.cli import main; code = main(sys.argv[1:])\n"
        "print('\\n' + json.dumps([code, sorted({name.split('.')[0] for name in sys.modules}),"
        " len([name for name in sys.modules if name.startswith('pipeline')])]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    status, packages, count = json.loads(run.stdout.splitlines()[-1])
    assert status == 0, run.stderr
    return set(packages), count


@pytest.mark.parametrize(
    ("arguments", "most"), [(["--version"], 20), (["search", "--help"], 30), (["--help"], 80), (["runs", "--help"], 30)]
)
def test_help_loads_neither_numbers_nor_models(arguments: list[str], most: int, tmp_path: Path) -> None:
    packages, count = _loaded(*arguments, folder=tmp_path)
    assert packages & EVERYTHING == set()
    assert count <= most


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film in a library of the demo model, in which one question was asked."""
    folder = tmp_path_factory.mktemp("imports")
    film = PROJECT / "sample_videos/snow-and-site.mp4"
    common = ["--config", "demo", "--library", "lib", "--set", "execution.executor=in_process"]
    main = [sys.executable, "-c", "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"]
    for arguments in (["index", str(film), *common], ["search", "snow", "--library", "lib"]):
        subprocess.run([*main, *arguments], cwd=folder, capture_output=True, check=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "absent", "most"),
    [
        (["search", "a red car", "--library", "lib"], MODELS | ANALYSES | INDEX | {"rich"}, 254),
        (["search", "snow", "--library", "lib"], MODELS | ANALYSES | INDEX | {"rich", "onnxruntime"}, 254),
        (["videos", "--library", "lib"], MODELS | ANALYSES | INDEX | {"rich", "onnxruntime"}, 254),
        (["runs", "--library", "lib"], MODELS | ANALYSES | INDEX | {"rich", "onnxruntime"}, 254),
    ],
)
def test_a_command_loads_what_it_needs(library: Path, arguments: list[str], absent: set[str], most: int) -> None:
    packages, count = _loaded(*arguments, folder=library)
    assert packages & absent == set()
    assert count <= most
