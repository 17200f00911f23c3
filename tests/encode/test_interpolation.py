from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from jobs.interpolate_weights import main
from pipeline.encode.weights.interpolation import interpolate_checkpoints
from pipeline.errors import ConfigError


def tensors(value: float, count: int = 1) -> dict[str, torch.Tensor]:
    return {"w": torch.full((2, 3), value), "half": torch.full((2,), value).half(), "n": torch.tensor(count)}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A checkpoint, and one as open_clip's trainer writes it from several processes."""
    first, second = tmp_path / "a.safetensors", tmp_path / "epoch_1.pt"
    save_file(tensors(1.0, 3), first)
    state = {f"module.{name}": value for name, value in tensors(3.0, 7).items()}
    torch.save({"epoch": 1, "state_dict": state, "optimizer": {"state": {}}}, second)
    return first, second


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, 1.0), (0.25, 1.5), (1.0, 3.0)])
def test_the_mean_of_two_checkpoints(pair: tuple[Path, Path], tmp_path: Path, alpha: float, expected: float) -> None:
    target = tmp_path / "c.safetensors"
    assert interpolate_checkpoints(*pair, alpha, target) == 3
    found = load_file(target)
    assert torch.equal(found["w"], torch.full((2, 3), expected))
    assert found["half"].dtype == torch.float16
    assert found["n"].item() == 7


def test_the_ends_are_the_checkpoints_bit_by_bit(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_file({"w": torch.randn(100)}, tmp_path / f"{name}.safetensors")
    paths = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for alpha, path in zip((0.0, 1.0), paths, strict=True):
        interpolate_checkpoints(*paths, alpha, tmp_path / "c.safetensors")
        assert torch.equal(load_file(tmp_path / "c.safetensors")["w"], load_file(path)["w"])


def test_other_networks_and_files_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "c.safetensors"
    other = tmp_path / "other.safetensors"
    save_file({**tensors(1.0), "more": torch.ones(1)}, other)
    with pytest.raises(ConfigError, match="no tensor 'more'"):
        interpolate_checkpoints(pair[0], other, 0.5, out)
    save_file({**tensors(1.0), "w": torch.ones(3, 2)}, other)
    with pytest.raises(ConfigError, match=r"shape \(3, 2\), not \(2, 3\)"):
        interpolate_checkpoints(pair[0], other, 0.5, out)
    other.write_bytes(b"no weights at all")
    for broken in (other, tmp_path / "nowhere.pt"):
        with pytest.raises(ConfigError, match="cannot be read"):
            interpolate_checkpoints(pair[0], broken, 0.5, out)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        interpolate_checkpoints(*pair, 1.5, out)
    assert not out.exists()


def test_the_command(pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "c.safetensors"
    assert main([str(pair[0]), str(pair[1]), "--alpha", "0.5", "-o", str(target)]) == 0
    assert float(load_file(target)["w"][0, 0]) == 2.0
    assert main([str(pair[0]), str(pair[1]), "--alpha", "2", "-o", str(target)]) == 2
    assert "from 0 to 1" in capsys.readouterr().err
