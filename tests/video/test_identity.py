from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UnsupportedVideoError, VideoNotFoundError
from pipeline.video import content_id

MIB = 2**20


def test_the_id_is_of_the_content_alone(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mkv"):
        (tmp_path / name).write_bytes(b"\0content")
    assert content_id(str(tmp_path / "a.mp4")) == content_id(str(tmp_path / "b.mkv"))
    assert len(content_id(str(tmp_path / "a.mp4"))) == 16


@pytest.mark.parametrize("size_bytes", [1, MIB - 1, 2 * MIB + 5, 3 * MIB])
def test_every_byte_of_a_small_file_counts(tmp_path: Path, size_bytes: int) -> None:
    path = tmp_path / "a.mp4"
    seen = set()
    for place in {0, size_bytes // 3, size_bytes // 2, size_bytes - 1}:
        content = bytearray(size_bytes)
        content[place] = 1
        path.write_bytes(content)
        seen.add(content_id(str(path)))
    path.write_bytes(bytes(size_bytes))
    assert content_id(str(path)) not in seen
    assert len(seen) == len({0, size_bytes // 3, size_bytes // 2, size_bytes - 1})


def test_head_middle_tail_and_size_of_a_large_file_count(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    seen = set()
    for size_bytes in (10 * MIB, 10 * MIB + 1):
        for place in (0, 5 * MIB, size_bytes - 1):
            content = bytearray(size_bytes)
            content[place] = 1
            path.write_bytes(content)
            seen.add(content_id(str(path)))
    assert len(seen) == 6


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnsupportedVideoError, match="empty"):
        content_id(str(tmp_path / "empty.mp4"))
    with pytest.raises(VideoNotFoundError, match="a folder without videos"):
        content_id(str(tmp_path / "folder"))
