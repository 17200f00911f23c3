"""A server over real films, with the demo's model; it is called in process, through the whole application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline import Library
from pipeline.run_config import load_run_config
from pipeline.serve import ServeSettings, create_app

FILMS = ("fire-drill.mp4", "warehouse-shift.mp4")

Serve = Callable[..., TestClient]


@pytest.fixture(scope="session")
def served_folder(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of two films, which tests only read."""
    folder = tmp_path_factory.mktemp("served") / "library"
    settings = [f"library={folder}", "execution.executor=in_process", "index.backend=memory"]
    with Library.open(load_run_config("demo", settings)) as library:
        reports = list(library.index([films / name for name in FILMS]))
    assert [report.status for report in reports] == ["done", "done"]
    return folder


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a library with settings until the test ends."""
    with ExitStack() as until_the_end:

        def start(library: Library, **settings: object) -> TestClient:
            app = create_app(library, ServeSettings(**settings))
            client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
            return until_the_end.enter_context(client)

        yield start


@pytest.fixture(scope="session")
def client(served_folder: Path) -> Iterator[TestClient]:
    """A client of a server of the two films, for tests that change nothing."""
    app = create_app(Library.open(served_folder))
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def video_ids(client: TestClient) -> dict[str, str]:
    """The ids of the two films by their names."""
    listed = client.get("/api/v1/videos").json()["videos"]
    return {Path(video["name"]).name: video["video_id"] for video in listed}
