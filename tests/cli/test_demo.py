"""`momentseek demo`; tests/test_wheel.py runs it as it is installed, with Ray."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
from served_process import COMMAND, PROJECT


def test_a_folder_that_cannot_be_written_is_named(momentseek, tmp_path):
    (tmp_path / "file").touch()
    result = momentseek("demo", "--output", tmp_path / "file" / "demo", "--in-process")
    assert (result.code, "Traceback" in result.err) == (1, False)
    assert f"the demo cannot write to '{tmp_path}/file/demo' (Not a directory); name another folder" in result.err


def test_a_file_in_place_of_the_folder_is_a_usage_error(momentseek, tmp_path):
    (tmp_path / "file").touch()
    result = momentseek("demo", "--output", tmp_path / "file")
    assert (result.code, "is a file" in result.err) == (2, True)


def test_a_library_of_another_demo_model_says_what_to_do(momentseek, config, make_video, tmp_path):
    assert momentseek("index", make_video(), "-c", config, "-l", tmp_path / "demo" / "library").code == 0
    result = momentseek("demo", "--output", tmp_path / "demo", "--in-process")
    assert (result.code, f"remove '{tmp_path}/demo', or name another folder: --output DIR" in result.err) == (1, True)


def on_a_terminal(output: Path, *options: str, ci: str = "") -> tuple[subprocess.Popen[bytes], str]:
    """Start the demo on a terminal, and read what it prints until it serves or ends."""
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "demo", "--in-process", "--output", str(output), *options],
        env={**os.environ, "PYTHONPATH": str(PROJECT), "CI": ci},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    said = b""
    while b"stop with Ctrl+C" not in said:
        try:
            said += os.read(screen, 4096)
        except OSError:  # the terminal is closed: the command has ended
            break
    return process, said.decode()


@pytest.mark.slow
def test_on_a_terminal_the_library_is_served_afterwards(tmp_path: Path) -> None:
    process, said = on_a_terminal(tmp_path / "demo")
    try:
        address = re.search(r"http://[\d.:]+/", said)
        assert address is not None, said
        with urllib.request.urlopen(f"{address[0]}api/v1/search?text=a+forklift", timeout=120) as answer:
            assert b"loading-dock.mp4" in answer.read()
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    # The films are in the library now, so these only ask.
    for options, ci in ((["--no-serve"], ""), ([], "true")):
        process, said = on_a_terminal(tmp_path / "demo", *options, ci=ci)
        assert (process.wait(timeout=60), "Ask your own" in said, "Serving" in said) == (0, True, False)
