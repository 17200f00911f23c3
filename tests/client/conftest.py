"""A library of two films that a real `momentseek serve` serves, and commands that run with or without it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from served_process import start_server, stop_server

from pipeline import Library
from pipeline.run_config import load_run_config


@pytest.fixture(scope="session")
def served_library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a library with two films in Milvus Lite."""
    folder = tmp_path_factory.mktemp("client") / "library"
    with Library.open(load_run_config("demo", [f"library={folder}", "execution.executor=in_process"])) as library:
        reports = list(library.index([films / "fire-drill.mp4", films / "warehouse-shift.mp4"]))
    assert [report.status for report in reports] == ["done", "done"]
    return folder


@pytest.fixture(scope="session")
def server(served_library: Path) -> Iterator[subprocess.Popen[str]]:
    """The server of that library, until all tests end."""
    process = start_server(served_library)
    yield process
    stop_server(process)
