"""A real server over a small library, and pages of it in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from page_visitor import PageVisitor, served

from pipeline import Library
from pipeline.analyze.labels.label_set import read_label_set
from pipeline.analyze.policies.policy import read_policy
from pipeline.library.analysis.labelling import label_videos
from pipeline.library.analysis.policies.check import open_check
from pipeline.library.saved.cases import CaseMoment, LibraryCases
from pipeline.run_config import load_run_config
from pipeline.types import Source

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser

HOSTILE = "<img src=x onerror=alert(1)>.mp4"
"""A file name that is markup."""
POLICY = "rules: {ladder: {when: a person climbing a ladder, action: queue, severity: high}}"


@pytest.fixture(scope="session")
def page_folder(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of two films; one has markup as its name and in its metadata. Tests only read it."""
    base = tmp_path_factory.mktemp("page")
    hostile = base / HOSTILE
    shutil.copyfile(films / "warehouse-shift.mp4", hostile)
    settings = [f"library={base / 'library'}", "execution.executor=in_process", "index.backend=memory"]
    sources = [
        Source(str(films / "fire-drill.mp4"), {"camera": "office", "recorded_at": "2026-11-20T08:30:00"}),
        Source(str(hostile), {"camera": "<b>dock</b>", "recorded_at": "2026-11-21T22:00:00"}),
    ]
    with Library.open(load_run_config("demo", settings)) as library:
        reports = list(library.index(sources))
    assert [report.status for report in reports] == ["done", "done"]
    return base / "library"


@pytest.fixture(scope="session")
def worked_folder(page_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same library with a queue for review, a failure, a case with a note, and a saved search; tests copy it."""
    base = tmp_path_factory.mktemp("worked")
    folder = Path(shutil.copytree(page_folder, base / "library"))
    (base / "<b>broken.mp4").touch()
    policy = base / "site.yaml"
    policy.write_text("rules:\n  ladder: {when: a person climbing a ladder, action: queue, severity: high}\n")
    with Library.open(folder, overrides=["execution.executor=in_process"]) as library:
        assert [report.status for report in library.index([base / "<b>broken.mp4"])] == ["failed"]
        list(open_check(library, read_policy(str(policy))).run())
        found = library.search("forklift", top=2)
        moments = [CaseMoment(one.video_id, one.start_seconds, one.end_seconds, "lights", "forklift") for one in found]
        LibraryCases(library).put("Near <i>misses", "who passes whom", moments, by="anna")
    return folder


@pytest.fixture(scope="module")
def page_address(page_folder: Path) -> Iterator[str]:
    """The address of a server of the library."""
    with served(Library.open(page_folder)) as address:
        yield address


@pytest.fixture
def visitor(page_address: str, chromium: PlaywrightBrowser) -> Iterator[PageVisitor]:
    """A fresh window; nothing may have gone wrong in its pages when the test ends."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    visitor = PageVisitor(page_address, context)
    yield visitor
    context.close()
    assert visitor.errors == []


@pytest.fixture(scope="module")
def empty_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of a library without videos."""
    folder = tmp_path_factory.mktemp("empty") / "library"
    settings = [f"library={folder}", "execution.executor=in_process", "index.backend=memory"]
    with served(Library.open(load_run_config("demo", settings))) as address:
        yield address


@pytest.fixture(scope="session")
def analysed_folder(page_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of the two films; the first is labelled, and both are checked by a policy. Tests only read it."""
    folder = Path(shutil.copytree(page_folder, tmp_path_factory.mktemp("analysed") / "library"))
    policy = folder.parent / "site.yaml"
    policy.write_text(POLICY)
    with Library.open(folder) as library:
        labels = read_label_set("vehicles")
        list(label_videos(library, labels, name="vehicles", records=library.select("fire-drill.mp4").records))
        list(open_check(library, read_policy(str(policy))).run())
    return folder


@pytest.fixture
def analyst(
    analysed_folder: Path, chromium: PlaywrightBrowser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PageVisitor]:
    """A window of a server of a copy of that library, which the test may write to."""
    folder = Path(shutil.copytree(analysed_folder, tmp_path_factory.mktemp("analyst") / "library"))
    with served(Library.open(folder)) as address:
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        visitor = PageVisitor(address, context)
        yield visitor
        context.close()
    assert visitor.errors == []
