"""Files placed without replacing any, also where a file system has no hard links."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import StoreError
from pipeline.export.placement import publish
from pipeline.library.analysis.manifest_writer import ManifestWriter

VALUES = dict.fromkeys(
    ("path", "video_id", "policy", "rules", "severity", "score", "start_seconds", "end_seconds"), "x"
)


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    if request.param == "no links":
        monkeypatch.setattr(os, "link", refused)


@pytest.mark.usefixtures("links")
def test_a_file_gets_a_free_name_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "partial").write_text("new")
    (tmp_path / "taken").write_text("old")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert not publish(tmp_path / "partial", tmp_path / "taken")
    assert not publish(tmp_path / "partial", tmp_path / "dangling")
    assert ((tmp_path / "taken").read_text(), (tmp_path / "nowhere").exists()) == ("old", False)
    assert publish(tmp_path / "partial", tmp_path / "free")
    assert (tmp_path / "free").read_text() == "new"


def test_a_manifest_of_a_run_that_failed_does_not_appear(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ManifestWriter(tmp_path / "m.csv") as manifest:  # noqa: PT012 - left by it
        manifest.add(VALUES)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not replaced"), ManifestWriter(tmp_path / "m.txt"):
        (tmp_path / "m.txt").write_text("mine")
    assert [path.name for path in tmp_path.iterdir()] == ["m.txt"]
    assert (tmp_path / "m.txt").read_text() == "mine"


def test_names_that_a_list_cannot_hold_are_refused(tmp_path: Path) -> None:
    with ManifestWriter(tmp_path / "m.txt") as manifest:
        manifest.add({**VALUES, "path": "/a b.mp4"})
        with pytest.raises(ValueError, match="line break"):
            manifest.add({**VALUES, "path": "/a\n/etc/passwd"})
        with pytest.raises(ValueError, match="UTF-8"):
            manifest.add({**VALUES, "path": "/a\udc80"})
    assert (tmp_path / "m.txt").read_text() == "/a b.mp4\n"
