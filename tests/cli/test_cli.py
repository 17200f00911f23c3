"""What all commands have in common: help, misspelt words, and errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from pipeline.cli.app import momentseek as group

HEAVY = (
    "yaml",
    "torch",
    "open_clip",
    "ray",
    "pymilvus",
    "av",
    "cv2",
    "decord",
    "numpy",
    "pydantic",
    "rich",
    "PIL",
    "pyarrow",
)


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, timeout=240, check=True)


def processor_seconds(code: str) -> float:
    """What a process takes that runs this, beside whatever else the machine does."""
    said = python(f"{code}; import time; print(time.process_time(), file=sys.stderr)").stderr
    return float(said.split()[-1])


def commands(parent: click.Group, prefix: str = "momentseek") -> Iterator[tuple[str, click.Command]]:
    yield prefix, parent
    for name, command in parent.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def help_of(command: click.Command, columns: int) -> str:
    return command.get_help(click.Context(command, terminal_width=columns, max_content_width=columns))


def test_help_loads_nothing_heavy_and_is_quick():
    show = "import sys; from pipeline.cli import main; main(['--help'])"
    result = python(f"{show}; print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)")
    assert result.stderr.strip() == "[]"
    assert "Commands:" in result.stdout
    # In turns, so that both meet the same machine. It is 3 times as long; with NumPy, which is quickest, it would be 5.
    times = [(processor_seconds("import sys, click"), processor_seconds(show)) for _ in range(3)]
    assert min(helped for _, helped in times) < 4.5 * min(alone for alone, _ in times)


def test_help_shows_its_examples_a_line_each(momentseek):
    assert "\n  momentseek index videos/  " in momentseek("--help").out


@pytest.mark.parametrize("columns", range(62, 103))
def test_no_option_and_no_path_is_broken_at_a_hyphen(columns):
    broken = [
        f"{name}: {line}"
        for name, command in commands(group)
        for line in help_of(command, columns).splitlines()
        if re.search(r"[\w-]-$", line)
    ]
    assert broken == []


def test_usage_shows_which_arguments_may_be_left_out():
    """An argument that usage does not show is there only to be refused."""
    wrong = [
        f"{name} {shown}"
        for name, command in commands(group)
        for argument in command.params
        if isinstance(argument, click.Argument)
        and (shown := argument.make_metavar(click.Context(command)))
        and shown.startswith("[") is argument.required
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "command",
    [
        "index",
        "search",
        "videos",
        "metadata",
        "remove",
        "submit",
        "jobs",
        "evaluate",
        "cuts",
        "config",
        "doctor",
        "demo",
    ],
)
def test_help_of_each_command(momentseek, command):
    result = momentseek(command, "--help")
    assert (result.code, "Usage: momentseek" in result.out) == (0, True)


def test_version(momentseek):
    assert momentseek("--version").out.startswith("momentseek 0.")


def test_a_misspelt_command_gets_the_nearest(momentseek):
    result = momentseek("serch", "x")
    assert (result.code, "did you mean 'search'?" in result.err) == (2, True)


def test_a_misspelt_option_gets_the_nearest(momentseek):
    result = momentseek("search", "--librry", "x", "y")
    assert (result.code, "--library" in result.err) == (2, True)


def test_an_option_gets_only_those_that_are_like_it(momentseek):
    result = momentseek("search", "--wher", "a=b", "y")
    assert (result.code, "--where" in result.err, "--then" in result.err) == (2, True, False)
    assert "(Possible options" not in momentseek("search", "--zzzz", "y").err


def test_a_misspelt_setting_gets_the_nearest(momentseek):
    result = momentseek("config", "check", "--set", "sampling.fsp=2")
    assert (result.code, result.out) == (2, "")
    assert "did you mean 'fps'" in result.err
    assert "Traceback" not in result.err


def test_a_reader_that_leaves_early_brings_no_complaint():
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    code = "import sys; from pipeline.cli import main; sys.exit(main(['config', 'schema']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=240)
    assert (process.returncode, err) == (1, b"")


def test_debug_shows_the_traceback(momentseek, monkeypatch):
    monkeypatch.setenv("MOMENTSEEK_DEBUG", "1")
    with pytest.raises(Exception, match="fsp"):
        momentseek("config", "check", "--set", "sampling.fsp=2")


@pytest.mark.parametrize("value", ["0", "no", ""])
def test_debug_can_be_switched_off_by_its_variable(momentseek, monkeypatch, value):
    monkeypatch.setenv("MOMENTSEEK_DEBUG", value)
    result = momentseek("config", "check", "--set", "sampling.fsp=2")
    assert (result.code, "did you mean 'fps'" in result.err) == (2, True)


def test_an_unexpected_error_is_one_line(momentseek, monkeypatch):
    def broken(*_arguments):
        raise TypeError("oops")

    monkeypatch.setattr("pipeline.run_config.load_run_config", broken)
    result = momentseek("config", "check")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "unexpected TypeError: oops" in result.err
