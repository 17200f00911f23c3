"""A real library: one sample film, indexed with the demo model."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from pipeline import Library, Source
from pipeline.run_config import load_run_config
from pipeline.serve.mcp.agent_library import AgentLibrary
from pipeline.serve.mcp.tools import make_server

FILM = Path(__file__).parents[3] / "sample_videos/snow-and-site.mp4"
Call = Callable[..., Any]


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library's folder; tests that change the library copy it."""
    folder = tmp_path_factory.mktemp("agents")
    film = folder / "films/site.mp4"
    film.parent.mkdir()
    shutil.copy(FILM, film)
    overrides = [f"library={folder / 'library'}", "execution.executor=in_process"]
    with Library.open(load_run_config("demo", overrides)) as library:
        (report,) = library.index([Source(str(film), {"camera": "north"})])
        assert report.status == "done"
        library.search("snow")
    return folder / "library"


@pytest.fixture
def place(indexed: Path, tmp_path: Path) -> Path:
    """A copy of the library."""
    return Path(shutil.copytree(indexed, tmp_path / "library"))


@pytest.fixture
def library(place: Path) -> Iterator[Library]:
    with Library.open(place) as opened:
        yield opened


@pytest.fixture
def call(library: Library) -> Call:
    """Calls a tool through the SDK's client, in memory."""
    server = make_server(AgentLibrary(library))

    def call(tool: str, /, **arguments: Any) -> Any:
        async def once() -> Any:
            async with Client(server) as client:
                return await client.call_tool(tool, arguments)

        return asyncio.run(once())

    return call
