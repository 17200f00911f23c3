"""docs/reference/commands.md has every command, exit code and environment variable."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from pipeline.cli.app import momentseek as group

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
NAMED = re.findall(r"^\| `momentseek ([a-z -]+?)(?: [A-Z[].*)?` \|", TEXT, re.MULTILINE)
# Groups that do something by themselves are listed, too.
ALSO_COMMANDS = {"runs"}


def commands(group: click.Group, prefix: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
            if name in ALSO_COMMANDS:
                yield f"{prefix}{name}"
        else:
            yield f"{prefix}{name}"


def test_each_command_is_documented_and_no_other():
    assert sorted(NAMED) == sorted(commands(group))


@pytest.mark.parametrize("code", ["0", "1", "2", "130", "143"])
def test_each_exit_code_is_documented(code):
    assert re.search(rf"^\| {code} \|", TEXT, re.MULTILINE)


def test_each_variable_is_documented():
    source = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / "pipeline").rglob("*.py"))
    names = sorted(set(re.findall(r'"(MOMENTSEEK_[A-Z_]+)"', source)))
    assert [name for name in names if f"`{name}`" not in TEXT] == []


def test_a_library_is_restored_as_the_page_says(tmp_path, tiny_model, make_video, momentseek):
    library = tmp_path / "library"
    settings = {"library": str(library), "encoder": tiny_model, "execution": {"executor": "in_process"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    assert momentseek("index", make_video(), "--config", tmp_path / "config.yaml").code == 0
    shutil.copytree(library, tmp_path / "backup", ignore=shutil.ignore_patterns("index"))
    shutil.rmtree(library)
    shutil.copytree(tmp_path / "backup", library)
    assert momentseek("index", "rebuild", "--library", library).code == 0
    verified = momentseek("index", "verify", "--library", library)
    assert (verified.code, "no differences" in verified.err) == (0, True)
