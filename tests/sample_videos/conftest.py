"""The demo's library, made once for all tests of the films and of what README shows of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.library import Library
from pipeline.run_config import load_run_config
from pipeline.types import Status
from sample_videos.films import write_scripts


@pytest.fixture(scope="session")
def demo_library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that `momentseek demo` makes, without Ray; tests/test_wheel.py runs the command itself."""
    place = tmp_path_factory.mktemp("demo") / "momentseek-demo" / "library"
    config = load_run_config("demo", [f"library={place}", "execution.executor=in_process"])
    with Library(config) as library:
        reports = list(library.index(films / f"{film.name}{film.suffix}" for film in write_scripts()))
    assert {report.status for report in reports} == {Status.DONE}
    return place
