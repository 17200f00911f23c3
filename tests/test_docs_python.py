"""Every block of docs/how-to/python.md, run in order in one process."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "how-to" / "python.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
MODULE = re.compile(r"# (\w+)\.py\n")
FILM = "winter-road.mp4"


@pytest.fixture
def place(tmp_path: Path, films: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the film that the page names; what the page saves as modules can be imported."""
    (tmp_path / "videos").mkdir()
    shutil.copy(films / FILM, tmp_path / "videos")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("pipeline.plugins.section._LOADED", {})
    for name in MODULE.findall(TEXT):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_every_block_runs_and_prints_what_the_page_shows(place, capsys):
    blocks = BLOCK.findall(TEXT)
    assert len(blocks) == TEXT.count("```python\n") > 10
    assert sum(bool(shown) for _, shown in blocks) == TEXT.count("```text\n")
    names: dict[str, object] = {}
    for code, shown in blocks:
        module = MODULE.match(code)
        if module is not None:
            (place / f"{module[1]}.py").write_text(code, encoding="utf-8")
        run = code if module is None else f"import {module[1]}"
        exec(compile(run, "docs/how-to/python.md", "exec"), names)
        printed = capsys.readouterr().out
        assert not shown or printed == shown, code
    for name in MODULE.findall(TEXT):
        sys.modules.pop(name, None)
