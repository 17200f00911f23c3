"""README's session: its commands, run in order on the demo's library, print what it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.cli.app import momentseek as group

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SESSION = README.partition("```console\n")[2].partition("```")[0]
STEPS = [step.partition("\n") for step in SESSION.removeprefix("$ ").split("\n$ ")]
# Processors round differently, and a score or a count of moments may follow.
SCORE = re.compile(r"(?<![:\d])0\.\d\d\b|\bof \d+\b")


def lines(text: str) -> list[str]:
    return [SCORE.sub("(number)", line.rstrip()) for line in text.splitlines() if line.strip()]


def test_the_session_has_an_answer_a_negation_and_nothing() -> None:
    assert len(STEPS) == 3
    assert all(shown.strip() for _, _, shown in STEPS)


@pytest.mark.slow
def test_the_session_is_what_a_reader_sees(demo_library: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(demo_library.parents[1])
    monkeypatch.delenv("MOMENTSEEK_LIBRARY", raising=False)
    for command, _, shown in STEPS:
        program, *arguments = shlex.split(command)
        capsys.readouterr()
        code = main(arguments)
        printed = capsys.readouterr()
        assert (program, code) == ("momentseek", 0), printed.err
        # A terminal shows both, and in which order they come depends on it.
        assert sorted(lines(printed.out + printed.err)) == sorted(lines(shown)), command


def test_the_two_commands_take_what_they_are_given() -> None:
    block = README.partition("## Two commands")[2].partition("```sh\n")[2].partition("```")[0]
    commands = [shlex.split(line) for line in block.splitlines()]
    assert [command[:2] for command in commands] == [["momentseek", "index"], ["momentseek", "search"]]
    for _, name, *arguments in commands:
        with group.commands[name].make_context(name, arguments) as context:
            assert context.params["library"] == "my-library"
