"""open_clip's own trainer on a data set of the sample films, by the commands of docs/how-to/fine-tuning.md."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from safetensors.torch import load_file

from pipeline import Library
from pipeline.run_config import load_run_config
from sample_videos.demo_model.train import WEIGHTS_NAME

PROJECT = Path(__file__).resolve().parents[3]
PAGE = PROJECT / "docs" / "how-to" / "fine-tuning.md"
# Concrete evening is the validation split.
FILMS = ("concrete-evening.mkv", "harbour-day.mp4", "warehouse-shift.mp4")
MOMENTSEEK = [sys.executable, "-c", "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"]


def unfit_webdataset() -> str | None:
    """Why the installed webdataset does not serve open_clip's trainer; None if it does."""
    (wanted,) = (one for one in map(Requirement, requires("open_clip_torch") or ()) if one.name == "webdataset")
    try:
        installed = version("webdataset")
    except PackageNotFoundError:
        return "webdataset is not installed"
    fits = wanted.specifier.contains(installed)
    return None if fits else f"open_clip's trainer needs webdataset{wanted.specifier}, and {installed} is installed"


def commands() -> list[list[str]]:
    """The commands of the page's section on the sample films, as arguments."""
    section = PAGE.read_text(encoding="utf-8").partition("### Try it on the sample films")[2]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return [shlex.split(line) for line in found[1].replace("\\\n", " ").splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(unfit_webdataset() is not None, reason=str(unfit_webdataset()))
def test_the_documented_commands_train_the_demo_model(films: Path, tmp_path: Path) -> None:
    (tmp_path / "sample_videos").symlink_to(films)
    settings = [f"library={tmp_path}/demo-output/library", "execution.executor=in_process", "index.backend=memory"]
    with Library.open(load_run_config("demo", settings)) as library:
        assert all(report.status == "done" for report in library.index([films / name for name in FILMS]))
    path = os.pathsep.join([str(PROJECT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    # Threads that wait for each other in a loop cost minutes on a busy machine.
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    for program, *arguments in commands():
        command = [*MOMENTSEEK, *arguments] if program == "momentseek" else [sys.executable, *arguments]
        ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, f"{' '.join(arguments)}\n{ended.stdout[-2000:]}{ended.stderr[-4000:]}"
    before = load_file(films / "demo_model" / WEIGHTS_NAME)
    checkpoint = torch.load(tmp_path / "logs" / "films" / "checkpoints" / "epoch_1.pt", weights_only=True)
    trained, mixed = checkpoint["state_dict"], load_file(tmp_path / "films.safetensors")
    name = "text.token_embedding.weight" if "text.token_embedding.weight" in before else "token_embedding.weight"
    first, last = before[name].float(), trained[name].float()
    assert not torch.equal(first, last)
    # The mixed weights have the demo model's half precision.
    assert torch.allclose(mixed[name].float(), (first + last) / 2, atol=1e-3)
    assert "Train Epoch: 0 [40/40 (100%)]" in (tmp_path / "logs" / "films" / "out.log").read_text()
