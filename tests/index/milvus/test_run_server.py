"""`make run-milvus-server`, and the other commands that messages and documents name."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize("port", ["19530", "19531"])
def test_the_make_target_starts_what_it_says(port: str) -> None:
    command = ["make", "-n", "run-milvus-server", *([] if port == "19530" else [f"MILVUS_PORT={port}"])]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert f"tests/milvus_server.py serve build/milvus-data {port}" in done.stdout
    text = (PROJECT / "docs" / "how-to" / "milvus.md").read_text(encoding="utf-8")
    assert "`make run-milvus-server`" in text
    assert "http://127.0.0.1:19530" in text


def test_a_server_that_cannot_run_here_says_why(tmp_path: Path) -> None:
    script = Path(PROJECT / "tests" / "milvus_server.py").read_text(encoding="utf-8")
    # The same script in a project where nothing is installed.
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "milvus_server.py").write_text(script)
    command = [sys.executable, str(tmp_path / "tests" / "milvus_server.py"), "serve", str(tmp_path / "data"), "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, (tmp_path / "data").exists()) == (1, False)
    assert "no Milvus server is set up here (make milvus-server)" in done.stderr


@pytest.mark.milvus_server
def test_a_second_server_is_refused(milvus_server_uri: str, tmp_path: Path) -> None:
    host, port = milvus_server_uri.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))):
        command = [sys.executable, str(PROJECT / "tests" / "milvus_server.py"), "serve", str(tmp_path / "data"), "1"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "which Milvus's etcd needs" in done.stderr) == (1, True)
