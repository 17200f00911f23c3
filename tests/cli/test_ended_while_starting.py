"""A batch that ends while Ray or the model is still loading: by a signal, or because the model cannot be loaded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file, save_file

PROJECT = Path(__file__).parents[2]
_MARK = "MOMENTSEEK_TEST_MARK"
# An interrupt is ignored in the background of a shell, and so by all that tests start there.
_COMMAND = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from pipeline.cli import main
sys.exit(main(sys.argv[1:]))
"""


def _marked(mark: str) -> list[int]:
    """The processes that were started by the command, directly or not."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"{_MARK}={mark}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.fixture
def settings(tiny_model, tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"library": str(tmp_path / "library"), "encoder": tiny_model}))
    return path


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    """A mark in the environment of the command; whatever bears it at the end is killed."""
    yield tmp_path.name
    for pid in _marked(tmp_path.name):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _start(mark: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *map(str, arguments)],
        env=environment | {_MARK: mark, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _check_nothing_runs(mark: str) -> None:
    deadline = time.monotonic() + 60
    while (left := _marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("executor", "phase"),
    [
        ("in_process", "opening the index"),
        ("in_process", "loading the model"),
        pytest.param("ray", "starting Ray", marks=pytest.mark.ray),
        pytest.param("ray", "loading the model", marks=pytest.mark.ray),
    ],
)
def test_a_signal_while_the_batch_starts_leaves_no_process(
    settings: Path, mark: str, make_video, executor: str, phase: str, number: signal.Signals, code: int
) -> None:
    process = _start(
        mark, "index", make_video("a.mp4", seconds=20), "-c", settings, "--set", f"execution.executor={executor}"
    )
    said = []
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line)
        if phase in line:
            break
    if number is signal.SIGINT:
        # To it and to all that it started, as a terminal does.
        os.killpg(process.pid, number)
    else:
        process.terminate()
    _, err = process.communicate(timeout=120)
    assert process.returncode == code, "".join(said) + err
    assert "Traceback" not in err
    _check_nothing_runs(mark)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["in_process", pytest.param("ray", marks=pytest.mark.ray)])
def test_weights_that_cannot_be_loaded_are_reported_as_such(
    settings: Path, mark: str, tiny_model, make_video, tmp_path: Path, executor: str
) -> None:
    """The file is sound, so only loading it shows that it belongs to another model."""
    weights = load_file(tiny_model["checkpoint"])
    weights["visual.proj"] = weights["visual.proj"][:, :8].contiguous()
    other = tmp_path / "other.safetensors"
    save_file(weights, str(other))
    overrides = ["--set", f"execution.executor={executor}", "--set", f"encoder.checkpoint={json.dumps(str(other))}"]
    process = _start(mark, "index", make_video("a.mp4"), make_video("b.mp4", grey=9), "-c", settings, *overrides)
    out, err = process.communicate(timeout=200)
    assert (process.returncode, out) == (1, ""), err
    assert "belongs to another model" in err
    assert "Remedies:" in err
    assert "Traceback" not in err
    _check_nothing_runs(mark)
