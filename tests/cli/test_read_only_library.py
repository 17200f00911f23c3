"""A library that can only be read answers all that reads it, and says why it takes nothing in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline import Library

NOBODY = 65_534


@pytest.fixture
def writable(make_video, momentseek, config, tmp_path: Path) -> Path:
    """A library with Milvus Lite, as is usual."""
    library = tmp_path / "library"
    make_video("b.mp4", grey=200)
    indexed = momentseek("index", make_video(), tmp_path / "b.mp4", "-c", config, "--set", "index.backend=milvus")
    assert indexed.code == 0
    return library


@pytest.fixture
def mounted(writable: Path, tmp_path: Path) -> Iterator[Path]:
    """The same on a read-only mount; skipped where this user may mount nothing."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    if subprocess.run(["mount", "--bind", str(writable), str(folder)], check=False, capture_output=True).returncode:
        pytest.skip("needs a read-only mount, which this user may not make")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def unwritable(writable: Path, tiny_model) -> Iterator[Path]:
    """The same in a folder of somebody else's; this process is nobody meanwhile."""
    place = Path(tempfile.mkdtemp(prefix="momentseek-test-", dir="/tmp"))
    folder = place / "library"
    shutil.copytree(writable, folder)
    kept = yaml.safe_load((folder / "library.yaml").read_text())
    # A model elsewhere would have to be trusted.
    (folder / "models").mkdir(exist_ok=True)
    for name in ("checkpoint", "architecture"):
        copy = Path(shutil.copy(tiny_model[name], folder / "models"))
        kept["configuration"]["encoder"][name] = str(copy.relative_to(folder))
    (folder / "library.yaml").write_text(yaml.safe_dump(kept))
    subprocess.run(["chmod", "-R", "a+rX,a-w", str(place)], check=True)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        subprocess.run(["chmod", "-R", "u+w", str(place)], check=True)
        shutil.rmtree(place)


def files_of(library: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in library.rglob("*") if path.is_file()}


def check_reading(momentseek, library: Path, tmp: Path) -> None:
    before = files_of(library)
    found = momentseek("search", "a thing", "-l", library, "--min-score", 0, "--json")
    assert (found.code, len({each["video_id"] for each in found.objects()})) == (0, 2), found.err
    for command in (("videos",), ("runs",), ("runs", "show"), ("index", "verify")):
        result = momentseek(*command, "-l", library)
        assert result.code == 0, (command, result.err)
    labels = tmp / "labels.jsonl"
    labels.write_text(json.dumps({"qid": 1, "query": "a thing", "vid": "a", "relevant_windows": [[0, 2]]}) + "\n")
    assert momentseek("evaluate", labels, "-l", library).code == 0
    doctor = momentseek("doctor", "-l", library)
    assert "broken  library" not in doctor.out
    assert "is read-only: it can be searched" in doctor.out
    assert files_of(library) == before


def check_writing(momentseek, library: Path, video: Path) -> None:
    for command in (("index", video), ("remove", "a.mp4"), ("index", "rebuild")):
        result = momentseek(
            *command, "-l", library, *(("--in-process",) if command[0] == "index" and video in command else ())
        )
        assert (result.code, result.out) == (1, ""), command
        assert "is read-only for this user" in result.err


def test_a_library_on_a_read_only_mount_is_searched(momentseek, mounted: Path, tmp_path: Path, make_video) -> None:
    check_reading(momentseek, mounted, tmp_path)
    check_writing(momentseek, mounted, make_video("c.mp4"))


def test_a_library_of_somebody_elses_is_searched(momentseek, unwritable: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        check_reading(momentseek, unwritable, Path(folder))
        check_writing(momentseek, unwritable, Path(folder) / "c.mp4")


def test_without_an_index_it_is_searched_all_the_same(momentseek, writable: Path, mounted: Path) -> None:
    shutil.rmtree(writable / "index")
    assert momentseek("search", "a thing", "-l", mounted, "--min-score", 0).code == 0


def test_a_read_only_library_whose_index_lacks_videos_names_a_way_that_works(
    momentseek, writable: Path, mounted: Path
) -> None:
    with Library.open(writable) as library:
        library.moment_index().delete_video(library.videos()[0].video_id)
    asked = ("search", "a thing", "-l", mounted, "--min-score", 0, "--json")
    partial = momentseek(*asked)
    assert "the index holds 1 of 2 stored videos" in partial.err
    [way] = re.findall(r"is read-only for this user: set (index\.backend=memory)$", partial.err, re.MULTILINE)
    whole = momentseek(*asked, "--set", way)
    assert (whole.err, len({moment["video_id"] for moment in whole.objects()})) == ("", 2)


def test_a_copy_of_the_index_goes_when_it_is_closed(momentseek, mounted: Path, tmp_path: Path, monkeypatch) -> None:
    own = tmp_path / "own-temporary-files"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    assert momentseek("search", "a thing", "-l", mounted, "--min-score", 0).code == 0
    assert not list(own.glob("momentseek-index-*"))
